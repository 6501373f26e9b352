"""Memory when idle, and after 200,000 events; time to the first answer.

The whole service, `quotebridge serve` with its worker, is started on a migrated database. Measured are: the time from
the start of the process to the first answer of `/livez`; its resident memory a few seconds later; and its resident
memory after each 20,000 of 200,000 signed events over 32 connections, to 1,000 quotes of one line each. What it has
grown after the first 20,000 is held against a twentieth of what it had then, which is what the allocator moves by
itself.

On a machine so slow that the events would take more than two minutes fewer are sent; the row says how many.

What was left out of the process that serves: Alembic, with its templates (the newest revision is read from the
migrations' own text), pydantic-settings (the environment is read by our own few lines), tables for terminals, and the
engine of a process that does not sync. What stays: to import FastAPI, pydantic, uvicorn, SQLAlchemy, asyncpg, httpx,
cryptography, structlog, tenacity and Jinja takes 88 MB and 0.8 s on the machine of this page, before a line of ours.
Our own modules, most of it the models of the API, take 17 MB and 0.6 s; of these no part is for one command only.
"""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.inbox.sending import send
from benchmarks.inbox.servers import Target, quotebridge
from benchmarks.lanes.cpu import used_by
from benchmarks.verdict import Bar, Verdict

LIMIT = timedelta(seconds=180)
SENDING = timedelta(seconds=120)
EVENTS, SLICE, CONNECTIONS = 200_000, 20_000, 32
STARTS, SETTLE_SECONDS = 5, 2
MOST_MB, MOST_GROWTH, MOST_SECONDS = 95.0, 0.05, 1.0


async def measure(bench: Bench) -> Verdict:
    """Start it a few times, and send to the last one."""
    dsn = await bench.postgres()
    first_answers = [await _first_answer(bench, dsn) for _ in range(STARTS)]
    target = await bench.stack.enter_async_context(quotebridge(dsn, sync=True))
    await asyncio.sleep(SETTLE_SECONDS)
    idle = _megabytes(target)
    after = await _after_events(bench, target)
    sent, growth = len(after) * SLICE, after[-1] / after[0] - 1
    started = bench.median(first_answers)
    return Verdict(
        row=12,
        what="memory idle; its growth after the first 20,000 events; time to the first answer",
        target=f"≤ {MOST_MB:.0f} MB; none (≤ {MOST_GROWTH:.0%}); ≤ {MOST_SECONDS:.0f} s",
        measured=f"{idle:.0f} MB; {growth:+.1%} after {sent:,}; {started:.2f} s",
        ok=idle <= MOST_MB and sent == EVENTS and growth <= MOST_GROWTH and started <= MOST_SECONDS,
        bound="What Python needs to import: the libraries alone take four fifths of the memory, and half of the time.",
        bars=[Bar("idle", idle), *(Bar(f"{(n + 1) * SLICE:,} events", each) for n, each in enumerate(after))],
        unit="MB",
    )


async def _first_answer(bench: Bench, dsn: str) -> float:
    """Seconds from the start of the process to its first answer; the connection that is stored before counts not."""
    async with quotebridge(dsn, sync=True) as target:
        begun = _begun_at(target)
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: quotebridge\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        took = time.clock_gettime(time.CLOCK_BOOTTIME) - begun
        writer.close()
        bench.say(f"first answer after {took:.2f} s, {used_by(target.pid).total_seconds():.2f} s of them on a core")
        return took


def _begun_at(target: Target) -> float:
    """When the kernel began the process, in seconds since boot."""
    fields = Path(f"/proc/{target.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / 100


async def _after_events(bench: Bench, target: Target) -> list[float]:
    until = time.monotonic() + SENDING.total_seconds()
    after: list[float] = []
    while len(after) * SLICE < EVENTS and (not after or time.monotonic() < until):
        name, version = f"m{len(after)}", 1 + len(after) * SLICE
        await send(target, name=name, count=SLICE, connections=CONNECTIONS, lines=1, first_version=version)
        after.append(_megabytes(target))
        bench.say(f"{len(after) * SLICE:,} events: {after[-1]:.0f} MB")
    return after


def _megabytes(target: Target) -> float:
    (line,) = (each for each in Path(f"/proc/{target.pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
