"""The signed quote webhook: every answer it can give, and what is stored behind it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app.db.ids import new_id
from app.db.tables import Event, Quote, SigningSecret
from app.house import House
from app.intake.group_commit import Inbox
from tests.api.conftest import JSON_HEADERS, MAX_BODY_BYTES, Link, event, problem
from tests.fixtures.database import execute


async def stored(house: House, connection_id: str) -> list[Event]:
    async with house.database.transaction() as session:
        query = select(Event).where(Event.connection_id == connection_id).order_by(Event.id)
        return list(await session.scalars(query))


async def test_a_signed_event_is_stored_and_its_quote_is_due(link: Link, house: House) -> None:
    answer = await link.send(event())
    assert answer.status_code == 202
    assert answer.json() == {"event_id": answer.json()["event_id"], "status": "accepted"}
    (row,) = await stored(house, link.connection_id)
    assert (row.id, row.disposition, row.quote_id) == (answer.json()["event_id"], "pending", "q-1")
    async with house.database.transaction() as session:
        quote = await session.get_one(Quote, (link.connection_id, "q-1"))
    assert quote.due_at is not None
    assert quote.state == "pending"


async def test_a_redelivery_is_a_duplicate_of_the_same_event(link: Link, house: House) -> None:
    body = json.dumps(event()).encode()
    first = await link.post(body, webhook_id="msg_same")
    again = await link.post(body, webhook_id="msg_same")
    assert again.status_code == 202
    assert again.json() == {"event_id": first.json()["event_id"], "status": "duplicate"}
    assert len(await stored(house, link.connection_id)) == 1


async def test_the_same_id_with_another_body_is_a_conflict_and_kept(link: Link, house: House) -> None:
    await link.send(event(), webhook_id="msg_same")
    problem(await link.send(event(name="Changed"), webhook_id="msg_same"), 409, "delivery-conflict")
    kept = await stored(house, link.connection_id)
    assert [row.disposition for row in kept] == ["pending", "rejected"]


async def test_an_older_event_is_accepted_and_kept_as_superseded(link: Link, house: House) -> None:
    await link.send(event())
    late = await link.send(event(kind="quote.updated", seconds=-60, name="Old"))
    assert (late.status_code, late.json()["status"]) == (202, "accepted")
    assert [row.disposition for row in await stored(house, link.connection_id)] == ["pending", "superseded"]


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_stale_or_early_signature_is_refused(link: Link, house: House, minutes: int) -> None:
    answer = await link.send(event(), at=datetime.now(UTC) + timedelta(minutes=minutes))
    problem(answer, 401, "signature-invalid")
    assert await stored(house, link.connection_id) == []


async def test_a_signature_under_another_connections_secret_is_refused(
    link: Link, other_link: Link, house: House
) -> None:
    problem(await link.send(event(), secret=other_link.secret), 401, "signature-invalid")
    assert await stored(house, link.connection_id) == []


async def test_a_webhook_header_sent_twice_is_refused(link: Link) -> None:
    body = json.dumps(event()).encode()
    good = await link.post(body)
    sent = [*good.request.headers.raw, (b"webhook-id", b"msg_other")]
    headers = [pair for pair in sent if pair[0].lower() != b"content-length"]
    answer = await link.client.post(good.request.url, content=body, headers=headers)
    problem(answer, 401, "signature-invalid")


async def test_no_signature_at_all_is_refused(link: Link) -> None:
    answer = await link.client.post(f"/webhooks/{link.connection_id}/quotes", json=event())
    problem(answer, 401, "signature-invalid")


@pytest.mark.parametrize("connection_id", ["con_00000000000000000000000000", "nonsense", "%00", "%F0%9F%98%80"])
async def test_an_unknown_connection_is_told_before_the_body_is_read(
    anyone: httpx.AsyncClient, connection_id: str
) -> None:
    read = []

    async def endless() -> AsyncIterator[bytes]:
        read.append("a chunk")
        yield b"one chunk"

    answer = await anyone.post(f"/webhooks/{connection_id}/quotes", content=endless())
    problem(answer, 404, "connection-not-found")
    assert read == []


async def test_an_announced_body_over_the_limit_is_cut_at_once(link: Link) -> None:
    read = []

    async def untouched() -> AsyncIterator[bytes]:
        read.append("a chunk")
        yield b"one chunk"

    headers = {**JSON_HEADERS, "content-length": str(MAX_BODY_BYTES + 1)}
    answer = await link.client.post(f"/webhooks/{link.connection_id}/quotes", content=untouched(), headers=headers)
    problem(answer, 413, "body-too-large")
    assert answer.headers["connection"] == "close"
    assert read == []


async def test_a_chunked_body_is_cut_while_it_streams(link: Link) -> None:
    chunks = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal chunks
        while True:
            chunks += 1
            assert chunks < 100, "the body was read on and on"
            yield b" " * 4096

    answer = await link.client.post(f"/webhooks/{link.connection_id}/quotes", content=endless())
    problem(answer, 413, "body-too-large")
    assert chunks == MAX_BODY_BYTES // 4096 + 1


async def test_a_body_of_exactly_the_limit_is_read(link: Link) -> None:
    body = json.dumps(event()).encode()
    answer = await link.post(body + b" " * (MAX_BODY_BYTES - len(body)))
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"not json", ""),
        (b"\xff\xfe", ""),
        (b"", ""),
        (b"[]", ""),
        (json.dumps(event(quote_id="bad id")).encode(), "/data/quote_id"),
        (json.dumps(event(name="a\0b")).encode(), "/data/name"),
        (b'{"type": "quote.created", "timestamp": "2026-03-02T10:15:00Z", "data": {"name": "\\ud800"}}', "/data/name"),
        (json.dumps(event(kind="quote.won", status="pending")).encode(), "/data/status"),
    ],
)
async def test_a_signed_body_that_is_no_event_is_refused_with_its_places_and_kept(
    link: Link, house: House, body: bytes, pointer: str
) -> None:
    told = problem(await link.post(body), 422, "invalid-event")
    assert pointer in [each["pointer"] for each in told["errors"]]
    assert all(each["message"] for each in told["errors"])
    (row,) = await stored(house, link.connection_id)
    assert (row.disposition, row.body, row.counted) == ("rejected", body, False)
    assert row.reason
    assert row.reason.startswith("invalid-event")


async def test_an_expired_quote_is_refused_and_kept_as_rejected(link: Link, house: House) -> None:
    answer = await link.send(event(expires_on="2020-01-01"))
    problem(answer, 422, "quote-expired")
    (row,) = await stored(house, link.connection_id)
    assert (row.disposition, row.quote_id) == ("rejected", "q-1")
    async with house.database.transaction() as session:
        quote = await session.get_one(Quote, (link.connection_id, "q-1"))
    assert (quote.state, quote.due_at) == ("rejected", None)


async def test_today_in_the_connections_zone_decides_what_is_expired(link: Link) -> None:
    # Los Angeles is at least seven hours behind UTC, so its yesterday is over by any clock.
    today = (datetime.now(UTC) - timedelta(hours=7)).date()
    problem(await link.send(event(expires_on=str(today - timedelta(days=2)))), 422, "quote-expired")
    assert (await link.send(event("q-2", expires_on=str(today + timedelta(days=1))))).status_code == 202


@pytest.mark.parametrize("kind", ["quote.won", "quote.lost"])
async def test_a_decided_quote_is_taken_whatever_its_date(link: Link, kind: str) -> None:
    assert (await link.send(event(kind=kind, expires_on="2020-01-01"))).status_code == 202


async def add_secret(house: House, link: Link, secret: str) -> str:
    secret_id = new_id("sec")
    async with house.database.transaction() as session:
        sealed = house.vault.seal(secret, connection_id=link.connection_id, field="signing_secret")
        session.add(SigningSecret(connection_id=link.connection_id, id=secret_id, secret=sealed))
    return secret_id


async def test_a_secret_rotated_elsewhere_is_seen_at_once(link: Link, house: House, other_link: Link) -> None:
    assert (await link.send(event())).status_code == 202
    await add_secret(house, link, other_link.secret)
    assert (await link.send(event("q-2"), secret=other_link.secret)).status_code == 202
    assert (await link.send(event("q-3"))).status_code == 202


async def test_a_secret_past_its_overlap_opens_nothing(link: Link, house: House, other_link: Link) -> None:
    await add_secret(house, link, other_link.secret)
    async with house.database.transaction() as session:
        ended = datetime.now(UTC) - timedelta(seconds=1)
        await session.execute(
            update(SigningSecret)
            .where(SigningSecret.connection_id == link.connection_id, SigningSecret.expires_at.is_(None))
            .values(expires_at=ended)
        )
    problem(await link.send(event()), 401, "signature-invalid")


NO_COMMIT = """
CREATE FUNCTION no_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
CREATE CONSTRAINT TRIGGER no_commit AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION no_commit();
"""


@pytest.mark.parametrize("parent", [None, "q-0"], ids=["in one trip", "the general way"])
async def test_without_a_commit_there_is_no_2xx(
    link: Link, house: House, clean_database: str, parent: str | None
) -> None:
    """All statements of the transaction succeed, and only its commit fails."""
    execute(clean_database, NO_COMMIT)
    try:
        answer = await link.send(event(parent_quote_id=parent))
    finally:
        execute(clean_database, "DROP FUNCTION no_commit CASCADE")
    problem(answer, 503, "database-away")
    assert int(answer.headers["retry-after"]) >= 1
    assert await stored(house, link.connection_id) == []
    assert (await link.send(event(parent_quote_id=parent))).status_code == 202


async def test_the_202_waits_for_the_commit(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()
    accept = Inbox.accept

    async def held_up(self: Inbox, delivery: Any) -> Any:
        arrived.set()
        await go_on.wait()
        return await accept(self, delivery)

    monkeypatch.setattr(Inbox, "accept", held_up)
    answer = asyncio.create_task(link.send(event()))
    await arrived.wait()
    await asyncio.sleep(0)
    assert not answer.done()
    go_on.set()
    assert (await answer).status_code == 202


async def test_many_at_once_are_each_answered_for_their_own_event(link: Link, house: House) -> None:
    answers = await asyncio.gather(*(link.send(event(f"q-{number}")) for number in range(40)))
    assert {answer.status_code for answer in answers} == {202}
    rows = {row.id: row.quote_id for row in await stored(house, link.connection_id)}
    assert [rows[answer.json()["event_id"]] for answer in answers] == [f"q-{number}" for number in range(40)]


async def test_another_method_is_a_problem_too(anyone: httpx.AsyncClient, link: Link) -> None:
    problem(await anyone.get(f"/webhooks/{link.connection_id}/quotes"), 405, "method-not-allowed")
