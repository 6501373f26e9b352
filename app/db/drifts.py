"""The SQL of drift: whose turn it is to be looked at, what our links say was sent, and where BMS differs from it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.lanes import mark_due
from app.db.tables import Connection, Drift, Link, Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was last sent of a quote's opportunity."""

    quote_id: str
    opportunity_id: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field in which BMS differs from what was sent."""

    quote_id: str
    field: str
    ours: str | None
    theirs: str | None


CLAIM = text(
    """
    UPDATE connections SET drift_due_at = now() + CAST(:lease AS interval)
    WHERE id = (SELECT c.id FROM connections c JOIN paces p ON p.connection_id = c.id
                WHERE c.state = 'active' AND c.drift_due_at <= now() AND c.settings IS NOT NULL
                  AND (p.open_until IS NULL OR p.open_until <= now())
                ORDER BY c.drift_due_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
    RETURNING id
    """
)


async def claim(session: AsyncSession, *, lease: timedelta) -> Connection | None:
    """The connection that has waited longest for its sweep; nobody else gets it before the lease has run out.

    A BMS that is down is left to the one lane that finds out whether it is back.
    """
    claimed = await session.scalar(CLAIM, {"lease": lease})
    return None if claimed is None else await session.get(Connection, claimed)


async def settle(
    session: AsyncSession, connection: Connection, *, checked_at: datetime | None, due_at: datetime | None
) -> None:
    """Note when the next sweep is due, and from when on it has to look if this one got through.

    Whoever asked for another sweep meanwhile has changed the time it is due, and keeps it.
    """
    values: dict[str, Any] = {"drift_due_at": due_at, "updated_at": Connection.updated_at}
    if checked_at is not None:
        values["drift_checked_at"] = checked_at
    await session.execute(
        update(Connection)
        .where(Connection.id == connection.id, Connection.drift_due_at == connection.drift_due_at)
        .values(values)
        .execution_options(synchronize_session=False)
    )


async def ask(session: AsyncSession, connection_id: str) -> None:
    """Make the sweep of a connection due now."""
    await session.execute(
        update(Connection)
        .where(Connection.id == connection_id)
        .values(drift_due_at=func.now(), updated_at=Connection.updated_at)
        .execution_options(synchronize_session=False)
    )


def listed(connection_id: str) -> Select[Drift, int | None]:
    """Where BMS differs, each with the opportunity in which it does; in no order yet."""
    same_quote = (Link.connection_id == Drift.connection_id) & (Link.quote_id == Drift.quote_id)
    found = select(Drift, Link.opportunity_id).outerjoin(Link, same_quote)
    return found.where(Drift.connection_id == connection_id)


async def sent(
    session: AsyncSession, connection_id: str, opportunity_ids: Collection[int], *, before: datetime
) -> list[Sent]:
    """What was sent to these opportunities, of quotes at rest since ``before``: a run would be mistaken for drift."""
    rows = await session.execute(
        select(Link.quote_id, Link.opportunity_id, Link.opportunity_sent)
        .join(Quote, (Quote.connection_id == Link.connection_id) & (Quote.quote_id == Link.quote_id))
        .where(
            Link.connection_id == connection_id,
            Link.opportunity_id.in_(opportunity_ids),
            Link.opportunity_sent.is_not(None),
            Quote.state == "synced",
            Quote.updated_at < before,
        )
        .with_for_update(of=Quote)
    )
    return [
        Sent(quote_id=quote_id, opportunity_id=opportunity_id, fields=fields)
        for quote_id, opportunity_id, fields in rows
    ]


async def keep(
    session: AsyncSession, connection_id: str, quote_ids: Collection[str], differences: Sequence[Difference]
) -> None:
    """Let the list say of these quotes exactly this; what had been found before keeps the time it was found."""
    still = [(each.quote_id, each.field) for each in differences]
    over = [Drift.connection_id == connection_id, Drift.quote_id.in_(quote_ids)]
    await session.execute(delete(Drift).where(*over, tuple_(Drift.quote_id, Drift.field).not_in(still)))
    if not differences:
        return
    rows = [
        {"connection_id": connection_id, "quote_id": d.quote_id, "field": d.field, "ours": d.ours, "theirs": d.theirs}
        for d in differences
    ]
    found = insert(Drift).values(rows)
    await session.execute(
        found.on_conflict_do_update(
            index_elements=[Drift.connection_id, Drift.quote_id, Drift.field],
            set_={"ours": found.excluded.ours, "theirs": found.excluded.theirs},
        )
    )


async def restore(session: AsyncSession, connection_id: str, quote_ids: Collection[str]) -> int:
    """Forget what was sent of these quotes and make them due, so that their next run sends it again."""
    await session.execute(
        update(Link)
        .where(Link.connection_id == connection_id, Link.quote_id.in_(quote_ids))
        .values(opportunity_sent=None)
        .execution_options(synchronize_session=False)
    )
    these = Quote.connection_id == connection_id, Quote.quote_id.in_(quote_ids)
    forget = update(Quote).where(*these).values(synced_digest=None)
    await session.execute(forget.execution_options(synchronize_session=False))
    return await mark_due(session, *these)
