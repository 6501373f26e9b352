"""Due lanes by the thousand, and the real worker on them with another work than syncing."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import asyncpg

from app.db.lanes import Claim
from app.db.settlements import Settlement, Synced
from app.house import House, open_house
from app.settings import Settings
from app.sync.worker import Worker

CONNECTIONS = 20
"""Over so many connections the lanes are spread."""

MAKE_CONNECTIONS = """
WITH made AS (
    INSERT INTO connections (id, name, server, base_url, company, username, password, capabilities)
    SELECT 'c' || n, 'c' || n, 'us', 'https://bms.example', 'c' || n, 'u', '', '[]' FROM generate_series(1, $1::int) n
    RETURNING id
)
INSERT INTO paces (connection_id) SELECT id FROM made
"""
MAKE_LANES = """
INSERT INTO quotes (connection_id, quote_id, name, status, revision, happened_at, content, body_digest, due_at)
SELECT 'c' || 1 + n % $2::int, 'q' || n, 'A quote', 'pending', 0, now(), '{}', '', now() - interval '1 second'
FROM generate_series(1, $1::int) n
"""
MAKE_DUE = "UPDATE quotes SET due_at = now() - interval '1 second', state = 'pending'"
COUNT_SETTLED = "SELECT count(*) FROM quotes WHERE synced_generation = generation AND lease_id IS NULL"


def settings_of(dsn: str, *, slots: int) -> Settings:
    """The service's own defaults, with so many lanes at a time."""
    key = base64.urlsafe_b64encode(bytes(32)).decode()
    return Settings.load(
        {
            "QUOTEBRIDGE_DATABASE_URL": dsn,
            "QUOTEBRIDGE_SECRET_KEYS": key,
            "QUOTEBRIDGE_RUN_SLOTS": str(slots),
            "QUOTEBRIDGE_LOG_LEVEL": "warning",
        }
    )


def house_on(dsn: str, *, slots: int) -> AbstractAsyncContextManager[House]:
    """A house whose worker works on so many lanes at a time."""
    return open_house(settings_of(dsn, slots=slots))


async def make_lanes(dsn: str, count: int) -> None:
    """Fill a fresh database with due lanes, spread over connections, and let PostgreSQL know its tables."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(MAKE_CONNECTIONS, CONNECTIONS)
        await connection.execute(MAKE_LANES, count, CONNECTIONS)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def drain(house: House, count: int, run: Callable[[], Awaitable[None]]) -> float:
    """Let a worker work off ``count`` due lanes; returns how many were settled a second, from start to last commit."""
    settled, is_over = 0, asyncio.Event()

    def count_one() -> None:
        nonlocal settled
        settled += 1
        if settled == count:
            is_over.set()

    synced = Synced(at=datetime.now(UTC), digest=b"")

    async def work(claim: Claim) -> Settlement:
        await run()
        return Settlement(claim=claim, state="synced", synced=synced, afterwards=count_one)

    worker = Worker(house, work=work)
    started = time.perf_counter()
    running = asyncio.create_task(worker.run())
    await is_over.wait()
    took = time.perf_counter() - started
    await worker.stop()
    await running
    return count / took
