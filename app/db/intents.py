"""The SQL of intents: the notes committed before a create is sent."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Intent

OPEN, RESEND, DONE = "open", "resend", "done"


def _is(connection_id: str, kind: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return Intent.connection_id == connection_id, Intent.kind == kind, Intent.key == key


async def declare(
    session: AsyncSession, connection_id: str, kind: str, key: str, *, quote_id: str, hint: dict[str, Any]
) -> Intent | None:
    """Note that a create is about to be sent and return None; or return the note that is there already."""
    declared = await session.scalar(
        insert(Intent)
        .values(
            connection_id=connection_id,
            kind=kind,
            key=key,
            quote_id=quote_id,
            hint=hint,
            sent_at=func.clock_timestamp(),
        )
        .on_conflict_do_nothing()
        .returning(Intent.key)
    )
    if declared is not None:
        return None
    return await session.scalar(select(Intent).where(*_is(connection_id, kind, key)).with_for_update())


async def declare_again(session: AsyncSession, intent: Intent, *, quote_id: str, audit_at: datetime | None) -> None:
    """Note that the create is sent once more, and when to look late for what the first sending may have done."""
    await session.execute(
        update(Intent)
        .where(*_is(intent.connection_id, intent.kind, intent.key))
        .values(
            state=OPEN,
            quote_id=quote_id,
            sent_at=func.clock_timestamp(),
            sends=Intent.sends + 1,
            looks=0,
            look_at=None,
            result=None,
            audit_at=audit_at,
        )
    )


async def close(session: AsyncSession, connection_id: str, kind: str, key: str, *, result: dict[str, Any]) -> None:
    """Note what the create made."""
    await session.execute(
        update(Intent).where(*_is(connection_id, kind, key)).values(state=DONE, result=result, look_at=None)
    )


async def withdraw(session: AsyncSession, connection_id: str, kind: str, key: str) -> None:
    """Forget the note: the create was certainly not applied, or what it made is gone."""
    await session.execute(delete(Intent).where(*_is(connection_id, kind, key)))


async def doubt(
    session: AsyncSession, connection_id: str, kind: str, key: str, *, look_at: datetime, looks: int
) -> None:
    """Note when to look (again) whether BMS has applied the create."""
    await session.execute(update(Intent).where(*_is(connection_id, kind, key)).values(look_at=look_at, looks=looks))


async def allow_again(session: AsyncSession, connection_id: str, kind: str, key: str) -> None:
    """Note that the create was looked for and not found, so that it may be sent once more."""
    await session.execute(update(Intent).where(*_is(connection_id, kind, key)).values(state=RESEND, look_at=None))


async def open_of(session: AsyncSession, connection_id: str, quote_id: str) -> list[Intent]:
    """The quote's creates without a known result, oldest first."""
    found = await session.scalars(
        select(Intent)
        .where(Intent.connection_id == connection_id, Intent.quote_id == quote_id, Intent.state == OPEN)
        .order_by(Intent.sent_at)
    )
    return list(found)


async def take_over(session: AsyncSession, intent: Intent, *, quote_id: str) -> bool:
    """Make another quote's stale intent ours, so that somebody looks for it; False when somebody else was faster."""
    taken = await session.scalar(
        update(Intent)
        .where(
            *_is(intent.connection_id, intent.kind, intent.key),
            Intent.quote_id == intent.quote_id,
            Intent.sent_at == intent.sent_at,
            Intent.state == OPEN,
        )
        .values(quote_id=quote_id)
        .returning(Intent.key)
    )
    return taken is not None


async def due_audits(session: AsyncSession, *, limit: int) -> list[Intent]:
    """Claim re-sent creates whose late audit look is due; each is looked at once."""
    due = (
        select(Intent.connection_id, Intent.kind, Intent.key)
        .where(Intent.audit_at <= func.now(), Intent.state == DONE)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte()
    )
    claimed = await session.scalars(
        update(Intent)
        .where(Intent.connection_id == due.c.connection_id, Intent.kind == due.c.kind, Intent.key == due.c.key)
        .values(audit_at=None)
        .returning(Intent)
        .execution_options(synchronize_session=False)
    )
    return list(claimed)


async def audit_later(session: AsyncSession, intent: Intent, *, audit_at: datetime) -> None:
    """Put a late look off, since BMS could not be asked."""
    await session.execute(
        update(Intent).where(*_is(intent.connection_id, intent.kind, intent.key)).values(audit_at=audit_at)
    )
