"""The unit of work: a session per piece of work, committed once at its edge."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from typing import Any, Self

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.db.walls import SCOPE, take_service_role


class Database:
    """The process's connections to PostgreSQL; whoever makes it closes it."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Wrap an engine; :meth:`connect` makes the usual one, and :meth:`of` the view of one connection."""
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._connection_id: str | None = None

    @classmethod
    def connect(cls, url: str, *, pool_size: int = 10) -> Self:
        """Prepare a pool for a ``postgresql+asyncpg://`` URL; nothing is opened before the first use."""
        engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=False,
            pool_timeout=5,
            connect_args={"timeout": 5, "server_settings": {"application_name": "quotebridge"}},
        )
        event.listen(engine.sync_engine, "connect", _take_service_role)
        return cls(engine)

    def of(self, connection_id: str | None) -> Self:
        """The same database, seen from one connection: its transactions see and write only that connection's rows.

        None sees everything. The pool is shared; only the whole is closed.
        """
        view = copy(self)
        view._connection_id = connection_id  # noqa: SLF001 - our own copy
        return view

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Nothing that waits for the network belongs inside the block.
        """
        async with self._sessions() as session, session.begin():
            if self._connection_id is not None:
                await session.execute(SCOPE, {"connection_id": self._connection_id})
            yield session

    async def close(self) -> None:
        """Close every pooled connection."""
        await self._engine.dispose()


def _take_service_role(connection: Any, _: object) -> None:  # noqa: ANN401 - the dialect's own adapter of asyncpg
    connection.run_async(take_service_role)
