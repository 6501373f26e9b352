"""Inbound signing secrets: made, rotated with an overlap, retired; never read again."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.connections.doors import SIGNING_SECRET_FIELD
from app.connections.secrets import Vault
from app.db.ids import new_id
from app.db.tables import Connection, SigningSecret
from app.intake.signature import new_secret

MOST_LIVE = 10


class LastSigningSecretError(Exception):
    """Without this secret no event could be accepted."""


class TooManySigningSecretsError(Exception):
    """The connection has as many live secrets as it may have."""


class SigningSecretNotFoundError(Exception):
    """The connection has no such secret, or no longer."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new secret, in clear for this once."""

    row: SigningSecret
    secret: str


def make(
    vault: Vault, connection_id: str, *, now: datetime, token_bytes: Callable[[int], bytes] = secrets.token_bytes
) -> Rotated:
    """A new secret, sealed in a row that is still to be added."""
    secret = new_secret(token_bytes)
    row = SigningSecret(
        connection_id=connection_id,
        id=new_id("sec"),
        secret=vault.seal(secret, connection_id=connection_id, field=SIGNING_SECRET_FIELD),
        created_at=now,
        expires_at=None,
    )
    return Rotated(row, secret)


async def rotate(
    session: AsyncSession, vault: Vault, connection_id: str, *, overlap: timedelta, now: datetime
) -> Rotated:
    """Add a secret; the older ones stay good for the overlap at most. Raises TooManySigningSecretsError."""
    if len(await _lock_live(session, connection_id, now)) >= MOST_LIVE:
        raise TooManySigningSecretsError
    last_moment = now + overlap
    await session.execute(
        update(SigningSecret)
        .where(*_live(connection_id, now))
        .values(expires_at=func.least(func.coalesce(SigningSecret.expires_at, last_moment), last_moment))
        .execution_options(synchronize_session=False)
    )
    rotated = make(vault, connection_id, now=now)
    session.add(rotated.row)
    await session.flush()
    return rotated


async def live(session: AsyncSession, connection_id: str, *, now: datetime) -> list[SigningSecret]:
    """The secrets that are good now, newest first."""
    query = select(SigningSecret).where(*_live(connection_id, now)).order_by(SigningSecret.id.desc())
    return list(await session.scalars(query))


async def retire(session: AsyncSession, connection_id: str, secret_id: str, *, now: datetime) -> None:
    """Delete a secret. Raises SigningSecretNotFoundError, LastSigningSecretError."""
    ids = await _lock_live(session, connection_id, now)
    if secret_id not in ids:
        raise SigningSecretNotFoundError
    if len(ids) == 1:
        raise LastSigningSecretError
    await session.execute(
        delete(SigningSecret).where(SigningSecret.connection_id == connection_id, SigningSecret.id == secret_id)
    )


async def _lock_live(session: AsyncSession, connection_id: str, now: datetime) -> set[str]:
    """Ids of the live secrets; two who rotate or retire at once take turns, so that neither removes the last one."""
    await session.execute(select(Connection.id).where(Connection.id == connection_id).with_for_update())
    return set(await session.scalars(select(SigningSecret.id).where(*_live(connection_id, now))))


def _live(connection_id: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    unexpired = or_(SigningSecret.expires_at.is_(None), SigningSecret.expires_at > now)
    return SigningSecret.connection_id == connection_id, unexpired
