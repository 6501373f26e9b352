"""Run the migrations over asyncpg, the only driver that the service installs."""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

import app.db.tables  # noqa: F401 - registers every table with the metadata
from app.db.base import Base
from app.db.walls import GRANT_TO_SERVICE_ROLE

# Replicas that start together take turns: the second finds nothing left to do.
MIGRATION_LOCK = 7_105_042


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        context.run_migrations()
        # Always, not in a migration: tables of later migrations need it, and so does a database that was restored.
        connection.exec_driver_sql(GRANT_TO_SERVICE_ROLE)


async def _run() -> None:
    engine = create_async_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
