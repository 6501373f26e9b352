"""Quoter's data as the canonical quote."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from app.intake.quoter_reading import branch_of, day_of, entries_of, flag_of, number_of, text_of, to_six_places
from app.quotes.model import (
    Account,
    Address,
    Contact,
    EventType,
    Line,
    Owner,
    Quote,
    QuoteEvent,
    RecurringPeriod,
    Status,
    Tax,
    Totals,
)
from app.quotes.money import EXACT, to_cents

Json = Mapping[str, object]

ZERO = Decimal(0)
NO_CURRENCY = "XXX"  # ISO 4217's own code for a transaction without a currency
_ID = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NAME_LENGTH = 500
_MOST_LINES = 1000
_MOST_REVISIONS = 2**31 - 1
_PERIODS = {
    "monthly": RecurringPeriod.MONTH,
    "month": RecurringPeriod.MONTH,
    "1": RecurringPeriod.MONTH,
    "quarterly": RecurringPeriod.QUARTER,
    "quarter": RecurringPeriod.QUARTER,
    "3": RecurringPeriod.QUARTER,
    "yearly": RecurringPeriod.YEAR,
    "annually": RecurringPeriod.YEAR,
    "annual": RecurringPeriod.YEAR,
    "year": RecurringPeriod.YEAR,
    "12": RecurringPeriod.YEAR,
}


class NotUnderstoodError(Exception):
    """No quote can be made of the data; ``str`` of it is a sentence for the account's owner."""


def to_event(payload: Json, *, received_at: datetime, time_zone: str) -> QuoteEvent:
    """Quoter's quote as an event at the time it was received (its data tells no time of its own).

    Raises:
        NotUnderstoodError: The quote has no id, no known status or no customer, or a line has a negative quantity.
    """
    quote = _quote(payload, time_zone=time_zone)
    return QuoteEvent(type=_event_type(quote.status, payload), timestamp=received_at, quote=quote)


def _event_type(status: Status, payload: Json) -> EventType:
    if status.is_won:
        return EventType.WON
    if status is Status.LOST:
        return EventType.LOST
    return EventType.CREATED if flag_of(payload.get("new")) else EventType.UPDATED


def _quote(payload: Json, *, time_zone: str) -> Quote:
    quote_id = _id_of(payload.get("id"))
    if quote_id is None:
        raise NotUnderstoodError("The quote has no usable id.")
    number = text_of(payload.get("number"))
    parent = _id_of(payload.get("parent_quote_id"))
    lines = _lines(payload)
    return Quote(
        quote_id=quote_id,
        number=number,
        revision=_revision(payload),
        parent_quote_id=parent if parent not in {quote_id, "0"} else None,
        name=_name_of(payload.get("name")) or f"Quote {number or quote_id}",
        status=_status(payload),
        currency=_currency(payload),
        expires_on=day_of(payload.get("expiry_date"), time_zone=time_zone),
        won_on=day_of(payload.get("won_date"), time_zone=time_zone),
        owner=_owner(branch_of(payload, "quote_owner")),
        account=_account(branch_of(payload, "person")),
        contact=_contact(branch_of(payload, "person")),
        totals=_totals(payload, lines),
        discount=number_of(payload.get("discount")) or ZERO,
        shipping=number_of(payload.get("shipping")) or ZERO,
        taxes=tuple(_tax(tax) for tax in entries_of(payload.get("taxes"))),
        lines=lines,
    )


def _status(payload: Json) -> Status:
    try:
        return Status(str(payload.get("status")).strip().lower())
    except ValueError:
        raise NotUnderstoodError("The quote has no status that is synced.") from None


def _id_of(value: object) -> str | None:
    text = text_of(value)
    return text if text and _ID.fullmatch(text) else None


def _name_of(value: object) -> str | None:
    text = text_of(value)
    return text[:_NAME_LENGTH].strip() if text else None


def _revision(payload: Json) -> int:
    revision = number_of(payload.get("revision")) or ZERO
    return int(min(max(revision, ZERO), Decimal(_MOST_REVISIONS)))


def _currency(payload: Json) -> str:
    code = (text_of(branch_of(payload, "currency").get("code")) or "").upper()
    return code if _CURRENCY.fullmatch(code) else NO_CURRENCY


def _owner(owner: Json) -> Owner:
    return Owner(name=_name_of(owner.get("full_name")) or _full_name(owner), email=_name_of(owner.get("email")))


def _full_name(person: Json) -> str | None:
    return _name_of(" ".join(filter(None, (text_of(person.get("first_name")), text_of(person.get("last_name"))))))


def _account(person: Json) -> Account:
    """The person's organization; who has none is a customer under the own name."""
    name = _name_of(person.get("organization")) or _full_name(person) or _name_of(person.get("email_address"))
    if name is None:
        raise NotUnderstoodError("The quote names no customer: neither an organization nor a person.")
    return Account(
        name=name,
        website=_name_of(person.get("website")),
        phone=_name_of(branch_of(person, "telephone_numbers").get("work")),
        address=_address(branch_of(person, "addresses", "billing")),
    )


def _address(address: Json) -> Address:
    state, country = branch_of(address, "state"), branch_of(address, "country")
    return Address(
        line1=_name_of(address.get("line1")),
        line2=_name_of(address.get("line2")),
        city=_name_of(address.get("city")),
        state=_name_of(state.get("code")) or _name_of(state.get("name")) or _name_of(address.get("state")),
        postal_code=_name_of(address.get("postal_code")),
        country=_name_of(country.get("name")) or _name_of(country.get("code")) or _name_of(address.get("country")),
    )


