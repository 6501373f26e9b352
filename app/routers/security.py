"""Who calls the management API, and what they may see: an operator everything, a connection's key only its own."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import ApiKey, Connection
from app.house import House
from app.routers.deps import HouseDep
from app.routers.problems import Problem

KEY_PREFIX = "qb_"
USED_AGAIN_AFTER = timedelta(minutes=1)
BOOTSTRAP = "admin-token"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="apiKey",
    description="`Authorization: Bearer qb_…`, a key of `POST /v1/api-keys` or `quotebridge keys create`.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it is. ``connection_id`` None is the operator."""

    key_id: str
    connection_id: str | None

    @property
    def is_operator(self) -> bool:
        """Whether the key opens everything."""
        return self.connection_id is None

    def may_see(self, connection_id: str) -> bool:
        """Whether the key opens this connection."""
        return self.connection_id in (None, connection_id)


def digest_of(key: str) -> bytes:
    """What is stored of a key: its SHA-256. The keys are random enough to need no salt."""
    return hashlib.sha256(key.encode()).digest()


async def identify(house: House, key: str) -> Caller | None:
    """The caller that a key belongs to; None when it is unknown or revoked."""
    admin_token = house.settings.admin_token
    if admin_token and hmac.compare_digest(digest_of(key), digest_of(admin_token.get_secret_value())):
        return Caller(BOOTSTRAP, None)
    if not key.startswith(KEY_PREFIX):
        return None
    async with house.database.transaction() as session:
        return await _identify_stored(session, digest_of(key))


async def _identify_stored(session: AsyncSession, digest: bytes) -> Caller | None:
    row = await session.scalar(select(ApiKey).where(ApiKey.digest == digest, ApiKey.revoked_at.is_(None)))
    if row is None:
        return None
    # Once a minute is precise enough, and spares a write per request.
    unused = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - USED_AGAIN_AFTER)
    await session.execute(update(ApiKey).where(ApiKey.id == row.id, unused).values(last_used_at=func.now()))
    return Caller(row.id, row.connection_id)


async def _caller(
    house: HouseDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    caller = await identify(house, credentials.credentials) if credentials else None
    if caller is None:
        detail = "Send a live API key as `Authorization: Bearer qb_…`."
        raise Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="quotebridge"'})
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]


def _operator(caller: CallerDep) -> Caller:
    if not caller.is_operator:
        raise Problem(404, "not-found", "There is nothing here for this API key.")
    return caller


OperatorDep = Annotated[Caller, Depends(_operator)]


async def find_connection(house: House, caller: Caller, connection_id: str) -> Connection:
    """A connection that the caller may see; a :class:`Problem` 404 otherwise, the same whether it exists or not."""
    if caller.may_see(connection_id) and "\0" not in connection_id:
        async with house.database.transaction() as session:
            row = await session.get(Connection, connection_id)
        if row is not None:
            return row
    raise Problem(404, "connection-not-found", f"There is no connection {connection_id!r} that this key may see.")


async def _connection(house: HouseDep, caller: CallerDep, connection_id: str) -> Connection:
    return await find_connection(house, caller, connection_id)


# The row is detached: it was read in a transaction of its own, so that none stays open while BMS is asked.
# Whoever changes it loads it anew in a session.
ConnectionDep = Annotated[Connection, Depends(_connection)]
