"""The SQL of the call budget: a rolling window per BMS company and endpoint that every replica shares.

Time is cut into slots of a 240th of the window, and a call is admitted while the slots of the last window and one
more hold fewer calls than the limit. So no window of any alignment holds more, whatever the clocks of the replicas
say: the database's clock is the only one. The slot more is for calls that are a little late on their way. What the cut
costs is less than 1 % of the budget.
"""

import math
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import CallSlot

SLOTS = 240
COUNTED_SLOTS = SLOTS + 2
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 1)), extract(epoch FROM clock_timestamp())")


async def spend(
    session: AsyncSession, *, company: str, endpoint: str, limit: int, window: timedelta
) -> timedelta | None:
    """Count one call now and return None; or, where the budget is spent, how long until there is room again."""
    width = window.total_seconds() / SLOTS
    _, now = (await session.execute(LOCK, {"name": f"{company} {endpoint}"})).one()
    slot = math.floor(float(now) / width)
    counted = await _counted(session, company, endpoint, oldest=slot - COUNTED_SLOTS + 1)
    if sum(calls for _, calls in counted) >= limit:
        return timedelta(seconds=_room_at(counted, limit=limit) * width - float(now))
    once = insert(CallSlot).values(company=company, endpoint=endpoint, slot=slot, calls=1)
    key = [CallSlot.company, CallSlot.endpoint, CallSlot.slot]
    await session.execute(once.on_conflict_do_update(index_elements=key, set_={"calls": CallSlot.calls + 1}))
    return None


async def spent(session: AsyncSession, *, company: str, window: timedelta) -> dict[str, int]:
    """How many calls each endpoint of a company has taken in the window that ends now."""
    width = window.total_seconds() / SLOTS
    oldest = func.floor(func.extract("epoch", func.now()) / width) - SLOTS + 1
    rows = await session.execute(
        select(CallSlot.endpoint, func.sum(CallSlot.calls))
        .where(CallSlot.company == company, CallSlot.slot >= oldest)
        .group_by(CallSlot.endpoint)
    )
    return {endpoint: int(calls) for endpoint, calls in rows}


async def forget_old_slots(session: AsyncSession, *, window: timedelta) -> None:
    """Delete the slots that no window can reach any more."""
    width = window.total_seconds() / SLOTS
    oldest = func.floor(func.extract("epoch", func.now()) / width) - 2 * SLOTS
    await session.execute(delete(CallSlot).where(CallSlot.slot < oldest))


async def _counted(session: AsyncSession, company: str, endpoint: str, *, oldest: int) -> Sequence[tuple[int, int]]:
    rows = await session.execute(
        select(CallSlot.slot, CallSlot.calls)
        .where(CallSlot.company == company, CallSlot.endpoint == endpoint, CallSlot.slot >= oldest)
        .order_by(CallSlot.slot)
    )
    return [(slot, calls) for slot, calls in rows]


def _room_at(counted: Sequence[tuple[int, int]], *, limit: int) -> int:
    """The slot in which enough of the counted calls will have left the window for one more."""
    left = sum(calls for _, calls in counted)
    for slot, calls in counted[:-1]:
        left -= calls
        if left < limit:
            return slot + COUNTED_SLOTS
    return counted[-1][0] + COUNTED_SLOTS
