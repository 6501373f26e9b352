"""The one-trip way of accepting: whatever it takes on, it leaves exactly what the general way would have left."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import one_trip
from app.db.inbox import Connection
from app.intake import accept as accepting
from app.intake.accept import Debounce, accept
from app.intake.deliveries import Acceptance, Answer, Delivery
from tests.intake.deliveries import NOW, delivery

DEBOUNCE = Debounce(quiet=timedelta(seconds=2), at_most=timedelta(seconds=15))
ONE_TRIP, GENERAL = "con_1", "con_2"
SEED = "".join(
    f"INSERT INTO connections (id, name, server, base_url, company, username, password, capabilities) "  # noqa: S608
    f"VALUES ('{each}', 'x', 'us', 'https://x.example', 'c', 'u', '', '[]');"
    for each in (ONE_TRIP, GENERAL)
)
LANES = (
    """SELECT to_jsonb(q) - 'connection_id' - 'created_at' FROM quotes q WHERE connection_id = $1 ORDER BY quote_id"""
)
EVENTS = """
SELECT to_jsonb(e) - 'connection_id' - 'id' FROM events e WHERE connection_id = $1
ORDER BY webhook_id, counted, body_digest, generation
"""
ALIASES = "SELECT to_jsonb(a) - 'connection_id' FROM quote_aliases a WHERE connection_id = $1 ORDER BY alias"
# What happens to lanes between two batches: a worker claims, settles, fails or parks them, or time passes.
MEANWHILE = {
    "nothing": "SELECT 1",
    "a claim": """UPDATE quotes SET state = 'syncing', lease_until = now() + interval '30 s', wanted_at = NULL,
                         waiting_since = NULL, due_at = now() + interval '30 s', attempts = 1""",
    "a lost lease": "UPDATE quotes SET state = 'syncing', lease_until = now() - interval '1 s', due_at = now()",
    "a settlement": """UPDATE quotes SET state = 'synced', lease_until = NULL, due_at = NULL, waiting_since = NULL,
                              synced_generation = generation""",
    "a sync asked for": "UPDATE quotes SET generation = generation + 1, wanted_at = now(), urgent = true",
    "14 seconds": """UPDATE quotes SET waiting_since = waiting_since - interval '14 s',
                            due_at = due_at - interval '14 s', wanted_at = wanted_at - interval '14 s'""",
}


DELIVERIES = st.builds(
    delivery,
    st.sampled_from([f"m{number}" for number in range(60)]),
    kind=st.sampled_from(["created", "updated", "updated", "updated", "won", "lost"]),
    refusal=st.sampled_from([None] * 9 + ["quote-expired: too late"]),
    at=st.integers(0, 4),
    quote_id=st.sampled_from(["a", "b", "c"]),
    version=st.sampled_from([None, 1, 2, 3, 4, 5, 6, 7]),
    revision=st.sampled_from([0, 0, 0, 0, 1]),
    parent_quote_id=st.sampled_from([None] * 12 + ["a"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.tuples(st.lists(DELIVERIES, min_size=1, max_size=4), st.sampled_from(list(MEANWHILE)))))
def test_both_ways_leave_the_same_rows_and_answers(
    clean_database: str, story: list[tuple[list[Delivery], str]]
) -> None:
    """All in one transaction, whose clock stands still, so that even the times must be equal."""

    async def play() -> None:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(clean_database)
        await one_trip.prepare(connection)
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(SEED)
            for batch, meanwhile in story:
                general = [replace(each, connection_id=GENERAL) for each in batch]
                one = await in_one_trip(connection, batch)
                if one is None:
                    one = await accepting._accept(connection, batch, debounce=DEBOUNCE, now=NOW)
                other = await accepting._accept(connection, general, debounce=DEBOUNCE, now=NOW)
                assert [(each.answer, each.reason) for each in one] == [(each.answer, each.reason) for each in other]
                for table in (LANES, EVENTS, ALIASES):
                    rows = [[row[0] for row in await connection.fetch(table, each)] for each in (ONE_TRIP, GENERAL)]
                    assert rows[0] == rows[1]
                await connection.execute(MEANWHILE[meanwhile])
        finally:
            await transaction.rollback()
            await connection.close()

    asyncio.run(play())


async def in_one_trip(connection: Connection, batch: list[Delivery]) -> list[Acceptance] | None:
    """What the one trip says; where it declines, whatever it did until then is gone, as without a transaction."""
    savepoint = connection.transaction()
    await savepoint.start()
    taken: list[Acceptance] | None = None
    try:
        taken = await accepting._accept_ordinary(connection, batch, debounce=DEBOUNCE)
    finally:
        await (savepoint.rollback() if taken is None else savepoint.commit())
    return taken


@pytest.fixture
async def database(clean_database: str) -> AsyncIterator[Connection]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(clean_database)
    await connection.execute(SEED)
    await one_trip.prepare(connection)
    yield connection
    await connection.close()


ORDINARY = {
    "a new quote": ([], [delivery("m1", quote_id="a", version=1)]),
    "a higher version": (["m1"], [delivery("m2", kind="updated", quote_id="a", version=2)]),
    "a later time": (["m1"], [delivery("m2", kind="updated", quote_id="a", at=9)]),
    "won": (["m1"], [delivery("m2", kind="won", quote_id="a", version=2)]),
    "two of one quote": (
        ["m1"],
        [delivery("m2", kind="updated", quote_id="a", version=2), delivery("m3", kind="won", quote_id="a", version=3)],
    ),
}
STRANGE = {
    "a known id": (["m1"], [delivery("m1", quote_id="b", version=1)]),
    "an older version": (["m1"], [delivery("m2", quote_id="a", version=0, at=9)]),
    "an earlier time": (["m1"], [delivery("m2", quote_id="a", at=0)]),
    "another revision": (["m1"], [delivery("m2", quote_id="a", version=2, revision=1)]),
    "a revision of another": ([], [delivery("m2", quote_id="b", parent_quote_id="a", version=2)]),
    "a refusal": ([], [delivery("m2", quote_id="a", version=2, refusal="quote-expired")]),
    "a document": ([], [delivery("m2", quote_id="a", pdf={"content_base64": "QUJD"})]),
    "one id twice": ([], [delivery("m2", quote_id="a", version=2)] * 2),
}


@pytest.mark.parametrize(("stored", "batch"), ORDINARY.values(), ids=list(ORDINARY))
async def test_what_is_plainly_new_is_accepted_in_one_trip(
    database: Connection, stored: list[str], batch: list[Delivery]
) -> None:
    await store(database, stored)
    taken = await in_one_trip(database, batch)
    assert taken is not None
    assert {each.answer for each in taken} == {Answer.ACCEPTED}
    assert await database.fetchval("SELECT count(*) FROM events") == len(stored) + len(batch)


@pytest.mark.parametrize(("stored", "batch"), STRANGE.values(), ids=list(STRANGE))
async def test_what_is_not_plainly_new_is_left_to_the_general_way(
    database: Connection, stored: list[str], batch: list[Delivery]
) -> None:
    await store(database, stored)
    before = await database.fetch("SELECT * FROM quotes")
    assert await in_one_trip(database, batch) is None
    assert await database.fetch("SELECT * FROM quotes") == before
    assert await database.fetchval("SELECT count(*) FROM events") == len(stored)


async def test_a_lane_of_several_revisions_is_left_to_the_general_way(database: Connection) -> None:
    await accept(database, [delivery("m1", quote_id="a", version=1)], **how())
    await accept(database, [delivery("m2", quote_id="b", parent_quote_id="a", revision=1, version=2)], **how())
    assert await in_one_trip(database, [delivery("m3", quote_id="b", revision=1, version=3)]) is None


async def test_a_won_quote_only_moves_on_so_it_is_left_to_the_general_way(database: Connection) -> None:
    await accept(database, [delivery("m1", kind="won", quote_id="a", version=1, status="ordered")], **how())
    newer = delivery("m2", kind="won", quote_id="a", version=2)
    assert await in_one_trip(database, [newer]) is None
    await accept(database, [newer], **how())
    assert await database.fetchval("SELECT status FROM quotes") == "ordered"


async def test_an_ordinary_batch_is_one_statement(database: Connection) -> None:
    await accept(database, [delivery("m1", quote_id="a", version=1)], **how())
    said: list[str] = []
    assert isinstance(database, asyncpg.Connection)
    with database.query_logger(lambda query: said.append(query.query)):
        await accept(database, [delivery("m2", kind="updated", quote_id="a", version=2)], **how())
    await asyncio.sleep(0)  # the log is called once the statement has been answered
    assert len(said) == 1


async def test_a_login_that_may_make_no_functions_is_served_the_general_way(database: Connection) -> None:
    name = await database.fetchval("SELECT current_database()")
    await database.execute(
        f"""REVOKE TEMP ON DATABASE {name} FROM PUBLIC; CREATE ROLE plain NOLOGIN;
            GRANT ALL ON ALL TABLES IN SCHEMA public TO plain; SET ROLE plain"""
    )
    try:
        (taken,) = await accept(database, [delivery("m1", quote_id="a", version=1)], **how())
    finally:
        await database.execute(
            f"RESET ROLE; GRANT TEMP ON DATABASE {name} TO PUBLIC; DROP OWNED BY plain; DROP ROLE plain"
        )
    assert taken.answer is Answer.ACCEPTED


async def store(database: Connection, webhook_ids: list[str]) -> None:
    for webhook_id in webhook_ids:
        await accept(database, [delivery(webhook_id, quote_id="a", version=1, at=1)], **how())


def how() -> Any:
    return {"debounce": DEBOUNCE, "now": NOW}
