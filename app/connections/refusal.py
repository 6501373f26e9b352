"""Refused sign-ins are counted, so that nobody who types or waits locks the BMS user out."""

from datetime import datetime

from sqlalchemy import and_, case, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Connection

ACTIVE, PAUSED, CREDENTIALS_REJECTED = "active", "paused", "credentials_rejected"
MOST_REFUSALS = 2
"""One refusal may be a hiccup; after the second one nothing signs in any more until a person acts."""


def may_sign_in(connection: Connection) -> bool:
    """Whether BMS may be asked with the stored credentials at all."""
    return connection.state != CREDENTIALS_REJECTED and connection.refused_sign_ins < MOST_REFUSALS


async def count_refusal(session: AsyncSession, connection_id: str, *, reason: str, now: datetime) -> bool:
    """Count one refused sign-in; returns whether the active connection stopped for it."""
    enough = Connection.refused_sign_ins + 1 >= MOST_REFUSALS
    stops = and_(enough, Connection.state == ACTIVE)
    state = await session.scalar(
        update(Connection)
        .where(Connection.id == connection_id)
        .values(
            refused_sign_ins=Connection.refused_sign_ins + 1,
            state=case((stops, CREDENTIALS_REJECTED), else_=Connection.state),
            state_reason=case((stops, reason), else_=Connection.state_reason),
            updated_at=now,
        )
        .returning(Connection.state)
        .execution_options(synchronize_session=False)
    )
    return state == CREDENTIALS_REJECTED


async def forget_refusals(session: AsyncSession, connection_id: str) -> None:
    """The sign-in works: a refusal of long ago is no reason to stop at the next one."""
    await session.execute(
        update(Connection)
        .where(Connection.id == connection_id, Connection.refused_sign_ins > 0)
        .values(refused_sign_ins=0)
    )
