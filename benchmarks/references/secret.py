"""The one check that all references make: the HMAC of the raw body, as Standard Webhooks signs it."""

import base64
import hashlib
import hmac
import os

SECRET_VARIABLE = "REFERENCE_SECRET"  # noqa: S105 - the variable's name
KEY = base64.b64decode(os.environ.get(SECRET_VARIABLE, "").removeprefix("whsec_"))


def is_signed(headers: dict[bytes, bytes], body: bytes) -> bool:
    """Whether the body comes from whoever knows the secret; how old it is, is not looked at."""
    signed = b".".join((headers[b"webhook-id"], headers[b"webhook-timestamp"], body))
    expected = b"v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256))
    return hmac.compare_digest(headers[b"webhook-signature"], expected)
