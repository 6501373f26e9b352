"""Lists read from BMS, kept for a short while in the database so that no replica reads again what another just read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel
from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert

from app.connections.clients import Clients
from app.db.session import Database
from app.db.tables import Connection, Lookup
from app.directory import harvest
from app.directory.allowance import Allowance
from app.directory.harvest import Harvested
from app.directory.recent import RecentAnswers
from app.kaseya import (
    AccountType,
    Contact,
    Employee,
    KaseyaClient,
    OpportunityStatus,
    Warehouse,
)
from app.settings import Settings, seconds

HARVEST_PAGES = 2
"""As many pages of 100 opportunities are read for the choices that are used in them."""

HARVEST_ACCOUNTS = 3
"""The contacts of as many accounts are read for kinds of telephone numbers and e-mail addresses."""

KEPT_UNDER_LOAD = timedelta(minutes=5)
"""How old a list may be for those who are sparing, once it has been read often."""

READ_AT_A_STRETCH = 60
"""As many times the sparing read a list as if nobody else did; from then on once in :data:`KEPT_UNDER_LOAD`."""

RecordT = TypeVar("RecordT", bound=BaseModel)
Live = Callable[[], Awaitable[Sequence[RecordT]]]


class Directory:
    """The look-ups of every connection. Every method that may ask BMS raises KaseyaError.

    ``max_age`` is how old a kept list may be, the configured cache time where it is None; zero asks BMS anew. What was
    read live is kept for everybody.

    Who is ``sparing`` reads a list as often as anybody while little happens, so that what has gone from BMS is missed
    at once. Where many ask, it takes a list of up to five minutes: three reads with each of many runs would be a good
    part of all calls. A cache time of zero keeps nothing for anybody.
    """

    def __init__(self, database: Database, clients: Clients, settings: Settings, clock: Callable[[], datetime]) -> None:
        """Take what all connections share."""
        self.clients = clients
        self.recent = RecentAnswers(clock)
        self._database = database
        self._max_age = seconds(settings.lookup_cache_seconds)
        self._longest = KEPT_UNDER_LOAD if self._max_age else timedelta()
        self.allowance = Allowance(clock, at_a_stretch=READ_AT_A_STRETCH, every=KEPT_UNDER_LOAD)
        self._clock = clock
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def statuses(
        self,
        connection: Connection,
        client: KaseyaClient,
        *,
        max_age: timedelta | None = None,
        sparing: bool = False,
    ) -> tuple[OpportunityStatus, ...]:
        """The stages that the tenant has defined for opportunities, inactive ones too."""
        live = client.opportunities.statuses
        return await self._read("opportunity-statuses", connection, OpportunityStatus, live, max_age, sparing=sparing)

    async def warehouses(
        self,
        connection: Connection,
        client: KaseyaClient,
        *,
        max_age: timedelta | None = None,
        sparing: bool = False,
    ) -> tuple[Warehouse, ...]:
        """The warehouses."""
        live = client.warehouses.list
        return await self._read("warehouses", connection, Warehouse, live, max_age, sparing=sparing)

    async def employees(
        self,
        connection: Connection,
        client: KaseyaClient,
        *,
        max_age: timedelta | None = None,
        sparing: bool = False,
    ) -> tuple[Employee, ...]:
        """Everybody who works at the MSP, inactive ones too."""
        live = client.employees.list
        return await self._read("employees", connection, Employee, live, max_age, sparing=sparing)

    async def account_types(
        self, connection: Connection, client: KaseyaClient, *, max_age: timedelta | None = None
    ) -> tuple[AccountType, ...]:
        """The kinds of accounts."""
        return await self._read("account-types", connection, AccountType, client.system.account_types, max_age)

    async def used_in_opportunities(
        self, connection: Connection, client: KaseyaClient, *, max_age: timedelta | None = None
    ) -> tuple[Harvested, ...]:
        """Types, ratings and lead sources that opportunities use; BMS publishes no look-up for them."""

        async def live() -> list[Harvested]:
            return harvest.from_opportunities(await client.opportunities.search(max_pages=HARVEST_PAGES))

        return await self._read("used-in-opportunities", connection, Harvested, live, max_age)

    async def used_in_accounts(
        self, connection: Connection, client: KaseyaClient, *, max_age: timedelta | None = None
    ) -> tuple[Harvested, ...]:
        """Business types and account types that accounts use, the most used first."""

        async def live() -> list[Harvested]:
            return harvest.from_accounts(await client.accounts.search(""))

        return await self._read("used-in-accounts", connection, Harvested, live, max_age)

    async def used_in_contacts(
        self, connection: Connection, client: KaseyaClient, *, max_age: timedelta | None = None
    ) -> tuple[Harvested, ...]:
        """Kinds of telephone numbers and e-mail addresses, from contacts of accounts that have opportunities."""

        async def live() -> list[Harvested]:
            opportunities = await client.opportunities.search(max_pages=1)
            accounts = list(dict.fromkeys(each.account_id for each in opportunities))[:HARVEST_ACCOUNTS]
            contacts: list[Contact] = []
            for account_id in accounts:
                # Only the list that can be asked by telephone number tells the kinds of numbers and addresses.
                contacts += await client.contacts.search(account_ids=[account_id], phone="")
            return harvest.from_contacts(contacts)

        return await self._read("used-in-contacts", connection, Harvested, live, max_age)

    async def used_in_services(
        self, connection: Connection, client: KaseyaClient, *, max_age: timedelta | None = None
    ) -> tuple[Harvested, ...]:
        """Categories that services use."""

        async def live() -> list[Harvested]:
            return harvest.from_services(await client.services.search(""))

        return await self._read("used-in-services", connection, Harvested, live, max_age)

    async def _read(
        self,
        kind: str,
        connection: Connection,
        record: type[RecordT],
        live: Live[RecordT],
        max_age: timedelta | None,
        *,
        sparing: bool = False,
    ) -> tuple[RecordT, ...]:
        """The kept list when it is young enough, else BMS's own; callers that wait for the same list read it once."""
        age = self._max_age if max_age is None else max_age
        asked_at = self._clock()
        lock = self._locks.setdefault((connection.id, kind), asyncio.Lock())
        async with lock:
            kept = await self._kept(kind, connection.id, since=asked_at - (max(age, self._longest) if sparing else age))
            is_young = kept is not None and kept.read_at > asked_at - age
            may_read = not is_young and (not sparing or self.allowance.take((connection.id, kind)))
            if kept is not None and not may_read:
                return tuple(record.model_validate(row) for row in kept.rows)
            rows = tuple(await live())
            await self._keep(kind, connection.id, rows)
            return rows

    async def _kept(self, kind: str, connection_id: str, *, since: datetime) -> Lookup | None:
        query = select(Lookup).where(Lookup.connection_id == connection_id, Lookup.kind == kind, Lookup.read_at > since)
        async with self._database.of(connection_id).transaction() as session:
            kept: Lookup | None = await session.scalar(query)
            session.expunge_all()
            return kept

    async def _keep(self, kind: str, connection_id: str, rows: Sequence[RecordT]) -> None:
        """Store a list; for a connection that was deleted meanwhile there is nothing to keep it for."""
        read = {"rows": [row.model_dump(mode="json") for row in rows], "read_at": self._clock()}
        statement = insert(Lookup).from_select(
            ["connection_id", "kind", "rows", "read_at"],
            select(
                Connection.id,
                literal(kind),
                literal(read["rows"], Lookup.rows.type),
                literal(read["read_at"], Lookup.read_at.type),
            ).where(Connection.id == connection_id),
        )
        async with self._database.of(connection_id).transaction() as session:
            await session.execute(
                statement.on_conflict_do_update(index_elements=[Lookup.connection_id, Lookup.kind], set_=read)
            )
