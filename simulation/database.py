"""The engine's real PostgreSQL, whose SQL reads the virtual clock, with a place to be killed at after every commit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.db.session import Database
from simulation.stage import Stage

# Found before PostgreSQL's own functions, since pg_catalog stands behind it in the search path. A sequence makes every
# moment of clock_timestamp() another one, as a real clock does.
CLOCK = """
CREATE SCHEMA IF NOT EXISTS simulation;
CREATE SEQUENCE IF NOT EXISTS simulation.ticks CACHE 1000;
CREATE OR REPLACE FUNCTION simulation.now() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT pg_catalog.current_setting('simulation.now')::timestamptz $$;
CREATE OR REPLACE FUNCTION simulation.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
    AS $$ SELECT simulation.now() + pg_catalog.nextval('simulation.ticks') * interval '1 microsecond' $$;
"""
# Rows are found by their keys and never by where they lie, which the seeds before decide: a seed plays the same again.
SETTINGS = {
    "search_path": "simulation, pg_catalog, public",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "application_name": "simulation",
}
# Deleting a seed's few rows is far quicker than truncating, which makes new files for every table and index.
CLEAR = """
SET LOCAL session_replication_role = replica;
DO $$
DECLARE
    each regclass;
BEGIN
    FOR each IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                                           AND relname <> 'alembic_version'
    LOOP
        EXECUTE format('DELETE FROM %s', each);
    END LOOP;
END $$;
ALTER SEQUENCE simulation.ticks RESTART;
SELECT setseed(0.5);
"""


class VirtualConnection(asyncpg.Connection):
    """Ends a transaction together with the beginning of the next, and tells PostgreSQL the time by the same message.

    Everybody in a simulation shares it, so nobody can see that a commit is a little late on its way.
    """

    stage: Stage | None = None
    is_inside = owes_commit = False
    told_at = ""

    def transaction(self, **_: Any) -> "_Transaction":  # type: ignore[override] # noqa: ANN401 - options unused here
        """A transaction in virtual time."""
        return _Transaction(self)

    async def begin(self) -> None:
        """Start a transaction, and end the one before."""
        await super().execute(f"{self._commit()}BEGIN; {self._tell_time()}")
        self.is_inside = True

    async def execute(self, query: str, *args: Any, **how: Any) -> str:  # noqa: ANN401 - asyncpg's
        """Execute a statement, in virtual time also outside of transactions."""
        await self._catch_up()
        return await super().execute(query, *args, **how)

    async def _execute(self, *args: Any, **how: Any) -> Any:  # noqa: ANN401 - asyncpg's
        await self._catch_up()
        return await super()._execute(*args, **how)  # type: ignore[misc] # behind all that fetches

    async def _catch_up(self) -> None:
        if not self.is_inside and (self.owes_commit or self.told_at != self._now):
            await super().execute(f"{self._commit()}{self._tell_time()}")

    def _commit(self) -> str:
        owed, self.owes_commit = self.owes_commit, False
        return "COMMIT; " if owed else ""

    @property
    def _now(self) -> str:
        return self.stage.now.isoformat() if self.stage else "2000-01-01"

    def _tell_time(self) -> str:
        self.told_at = self._now
        return f"SELECT set_config('simulation.now', '{self.told_at}', false)"


class _Transaction:
    """What asyncpg's own transaction offers to those who use one here."""

    def __init__(self, connection: VirtualConnection) -> None:
        self._connection = connection

    async def start(self) -> None:
        await self._connection.begin()

    async def commit(self) -> None:
        self._connection.is_inside, self._connection.owes_commit = False, True

    async def rollback(self) -> None:
        await self._connection.execute("ROLLBACK")
        self._connection.is_inside, self._connection.told_at = False, ""

    async def __aenter__(self) -> None:
        await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await (self.commit() if kind is None else self.rollback())


class VirtualDatabase(Database):
    """One connection to PostgreSQL for everybody: one actor moves at a time, and none stands inside a transaction."""

    stage: Stage
    connection: VirtualConnection
    """The connection itself, which events are accepted over."""

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect; :attr:`stage` is set before its first use."""
        connection = await asyncpg.connect(url, server_settings=SETTINGS, timeout=5, connection_class=VirtualConnection)

        async def known(*_: object, **__: object) -> VirtualConnection:
            return connection

        database = cls(create_async_engine("postgresql+asyncpg://", async_creator=known, pool_size=1, max_overflow=0))
        database.connection = connection
        return database

    def of(self, connection_id: str | None) -> Self:  # noqa: ARG002 - the database has rows of one connection only
        """The same database: its owner is not held back by the walls between connections, so they need no naming."""
        return self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A transaction in virtual time. Whoever is killed stands before or behind it: PostgreSQL sees to that."""
        self.stage.check_alive()
        async with super().transaction() as session:
            yield session
        await self.stage.stand("committed")

    async def close(self) -> None:
        """Close the connection."""
        await super().close()
        if not self.connection.is_closed():
            await self.connection.close()

    async def begin_seed(self, stage: Stage) -> None:
        """Forget the seed before, rows and time."""
        self.stage = self.connection.stage = stage
        async with self.connection.transaction():
            await self.connection.execute(CLEAR)


async def install_clock(url: str) -> None:
    """Teach a migrated database to read the virtual clock."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(CLOCK)
    finally:
        await connection.close()
