"""Lanes: fair claims, one holder at a time, and a fence before everything that is written under a lease."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from app.db import lanes, paces
from app.db.lanes import Claim, LeaseLostError
from app.db.session import Database
from app.db.settlements import Settlement, Synced, settle
from app.db.tables import Connection, Pace, Quote
from app.settings import sqlalchemy_url

LEASE = timedelta(seconds=30)
PROBE = timedelta(seconds=30)


@pytest.fixture
async def database(clean_database: str) -> AsyncIterator[Database]:
    database = Database.connect(sqlalchemy_url(clean_database), pool_size=4)
    yield database
    await database.close()


async def store(database: Database, **quotes: int) -> None:
    """Connections by name, each with so many due quotes."""
    async with database.transaction() as session:
        for name, count in quotes.items():
            session.add(
                Connection(
                    id=name,
                    name=name,
                    server="us",
                    base_url="https://x",
                    company=name,
                    username="u",
                    password=b"",
                    capabilities=[],
                )
            )
            await session.flush()
            session.add(Pace(connection_id=name))
            session.add_all(quote(name, f"q{number}") for number in range(count))


def quote(connection_id: str, quote_id: str) -> Quote:
    now = func.now()
    return Quote(
        connection_id=connection_id,
        quote_id=quote_id,
        name="Quote",
        status="pending",
        revision=0,
        happened_at=now,
        content={},
        body_digest=b"",
        due_at=now,
    )


async def claim(database: Database, slots: int = 4) -> list[Claim]:
    async with database.transaction() as session:
        return await lanes.claim(session, slots=slots, lease=LEASE, probe=PROBE)


async def read(database: Database, connection_id: str = "a", quote_id: str = "q0") -> Quote:
    async with database.transaction() as session:
        return await session.get_one(Quote, (connection_id, quote_id))


def synced(claim: Claim) -> Settlement:
    return Settlement(claim=claim, state="synced", synced=Synced(at=datetime.now(UTC), digest=b"digest"))


async def change(database: Database, **values: Any) -> None:
    async with database.transaction() as session:
        await session.execute(update(Quote).values(**values))


async def test_one_connection_that_floods_does_not_keep_the_others_waiting(database: Database) -> None:
    await store(database, flood=100, b=1, c=1)
    first = await claim(database)
    second = await claim(database)
    assert {"b", "c"} <= {each.connection_id for each in first + second}


async def test_many_workers_claim_each_lane_once(database: Database) -> None:
    await store(database, a=30, b=30)
    claimed = await asyncio.gather(*(claim(database) for _ in range(12)))
    keys = [(each.connection_id, each.quote_id) for claims in claimed for each in claims]
    assert len(keys) == len(set(keys))
    assert keys


async def test_a_dead_workers_lane_is_claimed_again_when_its_lease_has_run_out(database: Database) -> None:
    await store(database, a=1)
    (first,) = await claim(database)
    assert await claim(database) == []
    await change(database, lease_until=func.now() - timedelta(seconds=1), due_at=func.now())
    (second,) = await claim(database)
    assert second.lease_id != first.lease_id


@pytest.mark.parametrize("work", ["settle", "guard", "hold"])
async def test_whoever_lost_its_lease_settles_and_writes_nothing(database: Database, work: str) -> None:
    await store(database, a=1)
    (first,) = await claim(database)
    await change(database, lease_until=func.now() - timedelta(seconds=1), due_at=func.now())
    (second,) = await claim(database)
    with pytest.raises(LeaseLostError):
        await _attempt(database, first, work)
    async with database.transaction() as session:
        assert await lanes.renew(session, [first, second], lease=LEASE) == {("a", "q0")}
        await lanes.hand_back(session, [first])
    assert (await read(database)).lease_id == second.lease_id


async def test_a_lane_that_is_held_in_a_transaction_cannot_be_claimed_meanwhile(database: Database) -> None:
    await store(database, a=1)
    (first,) = await claim(database)
    async with database.transaction() as session:
        await lanes.hold(session, first)
        async with database.transaction() as other:
            await other.execute(text("SET LOCAL lock_timeout = '10ms'"))
            free = select(Quote.quote_id).with_for_update(skip_locked=True)
            assert (await other.scalars(free)).all() == []


async def test_a_heartbeat_keeps_the_lane(database: Database) -> None:
    await store(database, a=1)
    (first,) = await claim(database)
    await change(database, lease_until=func.now() + timedelta(milliseconds=200))
    async with database.transaction() as session:
        assert await lanes.renew(session, [first], lease=LEASE) == {("a", "q0")}
        assert await lanes.guard(session, first) > timedelta(seconds=20)


async def test_what_is_handed_back_is_due_at_once(database: Database) -> None:
    await store(database, a=1)
    claims = await claim(database)
    async with database.transaction() as session:
        await lanes.hand_back(session, claims)
    assert [each.quote_id for each in await claim(database)] == ["q0"]


async def test_a_newer_generation_during_a_run_makes_it_run_again(database: Database) -> None:
    await store(database, a=1)
    (held,) = await claim(database)
    await change(database, generation=Quote.generation + 1, wanted_at=func.now())
    async with database.transaction() as session:
        assert await settle(session, [synced(held)]) == set()
    row = await read(database)
    assert (row.state, row.synced_generation, row.generation) == ("pending", 1, 2)
    assert [each.generation for each in await claim(database)] == [2]


async def test_marking_due_during_a_run_makes_it_run_once_more(database: Database) -> None:
    await store(database, a=1)
    (held,) = await claim(database)
    async with database.transaction() as session:
        assert await lanes.mark_due(session, Quote.connection_id == "a") == 1
    assert await claim(database) == [], "it is being worked on"
    async with database.transaction() as session:
        assert await settle(session, [synced(held)]) == set()
    assert len(await claim(database)) == 1


async def test_urgent_lanes_go_first(database: Database) -> None:
    await store(database, a=6)
    async with database.transaction() as session:
        await session.execute(update(Quote).where(Quote.quote_id == "q5").values(urgent=True))
    assert "q5" in {each.quote_id for each in await claim(database, slots=2)}


async def _fail(database: Database, times: int, cooldown: timedelta = timedelta(seconds=30)) -> None:
    for _ in range(times):
        async with database.transaction() as session:
            await paces.bms_failed(session, "a", cooldown=cooldown)


async def test_after_three_failures_nothing_is_claimed_until_the_cooldown_has_passed(database: Database) -> None:
    await store(database, a=3)
    await _fail(database, 2)
    assert len(await claim(database, slots=1)) == 1
    await _fail(database, 1)
    assert await claim(database) == []
    async with database.transaction() as session:
        wait = await lanes.next_due(session)
    assert wait is not None
    assert timedelta(seconds=20) < wait <= timedelta(seconds=30)


async def test_after_the_cooldown_one_lane_is_the_probe(database: Database) -> None:
    await store(database, a=5)
    await _fail(database, 3, cooldown=-timedelta(seconds=1))
    assert len(await claim(database)) == 1
    assert await claim(database) == [], "one at a time"


async def test_an_answer_closes_the_breaker_and_the_waiting_come_forward(database: Database) -> None:
    await store(database, a=5)
    await _fail(database, 3)
    later = func.now() + timedelta(hours=1)
    await change(database, state="retrying", retrying_since=func.now(), due_at=later)
    async with database.transaction() as session:
        assert await paces.bms_answered(session, "a")
    async with database.transaction() as session:
        latest = await session.scalar(select(func.max(Quote.due_at) - func.now()))
        assert not await paces.bms_answered(session, "a")
    assert latest is not None
    assert latest <= paces.COME_FORWARD


async def _attempt(database: Database, claim: lanes.Claim, work: str) -> None:
    async with database.transaction() as session:
        match work:
            case "settle":
                if await settle(session, [synced(claim)]) == {claim.key}:
                    raise LeaseLostError
            case "guard":
                await lanes.guard(session, claim)
            case _:
                await lanes.hold(session, claim)
