"""What a process needs to play seeds: a database of its own that reads the virtual clock, and the engine's settings."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import structlog

from app.connections.secrets import Vault
from app.db.migrate import upgrade
from app.settings import Settings
from simulation.database import SEARCH_PATH, VirtualDatabase, install_clock, open_inbox
from simulation.play import Engine
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
async def opened(url: str) -> AsyncIterator[Engine]:
    """What the engine's processes share, on a database that :func:`prepare` has seen."""
    settings = Settings.load(
        {
            "QUOTEBRIDGE_DATABASE_URL": url,
            "QUOTEBRIDGE_SECRET_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
            "QUOTEBRIDGE_ALLOWED_KASEYA_HOSTS": HOST,
        }
    )
    database, inbox = VirtualDatabase.open(url), await open_inbox(url)
    pool = asyncpg.create_pool(url, min_size=0, server_settings=SEARCH_PATH)
    try:
        yield Engine(database=database, inbox=inbox, pool=pool, vault=Vault(settings.keys), settings=settings)
    finally:
        await inbox.close()
        await database.close()


def hush() -> None:
    """Say nothing of what goes wrong on purpose."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
