"""Money: exact decimals all the way, rounded once at the end."""

from decimal import ROUND_HALF_UP, Context, Decimal

from app.quotes.model import DiscountKind, Line

CENT = Decimal("0.01")
EXACT = Context(prec=100)  # products of the longest quantities and prices fit without rounding
_HUNDRED = Decimal(100)


def to_cents(amount: Decimal) -> Decimal:
    """Round half-up to the cent, away from zero on both sides: the one rounding an amount ever gets."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP, context=EXACT)


def format_money(amount: Decimal) -> str:
    """An amount as our API writes it: two decimals, no separators, never an exponent."""
    return format(to_cents(amount), "f")


def unit_price_after_discount(line: Line, *, unit_price: Decimal | None = None) -> Decimal:
    """The price of one unit with the line's discount folded in, unrounded.

    A discount lowers a price to zero at most; a credit (a price below zero) is never made larger by one. ``unit_price``
    stands in where the line has none of its own, as when the price of a matched item is used.

    Raises:
        ValueError: Neither the line nor the caller knows a price.
    """
    price = line.unit_price if line.unit_price is not None else unit_price
    if price is None:
        raise ValueError(f"Line {line.line_id} has no unit price to take a discount from.")
    if line.discount_kind is DiscountKind.PERCENT:
        discount = EXACT.divide(EXACT.multiply(price, line.discount), _HUNDRED)
    else:
        discount = line.discount
    return max(EXACT.subtract(price, discount), min(price, Decimal(0)))
