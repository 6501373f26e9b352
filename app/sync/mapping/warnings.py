"""What could not be carried over but did not stop the run: always told, by a code and a sentence."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.quotes.model import Line, Quote
from app.quotes.money import format_money


@dataclass(frozen=True, slots=True)
class QuoteWarning:
    """One thing that BMS does not show as the quote has it."""

    code: str
    detail: str
    line_id: str | None = None

    def to_json(self) -> dict[str, str]:
        """As stored and as shown: ``{code, detail, line_id?}``."""
        told = {"code": self.code, "detail": self.detail}
        return told if self.line_id is None else {**told, "line_id": self.line_id}


def about_quote(quote: Quote) -> Iterator[QuoteWarning]:
    """What BMS's API cannot take of any quote: taxes, a discount on the whole quote, shipping."""
    if quote.taxes and (total := sum((tax.amount for tax in quote.taxes), Decimal(0))):
        names = ", ".join(tax.name for tax in quote.taxes)
        yield QuoteWarning("tax_not_sent", f"Taxes of {format_money(total)} ({names}) are not sent to BMS.")
    if quote.discount:
        detail = (
            f"The discount of {format_money(quote.discount)} on the whole quote is not sent; only line discounts are."
        )
        yield QuoteWarning("quote_discount_not_sent", detail)
    if quote.shipping:
        yield QuoteWarning("shipping_not_sent", f"Shipping of {format_money(quote.shipping)} is not sent to BMS.")


def option_skipped(line: Line) -> QuoteWarning:
    """An option that was not chosen stays off the quotation."""
    return QuoteWarning(
        "optional_line_skipped", f"The option {line.name!r} was not selected, so it is not sent.", line.line_id
    )


def service_unpriced(line: Line, *, missing: str) -> QuoteWarning:
    """BMS takes a service only with both unit price and unit cost."""
    detail = (
        f"The service {line.name!r} has no {missing}, neither in the quote nor in BMS, so it is not on the quotation."
    )
    return QuoteWarning("service_line_unpriced", detail, line.line_id)


def product_not_created(line: Line) -> QuoteWarning:
    """This tenant's API cannot create products."""
    detail = f"The product {line.name!r} is not in BMS and its API cannot create it: the line went in as free text."
    return QuoteWarning("product_not_created", detail, line.line_id)


def total_differs(lines: Decimal, quote: Decimal) -> QuoteWarning:
    """The quotation's sum is not the quote's."""
    detail = f"The quotation's lines come to {format_money(lines)}, the quote to {format_money(quote)}."
    return QuoteWarning("total_differs", detail)


TOLD_BY_QUOTE = frozenset(
    {
        "tax_not_sent",
        "quote_discount_not_sent",
        "shipping_not_sent",
        "margin_missing",
        "optional_line_skipped",
        "quotation_skipped_expired",
        "total_differs",
    }
)
"""What the quote alone decides; the other warnings come of what BMS said."""


def renew(told: Iterable[Mapping[str, str]], by_quote: Iterable[QuoteWarning]) -> list[dict[str, str]]:
    """The warnings of a quote that differs in nothing that is sent: BMS was not asked, so what it said still holds."""
    still = [dict(warning) for warning in told if warning["code"] not in TOLD_BY_QUOTE]
    return [*(warning.to_json() for warning in by_quote), *still]
