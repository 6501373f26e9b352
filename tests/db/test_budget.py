"""The call budget: never more than the limit in any window, over every replica, and nearly all of it used."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.connections.clients import RESERVE
from app.db import budget
from app.db.budget import COUNTED_SLOTS, SLOTS, _room_at
from app.db.session import Database
from app.db.tables import CallSlot
from app.settings import sqlalchemy_url

WINDOW = timedelta(seconds=1.2)
LIMIT = 40
HOW = {"company": "bms example", "endpoint": "POST /v2/crm/opportunities"}


@pytest.fixture
async def replicas(clean_database: str) -> AsyncIterator[list[Database]]:
    databases = [Database.connect(sqlalchemy_url(clean_database), pool_size=3) for _ in range(3)]
    yield databases
    for each in databases:
        await each.close()


async def test_no_window_over_three_replicas_holds_more_than_the_limit(replicas: list[Database]) -> None:
    """Hungry callers in three replicas, each waiting as long as it is told; judged by the database's own slots."""
    until = time.monotonic() + 3 * WINDOW.total_seconds()

    async def hungry(database: Database) -> int:
        admitted = 0
        while time.monotonic() < until:
            async with database.transaction() as session:
                wait = await budget.spend(session, limit=LIMIT, window=WINDOW, **HOW)
            if wait is None:
                admitted += 1
            else:
                assert timedelta() < wait <= WINDOW * COUNTED_SLOTS / SLOTS
                await asyncio.sleep(wait.total_seconds())
        return admitted

    admitted = sum(await asyncio.gather(*(hungry(each) for each in replicas for _ in range(3))))
    async with replicas[0].transaction() as session:
        rows = await session.execute(select(CallSlot.slot, CallSlot.calls))
        slots = {row.slot: row.calls for row in rows}
    assert sum(slots.values()) == admitted > LIMIT
    # A window of any alignment touches one slot more than it is long.
    fullest = max(sum(slots.get(first + step, 0) for step in range(SLOTS + 1)) for first in slots)
    assert fullest <= LIMIT


async def test_another_endpoint_and_another_company_have_budgets_of_their_own(replicas: list[Database]) -> None:
    async def spend(company: str, endpoint: str) -> timedelta | None:
        async with replicas[0].transaction() as session:
            return await budget.spend(session, company=company, endpoint=endpoint, limit=1, window=timedelta(hours=1))

    assert await spend("one", "GET /a") is None
    assert await spend("one", "GET /a") is not None
    assert await spend("one", "GET /b") is None
    assert await spend("two", "GET /a") is None


LONG = timedelta(days=365_000)
"""So wide a slot that its number is 0 for centuries: no slot ends in the middle of a test."""
LONG_WINDOW = LONG * SLOTS
ONE: dict[str, Any] = {"limit": 5, "window": LONG_WINDOW, **HOW}


async def fill(database: Database, **slots: int) -> None:
    """Calls already counted: ``back_3=5`` are five, three slots ago."""
    async with database.transaction() as session:
        session.add_all(CallSlot(slot=-int(name.removeprefix("back_")), calls=n, **HOW) for name, n in slots.items())


async def spend_one(database: Database) -> timedelta | None:
    async with database.transaction() as session:
        return await budget.spend(session, **ONE)


async def slots_of(database: Database) -> dict[int, int]:
    async with database.transaction() as session:
        return {row.slot: row.calls for row in await session.execute(select(CallSlot.slot, CallSlot.calls))}


def until(slots: int, wait: timedelta | None) -> bool:
    """Whether a wait ends when so many slots, this one included, are over; a minute is left to a slow machine."""
    assert wait is not None
    return abs(datetime.fromtimestamp(0, UTC) + slots * LONG - datetime.now(UTC) - wait) < timedelta(minutes=1)


async def test_each_call_is_counted_in_its_slot_until_the_limit_is_reached(replicas: list[Database]) -> None:
    assert [await spend_one(replicas[0]) for _ in range(5)] == [None] * 5
    assert await slots_of(replicas[0]) == {0: 5}
    assert await spend_one(replicas[1]) is not None
    assert await slots_of(replicas[0]) == {0: 5}, "a refused call is not counted"


async def test_the_oldest_slot_that_counts_leaves_room_when_this_one_ends(replicas: list[Database]) -> None:
    await fill(replicas[0], back_241=5)
    assert until(1, await spend_one(replicas[0]))


