"""Who calls the management API, and what they may see: an operator everything, a connection's key only its own."""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.connections.keys import digest_of, find_key
from app.db.tables import Connection
from app.house import House
from app.routers.deps import HouseDep
from app.routers.problems import Problem

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


async def identify(house: House, key: str) -> Caller | None:
    """The caller that a key belongs to; None when it is unknown or revoked."""
    admin_token = house.settings.admin_token
    if admin_token and hmac.compare_digest(digest_of(key), digest_of(admin_token.get_secret_value())):
        return Caller(BOOTSTRAP, None)
    async with house.database.transaction() as session:
        row = await find_key(session, key)
    return Caller(row.id, row.connection_id) if row else None


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
        async with house.database.of(connection_id).transaction() as session:
            row = await session.get(Connection, connection_id)
        if row is not None:
            return row
    raise Problem(404, "connection-not-found", f"There is no connection {connection_id!r} that this key may see.")


async def _connection(house: HouseDep, caller: CallerDep, connection_id: str) -> Connection:
    return await find_connection(house, caller, connection_id)


# The row is detached: it was read in a transaction of its own, so that none stays open while BMS is asked.
# Whoever changes it loads it anew in a session.
ConnectionDep = Annotated[Connection, Depends(_connection)]
