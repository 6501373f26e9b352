"""API keys: random, stored as their SHA-256, for an operator or for one connection."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.ids import new_id
from app.db.tables import ApiKey, Connection

KEY_PREFIX = "qb_"
KEY_BYTES = 32
# Once a minute is precise enough, and spares a write per request.
USED_AGAIN_AFTER = timedelta(minutes=1)


class KeyScopeError(Exception):
    """The connection that a key is meant for does not exist."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; nobody can read it again."""

    row: ApiKey
    key: str = field(repr=False)


def digest_of(key: str) -> bytes:
    """What is stored of a key: its SHA-256. The keys are random enough to need no salt."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


async def create_key(session: AsyncSession, name: str, *, connection_id: str | None = None) -> NewKey:
    """Make and store a key; without ``connection_id`` it is an operator's.

    Raises:
        KeyScopeError: There is no such connection.
    """
    if connection_id is not None and await session.get(Connection, connection_id) is None:
        raise KeyScopeError(f"There is no connection {connection_id!r}.")
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    row = ApiKey(id=new_id("key"), name=name, connection_id=connection_id, digest=digest_of(key))
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return NewKey(row, key)


async def find_key(session: AsyncSession, key: str) -> ApiKey | None:
    """The live key of this text, noted as used; None when it is unknown or revoked."""
    if not key.startswith(KEY_PREFIX):
        return None
    row = await session.scalar(select(ApiKey).where(ApiKey.digest == digest_of(key), ApiKey.revoked_at.is_(None)))
    if row is None:
        return None
    unnoted = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - USED_AGAIN_AFTER)
    noted = update(ApiKey).where(ApiKey.id == row.id, unnoted).values(last_used_at=func.now())
    await session.execute(noted.execution_options(synchronize_session=False))
    return row
