"""Quotes, events, issues, keys and health through the API, and who may see what."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text, update

from app.connections.keys import create_key
from app.db.ids import new_id
from app.db.tables import ApiKey, Issue, Quote, SigningSecret
from app.deps import SessionDep
from app.house import House
from app.routers.health import Drain
from app.routers.problem_kinds import KINDS
from app.settings import Settings
from tests.api.conftest import Link, client_of, connection_key, event, problem
from tests.api.test_openapi import API, resolve


async def test_a_key_is_needed(anyone: httpx.AsyncClient, link: Link) -> None:
    answer = await anyone.get(f"{link.path}/quotes")
    problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_made_key_opens_until_it_is_revoked(
    app: FastAPI, state: dict[str, Any], operator: httpx.AsyncClient, house: House
) -> None:
    made = (await operator.post("/v1/api-keys", json={"name": "frontend", "scope": "operator"})).json()
    async with client_of(app, state, key=made["key"]) as client:
        assert (await client.get("/v1/api-keys")).status_code == 200
        (listed,) = (await client.get("/v1/api-keys")).json()["items"]
        assert listed["last_used_at"]
        assert "key" not in listed
        assert (await operator.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
        problem(await client.get("/v1/api-keys"), 401, "unauthorized")
    async with house.database.transaction() as session:
        assert made["key"].encode() not in await session.scalar(select(ApiKey.digest))  # type: ignore[operator]


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "x", "scope": "connection"},
        {"name": "x", "scope": "operator", "connection_id": "con_1"},
        {"name": "", "scope": "operator"},
        {"name": "a\0", "scope": "operator"},
        {"name": "x", "scope": "all"},
    ],
)
async def test_a_key_without_a_sensible_scope_is_not_made(operator: httpx.AsyncClient, wanted: dict[str, str]) -> None:
    told = problem(await operator.post("/v1/api-keys", json=wanted), 422, "invalid-request")
    assert told["errors"]


OPERATIONS = [
    (method, path)
    for path, methods in API["paths"].items()
    for method in methods
    # The list of connections answers a connection's key too, with its own connection alone.
    if path.startswith("/v1") and (method, path) != ("get", "/v1/connections")
]


def example_body(method: str, path: str) -> Any:
    """The body that the description shows for an operation; None where it takes none."""
    content = API["paths"][path][method].get("requestBody", {}).get("content", {})
    if not content:
        return None
    shown = content["application/json"]
    if "example" in shown:
        return shown["example"]
    if "examples" in shown:
        return next(iter(shown["examples"].values()))["value"]
    schema = shown["schema"]
    for part in (schema, *schema.get("anyOf", ())):
        if "examples" in (found := resolve(part)):
            return found["examples"][0]
    pytest.fail(f"{method} {path} shows no body")


async def records_of(house: House, link: Link) -> dict[str, str]:
    """Fill a connection with one record of each kind that a path can name; gives back their ids."""
    event_id = (await link.send(event("q-1"))).json()["event_id"]
    issue_id = new_id("iss")
    async with house.database.transaction() as session:
        texts = {"code": "account-inactive", "title": "t", "detail": "d", "remedy": "r"}
        session.add(Issue(connection_id=link.connection_id, id=issue_id, quote_id="q-1", **texts))
        key_id = (await create_key(session, "another's", connection_id=link.connection_id)).row.id
        secret_id = await session.scalar(
            select(SigningSecret.id).where(SigningSecret.connection_id == link.connection_id)
        )
    assert secret_id
    return {
        "connection_id": link.connection_id,
        "quote_id": "q-1",
        "event_id": event_id,
        "issue_id": issue_id,
        "key_id": key_id,
        "secret_id": secret_id,
        "kind": "warehouses",
    }


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_a_connections_key_sees_nothing_of_another(
    app: FastAPI, state: dict[str, Any], house: House, link: Link, other_link: Link, method: str, path: str
) -> None:
    there = await records_of(house, other_link)
    key = await connection_key(house, link.connection_id)
    async with client_of(app, state, key=key) as client:
        answer = await client.request(method, path.format_map(there), json=example_body(method, path))
    # Not "quote-not-found" or the like: whether the other connection has the record is not told either.
    operators_only = "{connection_id}" not in path or (method, path) == ("delete", "/v1/connections/{connection_id}")
    problem(answer, 404, "not-found" if operators_only else "connection-not-found")


async def test_a_quote_is_read_by_its_own_id_and_by_that_of_a_revision(link: Link, operator: httpx.AsyncClient) -> None:
    await link.send(event("q-1"))
    await link.send(event("q-2", kind="quote.updated", seconds=1, parent_quote_id="q-1", revision=1, name="Revised"))
    quote = (await operator.get(f"{link.path}/quotes/q-2")).json()
    assert (quote["quote_id"], quote["name"], quote["generation"]) == ("q-1", "Revised", 2)
    assert quote["state"] == "pending"
    assert quote["runs"] == []
    assert quote["kaseya"]["opportunity_id"] is None
    problem(await operator.get(f"{link.path}/quotes/q-9"), 404, "quote-not-found")


async def test_lists_come_in_pages_without_gap_or_repeat(link: Link, operator: httpx.AsyncClient) -> None:
    for number in range(7):
        await link.send(event(f"q-{number}"))
    for what, member in (("quotes", "quote_id"), ("events", "event_id")):
        seen: list[str] = []
        cursor = None
        while True:
            query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = (await operator.get(f"{link.path}/{what}", params=query)).json()
            seen += [item[member] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=251", "limit=x", "cursor=x", "cursor=WyJhIl0x", "cursor=WyJhIiwiYiJd"]
)
async def test_a_limit_or_cursor_out_of_range_is_refused(link: Link, operator: httpx.AsyncClient, query: str) -> None:
    problem(await operator.get(f"{link.path}/quotes?{query}"), 422, "invalid-request")


async def test_quotes_are_found_by_state_status_and_text(link: Link, operator: httpx.AsyncClient) -> None:
    await link.send(event("q-1", name="Firewall 100%"))
    await link.send(event("q-2", kind="quote.lost", name="Switches"))

    async def found(**query: str) -> list[str]:
        answer = await operator.get(f"{link.path}/quotes", params=query)
        return [item["quote_id"] for item in answer.json()["items"]]

    assert await found(search="firewall") == ["q-1"]
    assert await found(search="0%") == ["q-1"]
    assert await found(search="%%") == []
    assert await found(status="lost") == ["q-2"]
    assert await found(state="synced") == []
    problem(await operator.get(f"{link.path}/quotes?search=%00"), 422, "invalid-request")


async def test_sync_makes_a_quote_due_and_urgent(link: Link, operator: httpx.AsyncClient, house: House) -> None:
    await link.send(event())
    async with house.database.transaction() as session:
        await session.execute(update(Quote).values(state="synced", due_at=None))
    answer = await operator.post(f"{link.path}/quotes/q-1/sync")
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    assert answer.json()["due_at"].endswith("Z")
    async with house.database.transaction() as session:
        assert await session.scalar(select(Quote.urgent))


async def test_an_event_shows_its_payload_and_can_be_replayed(
    link: Link, operator: httpx.AsyncClient, house: House
) -> None:
    sent = event()
    event_id = (await link.send(sent)).json()["event_id"]
    shown = (await operator.get(f"{link.path}/events/{event_id}")).json()
    assert shown["payload"] == sent
    async with house.database.transaction() as session:
        await session.execute(update(Quote).values(state="synced", due_at=None))
    assert (await operator.post(f"{link.path}/events/{event_id}/replay")).json() == {"quote_id": "q-1"}
    async with house.database.transaction() as session:
        assert await session.scalar(select(Quote.due_at))


async def test_a_rejected_event_stays_refused_as_long_as_its_reason_holds(
    link: Link, operator: httpx.AsyncClient
) -> None:
    await link.post(b'{"broken": ')
    await link.send(event(expires_on="2020-01-01"))
    expired, broken = (await operator.get(f"{link.path}/events?disposition=rejected")).json()["items"]
    problem(await operator.post(f"{link.path}/events/{expired['event_id']}/replay"), 422, "quote-expired")
    problem(await operator.post(f"{link.path}/events/{broken['event_id']}/replay"), 422, "invalid-event")
    shown = (await operator.get(f"{link.path}/events/{broken['event_id']}")).json()
    assert shown["payload"] == '{"broken": '


async def test_replay_counts_first_and_then_spreads_what_it_marks(
    link: Link, operator: httpx.AsyncClient, house: House
) -> None:
    for number in range(4):
        await link.send(event(f"q-{number}"))
    async with house.database.transaction() as session:
        await session.execute(update(Quote).values(state="synced", due_at=None))
    path = f"{link.path}/replay"
    counted = (await operator.post(path, json={"filter": {"state": "synced"}, "dry_run": True})).json()
    assert (counted["quotes"], counted["marked"]) == (4, 0)
    done = (await operator.post(path, json={"filter": {"quote_ids": ["q-0", "q-1", "q-2", "q-x"]}})).json()
    assert (done["quotes"], done["marked"]) == (3, 3)
    async with house.database.transaction() as session:
        rows = (await session.execute(select(Quote.due_at, Quote.urgent).where(Quote.due_at.is_not(None)))).all()
    assert len({row.due_at for row in rows}) == 3
    assert not any(row.urgent for row in rows)


@pytest.mark.parametrize("chosen", [{}, {"all": True, "state": "parked"}, {"all": False}, {"unknown": 1}])
async def test_a_replay_must_say_what_it_means(link: Link, operator: httpx.AsyncClient, chosen: dict[str, Any]) -> None:
    problem(await operator.post(f"{link.path}/replay", json={"filter": chosen}), 422, "invalid-request")


async def test_issues_are_listed_by_state(link: Link, operator: httpx.AsyncClient, house: House) -> None:
    issue_id = new_id("iss")
    async with house.database.transaction() as session:
        texts = {"code": "account-inactive", "title": "t", "detail": "d", "remedy": "r"}
        session.add(Issue(connection_id=link.connection_id, id=issue_id, quote_id="q-1", **texts))
    (listed,) = (await operator.get(f"{link.path}/issues?state=open")).json()["items"]
    assert (listed["issue_id"], listed["state"]) == (issue_id, "open")
    assert (await operator.get(f"{link.path}/issues?state=closed")).json()["items"] == []
    assert (await operator.get(f"{link.path}/issues/{issue_id}")).json() == listed
    problem(await operator.get(f"{link.path}/issues/{new_id('iss')}"), 404, "issue-not-found")


async def test_a_preview_needs_settings_and_a_valid_event(link: Link, operator: httpx.AsyncClient) -> None:
    problem(await operator.post(f"{link.path}/preview", content=b"{}"), 422, "invalid-event")
    problem(await operator.post(f"{link.path}/preview", content=json.dumps(event())), 409, "settings-not-saved")
    problem(await operator.post(f"{link.path}/quotes/q-1/preview"), 404, "quote-not-found")


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a":' * 5000, b'"\\ud800"'])
async def test_a_body_that_is_not_json_is_a_problem(operator: httpx.AsyncClient, body: bytes) -> None:
    answer = await operator.post("/v1/api-keys", content=body, headers={"content-type": "application/json"})
    problem(answer, 422, "invalid-request")


async def test_a_failing_commit_is_not_a_2xx(app: FastAPI, operator: httpx.AsyncClient) -> None:
    @app.post("/breaks-at-commit")
    async def breaks_at_commit(session: SessionDep) -> str:
        await session.execute(select(1))
        raw = await (await session.connection()).get_raw_connection()
        assert raw.driver_connection is not None
        raw.driver_connection.terminate()
        return "all is well"

    answer = await operator.post("/breaks-at-commit")
    problem(answer, 503, "database-away")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/v1/api-keys", "GET, POST"), ("/v1/connections/con_1", "DELETE, GET, PATCH"), ("/livez", "GET")],
)
async def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(
    operator: httpx.AsyncClient, path: str, allowed: str
) -> None:
    answer = await operator.options(path)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("query", ["received_after=0.5", "received_before=1772446500", "received_after=2026-03-02"])
async def test_a_time_that_is_not_written_out_is_refused(link: Link, operator: httpx.AsyncClient, query: str) -> None:
    problem(await operator.get(f"{link.path}/events?{query}"), 422, "invalid-request")


async def test_the_unexpected_is_a_problem_with_the_request_id_and_no_trace(
    app: FastAPI, operator: httpx.AsyncClient
) -> None:
    @app.get("/breaks")
    async def breaks() -> None:
        raise ZeroDivisionError("a secret of ours")

    answer = await operator.get("/breaks", headers={"x-request-id": "mine-1"})
    told = problem(answer, 500, "internal-error")
    assert told["request_id"] == answer.headers["x-request-id"] == "mine-1"
    assert "secret" not in answer.text


async def test_every_answer_carries_a_request_id(anyone: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(anyone.get(path) for path in ("/livez", "/nowhere", "/v1/api-keys")))
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 3
    strange = await anyone.get("/livez", headers={"x-request-id": "a b"})
    assert strange.headers["x-request-id"].startswith("req_")


async def test_every_kind_of_problem_has_a_page(anyone: httpx.AsyncClient) -> None:
    listed = (await anyone.get("/problems")).text
    for name, kind in KINDS.items():
        page = await anyone.get(f"/problems/{name}")
        assert page.status_code == 200
        assert f"<h1>{kind.title}</h1>" in page.text
        assert f"/problems/{name}" in listed
    problem(await anyone.get("/problems/none"), 404, "not-found")


async def test_ready_until_asked_to_end(anyone: httpx.AsyncClient, drain: Drain) -> None:
    assert (await anyone.get("/readyz")).status_code == 200
    drain.begin()
    problem(await anyone.get("/readyz"), 503, "not-ready")
    assert (await anyone.get("/livez")).status_code == 200


@pytest.mark.parametrize(("revision", "status"), [("20261122", 503), ("of_a_later_version", 200)])
async def test_ready_on_this_versions_schema_and_on_a_later_one(
    house: House, anyone: httpx.AsyncClient, revision: str, status: int
) -> None:
    async with house.database.transaction() as session:
        needed = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    try:
        await _stamp(house, revision)
        assert (await anyone.get("/readyz")).status_code == status
    finally:
        await _stamp(house, needed)


async def _stamp(house: House, revision: str) -> None:
    async with house.database.transaction() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


async def test_metrics_count_what_is_stored(link: Link, anyone: httpx.AsyncClient) -> None:
    await link.send(event())
    told = (await anyone.get("/metrics")).text
    assert 'quotebridge_quotes{state="pending"} 1.0' in told
    assert 'quotebridge_events{disposition="pending"} 1.0' in told


async def test_the_description_is_served(anyone: httpx.AsyncClient, settings: Settings) -> None:
    assert (await anyone.get("/openapi.json")).json() == API
