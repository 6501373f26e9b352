"""One run's own world, as a run would have it, on a BMS at the wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.connections.model import ConnectionSettings
from app.db.session import Database
from app.db.tables import Connection, Link
from app.kaseya import Answer, Call, Capability, Credentials, Hosts, KaseyaClient, MemoryTokens, Token, Transport, Wire
from app.quotes.model import Account, Quote, Status, Totals
from app.sync.errand import Errand
from tests.fixtures.engine import SETTINGS

BASE = "https://api.bms.kaseya.com"
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
MARK = "[quotebridge:sample]"
GRACE = timedelta(minutes=1)
AUDIT_AFTER = timedelta(minutes=15)


@dataclass(slots=True)
class OpenGate:
    """Lets every call out, and remembers it."""

    calls: list[Call] = field(default_factory=list)

    async def admit(self, call: Call) -> float | None:
        self.calls.append(call)
        return None

    async def answered(self, call: Call, answer: Answer) -> None:
        return None


def client_on(wire: Wire, gate: OpenGate | None = None) -> KaseyaClient:
    """A client that is signed in at BASE, whose tenant offers everything."""
    transport = Transport(
        wire,
        base_url=BASE,
        credentials=Credentials("Example MSP", "api@msp.example", "sample"),
        tokens=MemoryTokens(Token("access", "refresh", NOW + timedelta(hours=1))),
        gate=gate or OpenGate(),
        clock=lambda: NOW,
    )
    return KaseyaClient(transport, capabilities=frozenset(Capability))


@asynccontextmanager
async def an_errand(database: Database, **changes: Any) -> AsyncIterator[Errand]:
    """An errand of quote q-1 of connection con_1."""
    async with Wire(Hosts()) as wire:
        client = client_on(wire)
        parts: dict[str, Any] = {
            "database": database,
            "wire": wire,
            "connection": Connection(id="con_1"),
            "settings": ConnectionSettings.model_validate(SETTINGS),
            "client": client,
            "make_urgent_client": lambda: client,
            "lease": None,
            "quote_id": "q-1",
            "quote": a_quote(),
            "mark": MARK,
            "zone": ZoneInfo("UTC"),
            "link": Link(connection_id="con_1", quote_id="q-1"),
            "lines": {},
            "first_synced_at": None,
            "grace": GRACE,
            "audit_after": AUDIT_AFTER,
            "clock": lambda: NOW,
        }
        yield Errand(**{**parts, **changes})


def a_quote() -> Quote:
    return Quote(
        quote_id="q-1",
        number="7",
        name="Work",
        status=Status.PENDING,
        currency="USD",
        account=Account(name="A"),
        totals=Totals(one_time=Decimal(200)),
        lines=(),
    )
