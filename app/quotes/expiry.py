"""Expiry: BMS cannot backdate a quotation, so a pending quote past its date is not pushed."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.quotes.model import Quote, Status


def is_expired(quote: Quote, *, today: date) -> bool:
    """Pending and past its last day; only a pending quote expires, since a decided one has its answer."""
    return quote.status is Status.PENDING and quote.expires_on is not None and quote.expires_on < today


def today_in(zone: str, now: datetime) -> date:
    """The calendar day at ``now`` (aware) in an IANA time zone such as ``America/Chicago``.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: The zone is unknown.
        ValueError: The zone is not a name at all, or ``now`` is naive.
    """
    if now.tzinfo is None:
        raise ValueError("The current time needs a time zone to name a day.")
    return now.astimezone(ZoneInfo(zone)).date()
