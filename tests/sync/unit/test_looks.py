"""Looking for what a lost answer may have created, kind by kind, against BMS at the wire."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx

from app.db.session import Database
from app.db.tables import Intent, LinkLine
from app.kaseya import Account
from app.sync.errand import Errand
from app.sync.looks import all_sent, cannot_be_found, look, main_location
from app.sync.problems import Problem
from tests.sync.unit.errands import BASE, MARK, NOW, an_errand

SENT_AT = NOW - timedelta(minutes=1)
TWO_DAYS_BEFORE = "2026-07-30T11:59:00Z"


def intent(kind: str, **hint: Any) -> Intent:
    return Intent(connection_id="con_1", kind=kind, key="k", quote_id="q-1", sent_at=SENT_AT, hint=hint)


async def looked(errand: Errand, kind: str, **hint: Any) -> list[dict[str, Any]]:
    return await look(errand, intent(kind, **hint))


@pytest.fixture
def bms() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE) as router:
        yield router


@pytest.fixture
async def errand() -> AsyncIterator[Errand]:
    """An errand that only reads BMS."""
    nowhere = Database.connect("postgresql+asyncpg://nowhere")
    async with an_errand(nowhere) as errand:
        yield errand
    await nowhere.close()


def listed(*records: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"success": True, "result": records, "totalRecords": len(records)})


def asked(route: respx.Route) -> dict[str, str]:
    """The filters of the one request."""
    (call,) = route.calls
    return {name: value for name, value in call.request.url.params.items() if name.startswith("Filter.")}


async def test_an_account_is_found_by_its_folded_name_with_its_main_location(
    bms: respx.MockRouter, errand: Errand
) -> None:
    places = [{"id": 21, "isMain": False}, {"id": 22, "isMain": True}]
    route = bms.get("/v2/crm/accounts/summary").respond(
        json={
            "success": True,
            "result": [
                {"id": 9, "accountName": "ACME  Ltd ", "locations": places},
                {"id": 10, "accountName": "Acme Ltd East"},
                {"id": 2, "accountName": "acme ltd"},
            ],
            "totalRecords": 3,
        }
    )
    assert await looked(errand, "account", name="Acme Ltd") == [
        {"id": 2, "location_id": None},
        {"id": 9, "location_id": 22},
    ]
    assert asked(route) == {"Filter.AccountName": "Acme Ltd"}


@pytest.mark.parametrize(
    ("locations", "chosen"),
    [
        ([], None),
        ([{"id": 3}, {"id": 2}], 2),
        ([{"id": 3, "isMain": True}, {"id": 2}], 3),
        ([{"id": 3, "isMain": True}, {"id": 2, "isMain": True}], 2),
        ([{"id": 3, "isMain": True, "isActive": False}, {"id": 4}], 4),
        ([{"id": 3, "isActive": False}], None),
    ],
)
def test_the_main_location_is_the_active_one_or_the_lowest(locations: list[dict[str, Any]], chosen: int | None) -> None:
    account = Account.model_validate({"id": 1, "locations": locations})
    assert main_location(account) == chosen


PERSON = {"account_id": 7, "first_name": "Kim", "last_name": "Sample", "email": "kim@sample.example"}
CONTACTS = "/v2/crm/contacts/search"


def contact(contact_id: int, **fields: Any) -> dict[str, Any]:
    known = {"accountId": 7, "firstName": "Kim", "lastName": "Sample", "emailAddress": "kim@sample.example"}
    return {"id": contact_id, **known, **fields}


async def test_a_contact_is_found_by_account_and_e_mail(bms: respx.MockRouter, errand: Errand) -> None:
    route = bms.get(CONTACTS).mock(
        return_value=listed(
            contact(5, emailAddress="KIM@sample.example", firstName="K."),
            contact(6, accountId=8),
            contact(4, emailAddress="other@sample.example"),
            contact(3),
        )
    )
    assert await looked(errand, "contact", **PERSON) == [{"id": 3}, {"id": 5}]
    assert asked(route) == {"Filter.AccountIds": "7", "Filter.EmailAddress": "kim@sample.example"}


async def test_a_contact_without_e_mail_is_found_by_both_names(bms: respx.MockRouter, errand: Errand) -> None:
    route = bms.get(CONTACTS).mock(
        return_value=listed(
            contact(5, firstName="KIM ", emailAddress=None),
            contact(4, firstName="Tim"),
            contact(3, lastName="Other"),
            contact(6, accountId=8),
        )
    )
    assert await looked(errand, "contact", **{**PERSON, "email": None}) == [{"id": 5}]
    assert asked(route) == {"Filter.AccountIds": "7", "Filter.FirstName": "Kim", "Filter.LastName": "Sample"}


async def test_a_service_is_found_by_its_folded_name(bms: respx.MockRouter, errand: Errand) -> None:
    route = bms.post("/v2/admin/finance/services/search")
    route.mock(return_value=listed({"id": 8, "name": "ONSITE"}, {"id": 9, "name": "onsite work"}))
    assert await looked(errand, "service", code="Onsite") == [{"id": 8}]
    assert json.loads(route.calls[0].request.content)["Filter"] == {"Name": "Onsite"}


async def test_a_product_is_found_by_its_folded_number_and_told_once(bms: respx.MockRouter, errand: Errand) -> None:
    route = bms.get("/v2/inventory/products/searchselect").mock(
        return_value=listed(
            {"productIndexId": 31, "productNumber": "FW-9"},
            {"productIndexId": 30, "productNumber": "fw-9"},
            {"productIndexId": 30, "productNumber": "fw-9", "warehouseId": 2},
            {"productIndexId": 29, "productNumber": "FW-90"},
        )
    )
    assert await looked(errand, "product", code="FW-9") == [{"id": 30}, {"id": 31}]
    assert asked(route) == {"Filter.ProductNumber": "FW-9"}


async def test_an_opportunity_is_found_by_the_marker_among_those_created_lately(
    bms: respx.MockRouter, errand: Errand
) -> None:
    route = bms.get("/v2/crm/opportunities").mock(
        return_value=listed(
            {"id": 12, "statusId": 1, "accountId": 7, "description": f"Some words\n{MARK}"},
            {"id": 11, "statusId": 1, "accountId": 7, "description": "[quotebridge:other]"},
            {"id": 10, "statusId": 1, "accountId": 7},
        )
    )
    assert await looked(errand, "opportunity", account_id=7) == [{"id": 12}]
    assert asked(route) == {"Filter.AccountId": "7", "Filter.CreatedOnFrom": TWO_DAYS_BEFORE}


async def test_a_quotation_is_found_by_any_name_it_was_sent_under_at_its_opportunity(
    bms: respx.MockRouter, errand: Errand
) -> None:
    route = bms.get("/v2/crm/quotes/summary").mock(
        return_value=listed(
            {"id": 43, "name": "New"},
            {"id": 42, "name": "Old"},
            {"id": 41, "name": "New"},
            {"id": 40, "name": "Typed"},
        )
    )
    headers = {41: 6, 42: 5, 43: 5}
    for quotation_id, opportunity_id in headers.items():
        bms.get(f"/v2/crm/quotes/{quotation_id}").mock(
            return_value=httpx.Response(
                200, json={"success": True, "result": {"id": quotation_id, "opportunityId": opportunity_id}}
            )
        )
    now, before = {"name": "New", "n": 1}, {"name": "Old", "n": 2}
    found = await looked(errand, "quotation", account_id=7, opportunity_id=5, sent=now, sent_before=[before])
    assert found == [{"id": 42, "sent": before}, {"id": 43, "sent": now}]
    assert asked(route) == {"Filter.AccountId": "7", "Filter.CreatedOnFrom": TWO_DAYS_BEFORE}


async def test_of_two_sendings_under_one_name_the_newer_counts(bms: respx.MockRouter, errand: Errand) -> None:
    bms.get("/v2/crm/quotes/summary").mock(return_value=listed({"id": 42, "name": "Same"}))
    bms.get("/v2/crm/quotes/42").mock(
        return_value=httpx.Response(200, json={"success": True, "result": {"id": 42, "opportunityId": 5}})
    )
    newer, older = {"name": "Same", "n": 1}, {"name": "Same", "n": 2}
    found = await looked(errand, "quotation", account_id=7, opportunity_id=5, sent=newer, sent_before=[older])
    assert found == [{"id": 42, "sent": newer}]


WORK = {"name": "Work", "quantity": "2", "unit_price": "100.00", "n": 1}
LINES = "/v2/crm/quotes/40/lineItems"


def on_quotation(line_id: int, **fields: Any) -> dict[str, Any]:
    return {"id": line_id, "name": "Work", "quantity": 2.0, "unitPrice": 100.0, **fields}


async def test_a_line_is_found_by_name_quantity_and_price_unless_it_is_ours_already(
    bms: respx.MockRouter, errand: Errand
) -> None:
    bms.get(LINES).mock(
        return_value=listed(
            on_quotation(55),
            on_quotation(54),
            on_quotation(53, name="Other"),
            on_quotation(52, quantity=3.0),
            on_quotation(51, unitPrice=100.01),
            on_quotation(50),
            {"id": 49, "unitPrice": 0},
        )
    )
    errand.lines["l-0"] = LinkLine(line_id="l-0", kaseya_line_id=50, item_kind="service", item_id=1, sent={})
    assert await looked(errand, "line", quotation_id=40, sent=WORK) == [
        {"id": 54, "sent": WORK},
        {"id": 55, "sent": WORK},
    ]


async def test_a_line_is_found_as_whatever_it_was_sent(bms: respx.MockRouter, errand: Errand) -> None:
    before, same = {**WORK, "quantity": "1", "n": 2}, {**WORK, "n": 3}
    bms.get(LINES).mock(return_value=listed(on_quotation(54), on_quotation(55, quantity=1.0)))
    found = await looked(errand, "line", quotation_id=40, sent=WORK, sent_before=[before, same])
    assert found == [{"id": 54, "sent": WORK}, {"id": 55, "sent": before}]


async def test_a_note_is_found_by_its_whole_text(bms: respx.MockRouter, errand: Errand) -> None:
    bms.get("/v2/crm/opportunities/5/notes").mock(
        return_value=listed({"id": 61, "note": "text"}, {"id": 62, "note": "text and more"}, {"id": 63})
    )
    assert await looked(errand, "note", opportunity_id=5, text="text") == [{"id": 61}]


async def test_an_attachment_is_found_by_the_name_with_the_digest(bms: respx.MockRouter, errand: Errand) -> None:
    bms.get("/v2/system/attachments/47/5").mock(
        return_value=listed({"id": 71, "originalFileName": "Q-0a.pdf"}, {"id": 72, "originalFileName": "Q.pdf"})
    )
    assert await looked(errand, "attachment", module_id=47, opportunity_id=5, name="Q-0a.pdf") == [{"id": 71}]


# What cannot be looked for

LINE = {"quotation_id": 40, "sent": {"name": "It's work"}}


def test_a_line_cannot_be_found_where_bms_lists_none(errand: Errand) -> None:
    errand.client.capabilities = frozenset()
    assert cannot_be_found(errand, intent("line", **LINE)) == Problem(
        code="line-in-doubt",
        title="BMS may or may not have taken a quotation line",
        detail="The answer to adding \"It's work\" to quotation 40 was lost, and this tenant's API cannot list lines.",
        remedy="Look at the quotation in BMS. If the line is there, give its id; if not, choose to send it again.",
        context={"kind": "line", "key": "k"},
    )


def test_everything_else_can_be_found(errand: Errand) -> None:
    assert cannot_be_found(errand, intent("line", **LINE)) is None
    errand.client.capabilities = frozenset()
    assert cannot_be_found(errand, intent("quotation", **LINE)) is None


def test_what_was_sent_is_told_newest_first() -> None:
    first, second, third = {"n": 1}, {"n": 2}, {"n": 3}
    assert all_sent({"sent": third}) == [third]
    assert all_sent({"sent": third, "sent_before": [second, first]}) == [third, second, first]
