"""Secrets that are put in never come out: not in logs, metrics, answers, the description, or any table in clear."""

import base64
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import select

from app.connections.secrets import Vault
from app.db.session import Database
from app.db.tables import Connection
from app.intake.signature import sign
from app.settings import sqlalchemy_url
from tests.api.test_openapi import API, TEXT
from tests.fixtures.engine import BRISK, SETTINGS, event, eventually
from tests.fixtures.management import ADMIN, SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import SECRET_KEY, Service, serving

MFA_USER, MFA_SECRET = "mfa@msp.example", "JBSWY3DPEHPK3PXP"
HASH_KEY = "canary-hash-key-5d1f7b"
WRONG_PASSWORD = "canary-mistyped-password-77c2"


@pytest.fixture
def service(clean_database: str, bms: Sandbox, tmp_path: Path) -> Iterator[Service]:
    with serving(clean_database, bms, folder=tmp_path, log_level="debug", **BRISK) as service:
        yield service


def spellings(secret: str) -> Iterator[bytes]:
    """A secret as it may be found: in clear, in hexadecimal digits, in base64 at each of its three alignments."""
    plain = secret.encode()
    yield plain
    yield plain.hex().encode()
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The characters at both ends depend on what stands beside the secret.
            yield encode(bytes(shift) + plain)[ceil(shift * 8 / 6) : (shift + len(plain)) * 8 // 6]


def leaked(text: bytes, canaries: dict[str, str]) -> list[str]:
    """Which of the canaries can be read from a text."""
    return [name for name, secret in canaries.items() if any(each in text for each in spellings(secret))]


@pytest.mark.parametrize("shift", range(4))
def test_a_secret_is_found_in_whatever_spelling(shift: int) -> None:
    canary = {"it": "hunter22-secret"}
    beside = b"a" * shift + canary["it"].encode() + b"zz"
    for text in (beside, beside.hex().encode(), base64.b64encode(beside)):
        assert leaked(text, canary) == ["it"]
    assert leaked(b"hunter23-secret", canary) == []


async def test_no_secret_ever_comes_out(service: Service, bms: Sandbox, clean_database: str) -> None:
    canaries = {"admin token": ADMIN, "mfa secret": MFA_SECRET, "hash key": HASH_KEY, "mistyped": WRONG_PASSWORD}
    canaries["password"] = SANDBOX_SIGN_IN["password"]
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as api:
        api.headers["Authorization"] = f"Bearer {ADMIN}"
        path = await _connect(api, bms, canaries)
        await _sync(api, path, canaries["signing secret"])
        await _go_wrong(api, path)
        canaries |= await _tokens(clean_database)
        for url in await _readable(api, path):
            answer = await api.get(url)
            assert answer.status_code == 200, (url, answer.text)
            assert leaked(answer.content, canaries) == [], url
    log = service.log.read_bytes()
    assert b"quote.synced" in log
    assert leaked(log, canaries) == []
    assert leaked(DESCRIPTION_TEXT, canaries) == []
    for table, rows in (await _tables(clean_database)).items():
        assert leaked(rows, canaries) == [], table


DESCRIPTION_TEXT = json.dumps(API).encode() + TEXT.encode()


async def _connect(api: httpx.AsyncClient, bms: Sandbox, canaries: dict[str, str]) -> str:
    body = {"name": "Example", "server": "custom", "base_url": bms.url, **SANDBOX_SIGN_IN}
    made = await _done(api.post("/v1/connections", json={**body, "username": MFA_USER, "mfa_secret": MFA_SECRET}))
    path = f"/v1/connections/{made['id']}"
    canaries["signing secret"] = made["webhook"]["signing_secret"]
    change = {"quoter_hash_key": HASH_KEY, "notice_url": "https://notices.example/inbox"}
    canaries["notice secret"] = (await _done(api.patch(path, json=change)))["notice_signing_secret"]
    canaries["rotated secret"] = (await _done(api.post(f"{path}/signing-secrets")))["signing_secret"]
    key = {"name": "frontend", "scope": "connection", "connection_id": made["id"]}
    canaries["api key"] = (await _done(api.post("/v1/api-keys", json=key)))["key"]
    await _done(api.put(f"{path}/settings", json=SETTINGS))
    # The part of a secret after its prefix is what would be worth stealing.
    for name in ("signing secret", "notice secret", "rotated secret"):
        canaries[f"{name}, bare"] = canaries[name].removeprefix("whsec_")
    return path


async def _done(request: Any) -> Any:
    answer = await request
    assert answer.is_success, answer.text
    return answer.json()


async def _deliver(api: httpx.AsyncClient, path: str, secret: str, body: bytes, webhook_id: str) -> httpx.Response:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(secret, webhook_id, now, body),
    }
    return await api.post(f"{path.replace('/v1/connections', '/webhooks')}/quotes", content=body, headers=headers)


