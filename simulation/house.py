"""What a process needs to play seeds: a database of its own that reads the virtual clock, and the engine's settings."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import structlog

from app.connections.secrets import Vault
from app.db.migrate import upgrade
from app.settings import Settings
from simulation.database import VirtualDatabase, install_clock
from simulation.processes import Engine
from simulation.wire import HOST


async def make_database(server_url: str, name: str) -> str:
    """Make a database that is ready to play on; returns its URL."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    await prepare(url)
    return url


async def prepare(url: str) -> None:
    """Migrate an empty database, and have its SQL read the virtual clock."""
    await asyncio.to_thread(upgrade, url)
    await install_clock(url)


@asynccontextmanager
async def opened(url: str, *, look_ups_kept: timedelta = timedelta(seconds=1)) -> AsyncIterator[Engine]:
    """What the engine's processes share, on a database that :func:`prepare` has seen."""
    settings = Settings.load(
        {
            "QUOTEBRIDGE_DATABASE_URL": url,
            "QUOTEBRIDGE_SECRET_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
            "QUOTEBRIDGE_ALLOWED_KASEYA_HOSTS": HOST,
            "QUOTEBRIDGE_LOOKUP_CACHE_SECONDS": str(look_ups_kept.total_seconds()),
        }
    )
    database = await VirtualDatabase.open(url)
    pool = asyncpg.create_pool(url, min_size=0)
    try:
        yield Engine(database=database, pool=pool, vault=Vault(settings.keys), settings=settings)
    finally:
        await database.close()


def hush() -> None:
    """Say nothing of what goes wrong on purpose."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
