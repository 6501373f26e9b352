"""A delivery as it is taken in, and the answer to it."""

from dataclasses import dataclass
from enum import StrEnum

from app.quotes.model import QuoteEvent


class Source(StrEnum):
    """Which of the two webhooks a delivery came in by."""

    STANDARD = "standard"
    QUOTER = "quoter"


class Answer(StrEnum):
    """What became of a delivery."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    CONFLICT = "conflict"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A verified delivery. ``digest`` is the SHA-256 that tells redeliveries apart from changes.

    ``event`` is None where the body could not be read; ``refusal`` says why it may not be carried over. Refused
    deliveries are kept too, so that nothing is lost on bad input.
    """

    connection_id: str
    source: Source
    webhook_id: str | None
    body: bytes
    digest: bytes
    event: QuoteEvent | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The answer to one delivery, true once the transaction has committed."""

    event_id: str
    answer: Answer
    reason: str | None = None
