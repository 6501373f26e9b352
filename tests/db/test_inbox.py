"""Accepting: every order of a quote's events ends in the same row, and revisions share one lane."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.inbox import Connection
from app.intake.accept import Debounce, accept
from app.intake.deliveries import Acceptance, Answer, Delivery, Source
from app.intake.group_commit import DatabaseAwayError, Inbox
from app.intake.standard import parse
from tests.intake import samples

NOW = datetime(2030, 1, 1, 10, tzinfo=UTC)
DEBOUNCE = Debounce(quiet=timedelta(seconds=2), at_most=timedelta(seconds=15))
CONNECTION = "con_1"
SEED = """
INSERT INTO connections (id, name, server, base_url, company, username, password, capabilities)
VALUES ('con_1', 'x', 'us', 'https://x.example', 'c', 'u', '', '[]')
"""


@pytest.fixture
async def database(clean_database: str) -> AsyncIterator[Connection]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(clean_database)
    await connection.execute(SEED)
    yield connection
    await connection.close()


def delivery(webhook_id: str, *, kind: str = "created", refusal: str | None = None, **data: Any) -> Delivery:
    """A verified delivery; ``data`` changes the quote."""
    body = samples.event()
    body["type"] = f"quote.{kind}"
    body["timestamp"] = (NOW + timedelta(seconds=data.get("version") or 0)).isoformat()
    status = {"won": "accepted", "lost": "lost"}.get(kind, "pending")
    body["data"] |= {"quote_id": "q", "status": status, **data}
    raw = samples.body(body)
    return Delivery(
        connection_id=CONNECTION,
        source=Source.STANDARD,
        webhook_id=webhook_id,
        body=raw,
        digest=raw[-32:].rjust(32, b"0") + webhook_id.encode(),
        event=parse(raw),
        refusal=refusal,
    )


async def take(database: Connection, *deliveries: Delivery) -> list[Acceptance]:
    return await accept(database, deliveries, debounce=DEBOUNCE, now=NOW)


async def rows(database: Connection) -> list[tuple[str, int, int | None, str]]:
    found = await database.fetch("SELECT quote_id, revision, version, status FROM quotes ORDER BY quote_id")
    return [tuple(row) for row in found]


async def test_the_same_id_is_stored_once_and_another_body_under_it_is_a_conflict(database: Connection) -> None:
    first = delivery("msg_1", version=1)
    answers = [each.answer for each in await take(database, first, first)]
    answers += [each.answer for each in await take(database, first, delivery("msg_1", version=2, name="Other"))]
    assert answers[:3] == [Answer.ACCEPTED, Answer.DUPLICATE, Answer.DUPLICATE]
    assert await database.fetchval("SELECT count(*) FROM events WHERE counted") == 1


STORY = [
    delivery("m1", version=1),
    delivery("m2", kind="updated", version=2, name="Second"),
    delivery("m3", kind="won", version=3, name="Third"),
    delivery("m4", kind="updated", version=2, revision=1, name="Revised"),
    delivery("m5", kind="lost", version=5, revision=1, name="Gone"),
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_and_repetition_of_the_events_ends_in_the_same_row(clean_database: str, data: st.DataObject) -> None:
    """The newest one decides, whatever came before it, however often, and in whatever batches."""
    others = data.draw(st.lists(st.sampled_from(STORY), max_size=8))
    order = data.draw(st.permutations([*others, STORY[-1]]))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(order)), max_size=3)) | {0, len(order)})

    async def play() -> None:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(clean_database)
        try:
            await connection.execute("TRUNCATE connections CASCADE")
            await connection.execute(SEED)
            for start, end in itertools.pairwise(cuts):
                await take(connection, *order[start:end])
            row = await connection.fetchrow("SELECT name, status, revision, version FROM quotes")
            assert row is not None
            assert tuple(row) == ("Gone", "lost", 1, 5)
            dispositions = Counter(
                each[0] for each in await connection.fetch("SELECT disposition FROM events WHERE counted")
            )
            assert set(dispositions) <= {"pending", "superseded"}
            assert sum(dispositions.values()) == len({each.webhook_id for each in order})
        finally:
            await connection.close()

    asyncio.run(play())


FAMILY = {
    "r": delivery("r", quote_id="r", revision=0, version=1, name="r"),
    "p": delivery("p", quote_id="p", parent_quote_id="r", revision=1, version=1, name="p"),
    "c": delivery("c", quote_id="c", parent_quote_id="p", revision=2, version=1, name="c"),
    "d": delivery("d", quote_id="d", parent_quote_id="c", revision=3, version=1, name="d"),
}


ORDERS = ["".join(each) for each in itertools.permutations(FAMILY)]


@pytest.mark.parametrize("order", [*ORDERS, *(" ".join(each) for each in ORDERS[::5])])
async def test_revisions_share_one_lane_in_whatever_order_they_arrive(database: Connection, order: str) -> None:
    """One by one, and where blanks part them in one batch."""
    family = [FAMILY[each] for each in order.replace(" ", "")]
    for batch in [family] if " " in order else [[each] for each in family]:
        await take(database, *batch)
    assert [row[1:] for row in await rows(database)] == [(3, 1, "pending")]
    lane = (await rows(database))[0][0]
    events = await database.fetch("SELECT quote_id, disposition, webhook_id FROM events ORDER BY disposition")
    assert {row["quote_id"] for row in events} == {lane}
    newest_waits = [row["webhook_id"] for row in events if row["disposition"] == "pending"]
    assert "d" in newest_waits
    await take(database, delivery("late", quote_id="p", parent_quote_id="r", revision=1, version=9))
    assert len(await rows(database)) == 1


async def test_two_lanes_that_both_have_opportunities_stay_apart(database: Connection) -> None:
    await take(database, FAMILY["r"])
    await take(database, FAMILY["c"])
    await database.execute(
        "INSERT INTO links (connection_id, quote_id, opportunity_id) VALUES ('con_1', 'r', 1), ('con_1', 'p', 2)"
    )
    await take(database, FAMILY["p"])
    assert {row[0] for row in await rows(database)} == {"p", "r"}


async def test_a_lane_that_was_sent_takes_in_the_one_that_was_not(database: Connection) -> None:
    await take(database, FAMILY["r"])
    await take(database, FAMILY["c"])
    await database.execute("INSERT INTO links (connection_id, quote_id, opportunity_id) VALUES ('con_1', 'p', 2)")
    await take(database, FAMILY["p"])
    assert await rows(database) == [("p", 2, 1, "pending")]
    assert await database.fetchval("SELECT opportunity_id FROM links") == 2


async def test_an_event_that_waits_is_superseded_by_an_expired_one(database: Connection) -> None:
    await take(database, delivery("m1", version=1))
    await take(database, delivery("m2", version=2, refusal="quote-expired: yesterday"))
    found = await database.fetch("SELECT disposition FROM events ORDER BY webhook_id")
    assert [row[0] for row in found] == ["superseded", "rejected"]
    assert await database.fetchval("SELECT due_at FROM quotes") is None


@pytest.fixture
async def pool(clean_database: str, database: Connection) -> "AsyncIterator[asyncpg.Pool[Any]]":
    async with asyncpg.create_pool(clean_database, min_size=0, max_size=4) as pool:
        yield pool


async def test_a_thousand_deliveries_of_one_id_are_one_row_and_all_accepted(
    pool: "asyncpg.Pool[Any]", database: Connection
) -> None:
    inboxes = [Inbox(pool, debounce=DEBOUNCE, clock=lambda: NOW, timeout=20) for _ in range(3)]
    same = delivery("msg_1", version=1)
    taken = await asyncio.gather(*(inboxes[number % 3].accept(same) for number in range(1000)))
    answers = Counter(each.answer for each in taken)
    assert answers == {Answer.ACCEPTED: 1, Answer.DUPLICATE: 999}
    assert len({each.event_id for each in taken}) == 1
    assert await database.fetchval("SELECT count(*) FROM events") == 1


async def test_replicas_that_take_a_quotes_events_at_once_end_with_the_newest(
    pool: "asyncpg.Pool[Any]", database: Connection
) -> None:
    await take(database, FAMILY["r"], FAMILY["p"])
    inboxes = [Inbox(pool, debounce=DEBOUNCE, clock=lambda: NOW, timeout=20) for _ in range(4)]
    news = [
        delivery(f"n{version}", quote_id=quote_id, parent_quote_id=parent, revision=1, version=version)
        for version in range(2, 60)
        for quote_id, parent in [("r", None) if version % 2 else ("p", "r")]
    ]
    await asyncio.gather(*(inboxes[number % 4].accept(each) for number, each in enumerate(news)))
    assert await rows(database) == [("r", 1, 59, "pending")]
    generations = await database.fetch("SELECT generation FROM events WHERE generation IS NOT NULL ORDER BY 1")
    assert len({row[0] for row in generations}) == len(generations), "two events took the same generation"


async def test_a_batch_whose_commit_fails_is_a_success_for_nobody(
    pool: "asyncpg.Pool[Any]", database: Connection
) -> None:
    await database.execute(
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$"""
    )
    await database.execute(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON events INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        inbox = Inbox(pool, debounce=DEBOUNCE, clock=lambda: NOW, timeout=20)
        sent = [inbox.accept(delivery(f"m{number}", quote_id=f"q{number}")) for number in range(50)]
        answers = await asyncio.gather(*sent, return_exceptions=True)
    finally:
        await database.execute("DROP TRIGGER refuse ON events")
        await database.execute("DROP FUNCTION refuse")
    assert {type(each) for each in answers} == {DatabaseAwayError}
    assert await database.fetchval("SELECT count(*) FROM events") == 0
