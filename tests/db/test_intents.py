"""Intents: each note is one sending's own, and what is written about it never touches another."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import intents
from app.db.intents import DONE, OPEN, RESEND
from app.db.session import Database
from app.db.tables import Connection, Intent, Pace
from app.settings import sqlalchemy_url

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
KEY = ("a", "line", "k")


@pytest.fixture
async def database(clean_database: str) -> AsyncIterator[Database]:
    database = Database.connect(sqlalchemy_url(clean_database), pool_size=3)
    async with database.transaction() as session:
        for name in ("a", "b"):
            session.add(
                Connection(
                    id=name,
                    name=name,
                    server="us",
                    base_url="https://x",
                    company=name,
                    username="u",
                    password=b"",
                    capabilities=[],
                )
            )
            session.add(Pace(connection_id=name))
    yield database
    await database.close()


def noted(connection_id: str = "a", kind: str = "line", key: str = "k", **values: Any) -> Intent:
    """A note of quote q-1's, sent at noon."""
    return Intent(
        **{
            "connection_id": connection_id,
            "kind": kind,
            "key": key,
            "quote_id": "q-1",
            "state": OPEN,
            "sent_at": NOON,
            "sends": 1,
            "looks": 0,
            "hint": {"n": 1},
            **values,
        }
    )


async def store(database: Database, *notes: Intent) -> None:
    async with database.transaction() as session:
        session.add_all(notes)


async def rows(database: Database) -> dict[tuple[str, str, str], Intent]:
    async with database.transaction() as session:
        return {(row.connection_id, row.kind, row.key): row for row in await session.scalars(select(Intent))}


async def row(database: Database) -> Intent:
    return (await rows(database))[KEY]


def said(intent: Intent) -> dict[str, Any]:
    """All that a note says."""
    return {column.name: getattr(intent, column.name) for column in Intent.__table__.columns}


# Declaring


async def test_a_new_note_is_open_and_carries_the_time_of_its_sending(database: Database) -> None:
    async with database.transaction() as session:
        began = (await session.execute(select(func.now()))).scalar_one()
        declared = await intents.declare(session, *KEY, quote_id="q-1", hint={"name": "A"})
    assert isinstance(declared, datetime)
    assert declared > began, "a transaction that waited before it declared has not sent before that"
    assert said(await row(database)) == {
        "connection_id": "a",
        "kind": "line",
        "key": "k",
        "quote_id": "q-1",
        "state": "open",
        "sent_at": declared,
        "sends": 1,
        "looks": 0,
        "look_at": None,
        "hint": {"name": "A"},
        "result": None,
        "audit_at": None,
    }


async def test_a_note_that_is_there_is_given_back_as_it_is(database: Database) -> None:
    await store(database, noted())
    before = said(await row(database))
    async with database.transaction() as session:
        found = await intents.declare(session, *KEY, quote_id="q-2", hint={"n": 2})
        assert isinstance(found, Intent)
        assert said(found) == before
    assert said(await row(database)) == before


async def test_a_note_that_was_found_is_locked_until_it_is_decided_about(database: Database) -> None:
    await store(database, noted())
    async with database.transaction() as session:
        await intents.declare(session, *KEY, quote_id="q-2", hint={})
        with pytest.raises(DBAPIError, match="lock timeout"):
            await declare_hurriedly(database)


