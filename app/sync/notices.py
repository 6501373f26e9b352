"""What notices say: that BMS shows a quote, or that a quote waits for a person."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.notices import announce
from app.db.tables import Link, Quote
from app.sync.problems import Problem

RECORDS = ("account_id", "contact_id", "opportunity_id", "quotation_id", "attachment_id")


async def synced(session: AsyncSession, quote: Quote, *, warnings: Sequence[Mapping[str, Any]]) -> None:
    """Tell that BMS shows the quote now, with or without warnings."""
    link = await session.get(Link, (quote.connection_id, quote.quote_id), populate_existing=True)
    ids = {name: getattr(link, name, None) for name in RECORDS}
    told = {
        "quote_id": quote.quote_id,
        "number": quote.number,
        "generation": quote.generation,
        "kaseya": {name: None if value is None else str(value) for name, value in ids.items()},
        "warnings": list(warnings),
    }
    await announce(session, quote.connection_id, "sync.warning" if warnings else "sync.succeeded", told)


async def issue_opened(
    session: AsyncSession, connection_id: str, quote_id: str | None, issue_id: str, problem: Problem
) -> None:
    """Tell that a quote, or a whole connection, waits for a person: what, why, and how to mend it."""
    told = {
        "quote_id": quote_id,
        "issue_id": issue_id,
        "code": problem.code,
        "title": problem.title,
        "detail": problem.detail,
        "remedy": problem.remedy,
    }
    await announce(session, connection_id, "sync.issue_opened", told)
