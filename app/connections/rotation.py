"""Moves stored secrets from older encryption keys to the newest one, a connection at a time, while serving goes on."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.connections.doors import QUOTER_HASH_KEY_FIELD, SIGNING_SECRET_FIELD
from app.connections.sealed import MFA_SECRET, NOTICE_SECRET, PASSWORD
from app.connections.secrets import SecretUnreadableError, Vault
from app.db.session import Database
from app.db.tables import Connection, SigningSecret

SealedColumn = InstrumentedAttribute[bytes] | InstrumentedAttribute[bytes | None]

SEALED: dict[str, SealedColumn] = {
    PASSWORD: Connection.password,
    MFA_SECRET: Connection.mfa_secret,
    QUOTER_HASH_KEY_FIELD: Connection.quoter_hash_key,
    NOTICE_SECRET: Connection.notice_secret,
    "token": Connection.token,
}
"""The sealed columns of a connection's row, by the field that each was sealed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How the stored secrets are sealed: how many there are, how many under older keys, and what does not open."""

    secrets: int = 0
    stale: int = 0
    unreadable: tuple[str, ...] = ()

    def plus(self, other: "Survey") -> "Survey":
        """Both together."""
        return Survey(
            secrets=self.secrets + other.secrets,
            stale=self.stale + other.stale,
            unreadable=self.unreadable + other.unreadable,
        )


async def survey(database: Database, vault: Vault) -> Survey:
    """Try to open every stored secret, and change nothing."""
    return await _each_connection(database, vault, reseal=False)


async def reseal(database: Database, vault: Vault) -> Survey:
    """Seal again, under the newest key, whatever an older one has sealed; the survey is of how it was before.

    Each connection is one short transaction that holds its row, so a credential that is being changed meanwhile comes
    before or after, never in between. What does not open stays as it is and is told. Once all is done, a second time
    changes nothing.
    """
    return await _each_connection(database, vault, reseal=True)


async def _each_connection(database: Database, vault: Vault, *, reseal: bool) -> Survey:
    async with database.transaction() as session:
        ids: Sequence[str] = (await session.scalars(select(Connection.id).order_by(Connection.id))).all()
    total = Survey()
    for connection_id in ids:
        async with database.of(connection_id).transaction() as session:
            work = _Work(session, vault, connection_id, reseal=reseal)
            total = total.plus(await work.credentials()).plus(await work.signing_secrets())
    return total


@dataclass(frozen=True, slots=True)
class _Work:
    session: AsyncSession
    vault: Vault
    connection_id: str
    reseal: bool

    async def credentials(self) -> Survey:
        query = select(*SEALED.values()).where(Connection.id == self.connection_id)
        if self.reseal:
            query = query.with_for_update(key_share=True)
        row = (await self.session.execute(query)).one_or_none()
        if row is None:  # deleted meanwhile
            return Survey()
        held = {field: sealed for field, sealed in zip(SEALED, row, strict=True) if sealed is not None}
        seen, again = self._look(held)
        if again:
            values = {SEALED[field].key: sealed for field, sealed in again.items()}
            # Nothing that a person would call a change has happened.
            values["updated_at"] = Connection.updated_at  # type: ignore[assignment]
            await self.session.execute(update(Connection).where(Connection.id == self.connection_id).values(values))
        return seen

    async def signing_secrets(self) -> Survey:
        of_connection = SigningSecret.connection_id == self.connection_id
        query = select(SigningSecret.id, SigningSecret.secret).where(of_connection).order_by(SigningSecret.id)
        if self.reseal:
            query = query.with_for_update(key_share=True)
        total = Survey()
        for secret_id, sealed in (await self.session.execute(query)).all():
            seen, again = self._look({SIGNING_SECRET_FIELD: sealed})
            total = total.plus(seen)
            if again:
                this = update(SigningSecret).where(of_connection, SigningSecret.id == secret_id)
                await self.session.execute(this.values(secret=again[SIGNING_SECRET_FIELD]))
        return total

    def _look(self, held: dict[str, bytes]) -> tuple[Survey, dict[str, bytes]]:
        """What was found, and what is to be stored in place of it."""
        again: dict[str, bytes] = {}
        unreadable: list[str] = []
        stale = 0
        for field, sealed in held.items():
            try:
                secret = self.vault.open(sealed, connection_id=self.connection_id, field=field)
            except SecretUnreadableError as error:
                unreadable.append(str(error))
                continue
            if self.vault.is_stale(sealed):
                stale += 1
                if self.reseal:
                    again[field] = self.vault.seal(secret, connection_id=self.connection_id, field=field)
        return Survey(secrets=len(held), stale=stale, unreadable=tuple(unreadable)), again
