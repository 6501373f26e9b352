"""The engine's real PostgreSQL, whose SQL reads the virtual clock, with a place to be killed at after every commit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.db.session import Database
from app.settings import sqlalchemy_url
from simulation.stage import Stage

# Found before PostgreSQL's own functions, since pg_catalog stands behind it in the search path. A sequence makes every
# moment of clock_timestamp() another one, as a real clock does.
CLOCK = """
CREATE SCHEMA simulation;
CREATE SEQUENCE simulation.ticks;
CREATE FUNCTION simulation.now() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT pg_catalog.current_setting('simulation.now')::timestamptz $$;
CREATE FUNCTION simulation.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
    AS $$ SELECT simulation.now() + pg_catalog.nextval('simulation.ticks') * interval '1 microsecond' $$;
"""
SEARCH_PATH = {"search_path": "simulation, pg_catalog, public", "jit": "off", "application_name": "simulation"}
SET_CLOCK = text("SELECT set_config('simulation.now', :now, false)")
CLEAR = (
    # New heaps, and not only no rows: where the rows lie decides between equals, and a seed must play the same again.
    "TRUNCATE connections, call_slots CASCADE",
    "ALTER SEQUENCE simulation.ticks RESTART",
    "SELECT setseed(0.5)",
)


class VirtualDatabase(Database):
    """One connection to PostgreSQL for everybody: one actor moves at a time, and none stands inside a transaction."""

    stage: Stage

    @classmethod
    def open(cls, url: str) -> Self:
        """Prepare the connection; :attr:`stage` is set before its first use."""
        options: dict[str, Any] = {"server_settings": SEARCH_PATH, "timeout": 5}
        return cls(create_async_engine(sqlalchemy_url(url), pool_size=1, max_overflow=0, connect_args=options))

    def of(self, connection_id: str | None) -> Self:  # noqa: ARG002 - the database has rows of one connection only
        """The same database: its owner is not held back by the walls between connections, so they need no naming."""
        return self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A transaction in virtual time. Whoever is killed stands before or behind it: PostgreSQL sees to that."""
        self.stage.check_alive()
        async with super().transaction() as session:
            if self.stage.told_at != self.stage.now:
                await session.execute(SET_CLOCK, {"now": self.stage.now.isoformat()})
                self.stage.told_at = self.stage.now
            yield session
        await self.stage.stand("committed")

    async def begin_seed(self, stage: Stage) -> None:
        """Forget the seed before, rows and time."""
        self.stage = stage
        async with super().transaction() as session:
            for statement in CLEAR:
                await session.execute(text(statement))


async def open_inbox(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """The connection that events are accepted over."""
    return await asyncpg.connect(url, server_settings=SEARCH_PATH, timeout=5)


async def install_clock(url: str) -> None:
    """Teach a migrated database to read the virtual clock."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(CLOCK)
    finally:
        await connection.close()
