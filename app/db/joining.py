"""The SQL of making one lane of two that turned out to be revisions of one quote."""

from app.db.inbox import LANES_CHANNEL, Connection


async def join_lanes(connection: Connection, connection_id: str, first: str, second: str) -> bool:
    """Make one lane of two that turned out to be revisions of one quote; False where it is too late for that.

    It is too late once both have been sent, or are being sent: then each may have its own opportunity. The lane that
    was not sent goes (else the second), its events and aliases move, and the higher revision rules.
    """
    rows = await connection.fetch(
        """SELECT q.quote_id, coalesce(q.lease_until > now(), false) OR l.opportunity_id IS NOT NULL OR EXISTS (
                      SELECT FROM intents i WHERE i.connection_id = q.connection_id AND i.quote_id = q.quote_id
                             AND i.kind = 'opportunity')
           FROM quotes q LEFT JOIN links l ON l.connection_id = q.connection_id AND l.quote_id = q.quote_id
           WHERE q.connection_id = $1 AND q.quote_id = ANY($2::text[]) FOR UPDATE OF q""",
        connection_id,
        [first, second],
    )
    sent = {quote_id for quote_id, is_sent in rows if is_sent}
    if len(sent) > 1:
        return False
    kept, gone = (second, first) if second in sent else (first, second)
    for statement in _JOIN:
        await connection.execute(statement, connection_id, kept, gone)
    await connection.execute("SELECT pg_notify($1, '')", LANES_CHANNEL)
    return True


_NEWER = "(g.revision, g.happened_at) > (k.revision, k.happened_at)"
_BOTH = """k.connection_id = $1 AND k.quote_id = $2 AND g.connection_id = $1 AND g.quote_id = $3"""
_JOIN = (
    # The document goes with the quote whose it is.
    f"""DELETE FROM quote_documents d USING quotes k, quotes g
        WHERE {_BOTH} AND {_NEWER} AND d.connection_id = $1 AND d.quote_id = $2""",  # noqa: S608 - of our own constants
    f"""UPDATE quote_documents d SET quote_id = $2 FROM quotes k, quotes g
        WHERE {_BOTH} AND {_NEWER} AND d.connection_id = $1 AND d.quote_id = $3""",  # noqa: S608 - of our own constants
    # Events keep their place in the order of generations: what is newer was, or will be, sent in place of the other.
    f"""UPDATE events e SET quote_id = $2,
            generation = CASE WHEN {_NEWER} AND e.generation = g.generation
                              THEN greatest(k.generation, g.generation) + 1 ELSE 0 END,
            disposition = CASE WHEN e.disposition NOT IN ('pending', 'parked')
                                    OR ({_NEWER} AND e.generation = g.generation)
                               THEN e.disposition ELSE 'superseded' END
        FROM quotes k, quotes g WHERE {_BOTH} AND e.connection_id = $1 AND e.quote_id = $3""",  # noqa: S608 - of our own constants
    f"""UPDATE quotes k SET number = g.number, name = g.name, status = g.status, revision = g.revision,
            version = g.version, happened_at = g.happened_at, content = g.content, body_digest = g.body_digest,
            generation = greatest(k.generation, g.generation) + 1, urgent = k.urgent OR g.urgent,
            attempts = 0, retrying_since = NULL, updated_at = now(),
            state = CASE WHEN k.lease_until > now() THEN k.state ELSE 'pending' END,
            wanted_at = now(), due_at = CASE WHEN k.lease_until > now() THEN k.due_at ELSE now() END
        FROM quotes g WHERE {_BOTH} AND {_NEWER}""",  # noqa: S608 - of our own constants
    "UPDATE quote_aliases SET quote_id = $2 WHERE connection_id = $1 AND quote_id = $3",
    "INSERT INTO quote_aliases (connection_id, alias, quote_id) VALUES ($1, $3, $2) ON CONFLICT DO NOTHING",
    "DELETE FROM quote_aliases WHERE connection_id = $1 AND alias = $2 AND quote_id = $2 AND $3 <> $2",
    "UPDATE intents SET quote_id = $2 WHERE connection_id = $1 AND quote_id = $3",
    "UPDATE runs SET quote_id = $2 WHERE connection_id = $1 AND quote_id = $3",
    """UPDATE issues SET state = 'closed', closed_at = now(), closed_by = 'sync'
       WHERE connection_id = $1 AND quote_id = $3 AND state = 'open' AND $2 <> $3""",
    "DELETE FROM quotes WHERE connection_id = $1 AND quote_id = $3 AND $2 <> $3",
)
