import asyncio

import pytest
from sqlalchemy import select

from app.db.tables import Connection
from app.sync.worker import Worker
from tests.console.conftest import Browser
from tests.console.test_settings import connect, fields_of
from tests.console.test_watching import accept, address, event, sync
from tests.fixtures.sandbox import Sandbox

__all__ = ["address"]


async def sweep(operator: Browser) -> None:
    """Let a worker run until it has looked through BMS."""
    worker = Worker(operator.house)
    running = asyncio.create_task(worker.run())
    before = await _checked_at(operator)
    try:
        async with asyncio.timeout(30):
            while await _checked_at(operator) == before:  # noqa: ASYNC110 - the time is in the database
                await asyncio.sleep(0.05)
    finally:
        await worker.stop()
        await running


async def _checked_at(operator: Browser) -> object:
    async with operator.house.database.transaction() as session:
        return await session.scalar(select(Connection.drift_checked_at))


async def test_what_people_changed_in_bms_is_shown_after_one_click(
    operator: Browser, bms: Sandbox, address: str
) -> None:
    assert "Not looked yet" in await operator.read(f"{address}/drift")
    await accept(operator, address, event())
    await operator.post(f"{address}/quotes/q-1/sync")
    await sync(operator, "synced")
    made = max(each["id"] for each in bms.state()["opportunities"])
    bms.change("opportunities", made, Amount=1.5)

    assert "BMS is looked through now" in await operator.follow(await operator.post(f"{address}/drift/sweep"))
    await sweep(operator)

    page = await operator.read(f"{address}/drift")
    assert '<td data-label="Field">Amount</td>' in page
    assert "<ins>10.00</ins>" in page
    assert "<del>1.50</del>" in page
    assert f">{made}<" in page
    assert f'href="{address}/quotes/q-1"' in page
    bms.change("opportunities", made, Amount=10)
    await operator.post(f"{address}/drift/sweep")
    await sweep(operator)
    assert "Nothing differs" in await operator.read(f"{address}/drift")


@pytest.mark.parametrize("before", ["x", "2026-01-01|q", "no time|q-1|amount", "2026-01-01T00:00:00+00:00|q|amount"])
async def test_an_address_that_somebody_has_changed_still_shows_the_page(
    operator: Browser, address: str, before: str
) -> None:
    assert "Drift" in await operator.read(f"{address}/drift", before=before)


async def test_a_connection_that_is_not_set_up_or_paused_is_not_looked_through(operator: Browser, bms: Sandbox) -> None:
    address, fields = await connect(operator, bms)
    assert "save the settings first" in await operator.follow(await operator.post(f"{address}/drift/sweep"))
    await operator.send(f"{address}/settings", fields)
    await operator.post(f"{address}/pause")

    assert "resume it first" in await operator.follow(await operator.post(f"{address}/drift/sweep"))
    async with operator.house.database.transaction() as session:
        assert await session.scalar(select(Connection.drift_due_at)) is None


async def test_what_is_done_about_drift_is_set_on_the_settings_page_and_stays_when_they_are_saved_again(
    operator: Browser, address: str
) -> None:
    fields = fields_of((await operator.get(f"{address}/settings")).text)
    assert (fields["/drift/sweep"], fields["/drift/found"]) == ("off", "report")
    await operator.send(f"{address}/settings", {**fields, "/drift/sweep": "daily", "/drift/found": "restore"})

    again = fields_of((await operator.get(f"{address}/settings")).text)
    await operator.send(f"{address}/settings", again)

    assert (again["/drift/sweep"], again["/drift/found"]) == ("daily", "restore")
    page = await operator.read(f"{address}/drift")
    assert "every day" in page
    assert "is put right: the quote is sent again" in page
    async with operator.house.database.transaction() as session:
        saved = await session.scalar(select(Connection.settings["drift"]))
    assert saved == {"sweep": "daily", "found": "restore"}
