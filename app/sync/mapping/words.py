"""Names as they are compared, and the marker by which our records are found again."""

import base64
import hashlib
import re

MARKER_CHARACTERS = 22
MARKER = re.compile(r"\[quotebridge:[A-Za-z0-9_-]{22}\]")


def fold(name: str | None) -> str:
    """A name as it is compared: trimmed, spaces collapsed, case-folded."""
    return " ".join((name or "").split()).casefold()


def marker(connection_id: str, quote_id: str) -> str:
    """The mark that our records of one quote carry in BMS, the same for ever: ``[quotebridge:<22 characters>]``."""
    digest = hashlib.sha256(f"{connection_id}/{quote_id}".encode()).digest()
    return f"[quotebridge:{base64.urlsafe_b64encode(digest).decode()[:MARKER_CHARACTERS]}]"


def with_marker(text: str | None, mark: str) -> str:
    """A description that ends in the marker line; what a user typed above it stays as it is."""
    above = MARKER.sub("", text or "").rstrip()
    return f"{above}\n\n{mark}" if above else mark
