"""The SQL of accepting events: a batch of any size is one transaction of five statements.

Written against asyncpg itself, since a session per event costs eight times as much (docs/adr/0004). Arrays go in with
``unnest``, so that a batch of one and a batch of a hundred are the same statements. Longer than others, because the
statements of one transaction are read together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, TypeAlias

import asyncpg

LANES_CHANNEL = "quotebridge_lanes"
SEEN_FOR = timedelta(hours=63)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEvent:
    """A counted event that is already stored under a webhook id."""

    event_id: str
    body_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLane:
    """What is stored of a quote: enough to decide what is newer."""

    quote_id: str
    revision: int
    version: int | None
    happened_at: datetime
    status: str
    generation: int
    body_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """A row for ``events``."""

    connection_id: str
    event_id: str
    source: str
    webhook_id: str | None
    body_digest: bytes
    body: bytes
    counted: bool
    type: str | None
    quote_id: str | None
    generation: int | None
    disposition: str
    reason: str | None
    happened_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLane:
    """A quote's new desired state, and how soon it is to be sent."""

    connection_id: str
    quote_id: str
    number: str | None
    name: str
    status: str
    revision: int
    version: int | None
    happened_at: datetime
    content: str
    body_digest: bytes
    generation: int
    at_once: bool
    urgent: bool
    rejected: bool
    document: tuple[bytes, bytes] | None

    @property
    def key(self) -> "Key":
        """Which row it is for."""
        return self.connection_id, self.quote_id


Key = tuple[str, str]
PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[Any]"  # only the stubs know [Any]
Connection: TypeAlias = "PooledConnection | asyncpg.Connection[Any]"


def columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows as the arrays that ``unnest`` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


