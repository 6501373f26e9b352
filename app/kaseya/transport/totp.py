"""Time-based one-time passwords (RFC 6238: SHA-1, six digits, thirty seconds), as authenticator apps make them."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

STEP = timedelta(seconds=30)
DIGITS = 6


def totp(secret: str, *, at: datetime, digits: int = DIGITS) -> str:
    """Return the code for that moment. `secret` is base32, blanks and dashes and missing padding allowed.

    Raises ValueError, without the secret in its text, where it is not base32.
    """
    counter = int(at.timestamp()) // int(STEP.total_seconds())
    digest = hmac.digest(_key(secret), counter.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def _key(secret: str) -> bytes:
    letters = secret.replace(" ", "").replace("-", "").rstrip("=").upper()
    try:
        key = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        message = "The MFA secret is not a base32 text (letters A to Z, digits 2 to 7)."
        raise ValueError(message)
    return key
