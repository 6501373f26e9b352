"""What settings are checked against and proposed from: the lists of a tenant, as far as its API user may read them."""

from collections.abc import Awaitable
from datetime import timedelta
from itertools import groupby
from typing import TypeVar

from app.connections.checks import Known
from app.connections.defaults import Seen
from app.db.tables import Connection
from app.directory.harvest import Harvested
from app.directory.lookups import Directory
from app.kaseya import KaseyaClient, KaseyaContractError, KaseyaRejectedError

LIVE = timedelta()
AnswerT = TypeVar("AnswerT")


async def read_known(directory: Directory, connection: Connection, client: KaseyaClient) -> Known:
    """The lists as BMS has them now, whatever was read before. Raises KaseyaError where BMS does not answer."""
    return Known(
        statuses=await _if_told(directory.statuses(connection, client, max_age=LIVE)),
        warehouses=await _if_told(directory.warehouses(connection, client, max_age=LIVE)),
        employees=await _if_told(directory.employees(connection, client, max_age=LIVE)),
        account_types=await _if_told(directory.account_types(connection, client, max_age=LIVE)),
    )


async def read_seen(directory: Directory, connection: Connection, client: KaseyaClient) -> Seen:
    """All that a proposal of settings is made of."""
    known = await read_known(directory, connection, client)
    used: list[Harvested] = []
    for read in (directory.used_in_opportunities, directory.used_in_accounts, directory.used_in_contacts):
        used += await _if_told(read(connection, client)) or ()
    user = await _if_told(client.security.user_info())
    used.sort(key=lambda row: row.table)  # stable: within a table the most used stay first
    return Seen(
        known=known,
        used={table: list(rows) for table, rows in groupby(used, key=lambda row: row.table)},
        user_email=user.email_address if user else None,
    )


async def _if_told(answer: Awaitable[AnswerT]) -> AnswerT | None:
    """The list, or None where BMS refuses it: what cannot be looked up is not known to be missing."""
    try:
        return await answer
    except (KaseyaRejectedError, KaseyaContractError):
        return None