def _contact(person: Json) -> Contact | None:
    phones = branch_of(person, "telephone_numbers")
    first, last = _name_of(person.get("first_name")), _name_of(person.get("last_name"))
    email = _name_of(person.get("email_address"))
    if not (first or last or email):
        return None
    phone = _name_of(phones.get("mobile")) or _name_of(phones.get("work"))
    return Contact(first_name=first, last_name=last, email=email, phone=phone)


def _totals(payload: Json, lines: tuple[Line, ...]) -> Totals:
    """The quote's own sums; a missing one-time sum is that of its lines, and the margin is the sum of both margins."""
    total = branch_of(payload, "total")
    one_time = number_of(total.get("upfront"))
    margins = [number_of(total.get(name)) for name in ("one_time_margin_dollars", "recurring_margin_dollars")]
    known = [margin for margin in margins if margin is not None]
    return Totals(
        one_time=_sum_of_lines(lines) if one_time is None else one_time,
        recurring=number_of(total.get("recurring")) or ZERO,
        recurring_period=_period(payload),
        margin=to_six_places(sum(known, ZERO)) if known else None,
    )


def _sum_of_lines(lines: tuple[Line, ...]) -> Decimal:
    counted = (line for line in lines if not line.recurring and not line.is_skipped_option)
    return to_six_places(
        sum(
            (to_cents(EXACT.multiply((line.unit_price or ZERO) - line.discount, line.quantity)) for line in counted),
            ZERO,
        )
    )


def _period(payload: Json) -> RecurringPeriod | None:
    names = (text_of(payload.get("recurring_time_period_string")), text_of(payload.get("recurring_time_period")))
    return next((period for name in names if name and (period := _PERIODS.get(name.lower()))), None)


def _tax(tax: Json) -> Tax:
    """A tax's shape is not published: the usual names are tried, and an unknown amount counts as nothing."""
    amounts = (number_of(tax.get(name)) for name in ("amount", "total", "value", "tax"))
    amount = next((amount for amount in amounts if amount is not None), ZERO)
    return Tax(name=_name_of(tax.get("name")) or _name_of(tax.get("title")) or "Tax", amount=amount)


def _lines(payload: Json) -> tuple[Line, ...]:
    entries = entries_of(payload.get("line_items"))
    if len(entries) > _MOST_LINES:
        raise NotUnderstoodError(f"The quote has more than {_MOST_LINES} lines.")
    taken: set[str] = set()
    return tuple(_line(entry, line_id=_line_id(entry, index, taken)) for index, entry in enumerate(entries, start=1))


def _line_id(entry: Json, index: int, taken: set[str]) -> str:
    line_id = _id_of(entry.get("id")) or f"line-{index}"
    while line_id in taken:
        line_id = f"{line_id[:100]}-{index}"
    taken.add(line_id)
    return line_id


def _line(entry: Json, *, line_id: str) -> Line:
    sku = _name_of(entry.get("sku"))
    quantity = number_of(entry.get("quantity"))
    if quantity is None:
        quantity = Decimal(1)
    if quantity < 0:
        raise NotUnderstoodError(f"Line {line_id} has a negative quantity.")
    optional, recurring = flag_of(entry.get("is_optional")), flag_of(entry.get("recurring"))
    unit_price, discount = _price_and_discount(entry, quantity=quantity, recurring=recurring)
    return Line(
        line_id=line_id,
        name=_name_of(entry.get("name")) or sku or f"Line {line_id}",
        quantity=quantity,
        unit_price=unit_price,
        unit_cost=number_of(entry.get("unit_cost")),
        item_code=sku,
        sku=sku,
        description=text_of(entry.get("description")),
        category=_name_of(branch_of(entry, "type").get("name")),
        discount=discount,
        recurring=recurring,
        optional=optional,
        selected=not optional or flag_of(entry.get("is_optional_selected")),
    )


def _price_and_discount(entry: Json, *, quantity: Decimal, recurring: bool) -> tuple[Decimal | None, Decimal]:
    """The unit price, and the discount off each unit.

    How Quoter means ``discount`` is not published, so the line's own sums decide: price less discount, times quantity,
    is the sum after discount. Without that sum ``discount`` counts as an amount off the whole line. A recurring line's
    sums are looked for under ``recurring``, by analogy.
    """
    total, kind = branch_of(entry, "total"), "recurring" if recurring else "upfront"
    before, after = number_of(total.get(kind)), number_of(total.get(f"{kind}_after_discount"))
    price = number_of(entry.get("unit_price"))
    if price is None:
        price = number_of(entry.get("base_unit_price"))
    if not quantity:
        return price, ZERO
    if before and (price is None or to_cents(EXACT.multiply(price, quantity)) != to_cents(before)):
        price = to_six_places(EXACT.divide(before, quantity))  # tiers and the like: the sum is what the customer saw
    if price is None:
        return None, ZERO
    if after is None or (not before and not after):
        return price, to_six_places(EXACT.divide(number_of(entry.get("discount")) or ZERO, quantity))
    if to_cents(EXACT.multiply(price, quantity)) == to_cents(after):
        return price, ZERO
    net = to_six_places(EXACT.divide(after, quantity))
    return (price, to_six_places(price - net)) if net < price else (net, ZERO)
