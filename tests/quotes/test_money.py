"""Money is exact until the end, then half-up."""

from decimal import Decimal

import pytest

from app.quotes.model import DiscountKind, Line
from app.quotes.money import format_money, to_cents, unit_price_after_discount


def _line(price: str | None, discount: str, kind: DiscountKind) -> Line:
    return Line(
        line_id="l-1",
        name="Firewall",
        quantity=Decimal(1),
        unit_price=None if price is None else Decimal(price),
        discount=Decimal(discount),
        discount_kind=kind,
    )


@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        ("0.005", "0.01"),
        ("1.004999", "1.00"),
        ("2.675", "2.68"),
        ("-0.005", "-0.01"),
        ("999999999999999.995", "1000000000000000.00"),
    ],
)
def test_half_a_cent_rounds_away_from_zero(amount: str, cents: str) -> None:
    assert str(to_cents(Decimal(amount))) == cents


def test_a_product_of_the_longest_quantity_and_price_can_be_rounded() -> None:
    longest = Decimal("999999999999999.999999")
    assert to_cents(longest * longest) > longest


@pytest.mark.parametrize(("amount", "text"), [("1E+3", "1000.00"), ("12.5", "12.50"), ("0", "0.00")])
def test_money_is_written_plainly(amount: str, text: str) -> None:
    assert format_money(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("price", "discount", "kind", "after"),
    [
        ("1200.00", "10.00", DiscountKind.PERCENT, "1080"),
        ("1200.00", "10.00", DiscountKind.AMOUNT, "1190"),
        ("0.01", "33.333333", DiscountKind.PERCENT, "0.0066666667"),
        ("10", "11", DiscountKind.AMOUNT, "0"),
        ("10", "150", DiscountKind.PERCENT, "0"),
        ("-50", "0", DiscountKind.AMOUNT, "-50"),
        ("-50", "10", DiscountKind.PERCENT, "-45"),
        ("-50", "10", DiscountKind.AMOUNT, "-50"),
    ],
)
def test_a_discount_is_folded_into_the_unit_price(price: str, discount: str, kind: DiscountKind, after: str) -> None:
    assert unit_price_after_discount(_line(price, discount, kind)) == Decimal(after)


def test_a_price_from_elsewhere_stands_in_for_a_missing_one() -> None:
    line = _line(None, "50", DiscountKind.PERCENT)
    assert unit_price_after_discount(line, unit_price=Decimal(360)) == 180


def test_no_price_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no unit price"):
        unit_price_after_discount(_line(None, "0", DiscountKind.AMOUNT))
