"""First syncs an hour under the call budget, in virtual time.

A backlog of new quotes, all there at once, is worked off for an hour of virtual time within 1,500 calls an hour to each
endpoint. Every line is one POST to the same endpoint, so the budget allows 1,500 / 31 quotes an hour at most. What is
missing to that is the reserve for won and lost quotes, a twenty-fifth. The budget's window is two slots of 15 s longer
than an hour, which costs another 0.8 % in the long run.

When the budget is spent, one quote is on the quotation in part: it counts by its lines.
"""

from datetime import timedelta

from benchmarks.bench import Bench
from benchmarks.calls.floor import Terms
from benchmarks.calls.ours import open_play
from benchmarks.calls.workload import STARTED, make_backlog
from benchmarks.verdict import Bar, Verdict

LIMIT = timedelta(seconds=180)
HOURS = 1
BUDGET = 1500
LEAST = 0.95
ADD_LINE = "POST /v2/crm/quotes/{quotationId}/lineItems/{itemTypeId}/{distributerTypeId}"


async def measure(bench: Bench) -> Verdict:
    """Work for an hour, and count what BMS shows by then."""
    backlog = make_backlog(round(HOURS * BUDGET / 31 * 1.25))
    async with open_play(bench, backlog, Terms()) as play:
        await play.play(until=lambda: play.now >= STARTED + HOURS * timedelta(hours=1))
        an_hour, whole = play.calls[ADD_LINE] / backlog.mean_lines / HOURS, await play.synced()
    most = BUDGET / backlog.mean_lines
    return Verdict(
        row=9,
        what=f"first syncs an hour under the budget, {backlog.mean_lines:.1f} lines a quote",
        target=f"≥ {LEAST} x 1500 / lines = {LEAST * most:.1f}",
        measured=f"{an_hour:.1f} an hour, {an_hour / most:.3f} x 1500 / lines; {whole} quotes as a whole",
        ok=an_hour >= LEAST * most,
        bound="The budget of the endpoint that takes lines: 4 % of it are kept for won and lost, and its window is "
        "0.8 % longer than an hour.",
        bars=[Bar("ours", an_hour), Bar("1500 / lines", most)],
        unit="first syncs an hour",
    )
