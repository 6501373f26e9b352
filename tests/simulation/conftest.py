"""What plays of a simulation need: silence, and a database that reads the virtual clock."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from simulation.database import install_clock
from simulation.house import hush, opened
from simulation.processes import Engine


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """What goes wrong on purpose is not logged; other tests' logs are as they were afterwards."""
    configured = structlog.get_config()
    hush()
    yield
    structlog.configure(**configured)


@pytest.fixture
def playable_url(clean_database: str) -> str:
    """The same database, for a test that is no coroutine."""
    asyncio.run(install_clock(clean_database))
    return clean_database


@pytest.fixture
async def playable(clean_database: str) -> str:
    """A database to open for plays."""
    await install_clock(clean_database)
    return clean_database


@pytest.fixture
async def stagehands(playable: str) -> AsyncIterator[Engine]:
    """What the engine's processes share."""
    async with opened(playable) as engine:
        yield engine
