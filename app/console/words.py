"""How the console says things: states, outcomes and codes in plain words, each with the tone it is shown in."""

from datetime import UTC, datetime

Tone = str  # one of: good, busy, wait, bad, off

QUOTE_STATES: dict[str, tuple[str, Tone]] = {
    "pending": ("Waiting", "wait"),
    "syncing": ("Syncing", "busy"),
    "synced": ("In BMS", "good"),
    "retrying": ("Trying again", "wait"),
    "parked": ("Needs you", "bad"),
    "rejected": ("Not sent", "off"),
}
QUOTE_STATUSES: dict[str, tuple[str, Tone]] = {
    "pending": ("Pending", "off"),
    "accepted": ("Accepted", "good"),
    "ordered": ("Ordered", "good"),
    "fulfilled": ("Fulfilled", "good"),
    "lost": ("Lost", "bad"),
}
DISPOSITIONS: dict[str, tuple[str, Tone]] = {
    "pending": ("Waiting", "wait"),
    "applied": ("In BMS", "good"),
    "superseded": ("Overtaken", "off"),
    "unchanged": ("Nothing new", "off"),
    "rejected": ("Rejected", "bad"),
    "parked": ("Needs you", "bad"),
}
OUTCOMES: dict[str, tuple[str, Tone]] = {
    "synced": ("Synced", "good"),
    "unchanged": ("Nothing to do", "off"),
    "retry": ("Tried again later", "wait"),
    "park": ("Stopped", "bad"),
    "reject": ("Not sent", "off"),
    "pauseconnection": ("Sign-in refused", "bad"),
}
CALL_OUTCOMES: dict[str, Tone] = {"ok": "good", "throttled": "wait"}
EVENT_TYPES = {
    "quote.created": "Created",
    "quote.updated": "Updated",
    "quote.won": "Won",
    "quote.lost": "Lost",
}
WARNINGS = {
    "account_ambiguous": "Several accounts have this name",
    "margin_missing": "The quote names no margin",
    "optional_line_skipped": "Optional line not sent",
    "owner_not_found": "The owner is not an employee in BMS",
    "pdf_not_fetched": "The PDF could not be fetched",
    "pdf_not_sent": "The PDF was not sent",
    "pdf_refused": "The PDF was refused",
    "pdf_sent_as_note": "The PDF went as a note",
    "product_not_created": "The product is not in BMS",
    "quotation_header_not_updated": "The quotation's header stays as it is",
    "quotation_line_zeroed": "A removed line has quantity 0",
    "quotation_not_backdated": "The quotation cannot be backdated",
    "quotation_skipped_expired": "Won after its date: no quotation",
    "quotation_waiting_for_header": "Waiting for the quotation's header",
    "quote_discount_not_sent": "The quote's discount is not sent",
    "service_line_unpriced": "A service line lacks price or cost",
    "shipping_not_sent": "Shipping is not sent",
    "tax_not_sent": "Taxes are not sent",
    "total_differs": "The totals differ",
}
RECORDS = {
    "account_id": "Account",
    "location_id": "Location",
    "contact_id": "Contact",
    "opportunity_id": "Opportunity",
    "quotation_id": "Quotation",
    "attachment_id": "PDF attachment",
}
DRIFT_FIELDS = {
    "amount": "Amount",
    "status_id": "Status id",
    "close_date": "Close date",
    "sales_representative_user_id": "Sales representative's id",
}
ACTIONS = {"create": "Create", "update": "Change", "delete": "Remove"}


def plain(code: str) -> str:
    """A code or field name as words."""
    text = code.replace("_", " ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]


def warning(code: str) -> str:
    """A warning's code as a short heading."""
    return WARNINGS.get(code, plain(code))


def moment(at: datetime) -> str:
    """A time as it is read without a script, which would show it in the reader's own zone."""
    return f"{at.astimezone(UTC):%d %b %Y, %H:%M} UTC"


def duration(seconds: float) -> str:
    """A duration, in the unit that suits it."""
    minute, hour = 60, 3600
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < minute:
        return f"{seconds:.1f} s"
    return f"{seconds / minute:.0f} min" if seconds < hour else f"{seconds / hour:.1f} h"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number and its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
