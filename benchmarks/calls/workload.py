"""The workload of the call rows: quotes of 31 lines on average, six events each, in bursts; decided by a seed.

A thousand quotes are a working day, and each of them is edited in a burst, and decided on later. Fewer quotes are a
part of that day in which the quotes live shorter, so that as much happens in a minute as with a thousand.
"""

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Json = dict[str, Any]

SEED = 1_000_006
STARTED = datetime(2026, 11, 23, 9, tzinfo=UTC)
QUOTES_PER_DAY = 1_000
DAY = timedelta(hours=8)
MOST_LINES, SPREAD = 61, 38
"""Evenly from 1 to 61 lines, 31 on average; few quotes are spread over them as well as many."""
EVENTS = 6

ITEMS_OF_A_KIND = 150
KNOWN_TO_BMS = 0.9
"""This part of the services and products is in BMS before the first quote."""
CUSTOMERS_PER_QUOTE = 0.2
"""A customer gets five quotes; every other customer is in BMS before, with the person who is quoted."""
EDITS, COMES_OR_GOES = 0.5, 0.1
"""How likely an update changes a line; and how likely it takes one off, or puts one on."""
NO_BURST = timedelta(seconds=20)
"""Longer than updates are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that is sold; ``is_known`` where BMS has it from the start."""

    kind: str
    code: str
    name: str
    price: Decimal
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Whom quotes are for; ``is_known`` where BMS has account and contact from the start."""

    name: str
    first_name: str
    last_name: str
    email: str
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a quote."""

    line_id: str
    item: Item
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A quote as one of its events tells it. ``document`` is what its PDF shows: the quote as it was published."""

    status: str
    lines: tuple[Line, ...]
    document: str | None

    @property
    def total(self) -> Decimal:
        """What the lines come to."""
        return sum((line.item.price * line.quantity for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: when it arrives, and the whole quote as it is then."""

    at: datetime
    kind: str
    version: int
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One quote and its life."""

    quote_id: str
    customer: Customer
    events: tuple[Event, ...]

    def content(self, event: Event) -> Json:
        """The event as the frontend sends it."""
        state, customer = event.state, self.customer
        pdf = {"filename": "Quote.pdf", "content_base64": _pdf(state.document)} if state.document else None
        return {
            "type": f"quote.{event.kind}",
            "timestamp": event.at.isoformat(),
            "data": {
                "quote_id": self.quote_id,
                "number": self.quote_id.removeprefix("q-"),
                "version": event.version,
                "name": f"Project {self.quote_id}",
                "status": state.status,
                "currency": "USD",
                "expires_on": "2099-12-31",
                "owner": {"email": "sam@msp.example"},
                "account": {"name": customer.name},
                "contact": {
                    "first_name": customer.first_name,
                    "last_name": customer.last_name,
                    "email": customer.email,
                },
                "totals": {"one_time": str(state.total)},
                "lines": [_line_content(line) for line in state.lines],
                "pdf": pdf,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What the MSP has and sells, and the quotes of a while in the order of their making."""

    items: tuple[Item, ...]
    customers: tuple[Customer, ...]
    quotes: tuple[Quote, ...]

    def arrivals(self) -> Sequence[tuple[Event, Quote]]:
        """Every event with its quote, in the order of their arrival."""
        found = [(event, quote) for quote in self.quotes for event in quote.events]
        return sorted(found, key=lambda each: (each[0].at, each[1].quote_id))

    def of_customers(self, customers: int) -> Sequence[Quote]:
        """All quotes of the first customers: a fair sample for what costs the more, the more quotes an account has."""
        names = {customer.name for customer in self.customers[:customers]}
        return [quote for quote in self.quotes if quote.customer.name in names]

    @property
    def mean_lines(self) -> float:
        """Lines a quote, as it is created."""
        return sum(len(quote.events[0].state.lines) for quote in self.quotes) / len(self.quotes)


def make_workload(quotes: int, *, seed: int = SEED) -> Workload:
    """Make the same workload for the same seed."""
    chance = random.Random(seed)
    items = tuple(_item(kind, number, chance) for kind in ("service", "product") for number in range(ITEMS_OF_A_KIND))
    customers = tuple(_customer(number) for number in range(max(1, round(quotes * CUSTOMERS_PER_QUOTE))))
    pace, hours = DAY / QUOTES_PER_DAY, min(quotes / QUOTES_PER_DAY, 1) * timedelta(hours=1)
    made = (
        _quote(number, STARTED + pace * number, customers[number % len(customers)], Market(items, chance, hours))
        for number in range(quotes)
    )
    return Workload(items=items, customers=customers, quotes=tuple(made))


