"""From a quote and the settings to what BMS should hold, as far as that can be said without asking BMS."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from app.connections.model import CloseDateRule, ConnectionSettings, ExpiredWhenWon, ItemKind, ValueBasis
from app.quotes.model import Account, Contact, Line, Pdf, Quote, Status
from app.quotes.money import to_cents, unit_price_after_discount
from app.sync.mapping.warnings import QuoteWarning, about_quote, option_skipped

SUBJECT_MAX = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonWanted:
    """Whose opportunity it is to be: the quote's owner, or the default sales employee."""

    email: str | None
    default_employee_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredOpportunity:
    """The opportunity as far as the quote decides it; ``named_id`` is the one that the quote names."""

    named_id: int | None
    subject: str
    amount: Decimal
    close_date: date
    status_id: int
    owner: PersonWanted
    type_id: int
    rating_id: int
    lead_source_id: int | None
    rename: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredLine:
    """A line of the quotation. ``unit_price`` has the line's discount folded in; None where the quote has no price."""

    line: Line
    kind: ItemKind
    item_type_id: int
    unit_price: Decimal | None
    unit_cost: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredQuotation:
    """The service quotation; ``backdated`` where the quote was decided after its date, which BMS will refuse."""

    name: str
    expires_on: date
    warehouse_id: int
    distributor_type_id: int
    lines: tuple[DesiredLine, ...]
    backdated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """All that a quote wants of BMS.

    ``digest`` changes whenever something changes that would be sent for a quote which BMS shows already. How its
    account and contact are matched or made is no part of it, since both are linked by then; nor is what is only told.
    """

    account: Account
    contact: Contact | None
    opportunity: DesiredOpportunity
    quotation: DesiredQuotation | None
    pdf: Pdf | None
    module_id: int | None
    url: str | None
    warnings: tuple[QuoteWarning, ...]
    quoted_total: Decimal
    digest: bytes


def desire(
    quote: Quote,
    settings: ConnectionSettings,
    *,
    today: date,
    first_synced_on: date | None,
    capabilities: Iterable[str],
) -> Desired:
    """Map a quote. ``today`` is in the connection's time zone; ``first_synced_on`` is None before the first sync."""
    warnings = list(about_quote(quote))
    margin_known = quote.totals.margin is not None
    if settings.opportunity.value_basis is ValueBasis.MARGIN and not margin_known:
        detail = (
            "The quote has no margin, which is to be the opportunity's amount: its one-time total was sent instead."
        )
        warnings.append(QuoteWarning("margin_missing", detail))
    quotation, about_quotation = _quotation(quote, settings, today=today, first_synced_on=first_synced_on)
    desired = Desired(
        account=quote.account,
        contact=quote.contact,
        opportunity=_opportunity(quote, settings, today=today, first_synced_on=first_synced_on),
        quotation=quotation,
        pdf=quote.pdf if settings.attachment.push_pdf else None,
        module_id=settings.attachment.opportunity_module_id,
        url=quote.url,
        warnings=(*warnings, *about_quotation),
        quoted_total=quote.totals.one_time + quote.totals.recurring,
        digest=b"",
    )
    return replace(desired, digest=_digest(desired, capabilities))


def amount_of(quote: Quote, settings: ConnectionSettings) -> Decimal:
    """The opportunity's amount by the value basis, to the cent."""
    totals = quote.totals
    match settings.opportunity.value_basis:
        case ValueBasis.MARGIN if totals.margin is not None:
            amount = totals.margin
        case ValueBasis.ONE_TIME_PLUS_RECURRING:
            amount = totals.one_time + totals.recurring * settings.opportunity.recurring_periods
        case _:
            amount = totals.one_time
    return to_cents(amount)


def close_date_of(quote: Quote, settings: ConnectionSettings, *, today: date, first_synced_on: date | None) -> date:
    """The close date by its rule; a quote that never expires closes by days as well."""
    rule = settings.opportunity
    if rule.close_date is CloseDateRule.EXPIRY and quote.expires_on is not None:
        return quote.expires_on
    return (quote.issued_on or first_synced_on or today) + timedelta(days=rule.close_after_days)


