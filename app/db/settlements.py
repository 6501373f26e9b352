"""The SQL of settling: what becomes of claimed lanes, many in one statement, and each only while its lease is ours."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.lanes import Claim, Key, columns, patience
from app.db.notices import announce_closed
from app.db.tables import Issue, Run

Beside = Callable[[AsyncSession], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """That BMS shows the claimed generation; ``digest`` None where something of the quote is still to follow."""

    at: datetime
    digest: bytes | None
    warnings: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a claimed lane, of the events that its run was about, and of the quote's issues.

    ``synced`` None leaves what was synced before. ``disposition`` and ``reason`` are of the newest event that the run
    was about; those before it were superseded by it. ``closes_issues`` leaves only those of the code ``keeps_issue``
    open. ``run`` is the row that tells of the run. ``beside`` is committed with the lane or not at all; ``afterwards``
    happens after the commit. Neither happens when the lease was lost.
    """

    claim: Claim
    state: str
    due_at: datetime | None = None
    attempts: int = 0
    retrying_since: datetime | None = None
    last_error: str | None = None
    synced: Synced | None = None
    disposition: str | None = None
    reason: str | None = None
    closes_issues: bool = False
    keeps_issue: str = ""
    run: Mapping[str, Any] | None = None
    beside: Beside | None = None
    afterwards: Callable[[], None] | None = None


# A newer generation makes the lane due again, with the attempts that its event began with. The subselect locks the
# newest version of each row, so that what is compared here cannot change before the commit.
_SETTLE = """
    WITH s AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:connection_id AS text[]), CAST(:quote_id AS text[]), CAST(:lease_id AS uuid[]),
            CAST(:generation AS int[]), CAST(:state AS text[]), CAST(:due_at AS timestamptz[]),
            CAST(:attempts AS int[]), CAST(:retrying_since AS timestamptz[]), CAST(:last_error AS text[]),
            CAST(:synced_at AS timestamptz[]), CAST(:digest AS bytea[]), CAST(:warnings AS text[])
        ) AS s(connection_id, quote_id, lease_id, generation, state, due_at, attempts, retrying_since, last_error,
               synced_at, digest, warnings)
    ), ours AS MATERIALIZED (
        SELECT s.* FROM s CROSS JOIN LATERAL (
            SELECT FROM quotes q
            WHERE q.connection_id = s.connection_id AND q.quote_id = s.quote_id
              AND q.lease_id = s.lease_id AND q.lease_until > clock_timestamp()
            FOR NO KEY UPDATE {patience}
        ) AS held
    ), settled AS (
        UPDATE quotes q
        SET state = CASE WHEN q.generation > s.generation THEN 'pending' ELSE s.state END,
            due_at = CASE WHEN q.generation > s.generation THEN coalesce(q.wanted_at, now()) ELSE s.due_at END,
            attempts = CASE WHEN q.generation > s.generation THEN q.attempts ELSE s.attempts END,
            retrying_since = CASE WHEN q.generation > s.generation THEN q.retrying_since ELSE s.retrying_since END,
            urgent = q.urgent AND (q.generation > s.generation OR s.state <> 'synced'),
            last_error = s.last_error,
            synced_generation = CASE WHEN s.synced_at IS NULL THEN q.synced_generation ELSE s.generation END,
            synced_digest = CASE WHEN s.synced_at IS NULL THEN q.synced_digest ELSE s.digest END,
            first_synced_at = coalesce(q.first_synced_at, s.synced_at),
            synced_at = coalesce(s.synced_at, q.synced_at),
            warnings = coalesce(CAST(s.warnings AS jsonb), q.warnings),
            lease_id = NULL, lease_until = NULL, updated_at = now()
        FROM ours s
        WHERE q.connection_id = s.connection_id AND q.quote_id = s.quote_id
        RETURNING q.connection_id, q.quote_id
    )
    SELECT connection_id, quote_id FROM s EXCEPT ALL SELECT connection_id, quote_id FROM settled
    """
SETTLE = {each: text(_SETTLE.format(patience=each)) for each in ("", "SKIP LOCKED")}

