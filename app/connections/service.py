"""What a person may do with a connection: make it, change it, test it, pause and resume it, delete it."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.connections import signing
from app.connections.clients import Clients
from app.connections.doors import QUOTER_HASH_KEY_FIELD
from app.connections.refusal import ACTIVE, CREDENTIALS_REJECTED, PAUSED, count_refusal, may_sign_in
from app.connections.sealed import NOTICE_SECRET, open_credentials, seal_credentials, seal_optional
from app.connections.secrets import Vault
from app.connections.tenant import Tenant, examine
from app.db.ids import new_id
from app.db.session import Database
from app.db.tables import Connection, Issue, Lookup, Pace
from app.intake.signature import new_secret
from app.kaseya import Credentials, Hosts, KaseyaClient, KaseyaCredentialsError

FormEncoding = Literal["multipart", "urlencoded"]

CREDENTIAL_FIELDS = ("company", "username", "password", "mfa_secret")
PAUSED_BY_PERSON = "Paused by a person; events are kept and wait."


class ConnectionGoneError(Exception):
    """The connection was deleted meanwhile."""


class SignInStoppedError(Exception):
    """BMS refused the stored credentials, and one more try could lock the user out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A connection that is to be made."""

    name: str
    server: str
    base_url: str
    credentials: Credentials
    form_encoding: FormEncoding = "multipart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A new connection; its first signing secret in clear for this once, and what its tenant did not tell."""

    row: Connection
    signing_secret: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A changed connection; the secret of its notices in clear where this change made one."""

    row: Connection
    notice_secret: str | None = None


class Connections:
    """The connections of this service. What needs BMS raises KaseyaError, and then nothing was stored or changed."""

    def __init__(
        self, database: Database, vault: Vault, clients: Clients, hosts: Hosts, clock: Callable[[], datetime]
    ) -> None:
        """Take what the house shares."""
        self._database = database
        self._vault = vault
        self._clients = clients
        self._hosts = hosts
        self._clock = clock

    async def connect(self, wanted: Wanted) -> Connected:
        """Sign in and examine the tenant, then store the connection with its first signing secret."""
        base_url = self._hosts.check_base_url(wanted.base_url)
        tenant = await examine(self._clients.probe(base_url, wanted.credentials, wanted.form_encoding))
        now = self._clock()
        row = Connection(
            id=new_id("con"),
            name=wanted.name,
            server=wanted.server,
            base_url=base_url,
            form_encoding=wanted.form_encoding,
            state=ACTIVE,
            refused_sign_ins=0,
            created_at=now,
            updated_at=now,
        )
        seal_credentials(self._vault, row, wanted.credentials)
        _take(row, tenant, now)
        first = signing.make(self._vault, row.id, now=now)
        async with self._database.of(row.id).transaction() as session:
            session.add(row)
            await session.flush()
            session.add_all([Pace(connection_id=row.id), first.row])
        return Connected(row=row, signing_secret=first.secret, notes=tenant.notes)

    async def change(self, connection: Connection, fields: dict[str, Any]) -> Changed:
        """Change what is given; new credentials must sign in first, and resume a connection that was paused for them.

        ``fields`` are columns in clear: name, base_url, company, username, password, mfa_secret, form_encoding,
        quoter_hash_key, notice_url.
        """
        if fields.get("notice_url") is not None:
            self._hosts.check_public_url(fields["notice_url"])
        if "base_url" in fields:
            fields["base_url"] = self._hosts.check_base_url(fields["base_url"])
        credentials = self._changed_credentials(connection, fields)
        tenant = None
        if credentials is not None:
            base_url = fields.get("base_url", connection.base_url)
            form_encoding = fields.get("form_encoding", connection.form_encoding)
            tenant = await examine(self._clients.probe(base_url, credentials, form_encoding))
        async with self._database.of(connection.id).transaction() as session:
            row = await _locked(session, connection.id)
            notice_secret = self._apply(row, fields)
            if credentials is not None and tenant is not None:
                seal_credentials(self._vault, row, credentials)
                row.token = None
                _take(row, tenant, self._clock())
                await _forget_lookups(session, row.id)
                if row.state == CREDENTIALS_REJECTED:
                    await _resume(session, row)
            await session.flush()
        return Changed(row=row, notice_secret=notice_secret)

    async def test(self, connection: Connection) -> Tenant:
        """Sign in anew and read the capabilities again; one that was paused for its credentials resumes."""
        tenant = await examine(self._clients.client(connection, urgent=True))
        async with self._database.of(connection.id).transaction() as session:
            row = await _locked(session, connection.id)
            _take(row, tenant, self._clock())
            if row.state == CREDENTIALS_REJECTED:
                await _resume(session, row)
        return tenant

    @asynccontextmanager
    async def asking(self, connection: Connection) -> AsyncIterator[KaseyaClient]:
        """A client for a person who waits.

        Refused credentials are counted, and after the second refusal BMS is not asked any more: every keystroke in a
        picker would be another sign-in, and lock the user out.

        Raises:
            SignInStoppedError: BMS has refused the stored credentials too often to be asked again.
            SecretUnreadableError: The stored credentials cannot be decrypted.
            KaseyaError: BMS did not serve.
        """
        if not may_sign_in(connection):
            raise SignInStoppedError(connection.id)
        try:
            yield self._clients.client(connection, urgent=True)
        except KaseyaCredentialsError as error:
            async with self._database.of(connection.id).transaction() as session:
                await count_refusal(session, connection.id, reason=error.message, now=self._clock())
            raise

    async def pause(self, connection_id: str) -> Connection:
        """Stop syncing; events are still accepted and wait. One that waits for credentials goes on waiting for them."""
        async with self._database.of(connection_id).transaction() as session:
            row = await _locked(session, connection_id)
            if row.state == ACTIVE:
                row.state, row.state_reason = PAUSED, PAUSED_BY_PERSON
        return row

    async def resume(self, connection: Connection) -> Connection:
        """Sync again, at once; after refused credentials only if BMS accepts them now."""
        if connection.state == CREDENTIALS_REJECTED:
            await self.test(connection)
        async with self._database.of(connection.id).transaction() as session:
            row = await _locked(session, connection.id)
            await _resume(session, row)
        return row

    async def delete(self, connection_id: str) -> None:
        """Delete the connection with all its rows; BMS keeps what it has."""
        async with self._database.of(connection_id).transaction() as session:
            await session.execute(delete(Connection).where(Connection.id == connection_id))

    def _changed_credentials(self, connection: Connection, fields: dict[str, Any]) -> Credentials | None:
        """The credentials after the change; None where nothing changes that a sign-in depends on."""
        changed = {name: fields[name] for name in CREDENTIAL_FIELDS if name in fields}
        if not changed and not {"base_url", "form_encoding"} & fields.keys():
            return None
        if len(changed) == len(CREDENTIAL_FIELDS):  # nothing stored is needed, so it need not even decrypt
            return Credentials(**changed)
        return replace(open_credentials(self._vault, connection), **changed)

    def _apply(self, row: Connection, fields: dict[str, Any]) -> str | None:
        """Put what is no credential into the row; returns a secret for notices where this made one."""
        for name in ("name", "base_url", "form_encoding", "notice_url"):
            if name in fields:
                setattr(row, name, fields[name])
        if "quoter_hash_key" in fields:
            row.quoter_hash_key = seal_optional(
                self._vault, fields["quoter_hash_key"], connection_id=row.id, field=QUOTER_HASH_KEY_FIELD
            )
        if row.notice_url is None or row.notice_secret is not None:
            return None
        secret = new_secret(secrets.token_bytes)
        row.notice_secret = self._vault.seal(secret, connection_id=row.id, field=NOTICE_SECRET)
        return secret


def _take(row: Connection, tenant: Tenant, now: datetime) -> None:
    row.capabilities = list(tenant.capability_names)
    row.time_zone = tenant.time_zone
    row.max_attachment_bytes = tenant.max_attachment_bytes
    row.checked_at = now
    row.refused_sign_ins = 0


async def _locked(session: AsyncSession, connection_id: str) -> Connection:
    row = await session.get(Connection, connection_id, with_for_update=True)
    if row is None:
        raise ConnectionGoneError(connection_id)
    return row


async def _resume(session: AsyncSession, row: Connection) -> None:
    """Make the connection active, close its breaker, and wake the workers."""
    row.state, row.state_reason, row.refused_sign_ins = ACTIVE, None, 0
    closed = {"failures": 0, "open_until": None, "opened_at": None}
    await session.execute(update(Pace).where(Pace.connection_id == row.id).values(**closed))
    of_connection = Issue.connection_id == row.id, Issue.quote_id.is_(None), Issue.state == "open"
    await session.execute(
        update(Issue)
        .where(*of_connection, Issue.code.contains("credentials"))
        .values(state="closed", closed_at=func.now(), closed_by="sign-in works again")
        .execution_options(synchronize_session=False)
    )
    await session.execute(text("SELECT pg_notify('quotebridge_lanes', '')"))


async def _forget_lookups(session: AsyncSession, connection_id: str) -> None:
    """Another user, or another tenant, may see other lists."""
    await session.execute(delete(Lookup).where(Lookup.connection_id == connection_id))
