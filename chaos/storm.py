"""The quotes of a storm: who they are for, how they change, and how their frontend sends them until it hears a 2xx."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from app.intake.signature import sign
from chaos.replicas import Replica

Json = dict[str, Any]
ACCEPTED = 202
STARTED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class StormQuote:
    """A quote and all its events, in the order in which they happened; the newest one is what BMS must show."""

    quote_id: str
    events: list[Json]
    newest: Json = field(init=False)

    def __post_init__(self) -> None:
        """The last event is the newest."""
        self.newest = self.events[-1]["data"]


def make_quotes(count: int, *, events_each: int, chance: random.Random) -> list[StormQuote]:
    """Quotes of a few customers, each changed several times and then won, lost or left open."""
    return [_quote(number, events_each=events_each, chance=chance) for number in range(count)]


def _quote(number: int, *, events_each: int, chance: random.Random) -> StormQuote:
    quote_id = f"storm-{number:04}"
    last = chance.choice(["pending", "accepted", "lost"])
    events = []
    for version in range(1, events_each + 1):
        status = last if version == events_each else "pending"
        kind = {"pending": "updated", "accepted": "won", "lost": "lost"}[status]
        data = _content(quote_id, number, version=version, status=status, chance=chance)
        happened_at = STARTED + timedelta(minutes=version)
        name = "created" if version == 1 and status == "pending" else kind
        events.append({"type": f"quote.{name}", "timestamp": happened_at.isoformat(), "data": data})
    return StormQuote(quote_id, events)


def _content(quote_id: str, number: int, *, version: int, status: str, chance: random.Random) -> Json:
    lines = [_line(each, chance) for each in range(chance.randint(1, 3))]
    total = sum((Decimal(line["quantity"]) * Decimal(line["unit_price"]) for line in lines), Decimal(0))
    customer = number % 40
    return {
        "quote_id": quote_id,
        "number": str(number),
        "version": version,
        "name": f"Storm {number}",
        "status": status,
        "currency": "USD",
        "expires_on": "2099-12-31",
        "owner": {"email": "sam@msp.example"},
        "account": {"name": f"Storm Customer {customer}"},
        "contact": {"first_name": "Con", "last_name": f"Tact {customer}", "email": f"c{customer}@storm.example"},
        "totals": {"one_time": f"{total:.2f}"},
        "lines": lines,
    }


def _line(number: int, chance: random.Random) -> Json:
    return {
        "line_id": f"l-{number}",
        "item_code": "LAB" if number == 0 else f"STORM-{chance.randint(1, 20)}",
        "name": f"Storm work {number}",
        "category": "Labor",
        "quantity": str(chance.randint(1, 9)),
        "unit_price": f"{chance.randint(10, 400)}.00",
        "unit_cost": "10.00",
    }


@dataclass(slots=True)
class Frontend:
    """Sends events to whichever replica answers, and repeats each until it was accepted."""

    path: str
    secret: str
    replicas: Sequence[Replica]
    chance: random.Random
    acknowledged: dict[str, str] = field(default_factory=dict)
    tries: int = 0

    async def send_all(self, quotes: Sequence[StormQuote], *, over: timedelta, at_once: int = 24) -> None:
        """Send every event, shuffled within a short distance and some of them twice, over about this long."""
        deliveries = [
            (f"{quote.quote_id}-{number}", json.dumps(event).encode(), number + self.chance.uniform(0, 2.5))
            for quote in quotes
            for number, event in enumerate(quote.events)
        ]
        deliveries += self.chance.sample(deliveries, len(deliveries) // 20)
        deliveries.sort(key=lambda each: each[2])
        pause = over.total_seconds() / len(deliveries)
        gate = asyncio.Semaphore(at_once)
        async with httpx.AsyncClient(timeout=5) as client, asyncio.TaskGroup() as group:
            for webhook_id, body, _ in deliveries:
                await gate.acquire()
                sending = group.create_task(self._send(client, webhook_id, body))
                sending.add_done_callback(lambda _: gate.release())
                await asyncio.sleep(pause)

    async def _send(self, client: httpx.AsyncClient, webhook_id: str, body: bytes) -> None:
        while True:
            now = datetime.now(UTC)
            headers = {
                "Content-Type": "application/json",
                "webhook-id": webhook_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": sign(self.secret, webhook_id, now, body),
            }
            self.tries += 1
            url = self.chance.choice(self.replicas).url + self.path
            try:
                answer = await client.post(url, content=body, headers=headers)
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == ACCEPTED:
                self.acknowledged[webhook_id] = answer.json()["event_id"]
                return
            await asyncio.sleep(self.chance.uniform(0.1, 0.6))
