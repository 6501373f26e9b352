"""The quotes of a seed: few and small, sharing customers and items, each with a life that ends in its newest state."""

import base64
import hashlib
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.intake.canonical import content_digest
from app.intake.deliveries import Delivery, Source
from app.intake.standard import parse

Json = dict[str, Any]
STARTED = datetime(2026, 11, 23, 9, tzinfo=UTC)
CUSTOMERS = (
    ("Example Gadgets Inc", "gail@gadgets.example", "Gail", "Gadget"),
    ("Simulated Ltd", "nora@simulated.example", "Nora", "New"),
    ("Simulated Ltd", "otto@simulated.example", "Otto", "Other"),
)
ITEMS = (
    (None, "Senior engineer hour", "Labor"),
    ("SIM-1", "Simulated work", "Labor"),
    ("SIM-HW", "Simulated thing", "Hardware"),
)


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote with all its events, oldest first; the last one is what BMS must show in the end."""

    quote_id: str
    events: tuple[Json, ...]

    @property
    def newest(self) -> Json:
        """The content of the newest event."""
        data: Json = self.events[-1]["data"]
        return data


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """An event that arrives at a virtual time; the same event may arrive twice, and late."""

    at: datetime
    quote: int
    version: int


def make_quotes(chance: random.Random) -> list[Quote]:
    """One to three quotes of one to four events."""
    return [_quote(number, chance) for number in range(chance.choice((1, 1, 2, 2, 2, 3)))]


def arrivals(quotes: list[Quote], chance: random.Random) -> list[Arrival]:
    """When every event arrives: mostly in order, sometimes overtaken, sometimes twice."""
    found = []
    for number, quote in enumerate(quotes):
        at = STARTED + timedelta(seconds=chance.uniform(0, 20))
        for version in range(1, len(quote.events) + 1):
            at += timedelta(seconds=chance.choice((0.1, 1, 10, 60, 400)) * chance.random())
            found.append(
                Arrival(at + timedelta(seconds=chance.choice((0, 0, 0, 30)) * chance.random()), number, version)
            )
            if chance.random() < 0.1:  # noqa: PLR2004 - a tenth comes twice
                found.append(Arrival(at + timedelta(seconds=90 * chance.random()), number, version))
    return sorted(found)


def delivery(connection_id: str, quote: Quote, version: int) -> Delivery:
    """A verified delivery of one event."""
    body = json.dumps(quote.events[version - 1]).encode()
    event = parse(body)
    return Delivery(
        connection_id=connection_id,
        source=Source.STANDARD,
        webhook_id=f"{quote.quote_id}-{version}",
        body=body,
        digest=hashlib.sha256(content_digest(event.quote) + bytes([version])).digest(),
        event=event,
    )


def _quote(number: int, chance: random.Random) -> Quote:
    statuses = ["pending"] * chance.choice((1, 1, 2, 3))
    statuses += chance.choice(([], [], ["accepted"], ["lost"], ["accepted", "pending"], ["lost", "accepted"]))
    customer, has_pdf = chance.choice(CUSTOMERS), chance.random() < 0.25  # noqa: PLR2004 - a quarter has a PDF
    lines = [_line(place, chance) for place in range(chance.choice((0, 1, 1, 2, 3)))]
    events = []
    for version, status in enumerate(statuses, start=1):
        if version > 1:
            lines = _changed(lines, 10 * version, chance)
        data = _content(number, version, status, customer, lines)
        if has_pdf:
            content = f"%PDF-1.4 quote {number} version {(version + 1) // 2}".encode()
            data["pdf"] = {"filename": "Quote.pdf", "content_base64": base64.b64encode(content).decode()}
        kind = "created" if version == 1 else {"pending": "updated", "accepted": "won", "lost": "lost"}[status]
        events.append(
            {
                "type": f"quote.{kind}",
                "timestamp": (STARTED + timedelta(minutes=version)).isoformat(),
                "data": data,
            }
        )
    return Quote(f"q-{number}", tuple(events))


def _content(number: int, version: int, status: str, customer: tuple[str, ...], lines: list[Json]) -> Json:
    account, email, first_name, last_name = customer
    return {
        "quote_id": f"q-{number}",
        "number": str(100 + number),
        "version": version,
        "name": f"Simulated {number}",
        "status": status,
        "currency": "USD",
        "expires_on": "2099-12-31",
        "owner": {"email": "sam@msp.example"},
        "account": {"name": account},
        "contact": {"first_name": first_name, "last_name": last_name, "email": email},
        "totals": {"one_time": f"{1000 * (number + 1) + version}.00"},
        "lines": [dict(line) for line in lines],
    }


def _line(place: int, chance: random.Random) -> Json:
    code, name, category = chance.choice(ITEMS)
    fields: Json = {
        "line_id": f"l-{place}",
        "name": f"{name} {place}" if place else name,
        "category": category,
        "quantity": str(chance.randint(1, 5)),
        "unit_price": f"{chance.randint(10, 99)}.00",
        "unit_cost": "5.00",
    }
    return fields if code is None else fields | {"item_code": code}


def _changed(lines: list[Json], place: int, chance: random.Random) -> list[Json]:
    """Some lines change, one may go, one may come."""
    changed = [line | {"quantity": str(chance.randint(1, 5))} if chance.random() < 0.5 else line for line in lines]  # noqa: PLR2004 - half of them
    if changed and chance.random() < 0.2:  # noqa: PLR2004 - a fifth
        changed.pop(chance.randrange(len(changed)))
    if chance.random() < 0.2:  # noqa: PLR2004 - a fifth
        changed.append(_line(place, chance))
    return changed
