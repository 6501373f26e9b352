"""Lines are read straight into canonical ones: by the same rules as the wire model describes."""

from decimal import Decimal
from typing import Any

import pytest

from app.intake.problems import InvalidEventError
from app.intake.standard import parse
from app.intake.wire import LineIn
from app.quotes.model import DiscountKind, Line
from tests.intake import samples

LEAST = {"line_id": "l", "name": "Thing", "quantity": "1", "unit_price": "2.50"}


def read(**line: Any) -> Line:
    event = samples.event()
    event["data"]["lines"] = [LEAST | line]
    return parse(samples.body(event)).quote.lines[0]


def test_what_is_missing_or_null_or_blank_is_the_canonical_default() -> None:
    optional = set(LineIn.model_fields) - set(LEAST)
    least = read()
    assert least == Line(line_id="l", name="Thing", quantity=least.quantity, unit_price=least.unit_price)
    assert read(**dict.fromkeys(optional)) == least
    assert read(item_code="", sku=" ", description="\t", category="") == least
    assert (least.discount, least.discount_kind, least.selected) == (Decimal(0), DiscountKind.AMOUNT, True)


@pytest.mark.parametrize(
    ("optional", "selected", "expected"),
    [(False, False, True), (None, None, True), (True, None, False), (True, False, False), (True, True, True)],
)
def test_an_option_is_selected_only_if_somebody_chose_it(
    *, optional: bool | None, selected: bool | None, expected: bool
) -> None:
    assert read(optional=optional, selected=selected).selected is expected


def test_an_option_of_which_nothing_is_said_is_not_selected() -> None:
    assert read(optional=True).selected is False


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"taxable": "yes"}, "This must be true or false."),
        ({"discount": 1}, 'This must be a string holding a decimal, such as "12.50", not a JSON number.'),
        ({"sku": 1}, "This must be a string."),
        ({"name": " "}, "This must not be blank."),
        ({"discount_kind": "x"}, "This must be 'percent' or 'amount'."),
    ],
)
def test_a_fault_in_a_line_is_told_with_its_place(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidEventError) as refused:
        read(**fault)
    (error,) = refused.value.errors
    assert error.pointer == f"/data/lines/0/{next(iter(fault))}"
    assert error.message == message


@pytest.mark.parametrize("line", ["x", 1, None, []])
def test_a_line_that_is_no_object_is_told(line: Any) -> None:
    event = samples.event()
    event["data"]["lines"] = [line]
    with pytest.raises(InvalidEventError) as refused:
        parse(samples.body(event))
    (error,) = refused.value.errors
    assert (error.pointer, error.message) == ("/data/lines/0", "This must be an object.")
