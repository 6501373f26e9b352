"""Accept and claim on large tables and on empty ones.

Both are measured as the service does them: batches of 32 signed events, and claims of 50 lanes. Everything they read is
found by an index whose path is a few pages long, whatever the size; tests/db/test_plans.py holds them to that.

Filling 1,000,000 quotes and 10,000,000 events takes minutes, so a run of all rows fills a twentieth.
`ROW_10_QUOTES=1000000 make bench ARGS=10` fills it all.

A claim takes two to four milliseconds for 50 lanes; half a millisecond more or less, which is what the rounds differ
by, decides between 1.1 and 1.3. Of two whole runs one gave 1.12 for claims, the other 1.31.
"""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from app.db import lanes
from app.db.session import Database
from app.intake.accept import Debounce, accept
from app.intake.doors import Door
from app.intake.reception import read_standard
from app.settings import sqlalchemy_url
from benchmarks.bench import Bench
from benchmarks.inbox.filling import fill_events, fill_lanes
from benchmarks.inbox.quotes import Load, deliveries
from benchmarks.inbox.servers import SECRET_KEY, connect
from benchmarks.verdict import Bar, Verdict

QUOTES = int(os.environ.get("ROW_10_QUOTES", "50000"))
EVENTS_PER_QUOTE = 10
BATCH, BATCHES = 32, 15
SLOTS, CLAIMS = 50, 6
SLOWER = 1.3
DEBOUNCE = Debounce(quiet=timedelta(0), at_most=timedelta(0))  # what was accepted is due, and can be claimed


async def measure(bench: Bench) -> Verdict:
    """Time the very functions that the service calls, without HTTP around them."""
    full, empty = await _Table.open(bench, quotes=QUOTES), await _Table.open(bench, quotes=0)
    figures = await bench.interleave(
        {
            "accept, full": full.accept,
            "accept, empty": empty.accept,
            "claim, full": full.claim,
            "claim, empty": empty.claim,
        }
    )
    accepting = bench.ratio(figures["accept, full"], figures["accept, empty"])
    claiming = bench.ratio(figures["claim, full"], figures["claim, empty"])
    return Verdict(
        row=10,
        what=f"accept and claim with {QUOTES:,} quotes and {QUOTES * EVENTS_PER_QUOTE:,} stored events",
        target="at most 1.3 × empty",
        measured=f"accept {accepting:.2f} ×, claim {claiming:.2f} ×",
        ok=max(accepting, claiming) <= SLOWER,
        bound="each is a few descents of indexes; tests/db/test_plans.py keeps it so",
        bars=[Bar(name, bench.median(each)) for name, each in figures.items()],
        unit="ms per batch",
    )


class _Table:
    """One database with so much in it."""

    def __init__(self, connection: "asyncpg.Connection[Any]", database: Database, load: Load) -> None:
        self._connection = connection
        self._database = database
        self._load = load
        self._rounds = 0

    @classmethod
    async def open(cls, bench: Bench, *, quotes: int) -> "_Table":
        dsn = await bench.postgres()
        connection_id, secret = await connect({"QUOTEBRIDGE_DATABASE_URL": dsn, "QUOTEBRIDGE_SECRET_KEYS": SECRET_KEY})
        await fill_lanes(dsn, connection_id, quotes, due=False)
        await fill_events(dsn, connection_id, quotes * EVENTS_PER_QUOTE, quotes=max(quotes, 1))
        connection = await asyncpg.connect(dsn)
        bench.stack.push_async_callback(connection.close)
        database = Database.connect(sqlalchemy_url(dsn))
        bench.stack.push_async_callback(database.close)
        table = cls(connection, database, Load(name="x", connection_id=connection_id, secret=secret))
        await table.accept()
        await table.claim()
        return table

    async def accept(self) -> float:
        """Milliseconds per batch of new quotes."""
        self._rounds += 1
        now = datetime.now(UTC)
        door = Door(connection_id=self._load.connection_id, secrets=(self._load.secret,))
        load = Load(name=f"r{self._rounds}", connection_id=door.connection_id, secret=self._load.secret)
        read = [
            read_standard(door, headers, body, now=now).delivery
            for headers, body in await asyncio.to_thread(deliveries, load, BATCH * BATCHES)
        ]
        started = time.perf_counter()
        for start in range(0, len(read), BATCH):
            await accept(self._connection, read[start : start + BATCH], debounce=DEBOUNCE, now=now)
        return (time.perf_counter() - started) / BATCHES * 1e3

    async def claim(self) -> float:
        """Milliseconds per claim of lanes that are due."""
        started = time.perf_counter()
        for _ in range(CLAIMS):
            async with self._database.transaction() as session:
                claimed = await lanes.claim(session, slots=SLOTS, lease=timedelta(hours=1), probe=timedelta(seconds=30))
            assert claimed, "there are lanes due for every claim"
        return (time.perf_counter() - started) / CLAIMS * 1e3