def make_backlog(quotes: int) -> Workload:
    """Make quotes that have been created all at once, and to which nothing happens after that."""
    made = make_workload(quotes)
    created = (replace(quote, events=(replace(quote.events[0], at=STARTED),)) for quote in made.quotes)
    return replace(made, quotes=tuple(created))


def _item(kind: str, number: int, chance: random.Random) -> Item:
    name = f"{kind.title()} {number:03d}"
    price = Decimal(chance.randint(500, 90_000)) / 100
    code = f"{kind[:3].upper()}-{number:03d}"
    return Item(kind=kind, code=code, name=name, price=price, is_known=chance.random() < KNOWN_TO_BMS)


def _customer(number: int) -> Customer:
    word = f"Customer{number:04d}"
    email = f"pat@{word.lower()}.example"
    return Customer(name=f"{word} Inc", first_name="Pat", last_name=word, email=email, is_known=number % 2 == 0)


@dataclass(frozen=True, slots=True)
class Market:
    """What is sold, by whose chance, and how long an ``hour`` of a quote's life takes."""

    items: Sequence[Item]
    chance: random.Random
    hour: timedelta

    def wait(self, least: float, most: float) -> timedelta:
        """Some hours of a quote's life, but never so short that what came before could still be waiting."""
        return NO_BURST + self.hour * self.chance.uniform(least, most)

    def line(self, line_id: str) -> Line:
        """A line of an item; some are sold far more often than others."""
        rank = min(int(self.chance.paretovariate(0.8)) - 1, ITEMS_OF_A_KIND - 1)
        kind_of = self.chance.randrange(2) * ITEMS_OF_A_KIND
        return Line(line_id=line_id, item=self.items[kind_of + rank], quantity=self.chance.randint(1, 20))

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.chance.random() < probability


def _quote(number: int, at: datetime, customer: Customer, market: Market) -> Quote:
    """Created; some minutes later three updates in a burst; hours later a last one, and the decision with it."""
    quote_id, chance = f"q-{number:05d}", market.chance
    lines = tuple(market.line(f"l-{place}") for place in range(1 + (number + 1) * SPREAD % MOST_LINES))
    state = State(status="pending", lines=lines, document=quote_id)
    events = [Event(at=at, kind="created", version=1, state=state)]
    for updates, least, most in ((3, 0.1, 0.5), (1, 1, 5)):
        at += market.wait(least, most)
        for _ in range(updates):
            state = _edited(state, f"l-{quote_id}-{len(events)}", market)
            events.append(Event(at=at, kind="updated", version=len(events) + 1, state=state))
            at += timedelta(seconds=chance.uniform(0.2, 1.8))
    kind, status = chance.choices((("won", "accepted"), ("lost", "lost"), ("updated", "pending")), (9, 7, 4))[0]
    events.append(Event(at=at, kind=kind, version=EVENTS, state=replace(state, status=status)))
    return Quote(quote_id=quote_id, customer=customer, events=tuple(events))


def _edited(state: State, new_line: str, market: Market) -> State:
    """A line gets another quantity, or nothing changes that is sent; now and then a line goes, or another comes."""
    lines = list(state.lines)
    if market.happens(EDITS):
        place = market.chance.randrange(len(lines))
        lines[place] = replace(lines[place], quantity=lines[place].quantity + market.chance.randint(1, 5))
    if len(lines) > 1 and market.happens(COMES_OR_GOES):
        lines.pop(market.chance.randrange(len(lines)))
    if market.happens(COMES_OR_GOES):
        lines.append(market.line(new_line))
    return replace(state, lines=tuple(lines))


def _line_content(line: Line) -> Json:
    item = line.item
    return {
        "line_id": line.line_id,
        "name": item.name,
        "item_code": item.code,
        "category": "Hardware" if item.kind == "product" else "Labor",
        "quantity": str(line.quantity),
        "unit_price": str(item.price),
        "unit_cost": str((item.price / 2).quantize(Decimal("0.01"))),
    }


def _pdf(document: str) -> str:
    return base64.b64encode(f"%PDF-1.7 {document}".encode()).decode()