SETTLE_EVENTS = text(
    """
    UPDATE events e
    SET disposition = CASE WHEN e.generation = n.newest THEN s.disposition ELSE 'superseded' END,
        reason = CASE WHEN e.generation = n.newest THEN s.reason
                      ELSE 'a newer event of this quote was sent in its place' END,
        settled_at = now()
    FROM unnest(CAST(:connection_id AS text[]), CAST(:quote_id AS text[]), CAST(:generation AS int[]),
                CAST(:disposition AS text[]), CAST(:reason AS text[]))
         AS s(connection_id, quote_id, generation, disposition, reason)
         CROSS JOIN LATERAL (
             SELECT max(u.generation) AS newest FROM events u
             WHERE u.connection_id = s.connection_id AND u.quote_id = s.quote_id
               AND u.disposition IN ('pending', 'parked') AND u.generation <= s.generation
         ) AS n
    WHERE e.connection_id = s.connection_id AND e.quote_id = s.quote_id
      AND e.disposition IN ('pending', 'parked') AND e.generation <= s.generation
    """
)

CLOSE_ISSUES = text(
    """
    UPDATE issues i SET state = 'closed', closed_at = now(), closed_by = 'sync'
    FROM unnest(CAST(:connection_id AS text[]), CAST(:quote_id AS text[]), CAST(:keeps AS text[]))
         AS s(connection_id, quote_id, keeps)
    WHERE i.connection_id = s.connection_id AND i.quote_id = s.quote_id AND i.state = 'open' AND i.code <> s.keeps
    RETURNING i.*
    """
)


async def settle(session: AsyncSession, settlements: Sequence[Settlement]) -> set[Key]:
    """Give lanes back as their settlements say, and write what goes with each; returns the lanes that were left out.

    Nothing is changed of a lane whose lease is not ours any more. Several at once wait for nobody, and also leave out
    a lane whose row somebody is just writing: that one is settled alone.
    """
    statement = SETTLE[patience(settlements)]
    rows = await session.execute(statement, columns(LANE, map(_lane, settlements)))
    left_out = {(row[0], row[1]) for row in rows}
    ours = [each for each in settlements if each.claim.key not in left_out] if left_out else settlements
    if about := [_events(each) for each in ours if each.disposition]:
        await session.execute(SETTLE_EVENTS, columns(EVENTS, about))
    if closing := [_issues(each) for each in ours if each.closes_issues]:
        await _close_issues(session, closing)
    if ran := [dict(each.run) for each in ours if each.run]:
        await session.execute(insert(Run), ran)
    for each in ours:
        if each.beside:
            await each.beside(session)
    return left_out


async def _close_issues(session: AsyncSession, closing: Iterable[tuple[str, str, str]]) -> None:
    closed = await session.scalars(select(Issue).from_statement(CLOSE_ISSUES), columns(ISSUES, closing))
    for issue in closed.all():
        await announce_closed(session, issue)


LANE = (
    *("connection_id", "quote_id", "lease_id", "generation", "state", "due_at", "attempts", "retrying_since"),
    *("last_error", "synced_at", "digest", "warnings"),
)


def _lane(settlement: Settlement) -> tuple[Any, ...]:
    claim, synced = settlement.claim, settlement.synced
    return (
        claim.connection_id,
        claim.quote_id,
        claim.lease_id,
        claim.generation,
        settlement.state,
        settlement.due_at,
        settlement.attempts,
        settlement.retrying_since,
        settlement.last_error,
        synced and synced.at,
        synced and synced.digest,
        synced and (json.dumps(synced.warnings) if synced.warnings else "[]"),
    )


EVENTS = ("connection_id", "quote_id", "generation", "disposition", "reason")


def _events(settlement: Settlement) -> tuple[Any, ...]:
    claim = settlement.claim
    return claim.connection_id, claim.quote_id, claim.generation, settlement.disposition, settlement.reason


ISSUES = ("connection_id", "quote_id", "keeps")


def _issues(settlement: Settlement) -> tuple[str, str, str]:
    return *settlement.claim.key, settlement.keeps_issue
