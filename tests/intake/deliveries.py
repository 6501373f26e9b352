"""Verified deliveries as accepting takes them, to change at will."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from app.intake.deliveries import Delivery, Source
from app.intake.standard import parse
from tests.intake import samples

NOW = datetime(2030, 1, 1, 10, tzinfo=UTC)


def delivery(
    webhook_id: str, *, kind: str = "created", refusal: str | None = None, at: int = 0, **data: Any
) -> Delivery:
    """``at`` moves its time by seconds; ``data`` changes the quote."""
    body = samples.event()
    body["type"] = f"quote.{kind}"
    body["timestamp"] = (NOW + timedelta(seconds=at)).isoformat()
    status = {"won": "accepted", "lost": "lost"}.get(kind, "pending")
    body["data"] |= {"status": status, **data}
    raw = samples.body(body)
    return Delivery(
        connection_id="con_1",
        source=Source.STANDARD,
        webhook_id=webhook_id,
        body=raw,
        digest=hashlib.sha256(raw).digest(),
        event=parse(raw),
        refusal=refusal,
    )
