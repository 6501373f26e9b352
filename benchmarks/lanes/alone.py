"""A worker that drains due lanes with others: `python -m benchmarks.lanes.alone DSN`.

It says `ready`, and for each line that it reads it works until nothing is due any more, and says when its last lane was
settled.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime

import asyncpg
import uvloop

from app.db.lanes import Claim
from app.db.settlements import Settlement, Synced
from app.house import House
from app.sync.worker import Worker
from benchmarks.lanes.drain import house_on

SLOTS = 100
LOOK_SECONDS = 0.05
LEFT = "SELECT EXISTS (SELECT FROM quotes WHERE due_at IS NOT NULL)"


async def main(dsn: str) -> None:
    """Do as told until the lines end."""
    async with house_on(dsn, slots=SLOTS) as house:
        connection = await asyncpg.connect(dsn)
        print("ready", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(await _drain(house, connection), flush=True)
        await connection.close()


async def _drain(house: House, connection: "asyncpg.Connection[asyncpg.Record]") -> float:
    """Work until no lane is owed anything; returns when the last one of ours was settled, in seconds since 1970."""
    last = time.time()
    synced = Synced(at=datetime.now(UTC), digest=b"")

    def note() -> None:
        nonlocal last
        last = time.time()

    async def work(claim: Claim) -> Settlement:
        return Settlement(claim=claim, state="synced", synced=synced, afterwards=note)

    worker = Worker(house, work=work)
    running = asyncio.create_task(worker.run())
    while await connection.fetchval(LEFT):  # noqa: ASYNC110 - what is left is in the database
        await asyncio.sleep(LOOK_SECONDS)
    await worker.stop()
    await running
    return last


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