async def _sync(api: httpx.AsyncClient, path: str, secret: str) -> None:
    taken = await _deliver(api, path, secret, json.dumps(event()).encode(), "msg_1")
    assert taken.status_code == 202

    async def is_synced() -> bool:
        quote = (await api.get(f"{path}/quotes/q-1")).json()
        return bool(quote["state"] == "synced")

    await eventually(is_synced)


async def _go_wrong(api: httpx.AsyncClient, path: str) -> None:
    """Errors are where secrets slip out: a mistyped password, a wrong signature, an issue, bodies of nonsense."""
    refused = await api.patch(path, json={"password": WRONG_PASSWORD})
    assert refused.json()["type"] == "/problems/kaseya-credentials-rejected"
    assert WRONG_PASSWORD not in refused.text
    invalid = await api.patch(path, json={"password": [WRONG_PASSWORD], "mfa_secret": {"x": MFA_SECRET}})
    assert invalid.status_code == 422
    assert leaked(invalid.content, {"a": WRONG_PASSWORD, "b": MFA_SECRET}) == []
    forged = await _deliver(api, path, "whsec_" + base64.b64encode(b"x" * 32).decode(), b"{}", "msg_2")
    assert forged.status_code == 401


async def _readable(api: httpx.AsyncClient, path: str) -> list[str]:
    """The URL of every operation that reads, with ids of records that are there."""
    first = {
        "quote_id": "q-1",
        "event_id": (await api.get(f"{path}/events")).json()["items"][0]["event_id"],
        "kind": "employees",
        "connection_id": path.rpartition("/")[2],
    }
    templates = [each for each, methods in API["paths"].items() if "get" in methods and "issue_id" not in each]
    searching = ("contacts", "accounts", "items")
    urls = (each.format_map(first) + ("?search=example" if each.endswith(searching) else "") for each in templates)
    return [*urls, "/openapi.json", "/problems"]


async def _tokens(database_url: str) -> dict[str, str]:
    """The BMS tokens that the service holds."""
    database = Database.connect(sqlalchemy_url(database_url), pool_size=1)
    try:
        async with database.transaction() as session:
            row = (await session.scalars(select(Connection))).one()
    finally:
        await database.close()
    assert row.token is not None
    vault = Vault([base64.urlsafe_b64decode(SECRET_KEY)])
    stored = json.loads(vault.open(row.token, connection_id=row.id, field="token"))
    return {"access token": stored["access"], "refresh token": stored["refresh"]}


async def _tables(database_url: str) -> dict[str, bytes]:
    """Everything that every table holds: binary values as they are, all others as text."""
    connection = await asyncpg.connect(database_url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = {name: await connection.fetch(f"SELECT * FROM {name}") for (name,) in names}  # noqa: S608 - our tables
    finally:
        await connection.close()
    assert tables.keys() >= {"connections", "signing_secrets", "events", "runs", "notices", "api_keys"}
    return {name: b"\n".join(itertools.chain.from_iterable(map(_cells, rows))) for name, rows in tables.items()}


def _cells(row: asyncpg.Record) -> Iterator[bytes]:
    return (value if isinstance(value, bytes) else str(value).encode() for value in row.values())