async def test_a_slot_that_is_older_does_not_count(replicas: list[Database]) -> None:
    await fill(replicas[0], back_242=5)
    assert await spend_one(replicas[0]) is None
    assert await slots_of(replicas[0]) == {-242: 5, 0: 1}


async def test_the_wait_ends_with_the_first_slot_that_makes_room(replicas: list[Database]) -> None:
    await fill(replicas[0], back_239=4)
    await fill(replicas[0], back_240=1)
    await fill(replicas[0], back_241=1)
    async with replicas[0].transaction() as session:
        # In whatever order the rows are found.
        await session.execute(text("SET LOCAL enable_indexscan = off"))
        await session.execute(text("SET LOCAL enable_bitmapscan = off"))
        wait = await budget.spend(session, **ONE)
    assert until(2, wait), "four are left once the two oldest slots have gone"


async def test_one_caller_at_a_time_counts_an_endpoints_calls(replicas: list[Database]) -> None:
    """Otherwise two that count at once would both find the last place free."""
    await fill(replicas[0], back_1=5)

    async def hurried(endpoint: str) -> timedelta | None:
        async with replicas[1].transaction() as session:
            await session.execute(text("SET LOCAL lock_timeout = '50ms'"))
            return await budget.spend(session, **{**ONE, "endpoint": endpoint})

    async with replicas[0].transaction() as session:
        assert await budget.spend(session, **ONE) is not None
        with pytest.raises(DBAPIError, match="lock timeout"):
            await hurried(HOW["endpoint"])
        assert await hurried("GET /another") is None
    assert await hurried(HOW["endpoint"]) is not None


async def test_what_is_spent_is_told_for_the_window_that_ends_now(replicas: list[Database]) -> None:
    await fill(replicas[0], back_240=100, back_239=10, back_0=1)
    async with replicas[0].transaction() as session:
        session.add(CallSlot(slot=0, calls=1000, company="another", endpoint=HOW["endpoint"]))
        session.add(CallSlot(slot=-1, calls=7, company=HOW["company"], endpoint="GET /another"))
        await session.flush()
        told = await budget.spent(session, company=HOW["company"], window=LONG_WINDOW)
    assert told == {HOW["endpoint"]: 11, "GET /another": 7}


async def test_slots_are_kept_for_two_windows(replicas: list[Database]) -> None:
    await fill(replicas[0], back_481=1, back_480=1, back_0=1)
    async with replicas[0].transaction() as session:
        await budget.forget_old_slots(session, window=LONG_WINDOW)
    assert set(await slots_of(replicas[0])) == {-480, 0}


async def test_a_window_of_an_hour_knows_nothing_of_the_day_before(replicas: list[Database]) -> None:
    hour = timedelta(hours=1)
    yesterday = int((datetime.now(UTC) - timedelta(days=1)).timestamp() / (hour.total_seconds() / SLOTS))
    async with replicas[0].transaction() as session:
        session.add(CallSlot(slot=yesterday, calls=9, **HOW))
        await session.flush()
        assert await budget.spent(session, company=HOW["company"], window=hour) == {}
        await budget.forget_old_slots(session, window=hour)
    assert await slots_of(replicas[0]) == {}


def test_at_least_95_percent_are_used_under_backlog_even_without_the_reserve() -> None:
    assert (1 - RESERVE) * SLOTS / COUNTED_SLOTS >= 0.95


def test_there_is_room_again_when_enough_of_the_counted_calls_have_left() -> None:
    assert _room_at([(10, 3), (11, 1), (20, 2)], limit=6) == 10 + COUNTED_SLOTS
    assert _room_at([(10, 1), (11, 5)], limit=5) == 11 + COUNTED_SLOTS
    assert _room_at([(10, 1), (11, 1), (12, 3)], limit=4) == 11 + COUNTED_SLOTS
    assert _room_at([(7, 1)], limit=1) == 7 + COUNTED_SLOTS


async def test_old_slots_are_forgotten_and_those_of_the_window_kept(replicas: list[Database]) -> None:
    async with replicas[0].transaction() as session:
        await budget.spend(session, limit=5, window=timedelta(hours=1), **HOW)
        await budget.forget_old_slots(session, window=timedelta(hours=1))
        assert await budget.spent(session, company=HOW["company"], window=timedelta(hours=1)) == {HOW["endpoint"]: 1}