async def lock_quotes(connection: Connection, keys: Iterable[Key]) -> None:
    """Let one transaction at a time decide about each of these quotes; always in one order, so nobody deadlocks."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest($1::text[]) AS name", lock_names(keys)
    )


def lock_names(keys: Iterable[Key]) -> list[str]:
    """What is locked for these quotes, in the one order that everybody keeps."""
    return sorted({f"{connection_id}/{quote_id}" for connection_id, quote_id in keys})


async def known_events(connection: Connection, keys: Iterable[Key]) -> dict[Key, KnownEvent]:
    """The counted events stored under these (connection, webhook id) pairs."""
    rows = await connection.fetch(
        """SELECT e.connection_id, e.webhook_id, e.id, e.body_digest
           FROM unnest($1::text[], $2::text[]) AS k(connection_id, webhook_id)
           JOIN events e ON e.connection_id = k.connection_id AND e.webhook_id = k.webhook_id AND e.counted""",
        *(columns(keys) or [[], []]),
    )
    return {(row[0], row[1]): KnownEvent(event_id=row[2], body_digest=row[3]) for row in rows}


async def known_lanes(connection: Connection, keys: Iterable[Key]) -> tuple[dict[Key, KnownLane], dict[Key, str]]:
    """The quotes stored under these (connection, quote id) pairs or under what they are aliases of; and the aliases."""
    rows = await connection.fetch(
        """WITH k AS (SELECT * FROM unnest($1::text[], $2::text[]) AS k(connection_id, quote_id)),
                a AS (SELECT a.connection_id, a.alias, a.quote_id FROM k JOIN quote_aliases a
                      ON a.connection_id = k.connection_id AND a.alias = k.quote_id),
                w AS (SELECT connection_id, quote_id FROM k UNION SELECT connection_id, quote_id FROM a)
           SELECT NULL, q.connection_id, q.quote_id, q.revision, q.version, q.happened_at, q.status, q.generation,
                  q.body_digest
           FROM w JOIN quotes q ON q.connection_id = w.connection_id AND q.quote_id = w.quote_id
           UNION ALL
           SELECT a.alias, a.connection_id, a.quote_id, 0, NULL, 'epoch', '', 0, '' FROM a""",
        *(columns(keys) or [[], []]),
    )
    lanes, aliases = {}, {}
    for alias, connection_id, quote_id, revision, version, happened_at, status, generation, digest in rows:
        if alias is not None:
            aliases[connection_id, alias] = quote_id
            continue
        lanes[connection_id, quote_id] = KnownLane(
            quote_id=quote_id,
            revision=revision,
            version=version,
            happened_at=happened_at,
            status=status,
            generation=generation,
            body_digest=digest,
        )
    return lanes, aliases


async def aliases_of(connection: Connection, keys: Iterable[Key]) -> dict[Key, str]:
    """The lanes that these (connection, quote id) pairs share with others, where they do."""
    rows = await connection.fetch(
        """SELECT a.connection_id, a.alias, a.quote_id
           FROM unnest($1::text[], $2::text[]) AS k(connection_id, quote_id)
           JOIN quote_aliases a ON a.connection_id = k.connection_id AND a.alias = k.quote_id""",
        *(columns(keys) or [[], []]),
    )
    return {(connection_id, alias): quote_id for connection_id, alias, quote_id in rows}


async def seen_digests(
    connection: Connection, keys: Iterable[tuple[str, str, bytes]], *, now: datetime
) -> set[tuple[str, str, bytes]]:
    """Which of these (connection, quote id, body digest) were already stored within the last 63 hours."""
    rows = await connection.fetch(
        """SELECT DISTINCT e.connection_id, e.quote_id, e.body_digest
           FROM unnest($1::text[], $2::text[], $3::bytea[]) AS k(connection_id, quote_id, body_digest)
           JOIN events e ON e.connection_id = k.connection_id AND e.quote_id = k.quote_id
                        AND e.body_digest = k.body_digest AND e.counted
           WHERE e.received_at > $4""",
        *(columns(keys) or [[], [], []]),
        now - SEEN_FOR,
    )
    return {(row[0], row[1], row[2]) for row in rows}


async def store_events(connection: Connection, events: Sequence[NewEvent]) -> int:
    """Insert the events that are not stored yet; returns how many counted ones went in."""
    rows = await connection.fetch(
        """INSERT INTO events (connection_id, id, source, webhook_id, body_digest, body, counted, type, quote_id,
                               generation, disposition, reason, happened_at)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::bool[],
                                $8::text[], $9::text[], $10::int[], $11::text[], $12::text[], $13::timestamptz[])
           ON CONFLICT DO NOTHING
           RETURNING counted""",
        *columns(
            (
                e.connection_id,
                e.event_id,
                e.source,
                e.webhook_id,
                e.body_digest,
                e.body,
                e.counted,
                e.type,
                e.quote_id,
                e.generation,
                e.disposition,
                e.reason,
                e.happened_at,
            )
            for e in events
        ),
    )
    return sum(row[0] for row in rows)


MERGE = """
    INSERT INTO quotes AS q (connection_id, quote_id, number, name, status, revision, version, happened_at,
                             content, body_digest, generation, urgent, state, waiting_since, wanted_at, due_at)
    SELECT n.connection_id, n.quote_id, n.number, n.name, n.status, n.revision, n.version, n.happened_at,
           n.content, n.body_digest, n.generation, n.urgent,
           CASE WHEN n.rejected THEN 'rejected' ELSE 'pending' END,
           CASE WHEN NOT n.rejected THEN now() END, w.at, w.at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[],
                $8::timestamptz[], $9::jsonb[], $10::bytea[], $11::int[], $12::bool[], $13::bool[], $14::bool[])
         AS n(connection_id, quote_id, number, name, status, revision, version, happened_at, content,
              body_digest, generation, at_once, urgent, rejected),
         LATERAL (SELECT CASE WHEN n.rejected THEN NULL WHEN n.at_once THEN now()
                              ELSE now() + least($15::interval, $16::interval) END AS at) AS w
    ON CONFLICT (connection_id, quote_id) DO UPDATE SET
        number = excluded.number, name = excluded.name, status = excluded.status,
        revision = excluded.revision, version = excluded.version, happened_at = excluded.happened_at,
        content = excluded.content, body_digest = excluded.body_digest, generation = {generation},
        urgent = (q.urgent OR excluded.urgent) AND excluded.state <> 'rejected',
        attempts = 0, retrying_since = NULL, updated_at = now(),
        state = CASE WHEN q.lease_until > now() AND excluded.state <> 'rejected' THEN q.state
                     ELSE excluded.state END,
        waiting_since = CASE WHEN excluded.state <> 'rejected' THEN coalesce(q.waiting_since, now()) END,
        wanted_at = CASE WHEN excluded.wanted_at <= now() THEN now()
                         ELSE least(excluded.wanted_at, q.waiting_since + $16::interval) END,
        due_at = CASE WHEN q.lease_until > now() THEN q.due_at
                      WHEN excluded.state = 'rejected' THEN NULL
                      WHEN q.due_at <= now() THEN q.due_at
                      ELSE least(excluded.wanted_at, q.waiting_since + $16::interval) END
