"""Everything that the process shares, opened in order and closed in reverse."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import asyncpg

from app.connections.clients import Clients
from app.connections.doors import load_door
from app.connections.secrets import Vault
from app.connections.service import Connections
from app.db.away import DATABASE_AWAY
from app.db.session import Database
from app.db.walls import take_service_role
from app.directory import Directory
from app.intake.accept import Debounce
from app.intake.doors import Doors
from app.intake.group_commit import Inbox
from app.kaseya import Hosts, Wire
from app.kaseya.transport.door import utc_now
from app.settings import Settings, seconds

# One batch is committed at a time; the others are there so that a stuck one is not waited for.
INBOX_POOL = 4
CONNECT_SECONDS = 5

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What routes, pages and workers are handed."""

    settings: Settings
    database: Database
    vault: Vault
    wire: Wire
    clients: Clients
    directory: Directory
    inbox: Inbox
    doors: Doors
    clock: Clock

    @property
    def connections(self) -> Connections:
        """What a person may do with connections."""
        return Connections(self.database, self.vault, self.clients, self.wire.hosts, self.clock)


@asynccontextmanager
async def open_house(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[House]:
    """Open the house; PostgreSQL may be away meanwhile, and is connected to when it is first needed.

    On the way out, deliveries in hand are committed before the database is let go.
    """
    async with AsyncExitStack() as stack:
        database = Database.connect(settings.sqlalchemy_url, pool_size=settings.database_pool)
        stack.push_async_callback(database.close)
        pool = asyncpg.create_pool(
            settings.dsn,
            min_size=0,
            max_size=INBOX_POOL,
            max_inactive_connection_lifetime=0,
            timeout=CONNECT_SECONDS,
            init=take_service_role,
            reset=_as_it_is,
        )
        inbox = Inbox(pool, debounce=_debounce(settings), clock=clock)
        await pool
        await _warm(pool)
        stack.push_async_callback(pool.close)
        stack.push_async_callback(inbox.close)
        wire = await stack.enter_async_context(Wire(Hosts(frozenset(settings.allowed_kaseya_hosts))))
        vault = Vault(settings.keys)
        clients = Clients(database, vault, wire, settings)
        yield House(
            settings=settings,
            database=database,
            vault=vault,
            wire=wire,
            clients=clients,
            directory=Directory(database, clients, settings, clock),
            inbox=inbox,
            doors=Doors(partial(load_door, database, vault)),
            clock=clock,
        )


async def _as_it_is(_: asyncpg.Connection) -> None:
    """Batches leave nothing behind in a session, so that giving it back to the pool need not cost a round trip."""


async def _warm(pool: asyncpg.Pool) -> None:
    """Open a connection before the first event needs it within its second; a database that is away is no matter yet."""
    with suppress(*DATABASE_AWAY):
        async with pool.acquire():
            pass


def _debounce(settings: Settings) -> Debounce:
    return Debounce(quiet=seconds(settings.debounce_quiet_seconds), at_most=seconds(settings.debounce_max_seconds))
