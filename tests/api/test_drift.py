"""Drift: what people change in BMS is shown, or put right, and nothing else is."""

from datetime import datetime, timedelta

import httpx
from sqlalchemy import update

from app.db import drifts
from app.db.tables import Connection, Pace, Quote
from tests.fixtures.engine import SETTINGS, Engine, Json, contract, engine, event, eventually, in_published

__all__ = ["contract", "engine"]
pytestmark = in_published


async def connection_of(engine: Engine) -> Connection:
    async with engine.house.database.transaction() as session:
        row = await session.get(Connection, engine.connection_id)
    assert row is not None
    return row


async def swept(engine: Engine) -> list[Json]:
    """Ask for a sweep, and give back the list when it has been made."""
    before = (await connection_of(engine)).drift_checked_at
    await engine.call("POST", f"{engine.path}/drift/sweep")

    async def is_done() -> bool:
        return (await connection_of(engine)).drift_checked_at != before

    await eventually(is_done)
    found: list[Json] = (await engine.call("GET", f"{engine.path}/drift"))["items"]
    return found


async def save(engine: Engine, **drift: str) -> None:
    await engine.call("PUT", f"{engine.path}/settings", json={**SETTINGS, "drift": drift})


async def test_what_people_change_in_bms_is_listed_until_it_is_equal_again(engine: Engine) -> None:
    quote = await engine.synced(event())
    opportunity = engine.opportunity()
    assert await swept(engine) == []
    engine.bms.change(
        "opportunities",
        opportunity["id"],
        Amount=1.5,
        StatusId=101,
        CloseDate="2030-01-02T00:00:00",
        SalesRepresentativeUserId=12,
        Subject="what people own may change",
    )
    listed = await swept(engine)
    shown = {each["field"]: (each["ours"], each["theirs"]) for each in listed}
    assert shown.pop("sales_representative_user_id")[1] == "12"
    assert shown == {
        "amount": ("350.00", "1.50"),
        "status_id": ("102", "101"),
        "close_date": ("2099-12-22", "2030-01-02"),
    }
    assert {(each["quote_id"], each["opportunity_id"]) for each in listed} == {("q-1", str(opportunity["id"]))}
    first_found = {each["field"]: each["found_at"] for each in listed}
    engine.bms.change("opportunities", opportunity["id"], StatusId=102)
    again = {each["field"]: each["found_at"] for each in await swept(engine)}
    assert again == {field: found for field, found in first_found.items() if field != "status_id"}
    assert (await engine.quote())["generation"] == quote["generation"]
    assert engine.opportunity()["amount"] == 1.5


async def test_restore_sends_the_quote_again_and_leaves_what_people_own(engine: Engine) -> None:
    await save(engine, sweep="off", found="restore")
    await engine.synced(event())
    opportunity_id = engine.opportunity()["id"]
    engine.bms.change("opportunities", opportunity_id, Amount=1.5, Subject="Ours now")
    assert await swept(engine) == []

    async def is_restored() -> bool:
        return bool(engine.opportunity()["amount"] == 350.0)

    await eventually(is_restored)
    assert engine.opportunity()["subject"] == "Ours now"
    run = (await engine.settled())["runs"][0]
    (step,) = run["steps"]
    assert step["changes"] == [{"field": "amount", "before": "1.5", "after": "350.00"}]


async def test_a_quote_that_waits_for_a_person_is_not_compared(engine: Engine) -> None:
    await engine.synced(event())
    engine.bms.change("opportunities", engine.opportunity()["id"], Amount=1.5)
    async with engine.house.database.transaction() as session:
        await session.execute(update(Quote).values(state="parked"))
    assert await swept(engine) == []


async def test_switched_on_it_sweeps_at_once_and_then_by_the_clock(engine: Engine) -> None:
    await engine.synced(event())
    engine.bms.change("opportunities", engine.opportunity()["id"], Amount=1.5)
    await save(engine, sweep="hourly", found="report")

    async def is_listed() -> bool:
        return bool((await engine.call("GET", f"{engine.path}/drift"))["items"])

    await eventually(is_listed)
    row = await connection_of(engine)
    assert isinstance(row.drift_checked_at, datetime)
    assert row.drift_due_at == row.drift_checked_at + timedelta(hours=1)
    await save(engine, sweep="off")
    assert (await connection_of(engine)).drift_due_at is None


async def test_a_bms_that_is_away_puts_the_sweep_off(engine: Engine) -> None:
    with engine.bms.down():
        await engine.call("POST", f"{engine.path}/drift/sweep")

        async def is_put_off() -> bool:
            row = await connection_of(engine)
            return row.drift_due_at is not None and row.drift_due_at > engine.house.clock() + timedelta(minutes=1)

        await eventually(is_put_off)
        assert (await connection_of(engine)).drift_checked_at is None


async def test_replicas_share_the_connections_out(engine: Engine) -> None:
    await engine.call("POST", f"{engine.path}/pause")  # so that the worker of this test leaves it alone
    async with engine.house.database.transaction() as session:
        await drifts.ask(session, engine.connection_id)
    async with engine.house.database.transaction() as session, engine.house.database.transaction() as other:
        active = update(Connection).values(state="active")
        await session.execute(active)
        assert await drifts.claim(session, lease=timedelta(minutes=1)) is not None
        assert await drifts.claim(other, lease=timedelta(minutes=1)) is None


async def test_a_bms_that_is_down_is_left_to_the_lane_that_probes_it(engine: Engine) -> None:
    async with engine.house.database.transaction() as session:
        await session.execute(update(Pace).values(open_until=engine.house.clock() + timedelta(hours=1)))
        await drifts.ask(session, engine.connection_id)
        assert await drifts.claim(session, lease=timedelta(minutes=1)) is None
        await session.execute(update(Pace).values(open_until=None))
        assert await drifts.claim(session, lease=timedelta(minutes=1)) is not None


async def test_a_paused_connection_is_not_swept(engine: Engine) -> None:
    await engine.call("POST", f"{engine.path}/pause")
    answer: httpx.Response = await engine.api.post(f"{engine.path}/drift/sweep")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/connection-paused")
