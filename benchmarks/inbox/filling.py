"""Fills a database with quotes and events by the thousand, without going through the service."""

from secrets import token_bytes

import asyncpg

from app.intake.signature import new_secret
from app.intake.standard import canonical_json, parse
from benchmarks.inbox.quotes import Load, deliveries

LANES = """
INSERT INTO quotes (connection_id, quote_id, name, status, revision, version, happened_at, content, body_digest,
                    generation, state, waiting_since, due_at, synced_generation)
SELECT $1, 'filled-' || n, 'Filled', 'pending', 0, 1, now(), $5::jsonb, decode(md5(n::text), 'hex'), 1,
       CASE WHEN $3 THEN 'pending' ELSE 'synced' END, CASE WHEN $3 THEN now() END,
       CASE WHEN $3 THEN now() - interval '1 hour' END, CASE WHEN $3 THEN 0 ELSE 1 END
FROM generate_series($4::int, $4::int + $2::int - 1) AS n
"""
EVENTS = """
INSERT INTO events (connection_id, id, source, webhook_id, body_digest, body, counted, type, quote_id, generation,
                    disposition, happened_at, received_at, settled_at)
SELECT $1, 'evt_0' || lpad(n::text, 25, '0'), 'standard', 'filled-' || n, decode(md5(n::text), 'hex'), '', true,
       'quote.updated', 'filled-' || n % $2::int, 1, 'applied', now(), now(), now()
FROM generate_series($4::int, $4::int + $3::int - 1) AS n
"""
CHUNK = 100_000


async def fill_lanes(dsn: str, connection_id: str, count: int, *, due: bool) -> None:
    """Store this many quotes: all due since an hour ago, or none."""
    connection = await asyncpg.connect(dsn)
    ((_, body),) = deliveries(Load(name="filled", connection_id=connection_id, secret=new_secret(token_bytes)), 1)
    content = canonical_json(parse(body).quote).decode()
    for start in range(0, count, CHUNK):
        await connection.execute(LANES, connection_id, min(CHUNK, count - start), due, start, content)
    await connection.execute("VACUUM ANALYZE quotes")
    await connection.close()


async def fill_events(dsn: str, connection_id: str, count: int, *, quotes: int) -> None:
    """Store this many settled events, spread over the quotes, with empty bodies."""
    connection = await asyncpg.connect(dsn)
    for start in range(0, count, CHUNK):
        await connection.execute(EVENTS, connection_id, quotes, min(CHUNK, count - start), start)
    await connection.execute("VACUUM ANALYZE events")
    await connection.close()
