"""Accept an ordinary batch of events in one round trip: a function in PostgreSQL that does it all, or declines.

The function lives in the session (``pg_temp``), so that it is always of the same version as the code that calls it.
It decides nothing that could be decided otherwise: whatever is not plainly new is left to ``app.db.inbox``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg

from app.db.inbox import LANES_CHANNEL, MERGE, Connection, Key, NewEvent, NewLane, columns, lane_columns, lock_names

Mark = tuple[int, int | None, datetime]
"""Revision, version and time of an event: what decides whether it is newer than what is stored."""

# The locks come first and each statement sees what is committed by then, so nobody changes meanwhile what is looked at.
# A quote that is not pending may have been won: then what is newer is for the rules of won quotes.
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION pg_temp.accept_ordinary(
    text[], text[], text[], text[], text[], int[], bigint[], timestamptz[], jsonb[], bytea[], int[], bool[], bool[],
    bool[], interval, interval,
    locks text[], first_revisions int[], first_versions bigint[], first_times timestamptz[],
    event_connections text[], event_ids text[], webhook_ids text[], digests bytea[], bodies bytea[], types text[],
    event_quotes text[], followers int[], times timestamptz[]
) RETURNS bool LANGUAGE plpgsql AS $function$
DECLARE
    stored bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(locks) AS name;
    IF EXISTS (
        SELECT FROM unnest($1, $2) AS n(connection_id, quote_id)
        JOIN quote_aliases a ON a.connection_id = n.connection_id AND a.alias = n.quote_id
    ) OR EXISTS (
        SELECT FROM unnest($1, $2, first_revisions, first_versions, first_times)
                    AS n(connection_id, quote_id, revision, version, happened_at)
        JOIN quotes q ON q.connection_id = n.connection_id AND q.quote_id = n.quote_id
        WHERE (q.status = 'pending' AND q.revision = n.revision
               AND CASE WHEN q.version IS NULL OR n.version IS NULL THEN q.happened_at < n.happened_at
                        ELSE q.version < n.version END) IS NOT TRUE
    ) THEN
        RETURN false;
    END IF;
    WITH lanes AS (
        {MERGE.format(generation="q.generation + excluded.generation")}
        RETURNING q.connection_id, q.quote_id, q.generation
    )
    INSERT INTO events (connection_id, id, source, webhook_id, body_digest, body, counted, type, quote_id, generation,
                        disposition, happened_at)
    SELECT e.connection_id, e.id, 'standard', e.webhook_id, e.body_digest, e.body, true, e.type, e.quote_id,
           l.generation - e.followers, 'pending', e.happened_at
    FROM unnest(event_connections, event_ids, webhook_ids, digests, bodies, types, event_quotes, followers, times)
         AS e(connection_id, id, webhook_id, body_digest, body, type, quote_id, followers, happened_at)
         JOIN lanes l ON l.connection_id = e.connection_id AND l.quote_id = e.quote_id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored <> cardinality(event_ids) THEN
        RAISE EXCEPTION 'one of these webhook ids is known' USING ERRCODE = 'QB001';
    END IF;
    PERFORM pg_notify('{LANES_CHANNEL}', '');
    RETURN true;
END
$function$
"""  # noqa: S608 - of our own constants

_CALL = f"SELECT pg_temp.accept_ordinary({', '.join(f'${number}' for number in range(1, 30))})"


class KnownIdError(asyncpg.PostgresError):
    """A webhook id of the batch is stored already; nothing of the batch was."""

    sqlstate = "QB001"


async def accept_ordinary(
    connection: Connection,
    events: Sequence[NewEvent],
    drafts: Mapping[Key, NewLane],
    firsts: Mapping[Key, Mark],
    *,
    quiet: timedelta,
    at_most: timedelta,
) -> bool:
    """Store a batch and merge it, in a transaction of its own; False where it is not plainly new: nothing was done.

    ``drafts`` count generations from 1, as if nothing were stored of their quotes, and ``firsts`` are the marks of each
    quote's first event in the batch. Takes the same locks as the general way does.

    Raises:
        KnownIdError: As False, only found out later.
    """
    lanes = sorted(drafts.values(), key=lambda lane: lane.key)
    values = (
        *lane_columns(lanes),
        quiet,
        at_most,
        lock_names(drafts),
        *columns([firsts[lane.key] for lane in lanes]),
        *columns([_event_row(event, drafts) for event in events]),
    )
    try:
        accepted: bool = await connection.fetchval(_CALL, *values)
    except (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedFunctionError):
        await prepare(connection)
        accepted = await connection.fetchval(_CALL, *values)
    return accepted


async def prepare(connection: Connection) -> None:
    """Make the function in this session; done by itself when it is first missed, outside a transaction."""
    await connection.execute(_FUNCTION)


def _event_row(event: NewEvent, drafts: Mapping[Key, NewLane]) -> tuple[object, ...]:
    assert event.quote_id
    assert event.generation
    return (
        event.connection_id,
        event.event_id,
        event.webhook_id,
        event.body_digest,
        event.body,
        event.type,
        event.quote_id,
        drafts[event.connection_id, event.quote_id].generation - event.generation,
        event.happened_at,
    )
