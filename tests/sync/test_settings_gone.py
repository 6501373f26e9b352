"""A record that a setting names and that has gone from BMS stops the run before its first write, naming the setting."""

import pytest

from tests.fixtures.engine import Engine, event, in_extended, working
from tests.fixtures.sandbox import Sandbox

pytestmark = in_extended


@pytest.mark.parametrize(
    ("collection", "record_id", "setting"),
    [
        ("statuses", 102, "/status_mapping/pending"),
        ("warehouses", 201, "/service_quotation/default_warehouse_id"),
        ("employees", 12, "/opportunity/default_sales_employee_id"),
    ],
)
async def test_a_record_that_has_gone_stops_the_run_before_its_first_write(
    engine: Engine, collection: str, record_id: int, setting: str
) -> None:
    engine.bms.delete(collection, record_id)
    issue = await engine.parked(event(owner=None, account={"name": "Not there yet"}, contact=None))
    assert issue["code"] == "setting-reference-gone"
    assert setting in issue["detail"]
    assert str(record_id) in issue["detail"]
    assert engine.writes() == []


@pytest.mark.parametrize(("status", "setting"), [("accepted", "accepted"), ("ordered", "accepted")])
async def test_the_setting_that_decides_the_status_is_named(engine: Engine, status: str, setting: str) -> None:
    engine.bms.delete("statuses", 103)
    issue = await engine.parked(event("won", status=status))
    assert f"/status_mapping/{setting} " in issue["detail"]


async def test_an_inactive_default_employee_is_gone_too(engine: Engine) -> None:
    engine.bms.change("employees", 12, isActive=False)
    issue = await engine.parked(event(owner={"email": "nobody@msp.example"}))
    assert "/opportunity/default_sales_employee_id" in issue["detail"]


async def test_the_warehouse_is_not_missed_where_no_quotation_is_wanted(engine: Engine) -> None:
    await engine.configure(service_quotation={"enabled": False})
    engine.bms.delete("warehouses", 201)
    await engine.synced(event())


async def test_saving_the_settings_tries_the_quote_again(engine: Engine) -> None:
    engine.bms.delete("warehouses", 201)
    await engine.parked(event())
    new = engine.bms.create("warehouses", name="New warehouse")
    await engine.configure(service_quotation={"default_warehouse_id": str(new["id"])})
    quote = await engine.settled()
    assert quote["state"] == "synced"
    assert engine.held("quotations")[0]["warehouseId"] == new["id"]
    assert await engine.issues() == []


async def test_a_connection_without_settings_keeps_its_quotes_until_they_are_saved(
    clean_database: str, bms: Sandbox, contract: str
) -> None:
    bms.settings(contract=contract)
    async with working(clean_database, bms) as engine:
        await engine.connect()
        issue = await engine.parked(event())
        assert issue["code"] == "settings-missing"
        await engine.configure()
        assert (await engine.settled())["state"] == "synced"
        assert engine.opportunity()["amount"] == 350.0
