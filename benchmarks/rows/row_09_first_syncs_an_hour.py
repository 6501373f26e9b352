"""First syncs an hour under the call budget, in virtual time.

A backlog of new quotes, all there at once, is worked off for two hours of virtual time within 1,500 calls an hour to
each endpoint. Every line is one POST to the same endpoint, so the budget allows 1,500 / 31 quotes an hour at most.
What is missing to that is the reserve for won and lost quotes (a twenty-fifth), and the two slots by which the budget's
window is longer than an hour.
"""

from datetime import timedelta

from benchmarks.bench import Bench
from benchmarks.calls.floor import Terms
from benchmarks.calls.ours import open_play
from benchmarks.calls.workload import STARTED, make_backlog
from benchmarks.verdict import Bar, Verdict

LIMIT = timedelta(seconds=180)
HOURS = 2
BUDGET = 1500
LEAST = 0.95


async def measure(bench: Bench) -> Verdict:
    """Work for two hours, and count the quotes that BMS shows by then."""
    backlog = make_backlog(round(HOURS * BUDGET / 31 * 1.25))
    async with open_play(bench, backlog, Terms()) as play:
        await play.play(until=lambda: play.now >= STARTED + HOURS * timedelta(hours=1))
        an_hour = await play.synced() / HOURS
    most = BUDGET / backlog.mean_lines
    return Verdict(
        row=9,
        what=f"first syncs an hour under the budget, {backlog.mean_lines:.1f} lines a quote",
        target=f"≥ {LEAST} x 1500 / lines = {LEAST * most:.1f}",
        measured=f"{an_hour:.1f} an hour, {an_hour / most:.3f} x 1500 / lines",
        ok=an_hour >= LEAST * most,
        bound="The budget of the endpoint that takes lines: 4 % of it are kept for won and lost, and its window is "
        "0.8 % longer than an hour.",
        bars=[Bar("ours", an_hour), Bar("1500 / lines", most)],
        unit="first syncs an hour",
    )
