"""The unit of work: a session per piece of work, committed once at its edge."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine


class Database:
    """The process's connections to PostgreSQL; whoever makes it closes it."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Wrap an engine; :meth:`connect` makes the usual one."""
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

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
        return cls(engine)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Nothing that waits for the network belongs inside the block.
        """
        async with self._sessions() as session, session.begin():
            yield session

    async def close(self) -> None:
        """Close every pooled connection."""
        await self._engine.dispose()
