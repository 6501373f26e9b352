"""The JSON webhook's body as pydantic models, and their way to the canonical event.

Longer than others: the models of one wire format belong on one page.
"""

import base64
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from app.intake.read_as import ReadAs
from app.quotes import model

MAX_LINES = 1000
INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
ZERO = Decimal(0)
_DECIMAL_PATTERN = r"-?[0-9]{1,15}(\.[0-9]{1,6})?"
_DECIMAL = re.compile(_DECIMAL_PATTERN)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DIGITS = re.compile(r"[1-9][0-9]{0,9}")


def _refusal(message: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{message}", {"message": message})


def read_decimal(value: object) -> Decimal:
    """A decimal in a string: at most 15 digits before the point and 6 after it, no exponent."""
    if not isinstance(value, str):
        raise _refusal('This must be a string holding a decimal, such as "12.50", not a JSON number.')
    return _read_decimal(value)


@lru_cache(maxsize=4096)  # a quote has many, most of them as they were in its last event
def _read_decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise _refusal('This must be a decimal such as "12.50": at most 15 digits before the point and 6 after it.')
    return shortest(text)


def shortest(text: str) -> Decimal:
    """A plain decimal without trailing zeros or a negative zero, so that equal amounts are stored as equal text."""
    trimmed = text.rstrip("0").rstrip(".") if "." in text else text
    return Decimal(trimmed) or ZERO


def _read_quantity(value: object) -> Decimal:
    quantity = read_decimal(value)
    if quantity < 0:
        raise _refusal("The quantity must not be negative.")
    return quantity


def _read_kaseya_id(value: object) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 1 <= value <= INT32_MAX:
        raise _refusal(f"A Kaseya id must be a whole number from 1 to {INT32_MAX}.")
    return value


def _read_time(value: object) -> datetime:
    text = value.upper() if isinstance(value, str) else ""
    if not _RFC3339.fullmatch(text):
        raise _refusal('This must be an RFC 3339 time with its zone, such as "2030-01-31T09:30:00Z".')
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refusal("There is no such time.") from None


def _read_date(value: object) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise _refusal('This must be a date such as "2030-01-31".')
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _refusal("There is no such date.") from None


def _read_base64(value: object) -> str:
    if not isinstance(value, str):
        raise _refusal("This must be a string holding base64.")
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        raise _refusal("This is not valid base64.") from None
    return value


Money = Annotated[
    Decimal, PlainValidator(read_decimal, json_schema_input_type=Annotated[str, Field(pattern=f"^{_DECIMAL_PATTERN}$")])
]
Quantity = Annotated[
    Decimal,
    PlainValidator(_read_quantity, json_schema_input_type=Annotated[str, Field(pattern=f"^{_DECIMAL_PATTERN[2:]}$")]),
]
KaseyaId = Annotated[
    int,
    PlainValidator(
        _read_kaseya_id,
        json_schema_input_type=Annotated[int, Field(ge=1, le=INT32_MAX)]
        | Annotated[str, Field(pattern="^[1-9][0-9]{0,9}$")],
    ),
]
Time = Annotated[datetime, PlainValidator(_read_time, json_schema_input_type=datetime)]
Day = Annotated[date, PlainValidator(_read_date, json_schema_input_type=date)]
Base64 = Annotated[str, PlainValidator(_read_base64, json_schema_input_type=str)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:~-]{1,128}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
LongText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]
Url = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8192)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True)]


