"""The verdict: what BMS and the database hold after the storm, counted against what they must hold."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from chaos.ledger import DONE, Ledger
from chaos.storm import StormQuote

Json = dict[str, Any]
STATUS_ID = {"pending": 102, "accepted": 103, "lost": 104}
NEEDED_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the verdict."""

    name: str
    value: str
    ok: bool


async def judge(
    database_url: str,
    state: Mapping[str, Any],
    violations: Sequence[Json],
    quotes: Sequence[StormQuote],
    acknowledged: Mapping[str, str],
    *,
    ledger: Ledger,
    told: Counter[str],
) -> list[Figure]:
    """Count what was lost, what is there twice, and what has not converged.

    ``told`` is what a replica's own metric says of the events by disposition.
    """
    connection = await asyncpg.connect(database_url)
    try:
        stored = {row[0] for row in await connection.fetch("SELECT id FROM events")}
        ended = Counter(row[0] for row in await connection.fetch("SELECT disposition FROM events"))
        rows = {row["quote_id"]: row for row in await connection.fetch("SELECT * FROM quotes")}
        found_twice = await connection.fetchval("SELECT count(*) FROM issues WHERE code = 'duplicate-found'")
        issues = Counter(row[0] for row in await connection.fetch("SELECT code FROM issues WHERE state = 'open'"))
    finally:
        await connection.close()
    lost = sum(event_id not in stored for event_id in acknowledged.values())
    converged = sum(_shows(state, quote) for quote in quotes)
    synced = sum(rows[quote.quote_id]["state"] == "synced" for quote in quotes if quote.quote_id in rows)
    done = sum(ended[each] for each in DONE)
    limit = [each for each in violations if "limit" in str(each).lower()]
    return [
        Figure("acknowledged events lost", str(lost), lost == 0),
        Figure("events still pending", str(ended["pending"]), ended["pending"] == 0),
        Figure("events really done", f"{done} of {len(stored)}", done >= NEEDED_SHARE * len(stored)),
        Figure("events by disposition", _listed(ended), sum(told.values()) == len(stored) and +told == ended),
        Figure(
            "times that this sum was taken · did not hold",
            " · ".join([str(ledger.samples), *(ledger.breaches[:1] or "0")]),
            ledger.samples > 0 and not ledger.breaches,
        ),
        Figure("duplicates in BMS", ", ".join(_duplicates(state)) or "0", not _duplicates(state)),
        Figure("duplicates noticed by ourselves", str(found_twice), found_twice == 0),
        Figure("quotes synced", f"{synced} of {len(quotes)}", synced >= NEEDED_SHARE * len(quotes)),
        Figure("quotes that BMS shows as they are", f"{converged} of {len(quotes)}", converged == synced),
        Figure(
            "open issues",
            _listed(issues) or "0",
            synced + sum(issues.values()) >= len(quotes),
        ),
        Figure("budget windows over the limit", str(len(limit)), not limit),
        Figure("other violations of the contract", str(len(violations) - len(limit)), len(violations) == len(limit)),
    ]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _duplicates(state: Mapping[str, Any]) -> list[str]:
    """What is in BMS more than once, by kind."""
    keys: dict[str, Callable[[Json], object]] = {
        "accounts": lambda row: row["accountName"],
        "contacts": lambda row: (row["accountId"], row.get("emailAddress") or row["lastName"]),
        "opportunities": lambda row: row["subject"],
        "quotations": lambda row: row["opportunityId"],
        "services": lambda row: row["name"],
        "lines": lambda row: (row["quotationId"], row["name"]),
    }
    return [
        f"{count - 1} {kind} of {key!r}"
        for kind, key_of in keys.items()
        for key, count in Counter(key_of(row) for row in state[kind]).items()
        if count > 1
    ]


def _shows(state: Mapping[str, Any], quote: StormQuote) -> bool:
    wanted = quote.newest
    subject = f"{wanted['number']} {wanted['name']}"
    opportunity = next((row for row in state["opportunities"] if row["subject"] == subject), None)
    if opportunity is None:
        return False
    right_amount = Decimal(str(opportunity["amount"])) == Decimal(wanted["totals"]["one_time"])
    return (
        right_amount
        and opportunity["statusId"] == STATUS_ID[wanted["status"]]
        and _same_lines(state, opportunity, wanted)
    )


def _same_lines(state: Mapping[str, Any], opportunity: Json, wanted: Json) -> bool:
    quotation = next((row for row in state["quotations"] if row["opportunityId"] == opportunity["id"]), None)
    if quotation is None:
        return False
    held = sorted(
        (row["name"], Decimal(str(row["quantity"])), Decimal(str(row["unitPrice"])))
        for row in state["lines"]
        if row["quotationId"] == quotation["id"] and row["quantity"]
    )
    expected = sorted(
        (line["name"], Decimal(line["quantity"]), Decimal(line["unit_price"])) for line in wanted["lines"]
    )
    return held == expected


async def write_report(folder: Path, database_url: str, state: Mapping[str, Any], calls: Sequence[Json]) -> None:
    """Keep what is needed to find out why: BMS's state and calls, and our own quotes, runs, intents and issues."""
    tables: dict[str, list[Json]] = {}
    connection = await asyncpg.connect(database_url)
    try:
        for table in ("quotes", "runs", "intents", "issues", "links", "link_lines"):
            rows = await connection.fetch(f"SELECT to_jsonb(t) AS row FROM {table} t")  # noqa: S608 - our own names
            tables[table] = [json.loads(row["row"]) for row in rows]
    finally:
        await connection.close()
    await asyncio.to_thread(_write, folder, {"state": state, "calls": calls, **tables})


def _write(folder: Path, contents: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1))
