"""The SQL of intents: the notes committed before a create is sent."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Connection, Intent, Pace

OPEN, RESEND, DONE = "open", "resend", "done"


def _is(connection_id: str, kind: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return Intent.connection_id == connection_id, Intent.kind == kind, Intent.key == key


async def declare(
    session: AsyncSession, connection_id: str, kind: str, key: str, *, quote_id: str, hint: dict[str, Any]
) -> datetime | Intent:
    """Note that a create is about to be sent and return when; or return the note that is there already.

    The time is the sending's own mark: whatever is noted about it later must carry it.
    """
    declared: datetime | None = await session.scalar(
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
        .returning(Intent.sent_at)
    )
    if declared is not None:
        return declared
    found: Intent = (
        await session.scalars(select(Intent).where(*_is(connection_id, kind, key)).with_for_update())
    ).one()
    return found


async def declare_again(
    session: AsyncSession, intent: Intent, *, quote_id: str, hint: dict[str, Any], audit_at: datetime | None
) -> datetime:
    """Note that the create is sent once more, and when to look late for what the first sending may have done."""
    sent_at: datetime | None = await session.scalar(
        update(Intent)
        .where(*_is(intent.connection_id, intent.kind, intent.key))
        .values(
            state=OPEN,
            quote_id=quote_id,
            hint=hint,
            sent_at=func.clock_timestamp(),
            sends=Intent.sends + 1,
            looks=0,
            look_at=None,
            result=None,
            audit_at=audit_at,
        )
        .returning(Intent.sent_at)
        .execution_options(synchronize_session=False)
    )
    assert sent_at is not None, "the intent was read in this transaction, and locked"
    return sent_at


async def close(session: AsyncSession, connection_id: str, kind: str, key: str, *, result: dict[str, Any]) -> None:
    """Note what the create made."""
    await session.execute(
        update(Intent).where(*_is(connection_id, kind, key)).values(state=DONE, result=result, look_at=None)
    )


async def close_sending(
    session: AsyncSession, connection_id: str, kind: str, key: str, *, sent_at: datetime, result: dict[str, Any]
) -> Intent | None:
    """Note what one sending made; None when that was noted.

    Where the note is another sending's by now, it is left alone and returned: whoever looked for ours in vain has
    sent again, and BMS may hold two.
    """
    closed = await session.scalar(
        update(Intent)
        .where(*_is(connection_id, kind, key), Intent.sent_at == sent_at)
        .values(state=DONE, result=result, look_at=None)
        .returning(Intent.key)
    )
    return None if closed is not None else await session.get(Intent, (connection_id, kind, key))


async def take_back(session: AsyncSession, connection_id: str, kind: str, key: str, *, sent_at: datetime) -> None:
    """Forget one sending that BMS has certainly not applied; one before it that is still in doubt stays in doubt."""
    this = (*_is(connection_id, kind, key), Intent.sent_at == sent_at, Intent.state == OPEN)
    await session.execute(delete(Intent).where(*this, Intent.audit_at.is_(None)))
    taken_back = {"state": RESEND, "sends": Intent.sends - 1, "look_at": Intent.sent_at}
    await session.execute(update(Intent).where(*this).values(taken_back))


async def withdraw(session: AsyncSession, connection_id: str, kind: str, key: str) -> None:
    """Forget what the create made: it is gone from BMS, or another is to be made.

    The note of a create that was sent twice stays until its late look, since BMS may still apply the other sending;
    only an opportunity that was left, or that a user has deleted, is not asked after any more.
    """
    this = _is(connection_id, kind, key)
    await session.execute(delete(Intent).where(*this, or_(Intent.audit_at.is_(None), Intent.kind == "opportunity")))
    await session.execute(update(Intent).where(*this).values(state=RESEND, result=None, look_at=None))


async def doubt(
    session: AsyncSession,
    connection_id: str,
    kind: str,
    key: str,
    *,
    sent_at: datetime,
    look_at: datetime,
    looks: int,
) -> None:
    """Note when to look (again) whether BMS has applied the create."""
    await session.execute(
        update(Intent)
        .where(*_is(connection_id, kind, key), Intent.sent_at == sent_at, Intent.state == OPEN)
        .values(look_at=look_at, looks=looks)
    )


async def allow_again(session: AsyncSession, intent: Intent, *, looked_at: datetime, audit_at: datetime) -> None:
    """Note that the create was looked for and not found, so that it may be sent once more soon after.

    The late look is due from now on, whether it is sent again or not: BMS may still apply it, though the quote may
    want something else by then.
    """
    await session.execute(
        update(Intent)
        .where(*_is(intent.connection_id, intent.kind, intent.key), Intent.sent_at == intent.sent_at)
        .values(state=RESEND, look_at=looked_at, audit_at=audit_at)
    )


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


async def due_audits(session: AsyncSession, *, limit: int, again_after: timedelta) -> list[Intent]:
    """Claim creates in doubt whose late look is due, whether they were sent again or only might have been.

    One whose look is not finished is claimed again after a while. A BMS that is down is not looked at.
    """
    due = (
        select(Intent.connection_id, Intent.kind, Intent.key)
        .join(Connection, Connection.id == Intent.connection_id)
        .join(Pace, Pace.connection_id == Intent.connection_id)
        .where(Intent.audit_at <= func.now(), Intent.state != OPEN, Connection.state == "active")
        .where(or_(Pace.open_until.is_(None), Pace.open_until <= func.now()))
        .order_by(Intent.audit_at)
        .limit(limit)
        .with_for_update(of=Intent, skip_locked=True)
        .cte()
    )
    claimed = await session.scalars(
        update(Intent)
        .where(Intent.connection_id == due.c.connection_id, Intent.kind == due.c.kind, Intent.key == due.c.key)
        .values(audit_at=func.now() + again_after)
        .returning(Intent)
        .execution_options(synchronize_session=False)
    )
    return list(claimed)


async def audited(session: AsyncSession, intent: Intent) -> None:
    """Note that the late look is done, unless the create was sent since; one that was never sent again is forgotten."""
    this = (*_is(intent.connection_id, intent.kind, intent.key), Intent.sent_at == intent.sent_at)
    await session.execute(delete(Intent).where(*this, Intent.state == RESEND))
    await session.execute(update(Intent).where(*this).values(audit_at=None))


async def done_of(session: AsyncSession, connection_id: str, quote_id: str, kind: str) -> list[Intent]:
    """What creates of this kind have made for the quote, oldest first."""
    found = await session.scalars(
        select(Intent)
        .where(
            Intent.connection_id == connection_id,
            Intent.quote_id == quote_id,
            Intent.kind == kind,
            Intent.state == DONE,
        )
        .order_by(Intent.sent_at)
    )
    return list(found)
