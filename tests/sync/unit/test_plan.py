"""The pure plan: from what is desired and what is known to steps, without any I/O."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.connections.model import ConnectionSettings, ItemKind
from app.kaseya import Capability, Opportunity
from app.quotes.model import Account, DiscountKind, Line, Quote, Status, Tax, Totals
from app.sync.known import Known, KnownItem, SentLine
from app.sync.mapping import QuoteWarning, desire, fold, marker, renew
from app.sync.mapping.words import with_marker
from app.sync.plan import Plan, plan, sent_fields
from app.sync.steps import AddLine, CreateItem, RemoveLine, UpdateLine
from tests.fixtures.engine import SETTINGS

TODAY = date(2030, 1, 15)
MARK = marker("con_1", "q-1")
ALL = frozenset(Capability)


def settings(**groups: Any) -> ConnectionSettings:
    return ConnectionSettings.model_validate(
        {**SETTINGS, **{name: {**SETTINGS[name], **changes} for name, changes in groups.items()}}
    )


def a_line(line_id: str = "l-1", **changes: Any) -> Line:
    fields = {
        "name": "Work",
        "quantity": Decimal(2),
        "unit_price": Decimal(100),
        "unit_cost": Decimal(40),
        "category": "Labor",
    }
    return Line(line_id=line_id, **{**fields, **changes})


def a_quote(**changes: Any) -> Quote:
    fields = {
        "quote_id": "q-1",
        "number": "7",
        "name": "Work",
        "status": Status.PENDING,
        "currency": "USD",
        "account": Account(name="A"),
        "totals": Totals(one_time=Decimal(200)),
        "lines": (a_line(),),
        "expires_on": date(2030, 2, 1),
    }
    return Quote(**{**fields, **changes})


def desired(quote: Quote, chosen: ConnectionSettings | None = None, *, today: date = TODAY) -> Any:
    return desire(quote, chosen or settings(), today=today, first_synced_on=None, capabilities=())


def known(**changes: Any) -> Known:
    fields = {
        "account_id": 1,
        "location_id": 2,
        "contact_id": None,
        "owner_id": 3,
        "probability": Decimal(50),
        "opportunity_id": 4,
        "opportunity": None,
        "opportunity_sent": None,
        "quotation_id": 5,
        "quotation_sent": None,
        "capabilities": ALL,
    }
    return Known(**{**fields, **changes})


def planned(quote: Quote, **changes: Any) -> Plan:
    return plan(desired(quote), known(**changes), settings(), mark=MARK)


SENT = {
    "name": "Work",
    "description": None,
    "quantity": "2",
    "unit_price": "100.00",
    "unit_cost": "40.00",
    "taxable": False,
}


def sent_line(**changes: Any) -> SentLine:
    return SentLine(kaseya_line_id=9, item_kind="service", item_id=8, sent={**SENT, **changes})


def test_a_line_as_it_was_sent_needs_no_step() -> None:
    assert planned(a_quote(), lines={"l-1": sent_line()}).steps == ()


@pytest.mark.parametrize("quantity", ["2", "2.0", "2.000000"])
def test_a_quantity_is_compared_as_a_number(quantity: str) -> None:
    assert planned(a_quote(lines=(a_line(quantity=Decimal(quantity)),)), lines={"l-1": sent_line()}).steps == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"quantity": Decimal(3)}, "quantity"),
        ({"unit_price": Decimal("100.01")}, "unit_price"),
        ({"unit_cost": Decimal(41)}, "unit_cost"),
        ({"description": "More"}, "description"),
        ({"taxable": True}, "taxable"),
        ({"discount": Decimal(1)}, "unit_price"),
    ],
)
def test_a_changed_line_is_updated_with_the_change_named(changes: dict[str, Any], field: str) -> None:
    (step,) = planned(a_quote(lines=(a_line(**changes),)), lines={"l-1": sent_line()}).steps
    assert isinstance(step, UpdateLine)
    assert [change.field for change in step.changes] == [field]


def test_a_new_item_is_created_once_for_all_its_lines() -> None:
    steps = planned(a_quote(lines=(a_line(), a_line("l-2")))).steps
    assert [type(step) for step in steps] == [CreateItem, AddLine, AddLine]


def test_a_known_item_is_not_created() -> None:
    (step,) = planned(a_quote(), items={"l-1": KnownItem(kaseya_id=77)}).steps
    assert isinstance(step, AddLine)
    assert (step.item_id, step.kind) == (77, ItemKind.SERVICE)


def test_an_item_is_created_at_its_list_price() -> None:
    line = a_line(discount=Decimal(10), discount_kind=DiscountKind.PERCENT)
    item, added = planned(a_quote(lines=(line,))).steps
    assert isinstance(item, CreateItem)
    assert isinstance(added, AddLine)
    assert (item.fields["unit_price"], added.body.unit_price) == (Decimal("100.00"), Decimal("90.00"))


def test_a_line_of_another_item_is_removed_and_added() -> None:
    other = sent_line(item="service:something else")
    steps = planned(a_quote(), lines={"l-1": other}, items={"l-1": KnownItem(kaseya_id=77)}).steps
    assert [type(step) for step in steps] == [RemoveLine, AddLine]


def test_a_line_that_cannot_be_deleted_is_zeroed_once_and_told_ever_after() -> None:
    quote = a_quote(lines=())
    line = sent_line()
    first = planned(quote, lines={"l-1": line}, capabilities=frozenset())
    again = planned(quote, lines={"l-1": replace(line, removed=True)}, capabilities=frozenset())
    (step,) = first.steps
    assert isinstance(step, UpdateLine)
    assert (step.removed, step.body.quantity) == (True, Decimal(0))
    assert again.steps == ()
    assert [warning.code for warning in again.warnings if warning.line_id] == ["quotation_line_zeroed"]


@pytest.mark.parametrize(
    ("line", "item", "price"),
    [
        (a_line(unit_price=None), KnownItem(kaseya_id=1, unit_price=Decimal(80)), Decimal("80.00")),
        (
            a_line(unit_price=None, discount=Decimal(5)),
            KnownItem(kaseya_id=1, unit_price=Decimal(80)),
            Decimal("75.00"),
        ),
        (a_line(unit_price=Decimal(0)), KnownItem(kaseya_id=1, unit_price=Decimal(80)), Decimal("0.00")),
        (a_line(unit_price=None), KnownItem(kaseya_id=1), None),
        (a_line(unit_cost=None), KnownItem(kaseya_id=1), None),
        (a_line(unit_price=None), None, None),
    ],
)
def test_a_services_price_is_the_quotes_else_bmss_else_it_stays_off(
    line: Line, item: KnownItem | None, price: Decimal | None
) -> None:
    items = {} if item is None else {"l-1": item}
    result = planned(a_quote(lines=(line,)), items=items)
    prices = [step.body.unit_price for step in result.steps if isinstance(step, AddLine)]
    assert prices == ([] if price is None else [price])
    assert ("service_line_unpriced" in [warning.code for warning in result.warnings]) is (price is None)


def live(**changes: Any) -> Opportunity:
    fields = {
        "id": 4,
        "subject": "Typed",
        "statusid": 102,
        "accountid": 1,
        "accountlocationid": 2,
        "typeid": 31,
        "probability": 50,
        "ratingid": 41,
        "salesrepresentativeuserid": 3,
        "amount": 200,
        "description": MARK,
        "closedate": "2030-02-01T00:00:00",
    }
    return Opportunity.model_validate({**fields, **changes})


def test_an_opportunity_as_it_should_be_has_no_changes() -> None:
    result = planned(a_quote(lines=()), opportunity=live())
    assert [step.changes for step in result.steps] == [()]
    assert result.to_json()["steps"] == []


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"amount": 1}, ["amount"]),
        ({"statusid": 101, "probability": 10}, ["status_id", "probability"]),
        ({"description": "Typed"}, ["description"]),
        ({"closedate": "2030-03-01T00:00:00"}, ["close_date"]),
        ({"salesrepresentativeuserid": 9}, ["sales_representative_user_id"]),
        ({"subject": "Another", "ratingid": 43, "customerpo": "PO"}, []),
    ],
)
def test_only_what_the_quote_decides_is_put_right(changes: dict[str, Any], fields: list[str]) -> None:
    (step,) = planned(a_quote(lines=()), opportunity=live(**changes)).steps
    assert [change.field for change in step.changes] == fields


def test_an_unknown_contact_leaves_the_opportunitys_own() -> None:
    assert sent_fields(desired(a_quote()), known())["contact_id"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 9},
        {"url": "https://q.example"},
        {"currency": "EUR"},
        {"taxes": (Tax(name="T", amount=Decimal(1)),)},
        {"account": Account(name="B")},
        {"issued_on": date(2030, 1, 2)},
        {"lines": (a_line(recurring=True),)},
        {"lines": (a_line(), a_line("l-2", optional=True, selected=False))},
        {"lines": (a_line(category="Unheard of"),)},
    ],
)
def test_the_digest_ignores_what_is_not_sent(changes: dict[str, Any]) -> None:
    assert desired(a_quote(**changes)).digest == desired(a_quote()).digest


@pytest.mark.parametrize(
    "changes",
    [
        {"totals": Totals(one_time=Decimal(201))},
        {"status": Status.LOST},
        {"expires_on": date(2030, 2, 2)},
        {"name": "Another"},
        {"account": Account(kaseya_account_id=9)},
        {"kaseya_opportunity_id": 9},
        {"lines": ()},
        {"lines": (a_line(quantity=Decimal(3)),)},
        {"lines": (a_line(item_code="W"),)},
        {"lines": (a_line(category="Hardware"),)},
    ],
)
def test_the_digest_sees_what_is_sent(changes: dict[str, Any]) -> None:
    assert desired(a_quote(**changes)).digest != desired(a_quote()).digest


def test_the_order_of_lines_is_not_sent() -> None:
    first, second = a_line(), a_line("l-2")
    assert desired(a_quote(lines=(first, second))).digest == desired(a_quote(lines=(second, first))).digest


def test_a_quote_decided_after_its_date_wants_no_quotation_unless_it_is_to_be_tried() -> None:
    late = a_quote(status=Status.ACCEPTED, expires_on=date(2030, 1, 14))
    tried = settings(service_quotation={"expired_when_won": "try"})
    assert desired(late).quotation is None
    assert desired(late, tried).quotation.backdated
    assert desired(replace(late, status=Status.LOST), tried).quotation is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, MARK),
        ("", MARK),
        ("Typed", f"Typed\n\n{MARK}"),
        (f"Typed\n\n{MARK}", f"Typed\n\n{MARK}"),
        (f"{MARK}\nBelow", f"Below\n\n{MARK}"),
        (marker("con_1", "q-2"), f"{marker('con_1', 'q-2')}\n\n{MARK}"),
    ],
)
def test_a_description_ends_in_the_marker_once(text: str | None, expected: str) -> None:
    assert with_marker(text, MARK) == expected


def test_a_marker_is_the_same_for_ever_and_another_for_every_quote() -> None:
    assert marker("con_1", "q-1") == MARK
    assert len({MARK, marker("con_1", "q-2"), marker("con_2", "q-1")}) == 3


@pytest.mark.parametrize(("name", "folded"), [(" A  b\tC ", "a b c"), (None, ""), ("Straße", "strasse")])
def test_names_are_compared_folded(name: str | None, folded: str) -> None:
    assert fold(name) == folded


def test_renewed_warnings_keep_what_bms_said() -> None:
    told = [{"code": "owner_not_found", "detail": "o"}, {"code": "tax_not_sent", "detail": "old"}]
    renewed = renew(told, [QuoteWarning("tax_not_sent", "new")])
    assert renewed == [{"code": "tax_not_sent", "detail": "new"}, {"code": "owner_not_found", "detail": "o"}]
