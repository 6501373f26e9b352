"""The SQL of lanes: claim with a lease, renew it, settle under the fence; nobody overwrites a successor."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, TextClause, case, func, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Quote

Key: TypeAlias = tuple[str, str]
"""A lane: its connection and its quote."""


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

    @property
    def key(self) -> Key:
        """Which lane it is."""
        return self.connection_id, self.quote_id


# Connections take turns, oldest turn first, and each gives a few lanes per turn: one that floods waits like the others.
# Urgent lanes go first: one look-up in the index for each urgency needs no sort, however many wait.
# A connection whose breaker is open gives nothing; when its cooldown has passed it gives one lane, as the probe.
CLAIM = text(
    """
    WITH turns AS (
        SELECT c.id, p.open_until
        FROM connections c JOIN paces p ON p.connection_id = c.id
        WHERE c.state = 'active' AND (p.open_until IS NULL OR p.open_until <= now())
          AND c.id <> ALL(CAST(:but AS text[]))
          AND EXISTS (SELECT 1 FROM quotes q WHERE q.connection_id = c.id AND q.due_at <= now())
        ORDER BY p.last_claimed_at
        LIMIT :slots
        FOR UPDATE OF p SKIP LOCKED
    ), due AS (
        SELECT q.connection_id, q.quote_id, t.open_until IS NOT NULL AS probes
        FROM turns t CROSS JOIN LATERAL (
            SELECT connection_id, quote_id FROM (
                SELECT connection_id, quote_id FROM quotes
                WHERE connection_id = t.id AND urgent AND due_at <= now()
                ORDER BY due_at LIMIT :each FOR NO KEY UPDATE SKIP LOCKED
            ) AS urgent_ones
            UNION ALL
            SELECT connection_id, quote_id FROM (
                SELECT connection_id, quote_id FROM quotes
                WHERE connection_id = t.id AND NOT urgent AND due_at <= now()
                ORDER BY due_at LIMIT :each FOR NO KEY UPDATE SKIP LOCKED
            ) AS others
            LIMIT CASE WHEN t.open_until IS NULL THEN :each ELSE 1 END
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
    values = claim_values(slots=slots, lease=lease, probe=probe, lease_id=uuid4())
    return [Claim(*row) for row in await session.execute(CLAIM, values)]


def claim_values(
    *, slots: int, lease: timedelta, probe: timedelta, lease_id: UUID, but: Sequence[str] = ()
) -> dict[str, Any]:
    """What the claiming statement is told; a connection gives at most half of the lanes of one claim.

    Connections that ``but`` names give none.
    """
    each = max(1, slots // 2)
    return {"slots": slots, "each": each, "lease": lease, "probe": probe, "lease_id": lease_id, "but": list(but)}


def held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """The fence: true only while this claim's lease is the lane's own and has not run out."""
    return (
        Quote.connection_id == claim.connection_id,
        Quote.quote_id == claim.quote_id,
        Quote.lease_id == claim.lease_id,
        Quote.lease_until > func.clock_timestamp(),
    )


# The subselect locks the newest version of each row: what is compared there cannot change before the commit.
_OURS = """
    WITH ours AS MATERIALIZED (
        SELECT c.connection_id, c.quote_id
        FROM unnest(CAST(:connection_id AS text[]), CAST(:quote_id AS text[]), CAST(:lease_id AS uuid[]))
             AS c(connection_id, quote_id, lease_id)
             CROSS JOIN LATERAL (
                 SELECT FROM quotes q
                 WHERE q.connection_id = c.connection_id AND q.quote_id = c.quote_id
                   AND q.lease_id = c.lease_id AND q.lease_until > clock_timestamp()
                 FOR NO KEY UPDATE {patience}
             ) AS held
    )
    UPDATE quotes q SET {values} FROM ours o
    WHERE q.connection_id = o.connection_id AND q.quote_id = o.quote_id
    RETURNING q.connection_id, q.quote_id
    """


def _ours(values: str) -> dict[str, TextClause]:
    return {each: text(_OURS.format(values=values, patience=each)) for each in ("", "SKIP LOCKED")}


RENEW = _ours("lease_until = now() + CAST(:lease AS interval), due_at = now() + CAST(:lease AS interval)")
HAND_BACK = _ours("due_at = now(), lease_id = NULL, lease_until = NULL, state = 'pending'")


def patience(lanes: Sequence[object]) -> str:
    """How a statement about these lanes meets a row that somebody else is just writing.

    One about several waits for none of them, since whoever waits while he holds others may wait in a circle. What it
    leaves out is done alone, and waits.
    """
    return "SKIP LOCKED" if len(lanes) > 1 else ""


def columns(names: Iterable[str], rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Rows as one array per column, as ``unnest`` takes them; there must be one row at least."""
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


async def renew(session: AsyncSession, claims: Sequence[Claim], *, lease: timedelta) -> set[Key]:
    """Extend the leases that are still ours; returns the lanes whose lease was extended.

    Several at once leave out a lane whose row somebody is just writing: that one is renewed alone.
    """
    if not claims:
        return set()
    values = {**columns(HELD, map(_held, claims)), "lease": lease}
    return {(row[0], row[1]) for row in await session.execute(RENEW[patience(claims)], values)}


HELD = ("connection_id", "quote_id", "lease_id")


def _held(claim: Claim) -> tuple[str, str, UUID]:
    return claim.connection_id, claim.quote_id, claim.lease_id


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


def _if(condition: ColumnElement[bool], then: Any, otherwise: Any) -> Any:  # noqa: ANN401 - any column value
    return case((condition, then), else_=otherwise)


NEXT_DUE = text(
    """
    SELECT min(greatest(d.due_at, p.open_until)) - clock_timestamp()
    FROM connections c JOIN paces p ON p.connection_id = c.id
         CROSS JOIN LATERAL (SELECT min(due_at) AS due_at FROM quotes
                             WHERE connection_id = c.id AND due_at IS NOT NULL) d
    WHERE c.state = 'active' AND c.id <> ALL(CAST(:but AS text[]))
    """
)


async def next_due(session: AsyncSession) -> timedelta | None:
    """How long until the next lane of an active connection may be claimed; None when nothing is owed."""
    wait: timedelta | None = await session.scalar(NEXT_DUE, {"but": []})
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


async def hand_back(session: AsyncSession, claims: Sequence[Claim]) -> set[Key]:
    """Give lanes back unfinished and due at once, so that another worker goes on without waiting for the lease.

    Returns those that were. Several at once leave out a lane whose row somebody is just writing.
    """
    if not claims:
        return set()
    given = await session.execute(HAND_BACK[patience(claims)], columns(HELD, map(_held, claims)))
    await wake(session)
    return {(row[0], row[1]) for row in given}
