"""Who calls the management API, and what they may see: an operator everything, a connection's key only its own."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.connections.access import KeyHolder, find_connection, identify
from app.db.tables import Connection
from app.deps import HouseDep
from app.routers.problems import Problem

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="apiKey",
    description="`Authorization: Bearer qb_…`, a key of `POST /v1/api-keys` or `quotebridge keys create`.",
)


async def _caller(
    house: HouseDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> KeyHolder:
    admin_token = house.settings.admin_token
    caller = await identify(house.database, credentials.credentials, admin_token=admin_token) if credentials else None
    if caller is None:
        detail = "Send a live API key as `Authorization: Bearer qb_…`."
        raise Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="quotebridge"'})
    return caller


CallerDep = Annotated[KeyHolder, Depends(_caller)]


def _operator(caller: CallerDep) -> KeyHolder:
    if not caller.is_operator:
        raise Problem(404, "not-found", "There is nothing here for this API key.")
    return caller


OperatorDep = Annotated[KeyHolder, Depends(_operator)]


async def _connection(house: HouseDep, caller: CallerDep, connection_id: str) -> Connection:
    """A connection that the caller may see; the same problem for any other, whether it exists or not."""
    row = await find_connection(house.database, caller, connection_id)
    if row is None:
        raise Problem(404, "connection-not-found", f"There is no connection {connection_id!r} that this key may see.")
    return row


ConnectionDep = Annotated[Connection, Depends(_connection)]
