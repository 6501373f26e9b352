"""The canonical quote: what every frontend's event becomes before anything is decided about it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class EventType(StrEnum):
    """What the frontend says happened to a quote."""

    CREATED = "quote.created"
    UPDATED = "quote.updated"
    WON = "quote.won"
    LOST = "quote.lost"


class Status(StrEnum):
    """Where a quote stands in the frontend; mapped to a BMS opportunity status by the connection's settings."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    ORDERED = "ordered"
    FULFILLED = "fulfilled"
    LOST = "lost"

    @property
    def is_won(self) -> bool:
        """Accepted, ordered and fulfilled are the three stages of a won quote."""
        return self in WON_STAGES

    @property
    def is_decided(self) -> bool:
        """Won or lost: such news skips every debounce."""
        return self is not Status.PENDING


WON_STAGES = (Status.ACCEPTED, Status.ORDERED, Status.FULFILLED)

STATUSES_OF: dict[EventType, frozenset[Status]] = {
    EventType.CREATED: frozenset({Status.PENDING}),
    EventType.UPDATED: frozenset({Status.PENDING}),
    EventType.WON: frozenset(WON_STAGES),
    EventType.LOST: frozenset({Status.LOST}),
}


class DiscountKind(StrEnum):
    """How a line's discount is meant: percent of the unit price, or an amount off each unit."""

    PERCENT = "percent"
    AMOUNT = "amount"


class RecurringPeriod(StrEnum):
    """The period that the quote's recurring total covers."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The salesperson of the quote in the frontend."""

    name: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address as the frontend has it; the country is a name, not a code."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The customer: named by its BMS id (from a picker), or by name to be matched or created."""

    kaseya_account_id: int | None = None
    name: str | None = None
    website: str | None = None
    phone: str | None = None
    address: Address = Address()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The person the quote was written for."""

    kaseya_contact_id: int | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The quote's own sums; ``recurring`` is per ``recurring_period``."""

    one_time: Decimal
    recurring: Decimal = Decimal(0)
    recurring_period: RecurringPeriod | None = None
    margin: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """A tax on the quote: never sent to BMS, always told as a warning."""

    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the quote; ``discount`` is per unit or in percent of the unit price."""

    line_id: str
    name: str
    quantity: Decimal
    unit_price: Decimal | None
    unit_cost: Decimal | None = None
    item_code: str | None = None
    sku: str | None = None
    description: str | None = None
    category: str | None = None
    discount: Decimal = Decimal(0)
    discount_kind: DiscountKind = DiscountKind.AMOUNT
    taxable: bool = False
    recurring: bool = False
    optional: bool = False
    selected: bool = True

    @property
    def is_skipped_option(self) -> bool:
        """An optional line that the customer did not choose."""
        return self.optional and not self.selected


@dataclass(frozen=True, slots=True, kw_only=True)
class Pdf:
    """The quote's document: a URL to fetch, or the content itself in base64.

    Where the content came with the event it is stored beside the quote, which then keeps only its SHA-256 ``digest``.
    """

    filename: str | None = None
    url: str | None = None
    content_base64: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The newest known state of one quote: the state that BMS is to show."""

    quote_id: str
    name: str
    status: Status
    currency: str
    account: Account
    totals: Totals
    lines: tuple[Line, ...]
    number: str | None = None
    revision: int = 0
    parent_quote_id: str | None = None
    version: int | None = None
    issued_on: date | None = None
    expires_on: date | None = None
    won_on: date | None = None
    url: str | None = None
    owner: Owner = Owner()
    contact: Contact | None = None
    kaseya_opportunity_id: int | None = None
    discount: Decimal = Decimal(0)
    shipping: Decimal = Decimal(0)
    taxes: tuple[Tax, ...] = ()
    pdf: Pdf | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteEvent:
    """What one accepted delivery says: the event's type, when it happened, and the quote as it then stood."""

    type: EventType
    timestamp: datetime
    quote: Quote