async def declare_hurriedly(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        await intents.declare(session, *KEY, quote_id="q-3", hint={})


@pytest.mark.parametrize("other", [("b", "line", "k"), ("a", "note", "k"), ("a", "line", "l")])
async def test_a_note_is_one_connections_one_kinds_and_one_keys(
    database: Database, other: tuple[str, str, str]
) -> None:
    await store(database, noted(*other))
    async with database.transaction() as session:
        assert isinstance(await intents.declare(session, *KEY, quote_id="q-1", hint={}), datetime)
    assert set(await rows(database)) == {KEY, other}


@pytest.mark.parametrize("audit_at", [None, FUTURE])
async def test_a_create_that_is_sent_again_begins_anew_and_is_counted(
    database: Database, audit_at: datetime | None
) -> None:
    await store(database, noted(state=RESEND, sends=2, looks=1, look_at=LATER, result={"id": 1}, audit_at=NOON))
    async with database.transaction() as session:
        began = (await session.execute(select(func.now()))).scalar_one()
        sent_at = await intents.declare_again(
            session, await _read(session), quote_id="q-2", hint={"n": 2}, audit_at=audit_at
        )
    assert sent_at > began
    assert said(await row(database)) == {
        "connection_id": "a",
        "kind": "line",
        "key": "k",
        "quote_id": "q-2",
        "state": "open",
        "sent_at": sent_at,
        "sends": 3,
        "looks": 0,
        "look_at": None,
        "hint": {"n": 2},
        "result": None,
        "audit_at": audit_at,
    }


async def _read(session: AsyncSession) -> Intent:
    found = await session.get(Intent, KEY)
    assert found is not None
    return found


# Nobody else's note is touched

Write = Callable[[AsyncSession, Intent], Awaitable[object]]
WRITES: dict[str, Write] = {
    "declare_again": lambda session, note: intents.declare_again(
        session, note, quote_id="q-9", hint={}, audit_at=FUTURE
    ),
    "close": lambda session, _: intents.close(session, *KEY, result={"id": 9}),
    "close_sending": lambda session, _: intents.close_sending(session, *KEY, sent_at=NOON, result={"id": 9}),
    "take_back": lambda session, _: intents.take_back(session, *KEY, sent_at=NOON),
    "withdraw": lambda session, _: intents.withdraw(session, *KEY),
    "doubt": lambda session, _: intents.doubt(session, *KEY, sent_at=NOON, look_at=FUTURE, looks=9),
    "allow_again": lambda session, note: intents.allow_again(session, note, looked_at=NOON, audit_at=FUTURE),
    "take_over": lambda session, note: intents.take_over(session, note, quote_id="q-9"),
    "audited": intents.audited,
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("audit_at", [None, NOON])
async def test_what_is_written_about_a_note_concerns_no_other(
    database: Database, name: str, audit_at: datetime | None
) -> None:
    others = [("b", "line", "k"), ("a", "note", "k"), ("a", "line", "l")]
    await store(database, noted(audit_at=audit_at), *(noted(*key, audit_at=audit_at) for key in others))
    before = {key: said(note) for key, note in (await rows(database)).items()}
    async with database.transaction() as session:
        await WRITES[name](session, await _read(session))
    after = {key: said(note) for key, note in (await rows(database)).items()}
    assert {key: after[key] for key in others} == {key: before[key] for key in others}
    if (name, audit_at) != ("audited", None):
        assert after.get(KEY) != before[KEY]


OF_ONE_SENDING = ["close_sending", "take_back", "doubt", "allow_again", "take_over", "audited"]


@pytest.mark.parametrize("name", OF_ONE_SENDING)
@pytest.mark.parametrize("audit_at", [None, FUTURE])
async def test_what_is_said_of_one_sending_leaves_the_next_one_alone(
    database: Database, name: str, audit_at: datetime | None
) -> None:
    """A worker that was stopped in the middle wakes up, and somebody else has sent the same again."""
    await store(database, noted(sent_at=LATER, audit_at=audit_at))
    before = said(await row(database))
    stale = noted()
    async with database.transaction() as session:
        await WRITES[name](session, stale)
    assert said(await row(database)) == before


@pytest.mark.parametrize("name", ["take_back", "doubt", "take_over"])
@pytest.mark.parametrize("state", [DONE, RESEND])
@pytest.mark.parametrize("audit_at", [None, FUTURE])
async def test_what_is_decided_is_not_doubted_again(
    database: Database, name: str, state: str, audit_at: datetime | None
) -> None:
    await store(database, noted(state=state, audit_at=audit_at))
    before = said(await row(database))
    async with database.transaction() as session:
        await WRITES[name](session, await _read(session))
    assert said(await row(database)) == before


# What became of it


async def changed_by(database: Database, write: Write) -> dict[str, Any]:
    """What a write has changed of the note."""
    before = said(await row(database))
    async with database.transaction() as session:
        await write(session, await _read(session))
    after = said(await row(database))
    return {name: value for name, value in after.items() if value != before[name]}


@pytest.mark.parametrize("name", ["close", "close_sending"])
async def test_a_result_ends_all_doubt(database: Database, name: str) -> None:
    await store(database, noted(look_at=LATER, looks=1, audit_at=FUTURE))
    changes = await changed_by(database, WRITES[name])
    assert changes == {"state": "done", "result": {"id": 9}, "look_at": None}


async def test_closing_ones_own_sending_gives_nothing_back_and_anothers_gives_its_note(database: Database) -> None:
    await store(database, noted(), noted(key="l", sent_at=LATER, result={"id": 5}, state=DONE))
    async with database.transaction() as session:
        assert await intents.close_sending(session, *KEY, sent_at=NOON, result={"id": 9}) is None
        other = await intents.close_sending(session, "a", "line", "l", sent_at=NOON, result={"id": 9})
        assert other is not None
        assert (other.key, other.sent_at, other.result) == ("l", LATER, {"id": 5})


async def test_the_result_of_a_note_that_has_gone_finds_none(database: Database) -> None:
    async with database.transaction() as session:
        assert await intents.close_sending(session, *KEY, sent_at=NOON, result={"id": 9}) is None


async def test_a_first_sending_that_never_was_is_forgotten(database: Database) -> None:
    await store(database, noted())
    async with database.transaction() as session:
        await intents.take_back(session, *KEY, sent_at=NOON)
    assert await rows(database) == {}


async def test_a_second_sending_that_never_was_leaves_the_first_in_doubt(database: Database) -> None:
    await store(database, noted(sends=2, audit_at=FUTURE))
    assert await changed_by(database, WRITES["take_back"]) == {"state": "resend", "sends": 1, "look_at": NOON}


async def test_doubt_says_when_to_look(database: Database) -> None:
    await store(database, noted())
    assert await changed_by(database, WRITES["doubt"]) == {"look_at": FUTURE, "looks": 9}


async def test_what_may_be_sent_again_is_looked_for_late(database: Database) -> None:
    await store(database, noted(look_at=LATER, looks=1))
    assert await changed_by(database, WRITES["allow_again"]) == {
        "state": "resend",
        "look_at": NOON,
        "audit_at": FUTURE,
    }


async def test_what_is_forgotten_leaves_no_note(database: Database) -> None:
    await store(database, noted(state=DONE, result={"id": 1}), noted(kind="opportunity", state=DONE, audit_at=NOON))
    async with database.transaction() as session:
        await intents.withdraw(session, *KEY)
        await intents.withdraw(session, "a", "opportunity", "k")
    assert await rows(database) == {}


async def test_what_is_forgotten_before_its_late_look_is_still_looked_for(database: Database) -> None:
    await store(database, noted(state=DONE, result={"id": 1}, look_at=LATER, audit_at=FUTURE))
    assert await changed_by(database, WRITES["withdraw"]) == {"state": "resend", "result": None, "look_at": None}


async def test_after_its_late_look_what_was_not_sent_again_is_forgotten(database: Database) -> None:
    others = [("b", "line", "k"), ("a", "note", "k"), ("a", "line", "l")]
    await store(database, *(noted(*key, state=RESEND, audit_at=NOON) for key in (KEY, *others)))
    async with database.transaction() as session:
        await intents.audited(session, await _read(session))
    assert sorted(await rows(database)) == sorted(others)


async def test_a_late_look_is_made_once(database: Database) -> None:
    await store(database, noted(state=DONE, audit_at=NOON))
    assert await changed_by(database, WRITES["audited"]) == {"audit_at": None}


async def test_a_stale_note_is_taken_over_by_one_quote_only(database: Database) -> None:
    await store(database, noted())
    seen = await row(database)
    async with database.transaction() as session:
        assert await intents.take_over(session, seen, quote_id="q-2") is True
        assert await intents.take_over(session, seen, quote_id="q-3") is False
    assert (await row(database)).quote_id == "q-2"


# What there is to do


async def test_a_quotes_open_creates_come_oldest_first(database: Database) -> None:
    await store(
        database,
        noted(key="a-second", sent_at=LATER),
        noted(key="z-first"),
        noted(key="done", state=DONE),
        noted(key="resend", state=RESEND),
        noted(key="others", quote_id="q-2"),
        noted("b", key="elsewhere"),
    )
    async with database.transaction() as session:
        assert [each.key for each in await intents.open_of(session, "a", "q-1")] == ["z-first", "a-second"]


async def test_what_was_made_of_one_kind_comes_oldest_first(database: Database) -> None:
    await store(
        database,
        noted(key="a-second", sent_at=LATER, state=DONE),
        noted(key="z-first", state=DONE),
        noted(key="open"),
        noted(kind="note", key="note", state=DONE),
        noted(key="others", quote_id="q-2", state=DONE),
        noted("b", key="elsewhere", state=DONE),
    )
    async with database.transaction() as session:
        assert [each.key for each in await intents.done_of(session, "a", "q-1", "line")] == ["z-first", "a-second"]


AGAIN = timedelta(hours=1)


async def due(database: Database, *, limit: int = 10) -> list[Intent]:
    async with database.transaction() as session:
        return await intents.due_audits(session, limit=limit, again_after=AGAIN)


async def test_a_late_look_is_due_at_its_time_for_what_was_made_or_may_still_be(database: Database) -> None:
    await store(
        database,
        noted(key="due", state=DONE, audit_at=NOON),
        noted(key="not yet", state=DONE, audit_at=FUTURE),
        noted(key="never", state=DONE),
        noted(key="open", audit_at=NOON),
        noted(key="resend", state=RESEND, audit_at=NOON),
    )
    assert sorted(each.key for each in await due(database)) == ["due", "resend"]


async def test_a_paused_connection_makes_no_late_looks(database: Database) -> None:
    await store(database, noted(state=DONE, audit_at=NOON), noted("b", state=DONE, audit_at=NOON))
    async with database.transaction() as session:
        paused = await session.get(Connection, "a")
        assert paused is not None
        paused.state = "paused"
    assert [each.connection_id for each in await due(database)] == ["b"]


async def test_a_bms_that_is_down_is_not_looked_at_until_its_cooldown_has_passed(database: Database) -> None:
    await store(database, noted(state=DONE, audit_at=NOON), noted("b", state=DONE, audit_at=NOON))
    async with database.transaction() as session:
        await session.execute(update(Pace).where(Pace.connection_id == "a").values(open_until=FUTURE))
        await session.execute(update(Pace).where(Pace.connection_id == "b").values(open_until=NOON))
    assert [each.connection_id for each in await due(database)] == ["b"]


async def test_the_longest_due_are_claimed_first_and_again_only_after_a_while(database: Database) -> None:
    await store(
        database,
        noted(key="b", state=DONE, audit_at=LATER),
        noted(key="a", state=DONE, audit_at=NOON),
        noted(key="c", state=DONE, audit_at=LATER + AGAIN),
        noted("b", key="a", state=DONE, audit_at=FUTURE),
        noted(kind="note", key="a", state=DONE, audit_at=FUTURE),
    )
    assert [each.key for each in await due(database, limit=1)] == ["a"]
    assert {each.key for each in await due(database, limit=2)} == {"b", "c"}
    assert await due(database) == []
    stored = await rows(database)
    async with database.transaction() as session:
        now = (await session.execute(select(func.now()))).scalar_one()
    for key in ("a", "b", "c"):
        audit_at = stored["a", "line", key].audit_at
        assert audit_at is not None
        assert timedelta(minutes=50) < audit_at - now <= AGAIN
    assert stored["b", "line", "a"].audit_at == stored["a", "note", "a"].audit_at == FUTURE


async def test_two_that_look_late_at_once_share_the_work(database: Database) -> None:
    await store(database, noted(key="a", state=DONE, audit_at=NOON), noted(key="b", state=DONE, audit_at=LATER))
    async with database.transaction() as session:
        first = await intents.due_audits(session, limit=1, again_after=AGAIN)
        async with database.transaction() as other:
            await other.execute(text("SET LOCAL lock_timeout = '50ms'"))
            second = await intents.due_audits(other, limit=2, again_after=AGAIN)
    assert [[each.key for each in claimed] for claimed in (first, second)] == [["a"], ["b"]]


async def test_claiming_late_looks_holds_nobody_up_who_needs_the_connection(database: Database) -> None:
    await store(database, noted(state=DONE, audit_at=NOON))
    async with database.transaction() as session:
        await intents.due_audits(session, limit=1, again_after=AGAIN)
        async with database.transaction() as other:
            await other.execute(text("SET LOCAL lock_timeout = '50ms'"))
            await other.execute(select(Connection.id).where(Connection.id == "a").with_for_update())
