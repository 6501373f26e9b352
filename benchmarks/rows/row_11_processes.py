"""One, two and four web processes on one PostgreSQL; and as many workers.

Web: each process is a `quotebridge serve --no-sync` on the same database, and each is sent signed events over 16
connections by a client process of its own, all at the same time. Workers: each process runs the real worker with work
that does nothing, and all drain the same lanes. The rates are added up; the CPU that the web processes and PostgreSQL
used meanwhile is read from /proc, and says what the limit is: cores, where all of them together are used up (the
clients use theirs, too), else PostgreSQL.
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial

import asyncpg

from benchmarks.bench import Bench
from benchmarks.inbox.sending import send
from benchmarks.inbox.servers import ROOT, Target, quotebridge
from benchmarks.lanes.cpu import postmaster_of, used_by, used_by_server
from benchmarks.lanes.drain import MAKE_DUE, make_lanes
from benchmarks.verdict import Bar, Verdict

LIMIT = timedelta(seconds=90)
NUMBERS = (1, 2, 4)
MOST = max(NUMBERS)
EVENTS, CONNECTIONS, LANES = 1_000, 16, 8_000
FULL = 0.85
"""From this share of all cores on they count as used up: the rest is the clients' and the kernel's own."""
GROWS = 1.1


async def measure(bench: Bench) -> Verdict:
    """Measure each number of processes in turns."""
    dsn, drained = await bench.postgres(), await bench.postgres()
    await make_lanes(drained, LANES)
    postmaster = await postmaster_of(dsn)
    targets = [await bench.stack.enter_async_context(quotebridge(dsn)) for _ in range(MOST)]
    shares: dict[int, list[tuple[float, float]]] = {number: [] for number in NUMBERS}
    webs = {f"{n} web": partial(_web, targets[:n], postmaster, shares[n]) for n in NUMBERS}
    processes = await _start_workers(bench, drained)
    workers = {f"{n} worker": partial(_workers, drained, processes[:n]) for n in NUMBERS}
    figures = await bench.interleave({**webs, **workers})
    rates = {name: bench.median(each) for name, each in figures.items()}
    web, server = (bench.median(share[which] for share in shares[1]) for which in (0, 1))
    cores = os.cpu_count() or 1
    best = max(rates[name] for name in webs)
    ok = best >= GROWS * rates["1 web"] or web + server >= FULL * cores
    said = f"one web process uses {web:.1f} cores and PostgreSQL {server:.1f}, of {cores}; the client the rest"
    return Verdict(
        row=11,
        what="one, two, four web processes, and workers, on one PostgreSQL",
        target="grows until PostgreSQL or the cores are the limit",
        measured=f"web {_row(rates, webs)}; workers {_row(rates, workers)} a second",
        ok=ok,
        bound=f"The cores: {said}." if web + server >= FULL * cores or best < GROWS * rates["1 web"] else f"{said}.",
        bars=[Bar(name, rate) for name, rate in rates.items()],
        unit="a second",
    )


def _row(rates: dict[str, float], names: Iterable[str]) -> str:
    return " → ".join(f"{rates[name]:,.0f}" for name in names)


async def _web(targets: Sequence[Target], postmaster: int, shares: list[tuple[float, float]]) -> float:
    """Send to all of them at once; notes how many cores they and PostgreSQL used; returns events/s of all."""
    name = f"p{len(targets)}-{len(shares)}"
    before = [used_by(each.pid) for each in targets], used_by_server(postmaster), time.monotonic()
    rates = await asyncio.gather(
        *(send(each, name=name, count=EVENTS // len(targets), connections=CONNECTIONS) for each in targets)
    )
    took = timedelta(seconds=time.monotonic() - before[2])
    web = sum((used_by(each.pid) - used for each, used in zip(targets, before[0], strict=True)), timedelta())
    busy = timedelta(seconds=max(EVENTS / len(targets) / each.rate for each in rates))
    # The clients make their requests first, and nobody works meanwhile: cores are counted over the sending alone.
    shares.append((web / min(busy, took), (used_by_server(postmaster) - before[1]) / min(busy, took)))
    return sum(each.rate for each in rates)


async def _start_workers(bench: Bench, dsn: str) -> list[Process]:
    command = [sys.executable, "-m", "benchmarks.lanes.alone", dsn]
    processes = [await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT) for _ in range(MOST)]
    for each in processes:
        bench.stack.push_async_callback(_end, each)
        await _read(each)
    return processes


async def _workers(dsn: str, processes: Sequence[Process]) -> float:
    """Let these processes drain the same lanes; returns lanes/s, until the last commit."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(MAKE_DUE)
        await connection.execute("VACUUM ANALYZE quotes")
    finally:
        await connection.close()
    started = time.time()
    for each in processes:
        assert each.stdin is not None
        each.stdin.write(b"go\n")
    ended = await asyncio.gather(*(_read(each) for each in processes))
    return LANES / (max(map(float, ended)) - started)


async def _read(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
