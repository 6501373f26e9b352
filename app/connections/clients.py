"""Clients for connections: one sign-in per connection and process, one call budget per BMS company for all replicas."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.connections.sealed import open_credentials
from app.connections.secrets import SecretUnreadableError, Vault
from app.db import budget, lanes
from app.db.session import Database
from app.db.tables import Connection
from app.kaseya import (
    Answer,
    Call,
    Capability,
    Credentials,
    KaseyaClient,
    KaseyaThrottledError,
    MemoryTokens,
    Token,
    TokenStore,
    Transport,
    Wire,
)
from app.kaseya.transport.door import utc_now
from app.kaseya.transport.session import FormEncoding
from app.kaseya.transport.tries import TRIES
from app.settings import Settings, seconds
from app.telemetry import kaseya_calls

RESERVE = 0.04
"""This part of the budget is kept for won, lost and looks for lost answers; more would leave over 5 % of it unused."""

Observe = Callable[[Call, Answer], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How time passes for calls: what the clock says, seconds that never run backwards, and how to wait."""

    clock: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


REAL_TIME = Pulse()


class Clients:
    """Makes the clients of stored connections, and of connections that are only being tried."""

    def __init__(
        self, database: Database, vault: Vault, wire: Wire, settings: Settings, *, pulse: Pulse = REAL_TIME
    ) -> None:
        """Take what all connections share."""
        self._pulse = pulse
        self._database = database
        self._vault = vault
        self._wire = wire
        self._settings = settings
        self._doors: dict[str, tuple[object, Transport]] = {}

    def client(
        self,
        row: Connection,
        *,
        lane: lanes.Claim | None = None,
        urgent: bool = False,
        once: bool = False,
        observe: Observe | None = None,
    ) -> KaseyaClient:
        """A client for a stored connection.

        With a ``lane``, no call goes out that the lane's lease does not cover: then the client raises
        ``LeaseLostError``. ``urgent`` callers may use the reserve of the budget. ``once`` tries each call but once.
        ``observe`` hears of every call. Raises SecretUnreadableError where the stored credentials do not decrypt.
        """
        gate = BudgetGate(
            self._database.of(row.id),
            self._settings,
            company=company_key(row.base_url, row.company),
            lane=lane,
            urgent=urgent,
            observe=observe,
            monotonic=self._pulse.monotonic,
        )
        door = self._door(row).behind(gate, tries=1 if once else TRIES)
        return KaseyaClient(door, capabilities=read_stored_capabilities(row))

    def probe(self, base_url: str, credentials: Credentials, form_encoding: FormEncoding = "multipart") -> KaseyaClient:
        """A client for credentials that are not stored; its calls count against the company's budget all the same."""
        return KaseyaClient(self._open_door(base_url, credentials, MemoryTokens(), form_encoding))

    def _door(self, row: Connection) -> Transport:
        """The connection's door, with its sign-in, in this process; a changed credential makes a new one."""
        mark = (row.base_url, row.company, row.username, row.password, row.mfa_secret, row.form_encoding)
        held = self._doors.get(row.id)
        if held is None or held[0] != mark:
            tokens = StoredTokens(self._database.of(row.id), self._vault, row.id)
            encoding: FormEncoding = "urlencoded" if row.form_encoding == "urlencoded" else "multipart"
            held = (mark, self._open_door(row.base_url, open_credentials(self._vault, row), tokens, encoding))
            self._doors[row.id] = held
        return held[1]

    def _open_door(
        self, base_url: str, credentials: Credentials, tokens: TokenStore, form_encoding: FormEncoding
    ) -> Transport:
        company = company_key(base_url, credentials.company)
        return Transport(
            self._wire,
            base_url=base_url,
            credentials=credentials,
            tokens=tokens,
            gate=BudgetGate(self._database, self._settings, company=company, urgent=True),
            form_encoding=form_encoding,
            timeout=seconds(self._settings.kaseya_timeout_seconds),
            clock=self._pulse.clock,
            monotonic=self._pulse.monotonic,
            sleep=self._pulse.sleep,
        )


def company_key(base_url: str, company: str) -> str:
    """What a budget belongs to: the company at its server, however many connections lead there."""
    return f"{base_url.rstrip('/').lower()} {company.strip().casefold()}"


def read_stored_capabilities(row: Connection) -> frozenset[Capability]:
    """The capabilities as they were read when the connection was made or last tested."""
    known = {capability.value for capability in Capability}
    return frozenset(Capability(name) for name in row.capabilities if name in known)


class BudgetGate:
    """Stands before every call: spends the shared budget, and lets nothing out that a lost lease would have sent."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        company: str,
        lane: lanes.Claim | None = None,
        urgent: bool = False,
        observe: Observe | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._company = company
        self._lane = lane
        self._observe = observe
        self._window = seconds(settings.kaseya_call_window_seconds)
        reserve = 0 if urgent else int(settings.kaseya_call_limit * RESERVE)
        self._limit = settings.kaseya_call_limit - reserve

    async def admit(self, call: Call) -> float | None:
        """Spend one call; raises KaseyaThrottledError where none is left, LeaseLostError where the lane is lost."""
        async with self._database.transaction() as session:
            not_after = await self._not_after(session)
            wait = await budget.spend(
                session, company=self._company, endpoint=call.endpoint, limit=self._limit, window=self._window
            )
        if wait is not None:
            message = f"The budget of {self._limit} calls to {call.endpoint} is spent for now."
            raise KaseyaThrottledError(message, retry_after=wait, endpoint=call.endpoint)
        return not_after

    async def answered(self, call: Call, answer: Answer) -> None:
        """Count the call by its outcome, and tell the observer."""
        kaseya_calls.labels(call.endpoint, answer.outcome).inc()
        if self._observe:
            self._observe(call, answer)

    async def _not_after(self, session: AsyncSession) -> float | None:
        if self._lane is None:
            return None
        left = await lanes.guard(session, self._lane)
        return self._monotonic() + left.total_seconds()


class StoredTokens:
    """A connection's token, sealed in its row, so that replicas share one sign-in."""

    def __init__(self, database: Database, vault: Vault, connection_id: str) -> None:
        self._database = database
        self._vault = vault
        self._connection_id = connection_id

    async def load(self) -> Token | None:
        """The newest token; one that does not decrypt is as good as none, since signing in gives another."""
        async with self._database.transaction() as session:
            sealed = await session.scalar(select(Connection.token).where(Connection.id == self._connection_id))
        if sealed is None:
            return None
        try:
            stored = json.loads(self._vault.open(sealed, connection_id=self._connection_id, field="token"))
        except SecretUnreadableError:
            return None
        expires_at = stored["expires_at"]
        return Token(
            stored["access"],
            stored["refresh"],
            None if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
        )

    async def save(self, token: Token) -> None:
        """Keep the token in place of the one before."""
        expires_at = token.access_expires_at
        text = json.dumps(
            {
                "access": token.access,
                "refresh": token.refresh,
                "expires_at": None if expires_at is None else expires_at.timestamp(),
            }
        )
        await self._store(self._vault.seal(text, connection_id=self._connection_id, field="token"))

    async def clear(self) -> None:
        """Forget the token."""
        await self._store(None)

    async def _store(self, sealed: bytes | None) -> None:
        async with self._database.transaction() as session:
            await session.execute(update(Connection).where(Connection.id == self._connection_id).values(token=sealed))
