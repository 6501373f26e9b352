"""Who holds an API key, and what it opens: an operator's opens everything, a connection's only that one."""

import hmac
from dataclasses import dataclass

from pydantic import SecretStr

from app.connections.keys import digest_of, find_key
from app.db.session import Database
from app.db.tables import ApiKey, Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """Whoever came with a live key. ``connection_id`` None is an operator."""

    key_id: str
    key_name: str
    connection_id: str | None

    @property
    def is_operator(self) -> bool:
        """Whether the key opens everything."""
        return self.connection_id is None

    def may_see(self, connection_id: str) -> bool:
        """Whether the key opens this connection."""
        return self.connection_id in (None, connection_id)


BOOTSTRAP = KeyHolder(key_id="admin-token", key_name="Bootstrap operator", connection_id=None)
"""Whoever came with the key that the environment names."""


async def identify(database: Database, key: str, *, admin_token: SecretStr | None) -> KeyHolder | None:
    """Whose key it is, noted as used; None when it is unknown or revoked."""
    if _is_admin_token(digest_of(key), admin_token):
        return BOOTSTRAP
    async with database.transaction() as session:
        row = await find_key(session, key)
    return _holder_of(row) if row else None


async def recognise(
    database: Database, key_id: str, digest: bytes, *, admin_token: SecretStr | None
) -> KeyHolder | None:
    """Whoever was identified before, by the key's id and digest; None when that key is not live any more."""
    if key_id == BOOTSTRAP.key_id:
        return BOOTSTRAP if _is_admin_token(digest, admin_token) else None
    async with database.transaction() as session:
        row = await session.get(ApiKey, key_id)
    is_live = row is not None and row.revoked_at is None and hmac.compare_digest(row.digest, digest)
    return _holder_of(row) if row and is_live else None


def _is_admin_token(digest: bytes, admin_token: SecretStr | None) -> bool:
    return admin_token is not None and hmac.compare_digest(digest, digest_of(admin_token.get_secret_value()))


def _holder_of(row: ApiKey) -> KeyHolder:
    return KeyHolder(key_id=row.id, key_name=row.name, connection_id=row.connection_id)


async def find_connection(database: Database, holder: KeyHolder, connection_id: str) -> Connection | None:
    """A connection that the holder may see; None for any other, the same whether it exists or not.

    The row is detached: it is read in a transaction of its own, so that none stays open while BMS is asked. Whoever
    changes it loads it anew in a session.
    """
    if not holder.may_see(connection_id) or "\0" in connection_id:
        return None
    async with database.of(connection_id).transaction() as session:
        return await session.get(Connection, connection_id)
