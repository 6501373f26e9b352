"""The SQL of outgoing notices: written in the transaction that they tell of, delivered afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.ids import new_id
from app.db.tables import Connection, Issue, Notice


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice that this process is to deliver, and where to."""

    connection_id: str
    id: str
    type: str
    payload: Mapping[str, Any]
    created_at: datetime
    attempts: int
    url: str
    sealed_secret: bytes


async def announce(session: AsyncSession, connection_id: str, kind: str, told: Mapping[str, Any]) -> None:
    """Queue a notice, if the connection wants notices at all."""
    await session.execute(
        insert(Notice).from_select(
            ["connection_id", "id", "type", "payload", "due_at"],
            select(
                Connection.id,
                literal(new_id("ntc")),
                literal(kind),
                literal({"connection_id": connection_id, **told}, Notice.payload.type),
                func.now(),
            ).where(Connection.id == connection_id, Connection.notice_url.is_not(None)),
        )
    )


async def announce_closed(session: AsyncSession, issue: Issue) -> None:
    """Queue the notice that an issue is over."""
    told = {"quote_id": issue.quote_id, "issue_id": issue.id, "code": issue.code}
    await announce(session, issue.connection_id, "sync.issue_closed", told)


CLAIM = text(
    """
    WITH due AS (
        SELECT n.connection_id, n.id FROM notices n
        WHERE n.due_at <= now()
        ORDER BY n.due_at LIMIT :limit
        FOR UPDATE SKIP LOCKED
    )
    UPDATE notices n SET attempts = n.attempts + 1, due_at = now() + CAST(:lease AS interval)
    FROM due d JOIN connections c ON c.id = d.connection_id
    WHERE n.connection_id = d.connection_id AND n.id = d.id
      AND c.notice_url IS NOT NULL AND c.notice_secret IS NOT NULL
    RETURNING n.connection_id, n.id, n.type, n.payload, n.created_at, n.attempts, c.notice_url, c.notice_secret
    """
)


async def claim(session: AsyncSession, *, limit: int, lease: timedelta) -> list[DueNotice]:
    """Claim notices that are due; one that is not settled within the lease is delivered again."""
    return [DueNotice(*row) for row in await session.execute(CLAIM, {"limit": limit, "lease": lease})]


async def settle(session: AsyncSession, notice: DueNotice, *, due_at: datetime | None, error: str | None) -> None:
    """Note that a notice was delivered (no error), is tried again at ``due_at``, or is given up (neither)."""
    await session.execute(
        update(Notice)
        .where(Notice.connection_id == notice.connection_id, Notice.id == notice.id)
        .values(due_at=due_at, last_error=error, delivered_at=func.now() if error is None else None)
    )


async def give_up_unwanted(session: AsyncSession) -> None:
    """Drop what is queued for connections that want no notices any more."""
    unwanted = select(Connection.id).where(Connection.notice_url.is_(None))
    await session.execute(
        update(Notice).where(Notice.due_at.is_not(None), Notice.connection_id.in_(unwanted)).values(due_at=None)
    )
