"""The API through ASGI, on the real database: an app with its lifespan, a client, and a connection to talk about."""

import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.connections.keys import create_key
from app.connections.secrets import Vault
from app.db.ids import new_id
from app.db.session import Database
from app.db.tables import Connection, Pace, SigningSecret
from app.house import House
from app.intake.signature import new_secret, sign
from app.main import create_app
from app.routers.health import Drain
from app.settings import Settings
from tests.fixtures.management import Management, managed
from tests.fixtures.sandbox import Sandbox

ADMIN_TOKEN = "the-admin-token-of-these-tests-0123456789"
SECRET_KEY = "A" * 43 + "="
MAX_BODY_BYTES = 65_536
JSON_HEADERS = {"content-type": "application/json"}


@pytest.fixture
async def management(clean_database: str, bms: Sandbox) -> AsyncIterator[Management]:
    """The management API beside a BMS sandbox."""
    async with managed(clean_database, bms) as management:
        yield management


@pytest.fixture
def settings(clean_database: str) -> Settings:
    return Settings.load(
        {
            "QUOTEBRIDGE_DATABASE_URL": clean_database,
            "QUOTEBRIDGE_SECRET_KEYS": SECRET_KEY,
            "QUOTEBRIDGE_ADMIN_TOKEN": ADMIN_TOKEN,
            "QUOTEBRIDGE_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        }
    )


@pytest.fixture
def drain() -> Drain:
    return Drain()


@pytest.fixture
def app(settings: Settings, drain: Drain) -> FastAPI:
    return create_app(settings, drain=drain)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """The app's lifespan, and the state that it hands to every request."""
    async with app.router.lifespan_context(app) as state:
        yield dict(state or {})


@pytest.fixture
async def state(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with running(app) as state:
        yield state


@pytest.fixture
def house(state: dict[str, Any]) -> House:
    house: House = state["house"]
    return house


@asynccontextmanager
async def client_of(app: FastAPI, state: dict[str, Any], *, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    headers = {"authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(with_state)
    async with httpx.AsyncClient(transport=transport, base_url="http://quotebridge", headers=headers) as client:
        yield client


@pytest.fixture
async def anyone(app: FastAPI, state: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with client_of(app, state) as client:
        yield client


@pytest.fixture
async def operator(app: FastAPI, state: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the bootstrap operator's key."""
    async with client_of(app, state, key=ADMIN_TOKEN) as client:
        yield client


@dataclass(slots=True)
class Link:
    """A stored connection, its secret, and a sender that signs as the frontend does."""

    connection_id: str
    secret: str
    client: httpx.AsyncClient
    hash_key: str = "quoter hash key"
    sent: int = field(default=0)

    @property
    def path(self) -> str:
        return f"/v1/connections/{self.connection_id}"

    async def post(
        self, body: bytes, *, webhook_id: str | None = None, secret: str | None = None, at: datetime | None = None
    ) -> httpx.Response:
        """Post raw bytes under a good signature."""
        self.sent += 1
        webhook_id = webhook_id or f"msg_{self.sent}"
        at = at or datetime.now(UTC)
        headers = {
            **JSON_HEADERS,
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": sign(secret or self.secret, webhook_id, at, body),
        }
        return await self.client.post(f"/webhooks/{self.connection_id}/quotes", content=body, headers=headers)

    async def send(self, event: dict[str, Any], **how: Any) -> httpx.Response:
        return await self.post(json.dumps(event).encode(), **how)


async def store_connection(database: Database, vault: Vault, *, name: str = "Example MSP") -> tuple[str, str]:
    """A connection as a successful connect leaves it; returns its id and its signing secret."""
    connection_id, secret = new_id("con"), new_secret(secrets.token_bytes)

    def seal(text: str, field: str) -> bytes:
        return vault.seal(text, connection_id=connection_id, field=field)

    async with database.transaction() as session:
        session.add(
            Connection(
                id=connection_id,
                name=name,
                server="us",
                base_url="https://api.bms.kaseya.com",
                company="Example",
                username="api",
                password=seal("password", "password"),
                quoter_hash_key=seal("quoter hash key", "quoter_hash_key"),
                capabilities=[],
                time_zone="America/Los_Angeles",
            )
        )
        await session.flush()
        session.add(Pace(connection_id=connection_id))
        session.add(SigningSecret(connection_id=connection_id, id=new_id("sec"), secret=seal(secret, "signing_secret")))
    return connection_id, secret


@pytest.fixture
async def link(house: House, anyone: httpx.AsyncClient) -> Link:
    connection_id, secret = await store_connection(house.database, house.vault)
    return Link(connection_id, secret, anyone)


@pytest.fixture
async def other_link(house: House, anyone: httpx.AsyncClient) -> Link:
    connection_id, secret = await store_connection(house.database, house.vault, name="Another MSP")
    return Link(connection_id, secret, anyone)


async def connection_key(house: House, connection_id: str) -> str:
    async with house.database.transaction() as session:
        return (await create_key(session, "its own", connection_id=connection_id)).key


def event(quote_id: str = "q-1", *, kind: str = "quote.created", seconds: int = 0, **data: Any) -> dict[str, Any]:
    """A small valid event; ``seconds`` moves its timestamp."""
    status = {"quote.won": "accepted", "quote.lost": "lost"}.get(kind, "pending")
    stamp = datetime.fromtimestamp(time.time() + seconds, UTC)
    return {
        "type": kind,
        "timestamp": stamp.isoformat(),
        "data": {
            "quote_id": quote_id,
            "number": "1042",
            "name": "Firewall refresh",
            "status": status,
            "currency": "USD",
            "account": {"name": "Example Widgets"},
            "totals": {"one_time": "10.00"},
            "lines": [{"line_id": "l-1", "name": "Thing", "quantity": "1", "unit_price": "10.00"}],
            **data,
        },
    }


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem of an answer, which must be this one and well formed."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/problems/{name}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body
