"""The call budget: never more than the limit in any window, over every replica, and nearly all of it used."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

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


def test_at_least_95_percent_are_used_under_backlog_even_without_the_reserve() -> None:
    assert (1 - RESERVE) * SLOTS / COUNTED_SLOTS >= 0.95


def test_there_is_room_again_when_enough_of_the_counted_calls_have_left() -> None:
    assert _room_at([(10, 3), (11, 1), (20, 2)], limit=6) == 10 + COUNTED_SLOTS
    assert _room_at([(10, 1), (11, 5)], limit=5) == 11 + COUNTED_SLOTS


async def test_old_slots_are_forgotten_and_those_of_the_window_kept(replicas: list[Database]) -> None:
    async with replicas[0].transaction() as session:
        await budget.spend(session, limit=5, window=timedelta(hours=1), **HOW)
        await budget.forget_old_slots(session, window=timedelta(hours=1))
        assert await budget.spent(session, company=HOW["company"], window=timedelta(hours=1)) == {HOW["endpoint"]: 1}