def _opportunity(
    quote: Quote, settings: ConnectionSettings, *, today: date, first_synced_on: date | None
) -> DesiredOpportunity:
    rule = settings.opportunity
    return DesiredOpportunity(
        named_id=quote.kaseya_opportunity_id,
        subject=title_of(quote, settings),
        amount=amount_of(quote, settings),
        close_date=close_date_of(quote, settings, today=today, first_synced_on=first_synced_on),
        status_id=settings.status_mapping.of(quote.status),
        owner=PersonWanted(email=quote.owner.email, default_employee_id=rule.default_sales_employee_id),
        type_id=rule.type_id,
        rating_id=rule.rating_id,
        lead_source_id=rule.lead_source_id,
        rename=rule.rename_on_update,
    )


def _quotation(
    quote: Quote, settings: ConnectionSettings, *, today: date, first_synced_on: date | None
) -> tuple[DesiredQuotation | None, list[QuoteWarning]]:
    rule = settings.service_quotation
    if not rule.enabled or rule.default_warehouse_id is None:
        return None, []
    expires_on = quote.expires_on or close_date_of(quote, settings, today=today, first_synced_on=first_synced_on)
    backdated = expires_on < today
    if backdated and (rule.expired_when_won is ExpiredWhenWon.SKIP or quote.status is Status.LOST):
        detail = f"The quote was decided after {expires_on}, and BMS cannot backdate: its quotation was left as it is."
        return None, [QuoteWarning("quotation_skipped_expired", detail)]
    warnings = [option_skipped(line) for line in quote.lines if line.is_skipped_option]
    lines = tuple(_line(line, settings) for line in quote.lines if not line.is_skipped_option)
    return (
        DesiredQuotation(
            name=title_of(quote, settings),
            expires_on=expires_on,
            warehouse_id=rule.default_warehouse_id,
            distributor_type_id=rule.distributor_type_id,
            lines=lines,
            backdated=backdated,
        ),
        warnings,
    )


def title_of(quote: Quote, settings: ConnectionSettings) -> str:
    """What the opportunity and its quotation are called, by the settings' template."""
    name = settings.opportunity.name_template.format(number=quote.number or "", name=quote.name).strip()
    return (name or quote.quote_id)[:SUBJECT_MAX]


def _line(line: Line, settings: ConnectionSettings) -> DesiredLine:
    item_type = settings.item_type(line.category)
    return DesiredLine(
        line=line,
        kind=item_type.kind if item_type else ItemKind.OTHER,
        item_type_id=item_type.item_type_id if item_type else 0,
        unit_price=None if line.unit_price is None else to_cents(unit_price_after_discount(line)),
        unit_cost=None if line.unit_cost is None else to_cents(line.unit_cost),
    )


def _digest(desired: Desired, capabilities: Iterable[str]) -> bytes:
    contact, quotation = desired.contact, desired.quotation
    sent = {
        "account": desired.account.kaseya_account_id,
        "contact": None if contact is None else contact.kaseya_contact_id or "matched",
        "opportunity": _sent_opportunity(desired.opportunity),
        "quotation": None if quotation is None else _sent_quotation(quotation),
        "document": _sent_document(desired),
        "capabilities": sorted(capabilities),
    }
    return hashlib.sha256(json.dumps(sent, sort_keys=True, default=str).encode()).digest()


def _sent_opportunity(wanted: DesiredOpportunity) -> list[object]:
    subject = wanted.subject if wanted.rename else None
    return [wanted.named_id, wanted.amount, wanted.close_date, wanted.status_id, asdict(wanted.owner), subject]


def _sent_quotation(quotation: DesiredQuotation) -> list[object]:
    header = [quotation.name, quotation.expires_on, quotation.warehouse_id, quotation.distributor_type_id]
    lines = sorted((_sent_line(line) for line in quotation.lines), key=str)
    return [*header, quotation.backdated, lines]


def _sent_line(line: DesiredLine) -> list[object]:
    source = line.line
    # Where the price comes from BMS, the discount is taken off it only then.
    price = (source.discount, source.discount_kind) if line.unit_price is None else line.unit_price
    item = [line.kind, line.item_type_id, source.item_code, source.sku, source.name]
    return [source.line_id, *item, source.description, source.quantity, source.taxable, price, line.unit_cost]


def _sent_document(desired: Desired) -> list[object]:
    if desired.pdf is None:
        return []
    if desired.module_id is None:
        return [desired.url]
    return [desired.module_id, desired.pdf.url, desired.pdf.digest, desired.pdf.filename]
