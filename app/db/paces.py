"""The SQL of a connection's breaker, which every replica shares."""

from datetime import timedelta

from sqlalchemy import case, func, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.lanes import wake
from app.db.tables import Pace, Quote

FAILURES_TO_OPEN = 3
PARTIAL = 2.1
"""A BMS that is there and yet fails is asked this much less often: then it is work's own endpoints that are tried."""
COME_FORWARD = timedelta(seconds=20)
"""Lanes that waited for BMS to come back are spread over this long, so that they do not all come at once."""


async def bms_failed(
    session: AsyncSession, connection_id: str, *, cooldown: timedelta, is_partial: bool = False
) -> None:
    """Count a failure; from the third in a row on nothing is tried before the cooldown has passed, then one lane is.

    ``is_partial`` says that BMS was there when it was asked as a stranger, and failed at work: then the breaker waits
    longer, since every probe costs calls that work needs.
    """
    trips = Pace.failures + 1 >= FAILURES_TO_OPEN
    pause = PARTIAL * cooldown if is_partial else cooldown
    await session.execute(
        update(Pace)
        .where(Pace.connection_id == connection_id)
        .values(
            failures=Pace.failures + 1,
            open_until=case((trips, func.now() + pause), else_=Pace.open_until),
            opened_at=case((trips, func.coalesce(Pace.opened_at, func.now())), else_=Pace.opened_at),
        )
    )


async def bms_answered(session: AsyncSession, connection_id: str) -> bool:
    """Close the breaker; what waited for BMS comes forward. Returns whether it was open."""
    closed = await session.scalar(
        update(Pace)
        .where(Pace.connection_id == connection_id, or_(Pace.failures > 0, Pace.open_until.is_not(None)))
        .values(failures=0, open_until=None, opened_at=None)
        .returning(Pace.connection_id)
    )
    if closed is None:
        return False
    await session.execute(
        update(Quote)
        .where(
            Quote.connection_id == connection_id,
            Quote.state == "retrying",
            Quote.due_at > func.now(),
            Quote.retrying_since.is_not(None),
        )
        .values(due_at=func.least(Quote.due_at, func.now() + COME_FORWARD * func.random()))
    )
    await wake(session)
    return True
