"""No-op runs drained by one worker.

The worker is the real one, and so are its lanes: claimed in fair turns over twenty connections, leased, renewed,
settled under the fence in a durable commit. Only the work is replaced by one that does nothing. procrastinate and
pgqueuer do as many no-op jobs as they can in the same PostgreSQL, each as its documentation has it for throughput.

What makes the difference: a claim takes hundreds of lanes, claimed ahead of the slots that will begin them; what is
done is settled in groups, in which what comes while one is committed is the next; and both overlap with the work.
Claims need no durable commit, settlements do. Where this is spent: Python about a half (a task, a future and a dozen
values for each lane), PostgreSQL the other half (two updates of a row with five indexes).

What stands in the way of twice pgqueuer: its job is a narrow row that is claimed and deleted, while a lane is the
quote's own row, which stays, with its lease, its fence and the five indexes by which people and workers find it.
Tried, and kept: claims whose commit is not waited for, a claim that needs no sort, arrays instead of a statement for
each lane, groups that wait for no lock, 250 slots instead of 100. Not tried: a table of leases beside the quotes, which
would make both updates narrow, and every other query about lanes a join.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg

from benchmarks.bench import Bench
from benchmarks.lanes.drain import MAKE_DUE, drain, house_on, make_lanes
from benchmarks.references import pgqueuer_queue, procrastinate_queue
from benchmarks.verdict import Bar, Verdict

LANES, PGQUEUER_JOBS, PROCRASTINATE_JOBS = 10_000, 4_000, 300
SLOTS = 250
AT_LEAST_PROCRASTINATE, AT_LEAST_PGQUEUER = 20.0, 2.0


async def measure(bench: Bench) -> Verdict:
    """Drain the three in turns."""
    dsn = await bench.postgres()
    await make_lanes(dsn, LANES)
    figures = await bench.interleave(
        {
            "ours": partial(_ours, dsn),
            "pgqueuer": partial(_reference, bench, partial(pgqueuer_queue.drain, count=PGQUEUER_JOBS)),
            "procrastinate": partial(_reference, bench, partial(procrastinate_queue.drain, count=PROCRASTINATE_JOBS)),
        }
    )
    over_pgqueuer = bench.ratio(figures["ours"], figures["pgqueuer"])
    over_procrastinate = bench.ratio(figures["ours"], figures["procrastinate"])
    return Verdict(
        row=5,
        what="no-op runs drained a second, one worker, real lanes",
        target=f"≥ {AT_LEAST_PROCRASTINATE:g} x procrastinate, ≥ {AT_LEAST_PGQUEUER:g} x pgqueuer",
        measured=f"{over_procrastinate:.0f} x procrastinate, {over_pgqueuer:.2f} x pgqueuer",
        ok=over_procrastinate >= AT_LEAST_PROCRASTINATE and over_pgqueuer >= AT_LEAST_PGQUEUER,
        bound="Two updates of a row with five indexes for each lane, and a task and a dozen values in Python.",
        bars=[Bar(name, bench.median(rates)) for name, rates in figures.items()],
        unit="runs/s",
    )


async def _ours(dsn: str) -> float:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(MAKE_DUE)
        await connection.execute("VACUUM ANALYZE quotes")
    finally:
        await connection.close()
    async with house_on(dsn, slots=SLOTS) as house:
        return await drain(house, LANES, _nothing)


async def _nothing() -> None:
    pass


async def _reference(bench: Bench, drain_jobs: Callable[[str], Awaitable[float]]) -> float:
    return await drain_jobs(await bench.postgres())
