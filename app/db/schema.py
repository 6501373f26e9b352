"""Which revision of the schema the code needs, and which one the database has."""

import re
from functools import cache
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_SAID = re.compile(r'^(revision|down_revision) = "(\w+)"', re.MULTILINE)


@cache
def needed_revision() -> str:
    """The newest migration that comes with this code: the one that no other follows."""
    said = _migrations()
    (head,) = {each["revision"] for each in said} - {each.get("down_revision") for each in said}
    return head


def is_usable(revision: str | None) -> bool:
    """Whether this code can work on a schema of this revision: the needed one, or one that is newer.

    A revision that this code does not know is a later version's. Each version's migrations suit the version before
    it, so that replicas of both work side by side during an upgrade.
    """
    return revision == needed_revision() or (
        revision is not None and revision not in {each["revision"] for each in _migrations()}
    )


@cache
def _migrations() -> list[dict[str, str]]:
    """What each migration says of itself.

    Read without Alembic, which a process that serves has no other use for and which would be a tenth of its memory.
    """
    return [dict(_SAID.findall(each.read_text(encoding="utf-8"))) for each in (MIGRATIONS / "versions").glob("*.py")]


async def current_revision(session: AsyncSession) -> str | None:
    """The revision that the database is at; None where it was never migrated."""
    try:
        revision: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return None
    return revision
