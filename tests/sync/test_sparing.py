"""What a sync costs in BMS calls, and that what spares calls hides nothing that has gone from BMS."""

from typing import Any

import pytest

from app.directory.lookups import READ_AT_A_STRETCH
from tests.fixtures.engine import Engine, event, in_extended, in_published, line, working
from tests.fixtures.sandbox import Sandbox

KEPT = {"lookup_cache_seconds": 0.001}
"""As good as nothing is kept, but for those who are sparing."""
REFERENCES = {
    "GET /v2/crm/opportunities/statuses/Lookup",
    "GET /v2/hr/employees/searchselect",
    "GET /v2/inventory/warehouses/lookup",
}
SERVICES = "POST /v2/admin/finance/services/search"
PRODUCTS = "GET /v2/inventory/products/searchselect"


def exhaust(engine: Engine) -> None:
    """Have the allowance of reading look-ups anew spent, as under load."""
    for kind in ("opportunity-statuses", "employees", "warehouses"):
        for _ in range(READ_AT_A_STRETCH):
            engine.house.directory.allowance.take((engine.connection_id, kind))


def hardware(line_id: str, **changes: Any) -> dict[str, Any]:
    return line(line_id, category="Hardware", **changes)


@in_extended
async def test_a_first_sync_of_five_lines_with_everything_new_takes_eleven_calls(
    clean_database: str, bms: Sandbox, contract: str
) -> None:
    bms.settings(contract=contract)
    async with working(clean_database, bms, **KEPT) as engine:
        await engine.connect()
        await engine.configure()
        codes = [f"NEW-{number}" for number in range(5)]
        lines = [line(f"l-{code}", item_code=code, name=f"Work {code}") for code in codes]
        await engine.synced(event("created", "q-0", lines=lines))
        exhaust(engine)
        bms.forget_calls()
        account, contact = (
            {"name": "New Customer"},
            {"first_name": "Nora", "last_name": "New", "email": "n@new.example"},
        )
        await engine.synced(event("created", "q-1", account=account, contact=contact, lines=lines))
        assert len(bms.calls()) <= 11
        assert not REFERENCES & set(bms.call_counts())


@in_extended
async def test_under_load_the_lists_that_guard_writes_are_not_read_with_each_run(
    clean_database: str, bms: Sandbox, contract: str
) -> None:
    bms.settings(contract=contract)
    async with working(clean_database, bms, **KEPT) as engine:
        await engine.connect()
        await engine.configure()
        await engine.synced(event())
        exhaust(engine)
        bms.forget_calls()
        for amount in ("351.00", "352.00"):
            await engine.synced(event("updated", totals={"one_time": amount}))
        assert [(call["method"], call["template"]) for call in bms.calls()] == [
            ("GET", "/v2/crm/opportunities/{id}"),
            ("PUT", "/v2/crm/opportunities/{id}"),
        ] * 2


@in_extended
@pytest.mark.parametrize(
    ("collection", "record_id", "setting"),
    [
        ("statuses", 102, "/status_mapping/pending"),
        ("warehouses", 201, "/service_quotation/default_warehouse_id"),
        ("employees", 12, "/opportunity/default_sales_employee_id"),
    ],
)
async def test_what_has_gone_from_bms_under_load_is_still_told_by_the_name_of_its_setting(
    clean_database: str, bms: Sandbox, contract: str, collection: str, record_id: int, setting: str
) -> None:
    bms.settings(contract=contract)
    async with working(clean_database, bms, **KEPT) as engine:
        await engine.connect()
        await engine.configure()
        await engine.synced(event(owner=None))
        exhaust(engine)
        bms.delete(collection, record_id)
        issue = await engine.parked(event("created", "q-2", owner=None))
        assert issue["code"] == "setting-reference-gone"
        assert setting in issue["detail"]


@in_extended
async def test_a_quote_of_many_unknown_items_lists_what_bms_has_instead_of_asking_for_each(engine: Engine) -> None:
    for number in range(4):
        engine.bms.create("services", Name=f"WORK-{number}", UnitPrice=10.0, UnitCost=5.0)
        engine.bms.create("products", ProductNumber=f"THING-{number}", ProductName=f"Thing {number}")
    engine.bms.forget_calls()
    services = [line(f"s-{number}", item_code=f"WORK-{number}") for number in range(4)]
    products = [hardware(f"p-{number}", item_code=f"THING-{number}", name=f"Thing {number}") for number in range(4)]
    await engine.synced(event(lines=services + products))
    counts = engine.bms.call_counts()
    assert (counts[SERVICES], counts[PRODUCTS]) == (1, 1)
    made = {row["productNumber"] for row in engine.held("products")}
    assert made == {f"THING-{number}" for number in range(4)}
    assert len(engine.held("services")) == 4


@in_extended
async def test_a_list_that_is_longer_than_what_is_asked_for_is_not_relied_on(engine: Engine) -> None:
    """Two items may cost two pages; what lies on the third is found all the same, and not created again."""
    for number in range(201):
        engine.bms.create("services", Name=f"BULK-{number}", UnitPrice=10.0, UnitCost=5.0)
    before = len(engine.held("services"))
    await engine.synced(event(lines=[line("s-1", item_code="BULK-199"), line("s-2", item_code="BULK-200")]))
    assert len(engine.held("services")) == before


@in_extended
async def test_an_item_that_a_long_list_may_have_skipped_is_asked_for_before_it_is_created(engine: Engine) -> None:
    for number in range(101):
        engine.bms.create("services", Name=f"BULK-{number}", UnitPrice=10.0, UnitCost=5.0)
    engine.bms.forget_calls()
    codes = ["BULK-0", "BULK-1", "BULK-2", "NEW-1"]
    await engine.synced(event(lines=[line(f"s-{code}", item_code=code, name=code) for code in codes]))
    asked = [call["body"].get("Filter") for call in engine.bms.calls() if call["template"] == SERVICES.split()[1]]
    assert asked == [None, None, {"Name": "NEW-1"}]


@in_published
async def test_quotations_that_other_quotes_are_linked_with_are_not_read_again(engine: Engine) -> None:
    """Only a quotation's header tells its opportunity, and every look would read all of the account's."""
    for quote_id in ("q-1", "q-2"):
        await engine.synced(event(quote_id=quote_id))
        newest = max(row["id"] for row in engine.held("opportunities"))
        engine.bms.create("quotations", OpportunityId=newest)
        engine.bms.forget_calls()
        await engine.again(quote_id)
        assert engine.bms.call_counts()["GET /v2/crm/quotes/{quotationId}"] == 1
    by_opportunity = {row["opportunityId"]: row["id"] for row in engine.held("quotations")}
    for quote_id in ("q-1", "q-2"):
        linked = (await engine.quote(quote_id))["kaseya"]
        assert linked["quotation_id"] == str(by_opportunity[int(linked["opportunity_id"])])
