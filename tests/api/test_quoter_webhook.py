"""Quoter's own webhook: 200 for whatever is understood, and 4xx only for what is not."""

import hashlib
import json
import time
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import select, update

from app.db.tables import Connection, Event, Quote
from app.house import House
from tests.api.conftest import Link, problem

FORM = {"content-type": "application/x-www-form-urlencoded"}


def quote(**changes: Any) -> dict[str, Any]:
    return {
        "id": "7000001",
        "parent_quote_id": None,
        "revision": None,
        "name": "Firewall refresh 100% done",
        "number": "1042",
        "uuid": "2778-00000000-0000-4000-8000-000000000001",
        "expiry_date": "2099-04-01 07:00:00",
        "status": "pending",
        "discount": None,
        "total": {"upfront": "1,080.00", "recurring": "0.00"},
        "shipping": "0.00",
        "taxes": [],
        "person": {"first_name": "Alex", "last_name": "Example", "organization": "Example Widgets"},
        "currency": {"code": "USD", "name": "US Dollar "},
        "line_items": [],
        "new": "true",
        **changes,
    }


async def send(link: Link, data: str, *, key: str | None = None, at: int = 0) -> httpx.Response:
    stamp = str(int(time.time()) + at)
    digest = hashlib.md5(f"{key or link.hash_key}{stamp}{data}".encode(), usedforsecurity=False).hexdigest()
    body = urlencode({"hash": digest, "timestamp": stamp, "data": data})
    return await link.client.post(f"/webhooks/{link.connection_id}/quoter", content=body, headers=FORM)


async def test_a_quote_is_accepted_and_its_repeat_is_a_duplicate(link: Link, house: House) -> None:
    data = json.dumps(quote()).replace("/", "\\/")
    assert (await send(link, data)).json() == {"status": "accepted", "reason": None}
    again = await send(link, data, at=-1)
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    async with house.database.transaction() as session:
        row = await session.get_one(Quote, (link.connection_id, "7000001"))
    assert row.name == "Firewall refresh 100% done"


async def test_a_late_retry_of_an_older_body_is_superseded(link: Link) -> None:
    old, new = json.dumps(quote()), json.dumps(quote(name="Newer", new="false"))
    for data in (old, new):
        assert (await send(link, data)).json()["status"] == "accepted"
    late = (await send(link, old)).json()
    assert late["status"] == "superseded"
    assert late["reason"]


async def test_an_expired_quote_is_rejected_with_the_reason_and_kept(link: Link, house: House) -> None:
    answer = await send(link, json.dumps(quote(expiry_date="2020-01-01 07:00:00")))
    assert answer.status_code == 200
    assert answer.json()["status"] == "rejected"
    assert "quote-expired" in answer.json()["reason"]
    async with house.database.transaction() as session:
        assert await session.scalar(select(Event.disposition)) == "rejected"


@pytest.mark.parametrize(
    "data", [json.dumps(quote(status="draft")), json.dumps({"id": "1", "email": "a@b.example"}), "<quote/>"]
)
async def test_what_is_no_quote_to_sync_is_ignored_with_a_reason(link: Link, data: str) -> None:
    answer = await send(link, data)
    assert answer.status_code == 200
    assert answer.json()["status"] == "ignored"
    assert answer.json()["reason"]


@pytest.mark.parametrize(
    "data", ["not json", '{"status": "pending", "line_items": [{"name": "a\\u0000b"}], "id": null}']
)
async def test_a_quote_that_cannot_be_understood_is_rejected_and_kept(link: Link, house: House, data: str) -> None:
    answer = await send(link, data)
    assert (answer.status_code, answer.json()["status"]) == (200, "rejected")
    async with house.database.transaction() as session:
        assert await session.scalar(select(Event.disposition)) == "rejected"


@pytest.mark.parametrize(
    "changes",
    [{"name": "a\0b"}, {"name": "\ud800"}, {"number": "1\0"}, {"total": {"upfront": "9" * 40}}, {"revision": 10**12}],
)
async def test_odd_values_never_become_a_server_error(link: Link, changes: dict[str, Any]) -> None:
    assert (await send(link, json.dumps(quote(**changes)))).status_code == 200


async def test_a_wrong_or_stale_hash_is_401(link: Link) -> None:
    problem(await send(link, json.dumps(quote()), key="another key"), 401, "signature-invalid")
    problem(await send(link, json.dumps(quote()), at=-400), 401, "signature-invalid")


async def test_a_body_that_is_not_the_form_is_400(link: Link) -> None:
    answer = await link.client.post(f"/webhooks/{link.connection_id}/quoter", content=b"{}", headers=FORM)
    problem(answer, 400, "unreadable-body")


async def test_without_a_hash_key_there_is_no_such_webhook(link: Link, house: House) -> None:
    async with house.database.transaction() as session:
        await session.execute(update(Connection).values(quoter_hash_key=None))
    problem(await send(link, json.dumps(quote())), 404, "connection-not-found")
