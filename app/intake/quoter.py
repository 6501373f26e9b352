"""Quoter's own webhook: the form, its MD5, and what its data says.

Quoter tries again for 62 hours on any answer but a 2xx, so only a bad hash or an unreadable form is an error here;
whatever is understood but not wanted comes back as a value with its reason.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes

from app.intake.problems import SignatureError, UnreadableBodyError
from app.intake.quoter_mapping import NotUnderstoodError, to_event
from app.quotes.model import QuoteEvent, Status

__all__ = [
    "Ignored",
    "QuoterForm",
    "QuoterReading",
    "Rejected",
    "classify",
    "digest",
    "read_form",
    "to_event",
    "verify",
]

TOLERANCE = timedelta(seconds=300)
_FIELDS = (b"hash", b"timestamp", b"data")
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,10}")


@dataclass(frozen=True, slots=True)
class QuoterForm:
    """The form's three fields after exactly one decoding; ``data`` is what the hash covers, byte by byte."""

    hash: str
    timestamp: str
    data: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood, and nothing to do: a draft, a person, a payment."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Meant as a quote, but no quote can be made of it."""

    reason: str


QuoterReading = QuoteEvent | Ignored | Rejected


def read_form(body: bytes) -> QuoterForm:
    """Decode the form once; a second decoding would spoil a literal percent sign, and with it the hash.

    Raises:
        UnreadableBodyError: A field is missing or repeated, or is not UTF-8.
    """
    fields: dict[bytes, bytes] = {}
    for pair in body.split(b"&"):
        raw_name, _, raw_value = pair.partition(b"=")
        name = _decode_once(raw_name)
        if name in fields:
            raise UnreadableBodyError(f"The form field {name.decode()} is there more than once.")
        if name in _FIELDS:
            fields[name] = _decode_once(raw_value)
    missing = [name.decode() for name in _FIELDS if name not in fields]
    if missing:
        raise UnreadableBodyError(f"The form lacks {', '.join(missing)}; it must be x-www-form-urlencoded.")
    try:
        return QuoterForm(*(fields[name].decode() for name in _FIELDS))
    except UnicodeDecodeError:
        raise UnreadableBodyError("The form is not UTF-8.") from None


def verify(form: QuoterForm, *, hash_key: str, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Trust the form: the MD5 of key, timestamp and data must be its hash, and its time near ours.

    Raises:
        SignatureError: There is no key, the hash differs, or the time is off.
    """
    if not hash_key:
        raise SignatureError("The connection has no Quoter hash key.")
    signed = f"{hash_key}{form.timestamp}{form.data}".encode()
    expected = hashlib.md5(signed, usedforsecurity=False).hexdigest()  # Quoter's choice; it offers no other
    if not hmac.compare_digest(expected.encode(), form.hash.lower().encode()):
        raise SignatureError("The hash does not match; check the hash key in Quoter's webhook settings.")
    if not _TIMESTAMP.fullmatch(form.timestamp):
        raise SignatureError("The timestamp must be a whole number of seconds since 1970.")
    if abs(now - datetime.fromtimestamp(int(form.timestamp), UTC)) > tolerance:
        raise SignatureError(f"The timestamp is more than {tolerance.total_seconds():.0f} seconds from our time.")


def digest(form: QuoterForm) -> bytes:
    """SHA-256 of the data: equal for each retry of one change, while hash and timestamp differ."""
    return hashlib.sha256(form.data.encode()).digest()


def classify(data: str, *, received_at: datetime, time_zone: str) -> QuoterReading:
    """What the data is: a quote event, something to ignore, or a quote that cannot be understood.

    ``received_at`` (aware) becomes the event's time, since the data has none; ``time_zone`` is the connection's.
    """
    if data.lstrip("\ufeff \t\r\n").startswith("<"):
        return Ignored("The data is XML; set the webhook's format to JSON in Quoter.")
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        return Rejected("The data is not JSON; set the webhook's format to JSON in Quoter.")
    if not _is_quote(payload):
        return Ignored("The data is not a quote; only quotes are synced.")
    status = str(payload["status"]).strip().lower()
    if status not in set(Status):
        return Ignored(f"A quote of status {_brief(status)} is not synced.")
    try:
        return to_event(payload, received_at=received_at, time_zone=time_zone)
    except NotUnderstoodError as error:
        return Rejected(str(error))


def _decode_once(value: bytes) -> bytes:
    return unquote_to_bytes(value.replace(b"+", b" "))


def _is_quote(payload: object) -> bool:
    """People and payments come to the same address and say nowhere what they are; only a quote has these two."""
    return isinstance(payload, Mapping) and "line_items" in payload and "status" in payload


def _brief(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:40] or "(none)"
