"""The items that lines stand for: found by code, SKU or name, else created where the tenant can, else free text."""

from typing import Any

import pytest

from tests.fixtures.engine import Engine, codes, event, in_extended, in_published, line, warning


@pytest.fixture
async def quoting(engine: Engine) -> Engine:
    """The service, with a quotation made by a BMS user where the API cannot make one."""
    engine.bms.create("quotations", opportunityId=1301)
    return engine


def of(*lines: dict[str, Any], kind: str = "created") -> dict[str, Any]:
    """A quote of these lines on the opportunity that has a quotation."""
    return event(kind, lines=list(lines), opportunity={"kaseya_opportunity_id": 1301})


def product(**changes: Any) -> dict[str, Any]:
    return line(**{"category": "Hardware", "name": "A product", "unit_price": "480.00", **changes})


async def item_of_the_line(engine: Engine) -> tuple[int, int]:
    (added,) = engine.held("lines")
    return added["itemTypeId"], added["itemId"]


async def test_a_service_is_found_by_its_name_being_the_lines_code(quoting: Engine) -> None:
    await quoting.synced(of(line(item_code=" senior ENGINEER hour ", name="Whatever")))
    assert await item_of_the_line(quoting) == (301, 401)
    assert quoting.held("services") == []


async def test_a_service_is_found_by_its_name_where_no_code_fits(quoting: Engine) -> None:
    await quoting.synced(of(line(item_code="LAB-SR", name="senior engineer HOUR")))
    assert await item_of_the_line(quoting) == (301, 401)


async def test_a_product_is_found_by_its_number(quoting: Engine) -> None:
    await quoting.synced(of(product(item_code="sw-24", sku="AP-6-IN")))
    assert await item_of_the_line(quoting) == (302, 501)


async def test_a_product_is_found_by_its_sku_where_no_number_fits(quoting: Engine) -> None:
    await quoting.synced(of(product(item_code="UNKNOWN", sku="ap-6-in")))
    assert await item_of_the_line(quoting) == (302, 502)


async def test_a_product_is_found_by_its_name_where_nothing_else_fits(quoting: Engine) -> None:
    await quoting.synced(of(product(item_code="UNKNOWN", sku="NONE", name="ACCESS point")))
    assert await item_of_the_line(quoting) == (302, 502)


async def test_a_number_that_only_contains_the_code_is_another_product(quoting: Engine) -> None:
    quote = await quoting.synced(of(product(item_code="SW", name="A switch")))
    _, item_id = await item_of_the_line(quoting)
    assert item_id != 501
    assert quote["state"] == "synced"


async def test_a_missing_service_is_created_under_its_code_at_its_list_price(quoting: Engine) -> None:
    new = line(item_code="MON-FW", name="Managed firewall", unit_price="150.00", unit_cost="60.00", discount="5.00")
    await quoting.synced(of(new))
    (made,) = quoting.held("services")
    assert (made["name"], made["unitPrice"], made["unitCost"]) == ("MON-FW", 150.0, 60.0)
    assert await item_of_the_line(quoting) == (301, made["id"])
    assert quoting.lines()["Managed firewall"]["unitPrice"] == 145.0


@in_extended
async def test_a_missing_product_is_created(quoting: Engine) -> None:
    await quoting.synced(of(product(item_code="FW-60F", sku="FG-60F", name="Firewall 60F")))
    (made,) = quoting.held("products")
    assert (made["productNumber"], made["productName"]) == ("FW-60F", "Firewall 60F")
    assert (await item_of_the_line(quoting))[0] == 302


@in_published
async def test_a_missing_product_goes_in_as_free_text_where_the_tenant_cannot_create_any(quoting: Engine) -> None:
    quote = await quoting.synced(of(product(item_code="FW-60F", name="Firewall 60F")))
    assert (await item_of_the_line(quoting))[1] == 0
    assert quoting.held("products") == []
    assert warning(quote, "product_not_created")["line_id"] == "l-1"