def _read_selected(value: bool | None, line: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's signature
    """What is not optional is selected, and an option only if somebody chose it."""
    return bool(value) or not line.data.get("optional")


class Wire(BaseModel):
    """What all parts of the body share: no coercion, unknown fields ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


class OwnerIn(Wire):
    """The salesperson; matched to a BMS employee by e-mail."""

    name: Text | None = None
    email: Text | None = None

    def to_owner(self) -> model.Owner:
        """The canonical owner; a blank counts as missing."""
        return model.Owner(name=self.name or None, email=self.email or None)


class AddressIn(Wire):
    """A postal address; the country is a name."""

    line1: Text | None = None
    line2: Text | None = None
    city: Text | None = None
    state: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None

    def to_address(self) -> model.Address:
        """The canonical address; a blank counts as missing."""
        return model.Address(
            line1=self.line1 or None,
            line2=self.line2 or None,
            city=self.city or None,
            state=self.state or None,
            postal_code=self.postal_code or None,
            country=self.country or None,
        )


class AccountIn(Wire):
    """The customer: ``name``, ``kaseya_account_id``, or both."""

    kaseya_account_id: KaseyaId | None = None
    name: Text | None = None
    website: Url | None = None
    phone: Text | None = None
    address: AddressIn | None = None

    def to_account(self) -> model.Account:
        """The canonical account."""
        return model.Account(
            kaseya_account_id=self.kaseya_account_id,
            name=self.name or None,
            website=self.website or None,
            phone=self.phone or None,
            address=self.address.to_address() if self.address else model.Address(),
        )


class ContactIn(Wire):
    """The person the quote was written for."""

    kaseya_contact_id: KaseyaId | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    email: Text | None = None
    phone: Text | None = None

    def to_contact(self) -> model.Contact | None:
        """The canonical contact; none where nothing but perhaps a telephone number is told."""
        if not (self.kaseya_contact_id or self.first_name or self.last_name or self.email):
            return None
        return model.Contact(
            kaseya_contact_id=self.kaseya_contact_id,
            first_name=self.first_name or None,
            last_name=self.last_name or None,
            email=self.email or None,
            phone=self.phone or None,
        )


class OpportunityIn(Wire):
    """The opportunity that the user picked, if any."""

    kaseya_opportunity_id: KaseyaId | None = None


class TotalsIn(Wire):
    """The quote's own sums."""

    one_time: Money
    recurring: Money | None = None
    recurring_period: model.RecurringPeriod | None = None
    margin: Money | None = None

    def to_totals(self) -> model.Totals:
        """The canonical totals."""
        return model.Totals(
            one_time=self.one_time,
            recurring=self.recurring or ZERO,
            recurring_period=self.recurring_period,
            margin=self.margin,
        )


class TaxIn(Wire):
    """One tax on the quote."""

    name: Text | None = None
    amount: Money | None = None

    def to_tax(self) -> model.Tax:
        """The canonical tax."""
        return model.Tax(name=self.name or "Tax", amount=self.amount or ZERO)


class LineIn(Wire):
    """One line of the quote; ``discount`` is per unit."""

    line_id: Id
    name: Name
    quantity: Quantity
    unit_price: Money
    unit_cost: Money | None = None
    item_code: Text | None = None
    sku: Text | None = None
    description: LongText | None = None
    category: Text | None = None
    discount: Money | None = None
    discount_kind: model.DiscountKind | None = None
    taxable: bool | None = None
    recurring: bool | None = None
    optional: bool | None = None
    selected: Annotated[bool | None, AfterValidator(_read_selected), Field(validate_default=True)] = None


# A quote has many lines, so they are read into canonical ones at once, whose defaults they take.
Line = Annotated[model.Line, ReadAs(LineIn)]


class PdfIn(Wire):
    """The quote's document, by URL or inline."""

    filename: Text | None = None
    url: Url | None = None
    content_base64: Base64 | None = None

    def to_pdf(self) -> model.Pdf | None:
        """The canonical document; none where there is nothing to fetch or to read."""
        if not (self.url or self.content_base64):
            return None
        return model.Pdf(
            filename=self.filename or None, url=self.url or None, content_base64=self.content_base64 or None
        )


class QuoteIn(Wire):
    """The quote as it stands at the event's time."""

    quote_id: Id
    name: Name
    status: model.Status
    currency: Currency
    account: AccountIn
    totals: TotalsIn
    lines: Annotated[list[Line], Field(max_length=MAX_LINES)]
    number: Text | None = None
    revision: Annotated[int, Field(ge=0, le=INT32_MAX)] | None = None
    parent_quote_id: Id | None = None
    version: Annotated[int, Field(ge=0, le=INT64_MAX)] | None = None
    issued_on: Day | None = None
    expires_on: Day | None = None
    won_on: Day | None = None
    url: Url | None = None
    owner: OwnerIn | None = None
    contact: ContactIn | None = None
    opportunity: OpportunityIn | None = None
    discount: Money | None = None
    shipping: Money | None = None
    taxes: list[TaxIn] | None = None
    pdf: PdfIn | None = None

    def to_quote(self) -> model.Quote:
        """The canonical quote; a quote that names itself as its parent has none."""
        return model.Quote(
            quote_id=self.quote_id,
            name=self.name,
            status=self.status,
            currency=self.currency,
            account=self.account.to_account(),
            totals=self.totals.to_totals(),
            lines=tuple(self.lines),
            number=self.number or None,
            revision=self.revision or 0,
            parent_quote_id=self.parent_quote_id if self.parent_quote_id != self.quote_id else None,
            version=self.version,
            issued_on=self.issued_on,
            expires_on=self.expires_on,
            won_on=self.won_on,
            url=self.url or None,
            owner=self.owner.to_owner() if self.owner else model.Owner(),
            contact=self.contact.to_contact() if self.contact else None,
            kaseya_opportunity_id=self.opportunity.kaseya_opportunity_id if self.opportunity else None,
            discount=self.discount or ZERO,
            shipping=self.shipping or ZERO,
            taxes=tuple(tax.to_tax() for tax in self.taxes or ()),
            pdf=self.pdf.to_pdf() if self.pdf else None,
        )


class EventIn(Wire):
    """The body of the quote webhook."""

    type: model.EventType
    timestamp: Time
    data: QuoteIn

    def to_event(self) -> model.QuoteEvent:
        """The canonical event."""
        return model.QuoteEvent(type=self.type, timestamp=self.timestamp, quote=self.data.to_quote())
