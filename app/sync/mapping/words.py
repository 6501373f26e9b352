"""Names as they are compared, and the marker by which our records are found again."""

import base64
import hashlib

MARKER_CHARACTERS = 22


def fold(name: str | None) -> str:
    """A name as it is compared: trimmed, spaces collapsed, case-folded."""
    return " ".join((name or "").split()).casefold()


def marker(connection_id: str, quote_id: str) -> str:
    """The mark that our records of one quote carry in BMS, the same for ever: ``[quotebridge:<22 characters>]``."""
    digest = hashlib.sha256(f"{connection_id}/{quote_id}".encode()).digest()
    return f"[quotebridge:{base64.urlsafe_b64encode(digest).decode()[:MARKER_CHARACTERS]}]"


def with_marker(text: str | None, mark: str) -> str:
    """A description that ends in the marker line; what a user typed stays, and so do other quotes' markers."""
    above = "\n\n".join(part for piece in (text or "").split(mark) if (part := piece.strip()))
    return f"{above}\n\n{mark}" if above else mark
