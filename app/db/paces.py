"""The SQL of a connection's breaker, which every replica shares."""

from datetime import timedelta

from sqlalchemy import case, func, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.lanes import wake
from app.db.tables import Pace, Quote

FAILURES_TO_OPEN = 3
FAILURES_TO_SLOW_DOWN = 6
"""From here on probes are half as long apart again: the outage is no hiccup, and its return is still seen in time."""
COME_FORWARD = timedelta(seconds=20)
"""Lanes that waited for BMS to come back are spread over this long, so that they do not all come at once."""


async def bms_failed(session: AsyncSession, connection_id: str, *, cooldown: timedelta) -> None:
    """Count a failure; from the third in a row on nothing is tried before the cooldown has passed, then one lane is."""
    trips = Pace.failures + 1 >= FAILURES_TO_OPEN
    await session.execute(
        update(Pace)
        .where(Pace.connection_id == connection_id)
        .values(
            failures=Pace.failures + 1,
            open_until=case(
                (Pace.failures + 1 >= FAILURES_TO_SLOW_DOWN, func.now() + 1.5 * cooldown),
                (trips, func.now() + cooldown),
                else_=Pace.open_until,
            ),
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
