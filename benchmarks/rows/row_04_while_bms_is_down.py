"""Acknowledging 200 events/s while BMS is down, with 100,000 lanes waiting and with none.

The whole service runs, with its worker. BMS refuses every connection, so the breaker is open and one lane at a time
finds out whether BMS is back; the others only wait, in an index that accepting an event does not read.
"""

from functools import partial

from benchmarks.bench import Bench
from benchmarks.inbox.filling import fill_lanes
from benchmarks.inbox.sending import Answers, send
from benchmarks.inbox.servers import NOBODY, Target, quotebridge
from benchmarks.verdict import Bar, Verdict

RATE = 200.0
EVENTS = 600
CONNECTIONS = 32
WAITING = 100_000
SLOWER = 2.0


async def measure(bench: Bench) -> Verdict:
    """Send at fixed times to two services with their workers running; nobody answers where BMS should be."""
    targets: dict[str, Target] = {}
    for name, lanes in (("100,000 lanes waiting", WAITING), ("an empty table", 0)):
        dsn = await bench.postgres()
        target = await bench.stack.enter_async_context(quotebridge(dsn, sync=True, allowed_kaseya_hosts=NOBODY))
        await fill_lanes(dsn, target.connection_id, lanes, due=True)
        targets[name] = target
    seen: dict[str, list[Answers]] = {name: [] for name in targets}

    async def tail_of(name: str) -> float:
        round_name = f"r{len(seen[name])}"
        answers = await send(targets[name], name=round_name, count=EVENTS, connections=CONNECTIONS, rate=RATE)
        seen[name].append(answers)
        return answers.quantile(0.99) * 1e3

    tails = await bench.interleave({name: partial(tail_of, name) for name in targets})
    full, empty = tails.values()
    slower = bench.ratio(full, empty)
    return Verdict(
        row=4,
        what="ack p99 at 200 events/s, BMS down, 100,000 lanes waiting",
        target="at most 2 × the same with an empty table",
        measured=f"{bench.median(full):.1f} ms = {slower:.2f} × an empty table's",
        ok=slower <= SLOWER,
        bound="the breaker lets one lane probe at a time, so that waiting lanes cost next to nothing",
        bars=[Bar(name, bench.median(figures)) for name, figures in tails.items()],
        unit="ms",
    )
