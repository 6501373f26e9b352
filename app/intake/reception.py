"""From a body's bytes to a delivery: trusted or not, readable or not, expired or not; no I/O."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.intake import quoter, signature, standard
from app.intake.deliveries import Delivery, Source
from app.intake.doors import Door
from app.intake.problems import InvalidEventError, RefusedError
from app.quotes.expiry import is_expired, today_in
from app.quotes.model import QuoteEvent


class QuoteExpiredError(RefusedError):
    """The quote is pending and past its date: BMS cannot backdate."""


class UnusableQuoteError(RefusedError):
    """Quoter's data is meant as a quote, but no quote can be made of it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A trusted delivery, and why it is only kept and not applied, if so."""

    delivery: Delivery
    refusal: RefusedError | None = None


def read_standard(door: Door, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, now: datetime) -> Reading:
    """Check and read a Standard Webhooks delivery.

    Raises:
        SignatureError: It cannot be trusted. With this door, at least: a secret may just have been rotated.
    """
    webhook_id = signature.verify(headers, body, secrets=door.secrets, now=now).webhook_id
    event, refusal = _read_event(door, body, now=now)
    delivery = Delivery(
        connection_id=door.connection_id,
        source=Source.STANDARD,
        webhook_id=webhook_id,
        body=body,
        digest=hashlib.sha256(body).digest(),
        event=event,
        refusal=_reason(refusal),
    )
    return Reading(delivery, refusal)


def read_quoter(door: Door, body: bytes, *, hash_key: str, now: datetime) -> Reading | quoter.Ignored:
    """Check and read a delivery of Quoter's own webhook; what is not a quote to sync is ignored, with the reason.

    Raises:
        UnreadableBodyError: It is not Quoter's form.
        SignatureError: It cannot be trusted.
    """
    form = quoter.read_form(body)
    quoter.verify(form, hash_key=hash_key, now=now)
    read = quoter.classify(form.data, received_at=now, time_zone=door.zone)
    if isinstance(read, quoter.Ignored):
        return read
    event: QuoteEvent | None
    refusal: RefusedError | None
    if isinstance(read, quoter.Rejected):
        event, refusal = None, UnusableQuoteError(read.reason)
    else:
        event, refusal = read, _expiry(door, read, now=now)
    delivery = Delivery(
        connection_id=door.connection_id,
        source=Source.QUOTER,
        webhook_id=None,
        body=body,
        digest=quoter.digest(form),
        event=event,
        refusal=_reason(refusal),
    )
    return Reading(delivery, refusal)


def read_again(door: Door, source: Source, body: bytes, *, now: datetime) -> QuoteEvent | RefusedError:
    """What a stored body says by today's rules; its sender was trusted when it was stored."""
    if source is Source.STANDARD:
        event, refusal = _read_event(door, body, now=now)
        return refusal or event or InvalidEventError(())
    read = quoter.classify(quoter.read_form(body).data, received_at=now, time_zone=door.zone)
    if not isinstance(read, QuoteEvent):
        return UnusableQuoteError(read.reason)
    return _expiry(door, read, now=now) or read


def _read_event(door: Door, body: bytes, *, now: datetime) -> tuple[QuoteEvent | None, RefusedError | None]:
    try:
        event = standard.parse(body)
    except InvalidEventError as error:
        return None, error
    return event, _expiry(door, event, now=now)


def _expiry(door: Door, event: QuoteEvent, *, now: datetime) -> RefusedError | None:
    if not is_expired(event.quote, today=today_in(door.zone, now)):
        return None
    return QuoteExpiredError(
        f"The quote expired on {event.quote.expires_on} ({door.zone}); BMS cannot backdate. "
        "Give it a later expiry date and send it again."
    )


def name_of(refusal: RefusedError) -> Literal["quote-expired", "invalid-event"]:
    """The problem that a kept but refused delivery is answered with."""
    return "quote-expired" if isinstance(refusal, QuoteExpiredError) else "invalid-event"


def _reason(refusal: RefusedError | None) -> str | None:
    return f"{name_of(refusal)}: {refusal}" if refusal else None
