"""Which revision of the schema the code needs, and which one the database has."""

from functools import cache

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.migrate import MIGRATIONS


@cache
def needed_revision() -> str:
    """The newest migration that comes with this code."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None, "the migrations have exactly one head"
    return head


async def current_revision(session: AsyncSession) -> str | None:
    """The revision that the database is at; None where it was never migrated."""
    try:
        revision: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return None
    return revision
