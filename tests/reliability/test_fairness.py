"""One connection floods: what the others send goes to BMS in the first slot that is free."""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from app.db import lanes
from app.db.tables import Run
from simulation.people import CONNECTION_ID
from simulation.quotes import STARTED, Quote
from simulation.wire import Weather
from tests.reliability.virtual import PROCESSES, Shift, many_quotes, shift

OTHERS = ("con_a", "con_b", "con_c", "con_d")
EVENTS_EACH = 2
EVERY = timedelta(seconds=1)
FLOOD = 10_000
NO_LIMIT = 10**6
"""The connections lead to one company here, and would share its budget."""
COPY_QUOTE = text(
    """
    INSERT INTO quotes
    SELECT (jsonb_populate_record(q, jsonb_build_object('quote_id', 'flood-' || n))).*
    FROM quotes q CROSS JOIN generate_series(1, :count) AS n WHERE q.connection_id = :connection_id
    """
)


def _fine(_: object) -> Weather:
    return Weather(random.Random(1), 0, frozenset())


async def _flood(worker: Shift) -> None:
    await worker.accept(many_quotes(1))
    async with worker.engine.database.transaction() as session:
        await session.execute(COPY_QUOTE, {"count": FLOOD - 1, "connection_id": CONNECTION_ID})


async def _waits(worker: Shift, quotes: list[Quote]) -> list[float]:
    """Seconds from each event of the others to its first call to BMS."""
    arrived = {}
    for number, quote in enumerate(quotes):
        connection_id = OTHERS[number % len(OTHERS)]
        await worker.work(until=worker.stage.now + EVERY / len(OTHERS))
        await worker.accept([quote], connection_id)
        arrived[connection_id, quote.quote_id] = worker.stage.now
    await worker.work(until=worker.stage.now + 3 * EVERY)
    async with worker.engine.database.transaction() as session:
        first_runs = select(Run.connection_id, Run.quote_id, Run.calls).order_by(Run.started_at.desc())
        first_call = {(row[0], row[1]): row[2][0]["at"] for row in await session.execute(first_runs)}
    return [(datetime.fromisoformat(first_call[key]) - at).total_seconds() for key, at in arrived.items()]


async def _longest_run(worker: Shift) -> float:
    async with worker.engine.database.transaction() as session:
        longest = await session.scalar(select(func.max(Run.finished_at - Run.started_at)))
    assert longest is not None
    return float(longest.total_seconds())


async def test_others_wait_for_no_more_than_the_first_free_slot_while_one_connection_floods(
    empty_database_url: str,
) -> None:
    """All slots may be in the flood's hands when an event of another comes; the first that is free is then its own."""
    quotes = many_quotes(2 * len(OTHERS) * EVENTS_EACH)
    half = len(quotes) // 2
    async with shift(empty_database_url, _fine, *OTHERS, kaseya_call_limit=NO_LIMIT) as (worker, _, world):
        world.settings = world.settings.changed({"call_limit": NO_LIMIT})
        idle = await _waits(worker, quotes[:half])
        await _flood(worker)
        flooded = await _waits(worker, quotes[half:])
        states, run = await worker.states(), await _longest_run(worker)
    assert states["synced"] > len(quotes) + PROCESSES, "the flood was worked on meanwhile"
    assert states["pending"] > FLOOD / 2, "and it was not over"
    assert max(flooded) <= max(idle) + run


@pytest.mark.parametrize("slots", [1, 4])
async def test_a_lane_of_another_connection_is_in_the_very_next_claim_however_many_wait(
    empty_database_url: str, slots: int
) -> None:
    async with shift(empty_database_url, _fine, *OTHERS) as (worker, _, _):
        await _flood(worker)
        await worker.stage.advance(STARTED + timedelta(minutes=1))
        await _claimed_from(worker, slots=slots)
        for other in OTHERS:
            await worker.accept(many_quotes(1), other)
            await worker.stage.advance(worker.stage.now + timedelta(minutes=1))
            assert other in await _claimed_from(worker, slots=slots)


async def _claimed_from(worker: Shift, *, slots: int) -> set[str]:
    lease = timedelta(seconds=30)
    async with worker.engine.database.transaction() as session:
        claims = await lanes.claim(session, slots=slots, lease=lease, probe=lease)
    return {claim.connection_id for claim in claims}
