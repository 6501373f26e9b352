"""Plans on filled tables: accepting and claiming descend indexes, and neither read nor sort a whole table."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.dialects import postgresql

from app.db import lanes, one_trip
from app.db.inbox import Connection
from app.intake.accept import Debounce, accept
from app.intake.deliveries import Delivery
from tests.intake.deliveries import NOW, delivery

QUOTES, EVENTS = 20_000, 60_000
FILL = f"""
INSERT INTO connections (id, name, server, base_url, company, username, password, capabilities)
SELECT 'con_' || n, 'x', 'us', 'https://x.example', 'c', 'u', '', '[]' FROM generate_series(1, 3) n;
INSERT INTO paces (connection_id) SELECT id FROM connections;
INSERT INTO quotes (connection_id, quote_id, name, status, revision, happened_at, content, body_digest, due_at, state)
SELECT 'con_' || 1 + n % 3, 'q' || n, 'x', 'pending', 0, now(), '{{}}', '',
       CASE WHEN n % 10 = 0 THEN now() - n * interval '1 ms' END, CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'synced' END
FROM generate_series(1, {QUOTES}) n;
INSERT INTO quote_aliases (connection_id, alias, quote_id)
SELECT 'con_' || 1 + n % 3, 'a' || n, 'q' || n FROM generate_series(1, {QUOTES}) n;
INSERT INTO events (connection_id, id, source, webhook_id, body_digest, body, counted, quote_id, generation,
                    disposition)
SELECT 'con_' || 1 + n % 3, 'evt_' || n, 'standard', 'm' || n, '', '', true, 'q' || n % {QUOTES}, 1,
       CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'applied' END
FROM generate_series(1, {EVENTS}) n;
ANALYZE connections; ANALYZE paces; ANALYZE quotes; ANALYZE quote_aliases; ANALYZE events;
"""  # noqa: S608 - of our own constants
LARGE = {"quotes", "quote_aliases", "events"}
DEBOUNCE = Debounce(quiet=timedelta(seconds=2), at_most=timedelta(seconds=15))


@pytest.fixture
async def filled(clean_database: str) -> AsyncIterator[Connection]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(clean_database)
    await connection.execute(FILL)
    yield connection
    await connection.execute("TRUNCATE connections CASCADE")
    await connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def faults(plan: dict[str, Any]) -> list[str]:
    """What reads a whole large table, and what sorts more than a claim's few rows; the driver's own queries aside."""
    found: list[str] = []
    if not told([plan]) & LARGE:
        return found
    for node in nodes(plan):
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE:
            found.append(f"reads all of {node['Relation Name']}")
        if node["Node Type"] == "Sort" and node["Plan Rows"] > QUOTES / 20:
            found.append(f"sorts {node['Plan Rows']} rows by {node['Sort Key']}")
    return found


@asynccontextmanager
async def explaining(connection: Connection) -> AsyncIterator[list[dict[str, Any]]]:
    """The plans of all that the connection runs meanwhile, also within functions, as PostgreSQL itself tells them."""
    plans: list[dict[str, Any]] = []

    def listen(_: Connection, message: Any) -> None:
        _, found, plan = message.message.partition("plan:\n")
        if found:
            plans.append(json.loads(plan)["Plan"])

    try:
        await connection.execute("LOAD 'auto_explain'")
    except (asyncpg.UndefinedFileError, asyncpg.InsufficientPrivilegeError):
        pytest.skip("this PostgreSQL has no auto_explain for us, so that plans within functions cannot be seen")
    await connection.execute(
        """SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
           SET auto_explain.log_format = json; SET auto_explain.log_level = notice; SET client_min_messages = notice"""
    )
    connection.add_log_listener(listen)
    yield plans
    connection.remove_log_listener(listen)
    await connection.execute("SET auto_explain.log_min_duration = -1")


def told(plans: list[dict[str, Any]]) -> set[str]:
    """Which of the large tables were touched at all: a guard that sees nothing guards nothing."""
    return {node["Relation Name"] for plan in plans for node in nodes(plan) if "Relation Name" in node}


BATCHES = {
    "in one trip": [delivery("new", quote_id="new"), delivery("newer", kind="updated", quote_id="q1", at=9)],
    "the general way": [delivery("m1", quote_id="q1"), delivery("r", quote_id="q2", parent_quote_id="q1", revision=2)],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=list(BATCHES))
@pytest.mark.parametrize("how", ["force_custom_plan", "force_generic_plan"])
async def test_accepting_reads_no_large_table_as_a_whole(filled: Connection, batch: list[Delivery], how: str) -> None:
    """Neither with plans made for the batch at hand nor with those that a session keeps."""
    await one_trip.prepare(filled)
    await filled.execute(f"SET plan_cache_mode = {how}")
    batch = [replace(each, connection_id="con_2") for each in batch]
    async with explaining(filled) as plans:
        await accept(filled, batch, debounce=DEBOUNCE, now=NOW)
    assert {"quotes", "quote_aliases", "events"} <= told(plans)
    assert [fault for plan in plans for fault in faults(plan)] == []


async def test_claiming_reads_no_large_table_as_a_whole(filled: Connection) -> None:
    values = lanes.claim_values(slots=20, lease=timedelta(30), probe=timedelta(30), lease_id=uuid4())
    compiled = lanes.CLAIM.bindparams(**values).compile(dialect=postgresql.asyncpg.dialect())  # type: ignore[no-untyped-call] # as SQLAlchemy has it
    async with explaining(filled) as plans:
        claimed = await filled.fetch(str(compiled), *compiled.params.values())
    assert claimed
    assert "quotes" in told(plans)
    assert [fault for plan in plans for fault in faults(plan)] == []


async def test_a_plan_that_reads_a_whole_table_is_found_out(filled: Connection) -> None:
    async with explaining(filled) as plans:
        await filled.fetch("SELECT * FROM quotes WHERE name = 'y'")
        await filled.fetch("SELECT * FROM quotes ORDER BY number")
    assert len([fault for plan in plans for fault in faults(plan)]) >= 3
