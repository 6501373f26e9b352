"""What a disk that flushes 1.5 ms slower costs, ours and reference D.

The slower disk is a second PostgreSQL whose `fsync` and `fdatasync` sleep first, by a small library that is compiled
here and preloaded; it needs a C compiler. Group commit waits for one flush per batch, and a batch is what came during
the flush before it: a slower disk makes larger batches.

Where it misses: the server's core is the limit on both disks (row 1), so that one round differs from the next by more
than the disks do: single rounds kept from 0.69 to 1.22. The less an event costs that core, the clearer this becomes.
"""

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

from benchmarks.bench import Bench
from benchmarks.inbox.sending import send
from benchmarks.inbox.servers import quotebridge, reference
from benchmarks.inbox.slow_disk import slow_postgres
from benchmarks.verdict import Bar, Verdict

CONNECTIONS = 32
EVENTS = 2500
LIMIT = timedelta(seconds=90)
DELAY_MICROSECONDS = 1500
KEPT = 0.9


async def measure(bench: Bench) -> Verdict:
    """Send to the same programs on two servers, of which one is slower to flush."""
    slow = ExitStack()
    bench.stack.push_async_callback(asyncio.to_thread, slow.close)
    slow_dsn = await asyncio.to_thread(slow.enter_context, slow_postgres(microseconds=DELAY_MICROSECONDS))
    quick_dsn = await bench.postgres()
    open_server = bench.stack.enter_async_context
    targets = {
        "quotebridge, slower disk": await open_server(quotebridge(slow_dsn)),
        "quotebridge": await open_server(quotebridge(quick_dsn)),
        "D, slower disk": await open_server(reference("d_bare_insert", slow_dsn)),
        "D": await open_server(reference("d_bare_insert", quick_dsn)),
    }
    sent = dict.fromkeys(targets, 0)

    async def rate_of(name: str) -> float:
        sent[name] += 1
        return (await send(targets[name], name=f"r{sent[name]}", count=EVENTS, connections=CONNECTIONS)).rate

    for name in targets:
        await rate_of(name)
    rates = await bench.interleave({name: partial(rate_of, name) for name in targets})
    ours_slow, ours, d_slow, d = rates.values()
    kept, kept_by_d = bench.ratio(ours_slow, ours), bench.ratio(d_slow, d)
    return Verdict(
        row=3,
        what="its cost with a disk that flushes 1.5 ms slower",
        target="keeps at least 0.9 of its own rate",
        measured=f"keeps {kept:.2f}; D keeps {kept_by_d:.2f}",
        ok=kept >= KEPT,
        bound="batches grow while the disk is waited for, as far as 32 senders can fill them",
        bars=[Bar(name, bench.median(figures)) for name, figures in rates.items()],
        unit="events/s",
    )