async def test_a_category_of_kind_other_goes_in_as_free_text(quoting: Engine) -> None:
    await quoting.synced(of(line(category="Text")))
    assert await item_of_the_line(quoting) == (303, 0)


async def test_a_category_without_an_item_type_gets_the_default(quoting: Engine) -> None:
    await quoting.synced(of(line(category="Never heard of")))
    assert await item_of_the_line(quoting) == (301, 401)


@in_extended
async def test_two_lines_of_one_new_item_make_one_item(quoting: Engine) -> None:
    new = {"item_code": "MON-FW", "name": "Managed firewall"}
    await quoting.synced(of(line(**new), line("l-2", **{**new, "name": "Managed firewall, second site"})))
    assert len(quoting.held("services")) == 1
    assert len(quoting.held("lines")) == 2


@in_extended
async def test_a_service_is_not_taken_for_another_for_sharing_its_sku(quoting: Engine) -> None:
    await quoting.synced(of(line(sku="SKU-1"), line("l-2", sku="SKU-1", name="Security assessment")))
    assert [row["itemId"] for row in quoting.held("lines")] == [401, 402]


@in_extended
async def test_an_item_that_was_found_once_is_not_looked_for_again(quoting: Engine) -> None:
    await quoting.synced(of(line()))
    quoting.bms.forget_calls()
    await quoting.synced(event(quote_id="q-2"))
    assert "POST /v2/admin/finance/services/search" not in quoting.bms.call_counts()


@in_extended
async def test_an_item_that_is_gone_from_bms_is_matched_anew_on_retry(quoting: Engine) -> None:
    await quoting.synced(of(line()))
    quoting.bms.delete("services", 401)
    issue = await quoting.parked(event(quote_id="q-2"))
    assert issue["code"] == "kaseya-rejected"
    quote = await quoting.retry(issue)
    assert quote["state"] == "synced"
    (made,) = quoting.held("services")
    assert made["name"] == "Senior engineer hour"


