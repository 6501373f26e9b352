"""BMS calls of a first sync with everything new.

Account, contact, opportunity, quotation and five lines are new; the five items have been on an earlier quote, and the
look-ups are as warm as under load. Ten calls cannot be spared: one search for the account, and a POST for each record.
The eleventh is the search for the account by its longest word: BMS may hold its name with other spaces, and
what its filter means by "contains" is not published.
"""

from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.calls.compare import UnfairError
from benchmarks.calls.floor import Terms
from benchmarks.calls.ours import open_play
from benchmarks.calls.workload import Workload, make_workload
from benchmarks.verdict import Bar, Verdict

MOST = 11
LINES = 5


async def measure(bench: Bench) -> Verdict:
    """Sync a quote that brings the items, and then the one that counts."""
    workload = _two_quotes()
    first, second = workload.quotes
    async with open_play(bench, workload, Terms()) as play:
        await play.deliver([(first.events[0], first)])
        await play.work_off()
        play.forget_first_look_ups()
        play.forget_calls()
        await play.deliver([(second.events[0], second)])
        await play.work_off()
        if await play.states() != {"synced": 2} or play.violations:
            message = f"The quotes were not synced as the contract wants it: {play.violations}"
            raise UnfairError(message)
        calls = play.calls
    return Verdict(
        row=8,
        what="BMS calls of the first sync of a quote with five lines, everything new",
        target=f"≤ {MOST}",
        measured=str(calls.total()),
        ok=calls.total() <= MOST,
        bound="A search for the account by its name and by its longest word, and one POST for each of nine records.",
        bars=[Bar(call, count) for call, count in calls.most_common()],
        unit="calls",
    )


def _two_quotes() -> Workload:
    """Two quotes of the same five items, without a PDF; only the first one's customer is in BMS."""
    made = make_workload(10)
    known, unknown = made.customers
    first = made.quotes[0]
    created = first.events[0]
    lines = tuple(
        replace(created.state.lines[0], line_id=f"l-{number}", item=item)
        for number, item in enumerate(item for item in made.items if item.is_known and item.kind == "product")
    )
    event = replace(created, state=replace(created.state, lines=lines[:LINES], document=None))
    quotes = [
        replace(first, quote_id=f"q-{customer.last_name}", customer=customer, events=(event,))
        for customer in (known, unknown)
    ]
    return replace(made, quotes=tuple(quotes))