"""
"""How new desired states get into their rows. ``generation`` counts from what is stored, or is told outright."""

_MERGE_LANES = MERGE.format(generation="excluded.generation")


async def store_lanes(
    connection: Connection, lanes: Sequence[NewLane], *, quiet: timedelta, at_most: timedelta
) -> None:
    """Merge new desired states into their rows, mark them due, and wake the workers.

    A lane that somebody works on keeps its lease: it falls due again when the run settles.
    """
    await connection.execute(
        _MERGE_LANES,
        *lane_columns(lanes),
        quiet,
        at_most,
    )
    if rejected := [(lane.connection_id, lane.quote_id) for lane in lanes if lane.rejected]:
        # What still waited to be sent never will be: the quote that came after it has expired.
        await connection.execute(
            """UPDATE events e SET disposition = 'superseded', settled_at = now(),
                      reason = 'a newer event of this quote was refused as expired before this one was sent'
               FROM unnest($1::text[], $2::text[]) AS k(connection_id, quote_id)
                    JOIN quotes q ON q.connection_id = k.connection_id AND q.quote_id = k.quote_id
               WHERE e.connection_id = k.connection_id AND e.quote_id = k.quote_id
                     AND e.disposition IN ('pending', 'parked') AND q.state = 'rejected'
                     AND (q.lease_until IS NULL OR q.lease_until <= now())""",
            *columns(rejected),
        )
    await connection.execute("SELECT pg_notify($1, '')", LANES_CHANNEL)


def lane_columns(lanes: Sequence[NewLane]) -> list[list[Any]]:
    """The first parameters of ``MERGE``: rows are locked in one order everywhere, so that nobody deadlocks."""
    return columns(
        (
            lane.connection_id,
            lane.quote_id,
            lane.number,
            lane.name,
            lane.status,
            lane.revision,
            lane.version,
            lane.happened_at,
            lane.content,
            lane.body_digest,
            lane.generation,
            lane.at_once,
            lane.urgent,
            lane.rejected,
        )
        for lane in sorted(lanes, key=attrgetter("key"))
    )


async def store_documents(connection: Connection, lanes: Iterable[NewLane]) -> None:
    """Keep the PDFs that came inside events beside their quotes."""
    await connection.executemany(
        """INSERT INTO quote_documents (connection_id, quote_id, digest, content) VALUES ($1, $2, $3, $4)
           ON CONFLICT (connection_id, quote_id) DO UPDATE SET digest = excluded.digest, content = excluded.content""",
        [(lane.connection_id, lane.quote_id, *lane.document) for lane in lanes if lane.document],
    )


async def store_aliases(connection: Connection, aliases: Iterable[tuple[str, str, str]]) -> None:
    """Remember that (connection, alias) shares the lane of (connection, quote id); what is known stays."""
    await connection.executemany(
        """INSERT INTO quote_aliases (connection_id, alias, quote_id) VALUES ($1, $2, $3)
           ON CONFLICT DO NOTHING""",
        list(aliases),
    )
