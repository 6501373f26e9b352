"""Saving settings, and trying again what stopped for want of better ones."""

from datetime import datetime

from sqlalchemy import func, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.connections.model import ConnectionSettings
from app.db.lanes import mark_due
from app.db.notices import announce_closed
from app.db.tables import Connection, Issue, Quote

SETTINGS_MISSING = "settings-missing"


async def save_settings(
    session: AsyncSession, connection_id: str, settings: ConnectionSettings, *, now: datetime
) -> int | None:
    """Store settings and retry the open issues that name a setting; other quotes change at their next event.

    Returns how many quotes are due again because of it; None when the connection is gone.
    """
    # A sweep that is waited for keeps its time, unless sweeps have been switched off.
    sweeps = settings.drift.sweep.every is not None
    saved = await session.scalar(
        update(Connection)
        .where(Connection.id == connection_id)
        .values(
            settings=settings.model_dump(mode="json"),
            settings_saved_at=now,
            drift_due_at=func.coalesce(Connection.drift_due_at, now) if sweeps else None,
            updated_at=now,
        )
        .returning(Connection.id)
        .execution_options(synchronize_session=False)
    )
    if saved is None:
        return None
    quote_ids = await _close_issues(session, connection_id, now)
    if not quote_ids:
        return 0
    return await mark_due(session, Quote.connection_id == connection_id, Quote.quote_id.in_(quote_ids))


async def _close_issues(session: AsyncSession, connection_id: str, now: datetime) -> list[str]:
    names_a_setting = or_(Issue.setting.is_not(None), Issue.code == SETTINGS_MISSING)
    closed = await session.scalars(
        update(Issue)
        .where(Issue.connection_id == connection_id, Issue.state == "open", names_a_setting)
        .values(state="closed", closed_at=now, closed_by="settings saved")
        .returning(Issue)
        .execution_options(synchronize_session=False)
    )
    issues = list(closed)
    for issue in issues:
        await announce_closed(session, issue)
    return [issue.quote_id for issue in issues if issue.quote_id is not None]
