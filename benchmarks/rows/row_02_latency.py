"""The tail of the latency over 32 connections, and the latency of a lone sender beside reference D.

The tail is short since nothing waits for a timer: what comes while a batch is being committed is the next batch, and
`gc.freeze()` after the start keeps the collector away from what stays.

A lone sender waits for one round trip and one flush, as D's does. Before it comes what row 1 counts: the body is read
and checked in full. Its start and the hand-over to the task that commits add some more, for a batch of one.
"""

from functools import partial

from benchmarks.bench import Bench
from benchmarks.inbox.sending import Answers, send
from benchmarks.inbox.servers import quotebridge, reference
from benchmarks.verdict import Bar, Verdict

BUSY_CONNECTIONS = 32
BUSY_EVENTS, LONE_EVENTS = 3000, 400
TAIL, OF_D = 2.0, 1.1


async def measure(bench: Bench) -> Verdict:
    """Measure in turns: ours busy, ours with one sender, D with one sender."""
    ours = await bench.stack.enter_async_context(quotebridge(await bench.postgres()))
    theirs = await bench.stack.enter_async_context(reference("d_bare_insert", await bench.postgres()))
    seen: dict[str, list[Answers]] = {"busy": [], "alone": [], "D alone": []}

    async def median_of(name: str) -> float:
        target = theirs if name.startswith("D") else ours
        count, connections = (BUSY_EVENTS, BUSY_CONNECTIONS) if name == "busy" else (LONE_EVENTS, 1)
        answers = await send(target, name=f"{name[0]}{len(seen[name])}", count=count, connections=connections)
        seen[name].append(answers)
        return answers.median * 1e6

    for target in (ours, theirs):
        await send(target, name="warm-up", count=BUSY_EVENTS, connections=BUSY_CONNECTIONS)
    medians = await bench.interleave({name: partial(median_of, name) for name in seen})
    tail = bench.median(each.quantile(0.99) / each.median for each in seen["busy"])
    of_d = bench.ratio(medians["alone"], medians["D alone"])
    return Verdict(
        row=2,
        what="latency: tail at 32 connections; median of a lone sender",
        target="p99 at most 2 × p50; at most 1.1 × D",
        measured=f"p99 = {tail:.2f} × p50; {bench.median(medians['alone']):,.0f} µs = {of_d:.2f} × D",
        ok=tail <= TAIL and of_d <= OF_D,
        bound="alone: one round trip and one flush as D, and before it the reading of the body, which D does not do",
        bars=[
            Bar("quotebridge, one sender", bench.median(medians["alone"])),
            Bar("D, one sender", bench.median(medians["D alone"])),
        ],
        unit="µs",
    )
