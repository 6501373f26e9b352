"""BMS calls for the same work: ours, a naive integration's, and the floor.

The workload is a part of a day with a thousand quotes of six events each: created; a burst of three updates; later a
last update, and with it the decision. A quote has 31 lines on average. It is played through the real engine on a real
PostgreSQL in virtual time, against the sandbox in the same process, which counts the calls.

The floor is what a perfect planner has to ask for under the same rules; `benchmarks/calls/floor.py` lists what it
assumes. The naive integration (`benchmarks/calls/naive.py`) signs in for each event, looks everything up, takes all
lines off the quotation and puts all on again, and uploads the PDF anew. It is played for some of the customers; its
calls for lines are scaled to the lines of the whole workload.

A connection's first sixty runs read statuses, employees and warehouses anew each time, and its first quotes ask for
items that later ones know. With a thousand quotes that is about a hundredth of all calls; with the few quotes of this
row it would hide what is measured. So they are played, and their floor is counted, as on a connection that has been at
work. `python -m benchmarks.calls --quotes 1000` plays the whole day on a new connection, and leaves nothing out.
"""

from datetime import timedelta

from benchmarks.bench import Bench
from benchmarks.calls.compare import Comparison, compare
from benchmarks.calls.floor import Terms
from benchmarks.calls.workload import make_workload
from benchmarks.verdict import Bar, Verdict

LIMIT = timedelta(seconds=180)
QUOTES_A_ROUND = 6
MOST_OVER_FLOOR, LEAST_WITH_LINES, LEAST_WITHOUT = 1.05, 14.0, 8.0
SCENES = {
    "extended": Terms(contract="extended"),
    "published": Terms(contract="published"),
    "without lines": Terms(with_lines=False),
}


async def measure(bench: Bench) -> Verdict:
    """Play the workload in both contracts, and once without quotations."""
    workload = make_workload(QUOTES_A_ROUND * bench.rounds)
    compared: dict[str, Comparison] = {}
    for name, terms in SCENES.items():
        compared[name] = found = await compare(bench, workload, terms)
        bench.say(f"{name}: {found}")
    ok = all(
        each.over_floor <= MOST_OVER_FLOOR
        and each.under_naive >= (LEAST_WITH_LINES if SCENES[name].with_lines else LEAST_WITHOUT)
        and each.idle_calls == 0
        for name, each in compared.items()
    )
    idle = sum(each.idle_calls for each in compared.values())
    return Verdict(
        row=7,
        what="BMS calls for bursts of six events on quotes of 31 lines",
        target="≤ 1.05 x the floor; ≥ 14 x fewer than naive with lines, ≥ 8 x without; unchanged, re-sync, restart: 0",
        measured="; ".join(
            f"{name}: {each.over_floor:.3f} x floor, {each.under_naive:.1f} x fewer" for name, each in compared.items()
        )
        + f"; unchanged, re-sync, restart: {idle}",
        ok=ok,
        bound="One POST for each line is three quarters of all calls, and the floor itself is only "
        + ", ".join(f"{each.naive / each.floor:.1f} x ({name})" for name, each in compared.items())
        + " below the naive integration.",
        bars=[
            Bar(f"{name}, {who}", figure)
            for name, each in compared.items()
            for who, figure in (("ours", each.ours), ("floor", each.floor), ("naive", each.naive))
        ],
        unit="calls a quote",
    )
