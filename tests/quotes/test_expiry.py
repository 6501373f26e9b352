"""Only a pending quote expires, and its last day is still good."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.quotes.expiry import is_expired, today_in
from app.quotes.model import Account, Quote, Status, Totals

TODAY = date(2030, 6, 15)
QUOTE = Quote(
    quote_id="q-1",
    name="Firewall refresh",
    status=Status.PENDING,
    currency="USD",
    account=Account(name="Example Widgets Ltd"),
    totals=Totals(one_time=Decimal(1)),
    lines=(),
)


@pytest.mark.parametrize(("days", "expired"), [(-1, True), (0, False), (1, False)])
def test_a_pending_quote_expires_the_day_after_its_date(days: int, expired: bool) -> None:  # noqa: FBT001
    assert is_expired(replace(QUOTE, expires_on=TODAY + timedelta(days=days)), today=TODAY) is expired


def test_a_quote_without_a_date_never_expires() -> None:
    assert not is_expired(QUOTE, today=TODAY)


@pytest.mark.parametrize("status", [status for status in Status if status.is_decided])
def test_a_decided_quote_never_expires(status: Status) -> None:
    assert not is_expired(replace(QUOTE, status=status, expires_on=date(2000, 1, 1)), today=TODAY)


@pytest.mark.parametrize(
    ("zone", "day"), [("America/Los_Angeles", date(2030, 6, 14)), ("UTC", TODAY), ("Pacific/Kiritimati", TODAY)]
)
def test_today_depends_on_the_zone(zone: str, day: date) -> None:
    assert today_in(zone, datetime(2030, 6, 15, 6, 30, tzinfo=UTC)) == day


def test_a_naive_time_names_no_day() -> None:
    with pytest.raises(ValueError, match="time zone"):
        today_in("UTC", datetime(2030, 6, 15, 6, 30))  # noqa: DTZ001 - the naive time is the point
