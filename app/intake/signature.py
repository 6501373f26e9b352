"""Standard Webhooks signatures on raw bytes: verify, sign, and make secrets."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.intake.problems import SignatureError

TOLERANCE = timedelta(seconds=300)
SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret starts with is no secret
PUBLIC_KEY_PREFIX = "whpk_"
SECRET_BYTES = 32
_SECRET_LENGTHS = range(16, 65)  # bytes; the standard asks for 24 to 64, but signs its own example with 18
_MOST_SIGNATURES = 16  # a rotation needs two or three; each may cost a public-key check

# An id may hold full stops although the signed text is "id.timestamp.body": read with another split, the rest would
# begin with a piece of id or a number and a full stop, which is no JSON object, so it is never taken for an event.
_WEBHOOK_ID = re.compile(rb"[!-~]{1,256}")
_TIMESTAMP = re.compile(rb"[1-9][0-9]{0,10}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One trusted delivery: the sender's id of the message, the same on each retry, and when it was sent."""

    webhook_id: str
    sent_at: datetime


def verify(
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    *,
    secrets: Sequence[str],
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> Delivery:
    """Trust a delivery or refuse it.

    ``secrets`` are ``whsec_…`` (HMAC-SHA256, scheme ``v1``) and ``whpk_…`` (Ed25519 public keys, scheme ``v1a``); one
    match of any signature with any of them is enough. All are always tried, so that time tells nothing about which.

    Raises:
        SignatureError: A header is missing, repeated or malformed, the time is off, or no signature matches.
        ValueError: One of ``secrets`` is not a key.
    """
    ours = _webhook_headers(headers)
    webhook_id, timestamp, signatures = (
        _required(ours, name) for name in (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
    )
    if not _WEBHOOK_ID.fullmatch(webhook_id):
        raise SignatureError("The webhook-id must be 1 to 256 printable ASCII characters without blanks.")
    sent_at = _read_time(timestamp)
    if abs(now - sent_at) > tolerance:
        raise SignatureError(
            f"The webhook-timestamp is more than {tolerance.total_seconds():.0f} seconds from our time; "
            "check the sender's clock and sign each retry anew."
        )
    if not _any_matches(signatures, b".".join((webhook_id, timestamp, body)), secrets):
        raise SignatureError("No signature matches; check that the sender signs the raw body with a current secret.")
    return Delivery(webhook_id.decode("ascii"), sent_at)


def sign(secret: str, webhook_id: str, timestamp: datetime, body: bytes) -> str:
    """The ``webhook-signature`` of a body under a ``whsec_…`` secret; ``timestamp`` counts to the second."""
    signed = b".".join((webhook_id.encode("ascii"), b"%d" % int(timestamp.timestamp()), body))
    return "v1," + _hmac_signature(_read_secret(secret), signed).decode("ascii")


def new_secret(token_bytes: Callable[[int], bytes]) -> str:
    """A new ``whsec_…`` secret of 32 bytes from the given source of randomness."""
    return SECRET_PREFIX + base64.b64encode(token_bytes(SECRET_BYTES)).decode("ascii")


def _webhook_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    ours: dict[bytes, bytes] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        if not name.startswith(b"webhook-"):
            continue
        if name in ours:
            raise SignatureError(f"The header {name.decode('latin-1')} was sent more than once.")
        ours[name] = value
    return ours


def _required(headers: dict[bytes, bytes], name: bytes) -> bytes:
    value = headers.get(name)
    if not value:
        raise SignatureError(f"The header {name.decode('ascii')} is missing.")
    return value


def _read_time(timestamp: bytes) -> datetime:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureError("The webhook-timestamp must be a whole number of seconds since 1970.")
    return datetime.fromtimestamp(int(timestamp), UTC)


def _any_matches(header: bytes, signed: bytes, secrets: Sequence[str]) -> bool:
    signatures = header.split(b" ")
    if len(signatures) > _MOST_SIGNATURES:
        raise SignatureError(f"The webhook-signature holds more than {_MOST_SIGNATURES} signatures.")
    matched = False
    for secret in secrets:
        for signature in signatures:
            matched |= _matches(signature, signed, secret)
    return matched


def _matches(signature: bytes, signed: bytes, secret: str) -> bool:
    scheme, _, value = signature.partition(b",")
    if secret.startswith(PUBLIC_KEY_PREFIX):
        key = _read_public_key(secret)
        return scheme == b"v1a" and _is_signed_by(key, value, signed)
    # Text is compared, not decoded bytes: one signature has one spelling.
    return hmac.compare_digest(value, _hmac_signature(_read_secret(secret), signed)) and scheme == b"v1"


def _hmac_signature(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256))


def _is_signed_by(key: Ed25519PublicKey, value: bytes, signed: bytes) -> bool:
    try:
        signature = base64.b64decode(value, validate=True)
        key.verify(signature, signed)
    except (binascii.Error, InvalidSignature):
        return False
    return base64.b64encode(signature) == value


def _read_secret(secret: str) -> bytes:
    key = _decode_key(secret.removeprefix(SECRET_PREFIX))
    if not secret.startswith(SECRET_PREFIX) or len(key) not in _SECRET_LENGTHS:
        raise ValueError("A signing secret must be whsec_ followed by the base64 of 16 to 64 bytes.")
    return key


def _read_public_key(secret: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(_decode_key(secret.removeprefix(PUBLIC_KEY_PREFIX)))
    except ValueError:
        raise ValueError("A public key must be whpk_ followed by the base64 of 32 bytes.") from None


def _decode_key(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""
