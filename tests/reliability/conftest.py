"""The service on a BMS that misbehaves: an event that needs every kind of record, and what BMS must hold in the end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fixtures.engine import Engine, Json, contract, event, line, working
from tests.fixtures.sandbox import Sandbox

__all__ = ["contract"]

PDF = "JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZz4+ZW5kb2JqCnRyYWlsZXI8PC9Sb290IDEgMCBSPj4KJSVFT0YK"

SEEDED = {"accounts": 1003, "contacts": 1203, "opportunities": 1302, "services": 402, "products": 502}
"""The highest id of each collection that the sandbox starts with."""

EAGER = {
    "poll_seconds": 0.1,
    "debounce_quiet_seconds": 0.01,
    "debounce_max_seconds": 0.05,
    "doubt_grace_seconds": 0.1,
    "audit_after_seconds": 0.3,
    "retry_base_seconds": 0.02,
    "retry_cap_seconds": 0.1,
    "breaker_cooldown_seconds": 0.05,
    "kaseya_timeout_seconds": 0.5,
    "lookup_cache_seconds": 10,
}


def whole(kind: str = "created", quote_id: str = "q-1", **data: Any) -> Json:
    """An event that needs every kind of record: none of its account, contact and items is in BMS."""
    fields: Json = {
        "account": {"name": "Brand New Ltd", "address": {"line1": "1 New St", "city": "Newtown"}},
        "contact": {"first_name": "Nora", "last_name": "New", "email": "nora@new.example"},
        "url": "https://quotes.example.com/q/1",
        "totals": {"one_time": "1630.00"},
        "lines": [
            line("l-1", item_code="NEW-SVC", name="New work", quantity="2", unit_price="175.00"),
            line("l-2", item_code="NEW-HW", name="New thing", category="Hardware", quantity="1", unit_price="1280.00"),
        ],
        "pdf": {"filename": "Quote.pdf", "content_base64": PDF},
    }
    return event(kind, quote_id, **{**fields, **data})


def made(bms: Sandbox) -> dict[str, int]:
    """How many records of each kind BMS holds beside those it started with."""
    names = (*SEEDED, "quotations", "lines", "attachments", "opportunity_notes")
    state = bms.state()
    return {
        name: count for name in names if (count := sum(row["id"] > SEEDED.get(name, 0) for row in state.get(name, [])))
    }


async def carry_through(engine: Engine, quote_id: str = "q-1") -> tuple[Json, list[str]]:
    """Wait for a quote, and act as a person does whenever it stops; gives back the quote and the issues' codes."""
    codes = []
    while (quote := await engine.settled(quote_id))["state"] == "parked":
        (issue,) = [each for each in await engine.issues() if each["quote_id"] == quote_id]
        codes.append(issue["code"])
        assert len(codes) < 20, f"it stops again and again: {codes}"
        choice = _look_for_line(engine, issue) if issue["code"] == "line-in-doubt" else {}
        answer = await engine.api.post(f"{engine.path}/issues/{issue['issue_id']}/retry", json=choice or None)
        assert answer.is_success, answer.text
    return quote, codes


def _look_for_line(engine: Engine, issue: Json) -> Json:
    """What a person sees in BMS: the line with the name that the issue quotes, or none."""
    found = [row["id"] for row in engine.bms.state()["lines"] if repr(row["name"]) in issue["detail"]]
    return {"kaseya_id": str(found[0])} if found else {"send_again": True}


def add_header(engine: Engine) -> None:
    """What a user does in a BMS without an API for it: make an empty quotation for the opportunity."""
    opportunity = engine.opportunity()
    engine.bms.create("quotations", OpportunityId=opportunity["id"])


@pytest.fixture
async def eager(clean_database: str, bms: Sandbox, contract: str) -> AsyncIterator[Engine]:
    """The service at work with durations of a blink, connected and configured."""
    bms.settings(contract=contract)
    async with working(clean_database, bms, **EAGER) as engine:
        await engine.connect()
        await engine.configure()
        yield engine


@pytest.fixture
async def patient(clean_database: str, bms: Sandbox, contract: str) -> AsyncIterator[Engine]:
    """As eager, but its late looks wait until the test lets their time come."""
    bms.settings(contract=contract)
    async with working(clean_database, bms, **{**EAGER, "audit_after_seconds": 3600}) as engine:
        await engine.connect()
        await engine.configure()
        yield engine
