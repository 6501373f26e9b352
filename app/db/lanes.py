"""The SQL of lanes: claim with a lease, renew it, settle under the fence; nobody overwrites a successor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Event, Quote


class LeaseLostError(Exception):
    """Somebody else holds the lane now: this worker settles nothing and sends nothing more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A lane that this worker holds until ``lease_until``, unless it renews the lease."""

    connection_id: str
    quote_id: str
    lease_id: UUID
    generation: int
    attempts: int
    urgent: bool
    lease_until: datetime
    probes: bool = False
    """Whether it is the one lane by which an open breaker finds out if BMS is back."""


# Connections take turns, oldest turn first, and each gives a few lanes per turn: one that floods waits like the others.
# A connection whose breaker is open gives nothing; when its cooldown has passed it gives one lane, as the probe.
CLAIM = text(
    """
    WITH turns AS (
        SELECT c.id, p.open_until
        FROM connections c JOIN paces p ON p.connection_id = c.id
        WHERE c.state = 'active' AND (p.open_until IS NULL OR p.open_until <= now())
          AND EXISTS (SELECT 1 FROM quotes q WHERE q.connection_id = c.id AND q.due_at <= now())
        ORDER BY p.last_claimed_at
        LIMIT :slots
        FOR UPDATE OF p SKIP LOCKED
    ), due AS (
        SELECT q.connection_id, q.quote_id, t.open_until IS NOT NULL AS probes
        FROM turns t CROSS JOIN LATERAL (
            SELECT connection_id, quote_id FROM quotes
            WHERE connection_id = t.id AND due_at <= now()
            ORDER BY urgent DESC, due_at
            LIMIT CASE WHEN t.open_until IS NULL THEN :each ELSE 1 END
            FOR UPDATE SKIP LOCKED
        ) q
        LIMIT :slots
    ), turned AS (
        UPDATE paces SET last_claimed_at = clock_timestamp(),
                         open_until = CASE WHEN open_until IS NOT NULL THEN now() + CAST(:probe AS interval) END
        WHERE connection_id IN (SELECT connection_id FROM due)
    )
    UPDATE quotes q
    SET lease_id = CAST(:lease_id AS uuid), lease_until = now() + CAST(:lease AS interval),
        due_at = now() + CAST(:lease AS interval), state = 'syncing', waiting_since = NULL, wanted_at = NULL
    FROM due d
    WHERE q.connection_id = d.connection_id AND q.quote_id = d.quote_id
    RETURNING q.connection_id, q.quote_id, q.lease_id, q.generation, q.attempts, q.urgent, q.lease_until,
              d.probes
    """
)


async def claim(session: AsyncSession, *, slots: int, lease: timedelta, probe: timedelta) -> list[Claim]:
    """Claim up to ``slots`` due lanes, in fair turns over the connections.

    All lanes of one claim share a lease id. ``probe`` is how long a half-open breaker waits for its one lane.
    """
    each = max(1, slots // 2)
    values = {"slots": slots, "each": each, "lease": lease, "probe": probe, "lease_id": uuid4()}
    return [Claim(*row) for row in await session.execute(CLAIM, values)]


def held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """The fence: true only while this claim's lease is the lane's own and has not run out."""
    return (
        Quote.connection_id == claim.connection_id,
        Quote.quote_id == claim.quote_id,
        Quote.lease_id == claim.lease_id,
        Quote.lease_until > func.clock_timestamp(),
    )


async def renew(session: AsyncSession, claims: Sequence[Claim], *, lease: timedelta) -> set[tuple[str, str]]:
    """Extend the leases that are still ours; returns the (connection, quote) pairs that are."""
    if not claims:
        return set()
    until = func.now() + lease
    renewed = await session.execute(
        update(Quote)
        .where(or_(*(and_(*held(claim)) for claim in claims)))
        .values(lease_until=until, due_at=until)
        .returning(Quote.connection_id, Quote.quote_id)
        .execution_options(synchronize_session=False)
    )
    return {(connection_id, quote_id) for connection_id, quote_id in renewed}


async def guard(session: AsyncSession, claim: Claim) -> timedelta:
    """How much longer the lease holds; raises :class:`LeaseLostError` when it is not ours any more."""
    left: timedelta | None = await session.scalar(
        select(Quote.lease_until - func.clock_timestamp()).where(*held(claim))
    )
    if left is None:
        raise LeaseLostError(claim.quote_id)
    return left


async def hold(session: AsyncSession, claim: Claim) -> None:
    """Keep the lane ours until this transaction ends; raises :class:`LeaseLostError` when it is not any more.

    What is written under the lease is written with this: nobody else can claim the lane before the commit.
    """
    ours = await session.scalar(select(Quote.quote_id).where(*held(claim)).with_for_update(key_share=True))
    if ours is None:
        raise LeaseLostError(claim.quote_id)


async def settle(
    session: AsyncSession,
    claim: Claim,
    *,
    state: str,
    due_at: datetime | None,
    **values: Any,  # noqa: ANN401 - columns of the lane
) -> None:
    """Give the lane back with these columns; a newer generation that came meanwhile makes it due again.

    Raises :class:`LeaseLostError` when the lease is not ours any more: then nothing is changed.
    """
    newer = Quote.generation > claim.generation
    settled = await session.scalar(
        update(Quote)
        .where(*held(claim))
        .values(
            **values,
            state=_if(newer, "pending", state),
            due_at=_if(newer, func.coalesce(Quote.wanted_at, func.now()), due_at),
            urgent=and_(newer, Quote.urgent) if state == "synced" else Quote.urgent,
            lease_id=None,
            lease_until=None,
            updated_at=func.now(),
        )
        .returning(Quote.quote_id)
        .execution_options(synchronize_session=False)
    )
    if settled is None:
        raise LeaseLostError(claim.quote_id)


def _if(condition: ColumnElement[bool], then: Any, otherwise: Any) -> Any:  # noqa: ANN401 - any column value
    return case((condition, then), else_=otherwise)


async def settle_events(session: AsyncSession, claim: Claim, *, disposition: str, reason: str | None) -> None:
    """Give the events that this run was about their final disposition.

    The newest of them is what was sent; the ones before it were superseded by it.
    """
    unsettled = (
        Event.connection_id == claim.connection_id,
        Event.quote_id == claim.quote_id,
        Event.disposition.in_(["pending", "parked"]),
        Event.generation <= claim.generation,
    )
    newest = select(func.max(Event.generation)).where(*unsettled).scalar_subquery()
    is_newest = Event.generation == newest
    await session.execute(
        update(Event)
        .where(*unsettled)
        .values(
            disposition=_if(is_newest, disposition, "superseded"),
            reason=_if(is_newest, reason, "a newer event of this quote was sent in its place"),
            settled_at=func.now(),
        )
        .execution_options(synchronize_session=False)
    )


NEXT_DUE = text(
    """
    SELECT min(greatest(d.due_at, p.open_until)) - clock_timestamp()
    FROM connections c JOIN paces p ON p.connection_id = c.id
         CROSS JOIN LATERAL (SELECT min(due_at) AS due_at FROM quotes
                             WHERE connection_id = c.id AND due_at IS NOT NULL) d
    WHERE c.state = 'active'
    """
)


async def next_due(session: AsyncSession) -> timedelta | None:
    """How long until the next lane of an active connection may be claimed; None when nothing is owed."""
    wait: timedelta | None = await session.scalar(NEXT_DUE)
    return None if wait is None else max(wait, timedelta())


async def mark_due(session: AsyncSession, *where: ColumnElement[bool], urgent: bool = False) -> int:
    """Make lanes due now and wake the workers; a lane that is being worked on runs once more afterwards.

    Returns how many lanes that concerns.
    """
    leased = Quote.lease_until > func.now()
    marked = await session.execute(
        update(Quote)
        .where(*where)
        .values(
            due_at=_if(leased, Quote.due_at, func.now()),
            wanted_at=func.now(),
            generation=_if(leased, Quote.generation + 1, Quote.generation),
            state=_if(leased, Quote.state, "pending"),
            urgent=or_(Quote.urgent, literal(urgent)),
            attempts=0,
            retrying_since=None,
        )
        .returning(Quote.quote_id)
        .execution_options(synchronize_session=False)
    )
    count = len(marked.all())
    await wake(session)
    return count


async def wake(session: AsyncSession) -> None:
    """Wake every worker, once this transaction has committed."""
    await session.execute(text("SELECT pg_notify('quotebridge_lanes', '')"))


async def hand_back(session: AsyncSession, claims: Sequence[Claim]) -> None:
    """Give lanes back unfinished and due at once, so that another worker goes on without waiting for the lease."""
    for claim in claims:
        await session.execute(
            update(Quote)
            .where(*held(claim))
            .values(due_at=func.now(), lease_id=None, lease_until=None, state="pending")
            .execution_options(synchronize_session=False)
        )
    await wake(session)
