"""The canonical quote as stored JSON: a stable round trip, and the digest of its content."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from pydantic import TypeAdapter

from app.quotes.model import Quote

_QUOTE = TypeAdapter(Quote)


def canonical_json(quote: Quote) -> bytes:
    """The quote as JSON: every field in the model's order, decimals as strings.

    Both webhooks read a decimal in its shortest spelling, so quotes that came in equal have equal bytes.
    """
    return _QUOTE.dump_json(quote)


def from_canonical(data: Mapping[str, object] | bytes | str) -> Quote:
    """Read back what :func:`canonical_json` wrote, parsed or not.

    Raises:
        pydantic.ValidationError: This was not written by us.
    """
    return _QUOTE.validate_json(data) if isinstance(data, bytes | str) else _QUOTE.validate_python(data)


def content_digest(quote: Quote) -> bytes:
    """SHA-256 (32 bytes) of what the quote says; ``version`` is left out, since it counts saves and says nothing."""
    return hashlib.sha256(canonical_json(replace(quote, version=None))).digest()
