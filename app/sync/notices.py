"""Notices for the frontend and for people: written in the transaction that they tell of, delivered afterwards."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.ids import new_id
from app.db.tables import Connection, Issue, Link, Notice, Quote
from app.sync.problems import Problem


async def synced(
    session: AsyncSession, quote: Quote, *, warnings: Sequence[dict[str, Any]], closed: Sequence[Issue]
) -> None:
    """Tell that BMS shows the quote now, with or without warnings, and that its issues are closed by that."""
    if not await _wanted(session, quote.connection_id):
        return
    link = await session.get(Link, (quote.connection_id, quote.quote_id))
    told = {
        **_about(quote),
        "generation": quote.generation,
        "opportunity_id": _text(link.opportunity_id if link else None),
        "quotation_id": _text(link.quotation_id if link else None),
        "warnings": list(warnings),
    }
    _add(session, quote.connection_id, "sync.warning" if warnings else "sync.succeeded", told)
    for issue in closed:
        _add(
            session,
            quote.connection_id,
            "sync.issue_closed",
            {**_about(quote), "issue_id": issue.id, "code": issue.code},
        )


async def issue_opened(session: AsyncSession, quote: Quote, issue_id: str, problem: Problem) -> None:
    """Tell that the quote waits for a person: what, why, and how to mend it."""
    if not await _wanted(session, quote.connection_id):
        return
    said = {"code": problem.code, "title": problem.title, "detail": problem.detail, "remedy": problem.remedy}
    _add(session, quote.connection_id, "sync.issue_opened", {**_about(quote), "issue_id": issue_id, **said})


async def _wanted(session: AsyncSession, connection_id: str) -> bool:
    return await session.scalar(select(Connection.notice_url).where(Connection.id == connection_id)) is not None


def _add(session: AsyncSession, connection_id: str, kind: str, told: dict[str, Any]) -> None:
    session.add(
        Notice(connection_id=connection_id, id=new_id("ntc"), type=kind, payload=told, due_at=func.now(), attempts=0)
    )


def _about(quote: Quote) -> dict[str, Any]:
    return {"connection_id": quote.connection_id, "quote_id": quote.quote_id, "number": quote.number}


def _text(kaseya_id: int | None) -> str | None:
    return None if kaseya_id is None else str(kaseya_id)
