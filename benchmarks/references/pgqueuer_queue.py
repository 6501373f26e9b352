"""No-op jobs through pgqueuer, as its documentation has it for throughput: an asyncpg pool, and large batches."""

import time

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

BATCH = 250


async def drain(dsn: str, count: int) -> float:
    """Install it on a fresh database, enqueue so many jobs, and let it do them; returns jobs a second."""
    async with asyncpg.create_pool(dsn, min_size=2, max_size=10) as pool:
        queuer = PgQueuer.from_asyncpg_pool(pool)
        queries = Queries(queuer.connection)
        await queries.install()

        @queuer.entrypoint("nothing")
        async def nothing(_: Job) -> None:
            """Do nothing."""

        await queries.enqueue(["nothing"] * count, [None] * count, [0] * count)
        started = time.perf_counter()
        await queuer.qm.run(batch_size=BATCH, mode=QueueExecutionMode.drain)
        return count / (time.perf_counter() - started)