class TestPrices:
    """What a line costs, to the cent."""

    async def test_a_service_without_cost_takes_the_matched_services(self, quoting: Engine) -> None:
        await quoting.synced(of(line(unit_cost=None)))
        assert quoting.lines()["Senior engineer hour"]["unitCost"] == 70.0

    async def test_a_service_whose_cost_is_nowhere_is_left_out_with_a_warning(self, quoting: Engine) -> None:
        unpriced = line("l-2", name="Security assessment", unit_price="360.00", unit_cost=None)
        quote = await quoting.synced(of(line(), unpriced))
        assert list(quoting.lines()) == ["Senior engineer hour"]
        said = warning(quote, "service_line_unpriced")
        assert said["line_id"] == "l-2"
        assert "Security assessment" in said["detail"]
        assert "unit cost" in said["detail"]

    async def test_no_service_is_created_for_a_line_without_a_cost(self, quoting: Engine) -> None:
        quote = await quoting.synced(of(line(name="Something new", unit_cost=None)))
        assert "service_line_unpriced" in codes(quote)
        assert (quoting.held("services"), quoting.held("lines")) == ([], [])

    async def test_an_explicit_zero_is_a_cost(self, quoting: Engine) -> None:
        quote = await quoting.synced(of(line(name="Security assessment", unit_cost="0.00")))
        assert quoting.lines()["Security assessment"]["unitCost"] == 0.0
        assert "service_line_unpriced" not in codes(quote)

    async def test_a_cost_that_is_set_in_bms_later_brings_the_line_onto_the_quotation(self, quoting: Engine) -> None:
        await quoting.synced(of(line(name="Security assessment", unit_cost=None)))
        quoting.bms.change("services", 402, unitCost=120.0)
        await quoting.synced(of(line(name="Security assessment", unit_cost=None, quantity="3"), kind="updated"))
        assert quoting.lines()["Security assessment"]["unitCost"] == 120.0

    @in_extended
    async def test_another_quote_takes_the_price_that_bms_has_by_then(self, quoting: Engine) -> None:
        await quoting.synced(of(line(unit_cost=None)))
        quoting.bms.change("services", 401, unitCost=75.0)
        quote = await quoting.synced(event(quote_id="q-2", lines=[line(unit_cost=None)]))
        (added,) = [row for row in quoting.held("lines") if str(row["quotationId"]) == quote["kaseya"]["quotation_id"]]
        assert added["unitCost"] == 75.0

    async def test_a_product_needs_neither_price_nor_cost(self, quoting: Engine) -> None:
        await quoting.synced(of(product(item_code="SW-24", unit_cost=None)))
        assert quoting.lines()["A product"]["unitCost"] == 0.0

    @pytest.mark.parametrize(
        ("discount", "price"),
        [
            ({"discount": "10", "discount_kind": "percent"}, 1080.0),
            ({"discount": "10.00", "discount_kind": "amount"}, 1190.0),
            ({"discount": "33.3333", "discount_kind": "percent"}, 800.0),
            ({"discount": "2000", "discount_kind": "amount"}, 0.0),
        ],
    )
    @in_extended
    async def test_a_lines_discount_is_folded_into_its_price(
        self, quoting: Engine, discount: dict[str, str], price: float
    ) -> None:
        await quoting.synced(of(line(unit_price="1200.00", **discount)))
        assert quoting.lines()["Senior engineer hour"]["unitPrice"] == price

    @in_extended
    async def test_money_is_rounded_half_up_to_the_cent_once(self, quoting: Engine) -> None:
        quote = await quoting.synced(
            event(
                totals={"one_time": "2.675", "recurring": "0"},
                lines=[line(unit_price="1.005", unit_cost="2.675", quantity="1")],
            )
        )
        added = quoting.lines()["Senior engineer hour"]
        assert (added["unitPrice"], added["unitCost"]) == (1.01, 2.68)
        (made,) = quoting.held("opportunities")
        assert made["amount"] == 2.68
        assert quote["state"] == "synced"


class TestNotSent:
    """What BMS cannot take is told."""

    @in_extended
    async def test_an_option_that_was_not_selected_is_left_out(self, quoting: Engine) -> None:
        option = line("l-2", name="Cold spare", optional=True, selected=False)
        quote = await quoting.synced(of(line(), option))
        assert list(quoting.lines()) == ["Senior engineer hour"]
        assert warning(quote, "optional_line_skipped")["line_id"] == "l-2"

    @in_extended
    async def test_an_option_that_was_selected_is_a_line(self, quoting: Engine) -> None:
        quote = await quoting.synced(of(line(optional=True, selected=True)))
        assert list(quoting.lines()) == ["Senior engineer hour"]
        assert "optional_line_skipped" not in codes(quote)

    @in_extended
    async def test_taxes_discount_and_shipping_of_the_quote_are_told(self, quoting: Engine) -> None:
        quote = await quoting.synced(
            event(discount="50.00", shipping="25.00", taxes=[{"name": "CA sales tax", "amount": "197.05"}])
        )
        assert "197.05" in warning(quote, "tax_not_sent")["detail"]
        assert "50.00" in warning(quote, "quote_discount_not_sent")["detail"]
        assert "25.00" in warning(quote, "shipping_not_sent")["detail"]

    @in_extended
    async def test_a_total_that_the_lines_do_not_come_to_is_told_with_both_figures(self, quoting: Engine) -> None:
        quote = await quoting.synced(event(totals={"one_time": "300.00", "recurring": "45.50"}))
        detail = warning(quote, "total_differs")["detail"]
        assert "350.00" in detail
        assert "345.50" in detail

    @in_extended
    async def test_a_total_that_the_lines_come_to_is_not_mentioned(self, quoting: Engine) -> None:
        quote = await quoting.synced(event(totals={"one_time": "300.00", "recurring": "50.00"}))
        assert codes(quote) == []
