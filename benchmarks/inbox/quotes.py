"""Signed events of 3 to 8 KB, as quoting frontends send them: many quotes, each created and then updated."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from app.intake.signature import sign

WORDS = (
    "firewall switch access point licence subscription backup monitoring patching installation on site remote hour "
    "engineer senior year month renewal support replacement spare rack cable mailbox security awareness training"
)


_WORD_LIST = WORDS.split(" ")
TAXABLE, RECURRING = 0.5, 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Which events to make: ``quotes`` different ones in turn, each a version newer than its last time.

    ``name`` keeps the quotes and the webhook ids of one load apart from those of others. Quotes have up to ``lines``
    lines; 16 make events of 3 to 8 KB.
    """

    name: str
    connection_id: str
    secret: str
    quotes: int = 1000
    lines: int = 16
    first_version: int = 1


def requests(load: Load, count: int) -> list[bytes]:
    """``count`` whole HTTP requests, ready to be written to a socket."""
    return [_request(load, headers, body) for headers, body in deliveries(load, count)]


def deliveries(load: Load, count: int) -> list[tuple[list[tuple[bytes, bytes]], bytes]]:
    """``count`` signed deliveries: the webhook's headers and the body."""
    now = datetime.now(UTC)
    return [
        (_headers(load, f"msg_{load.name}_{number}", body, now), body)
        for number, body in enumerate(_events(load, count, now))
    ]


def _events(load: Load, count: int, now: datetime) -> Iterator[bytes]:
    random = Random(load.name)
    quotes = [_quote(random, f"{load.name}-{number}", load.lines) for number in range(min(load.quotes, count))]
    for number in range(count):
        version, place = divmod(number, len(quotes))
        version += load.first_version
        event = {
            "type": "quote.created" if version == 1 else "quote.updated",
            "timestamp": now.isoformat(),
            "data": quotes[place] | {"version": version},
        }
        yield json.dumps(event, separators=(",", ":")).encode()


def _headers(load: Load, webhook_id: str, body: bytes, now: datetime) -> list[tuple[bytes, bytes]]:
    return [
        (b"webhook-id", webhook_id.encode()),
        (b"webhook-timestamp", b"%d" % int(now.timestamp())),
        (b"webhook-signature", sign(load.secret, webhook_id, now, body).encode()),
    ]


def _request(load: Load, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    lines = [
        f"POST /webhooks/{load.connection_id}/quotes HTTP/1.1".encode(),
        b"host: benchmark",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        *(b"%b: %b" % header for header in headers),
    ]
    return b"\r\n".join([*lines, b"", body])


def _quote(random: Random, quote_id: str, most_lines: int) -> dict[str, Any]:
    lines = [_line(random, number) for number in range(random.randint(min(5, most_lines), most_lines))]
    return {
        "quote_id": quote_id,
        "number": str(random.randint(1000, 9999)),
        "revision": 0,
        "parent_quote_id": None,
        "version": 1,
        "name": _words(random, 3),
        "status": "pending",
        "currency": "USD",
        "issued_on": "2026-01-05",
        "expires_on": "2099-12-31",
        "won_on": None,
        "url": f"https://quotes.example.com/q/{quote_id}",
        "owner": {"name": "Sam Seller", "email": "sam@msp.example"},
        "account": {
            "kaseya_account_id": None,
            "name": _words(random, 2),
            "website": "https://customer.example",
            "phone": "555-0100",
            "address": {
                "line1": f"{random.randint(1, 99)} Example St",
                "line2": None,
                "city": "Springfield",
                "state": "CA",
                "postal_code": "90000",
                "country": "United States",
            },
        },
        "contact": {
            "kaseya_contact_id": None,
            "first_name": "Alex",
            "last_name": _words(random, 1),
            "email": "alex@customer.example",
            "phone": "555-0101",
        },
        "opportunity": {"kaseya_opportunity_id": None},
        "totals": {
            "one_time": _money(random),
            "recurring": _money(random),
            "recurring_period": "month",
            "margin": _money(random),
        },
        "discount": "50.00",
        "shipping": "25.00",
        "taxes": [{"name": "Sales tax", "amount": _money(random)}],
        "lines": lines,
        "pdf": {"filename": "quote.pdf", "url": f"https://quotes.example.com/q/{quote_id}.pdf", "content_base64": None},
    }


def _line(random: Random, number: int) -> dict[str, Any]:
    return {
        "line_id": f"l-{number}",
        "item_code": f"C-{random.randint(100, 999)}",
        "sku": f"SKU-{random.randint(10_000, 99_999)}",
        "name": _words(random, 3),
        "description": _words(random, random.randint(5, 14)),
        "category": random.choice(("Hardware", "Labor", "Managed services")),
        "quantity": str(random.randint(1, 12)),
        "unit_price": _money(random),
        "unit_cost": _money(random),
        "discount": "0.00",
        "discount_kind": "amount",
        "taxable": random.random() < TAXABLE,
        "recurring": random.random() < RECURRING,
        "optional": False,
        "selected": True,
    }


def _words(random: Random, count: int) -> str:
    return " ".join(random.choice(_WORD_LIST) for _ in range(count)).capitalize()


def _money(random: Random) -> str:
    return f"{random.randint(1, 5000)}.{random.randint(0, 99):02}"
