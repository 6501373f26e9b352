"""Acknowledged events per second over 32 connections, beside references D and E.

Every event is signed, 3 to 8 KB, new, fully checked, merged into its quote, and durable when it is answered.

What stands in the way of D is the server's one core. A sampling profile divides the 660 µs that an event takes of it
into: pydantic's validation 26 %, with every amount read as an exact decimal; the check for repeated names, NUL and
surrogates, which pydantic does not do, 12 %; the canonical quote and its JSON 12 %; the layers of HTTP (uvicorn,
FastAPI, ours) 22 %; HMAC 5 %; the statement 5 %; the rest is the event loop. D does HMAC and an INSERT.

What was tried, and kept: one round trip for a batch instead of seven; one reading of a connection's secrets a second
for all requests instead of one each (1441 to 852 µs); lines read straight into the canonical ones, and amounts kept in
a cache (275 to 210 µs); a raw ASGI route with prepared answers; LZ4 instead of PostgreSQL's own compression (374 to
246 µs of PostgreSQL). What was not: to read the body by hand, which would be a second set of rules, and to go around
FastAPI's layers, which would save a tenth. What would help is a JSON reader that refuses repeated names as it reads.
"""

from functools import partial

from benchmarks.bench import Bench
from benchmarks.inbox.sending import send
from benchmarks.inbox.servers import quotebridge, reference
from benchmarks.verdict import Bar, Verdict

CONNECTIONS = 32
EVENTS = 3000
EVENTS_OF_E = 400
OF_D, OF_E = 1.0, 8.0


async def measure(bench: Bench) -> Verdict:
    """Send the same events to each, in turns; every event is signed, new, and durable when it is answered."""
    ours_dsn, theirs = await bench.postgres(), await bench.postgres()
    targets = {
        "quotebridge": await bench.stack.enter_async_context(quotebridge(ours_dsn)),
        "D: bare INSERT": await bench.stack.enter_async_context(reference("d_bare_insert", theirs)),
        "E: session per event": await bench.stack.enter_async_context(reference("e_session_per_event", theirs)),
        "X: no validation": await bench.stack.enter_async_context(reference("x_group_commit", theirs)),
    }
    sent = dict.fromkeys(targets, 0)

    async def rate_of(name: str, count: int) -> float:
        sent[name] += 1
        return (await send(targets[name], name=f"r{sent[name]}", count=count, connections=CONNECTIONS)).rate

    for name in targets:
        await rate_of(name, EVENTS_OF_E)
    counts = {name: EVENTS_OF_E if name.startswith("E") else EVENTS for name in targets}
    rates = await bench.interleave({name: partial(rate_of, name, counts[name]) for name in targets})
    ours, d, e, _ = rates.values()
    of_d, of_e = bench.ratio(ours, d), bench.ratio(ours, e)
    return Verdict(
        row=1,
        what="acknowledged events/s, one process, 32 connections",
        target="at least 1.0 × D and 8 × E",
        measured=f"{bench.median(ours):,.0f}/s = {of_d:.2f} × D, {of_e:.1f} × E",
        ok=of_d >= OF_D and of_e >= OF_E,
        bound="one core in the server's process: reading and checking the body is nearly half of its work",
        bars=[Bar(name, bench.median(figures)) for name, figures in rates.items()],
        unit="events/s",
    )
