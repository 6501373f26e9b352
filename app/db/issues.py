"""The SQL of issues: at most one open issue per quote and code; closed ones stay as history."""

from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.ids import new_id
from app.db.tables import Issue

OPEN_KEY: list[Any] = [Issue.connection_id, text("coalesce(quote_id, '')"), Issue.code]


async def open_issue(session: AsyncSession, connection_id: str, quote_id: str | None, **said: Any) -> str | None:  # noqa: ANN401 - columns
    """Open an issue and return its id; an open one of the same code says the newest words, and None is returned."""
    values = {"connection_id": connection_id, "quote_id": quote_id, "id": new_id("iss"), **said}
    opened: Any = await session.execute(
        insert(Issue)
        .values(**values)
        .on_conflict_do_update(
            index_elements=OPEN_KEY, index_where=text("state = 'open'"), set_={**said, "state": "open"}
        )
        .returning(Issue.id)
    )
    issue_id: str = opened.scalar_one()
    return issue_id if issue_id == values["id"] else None


async def close_issues(
    session: AsyncSession, connection_id: str, quote_id: str | None, *, by: str, keep: str | None = None
) -> list[Issue]:
    """Close the open issues of a quote (or of the connection itself), but for those of the code ``keep``."""
    same_quote = Issue.quote_id.is_(None) if quote_id is None else Issue.quote_id == quote_id
    closed = await session.scalars(
        update(Issue)
        .where(Issue.connection_id == connection_id, same_quote, Issue.state == "open")
        .where(Issue.code != (keep or ""))
        .values(state="closed", closed_at=func.now(), closed_by=by)
        .returning(Issue)
        .execution_options(synchronize_session=False)
    )
    return list(closed)


async def open_of(session: AsyncSession, connection_id: str) -> list[Issue]:
    """The connection's open issues, oldest first."""
    found = await session.scalars(
        select(Issue).where(Issue.connection_id == connection_id, Issue.state == "open").order_by(Issue.id)
    )
    return list(found)
