import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.kaseya import Account, Capability, Contact, Location, Opportunity, OpportunityInput, read_capabilities
from app.kaseya.capabilities import OPERATIONS
from app.kaseya.envelope import open_envelope, parse_json, read_failure
from app.kaseya.records import LineItemInput, to_cents

NAIVE = "2026-08-01T10:00:00.1234567"


@pytest.mark.parametrize("key", ["AccountName", "accountName", "ACCOUNTNAME", "account_name"])
def test_a_record_is_read_in_any_letter_case(key: str) -> None:
    assert Account.model_validate({"Id": 1, key: "A", "unknown": 1}).account_name == "A"


def test_a_time_without_zone_is_taken_for_utc() -> None:
    assert Account.model_validate({"id": 1, "createdOn": NAIVE}).created_on == datetime(
        2026, 8, 1, 10, 0, 0, 123456, UTC
    )


def test_money_comes_in_as_the_decimal_that_was_written() -> None:
    raw = parse_json(b'{"Id": 1, "StatusId": 1, "AccountId": 1, "Amount": 1080.10}')
    assert Opportunity.model_validate(raw).amount == Decimal("1080.10")


@pytest.mark.parametrize(
    ("amount", "cents"), [("0.005", "0.01"), ("2.675", "2.68"), ("-0.005", "-0.01"), ("1", "1.00")]
)
def test_money_leaves_rounded_half_up_to_the_cent(amount: str, cents: str) -> None:
    assert to_cents(Decimal(amount)) == Decimal(cents)
    line = LineItemInput(unit_price=Decimal(amount), quantity=Decimal("0.333"))
    assert (line.to_wire()["UnitPrice"], line.to_wire()["Quantity"]) == (float(cents), 0.333)


def test_an_opportunity_leaves_in_pascal_case_without_empty_fields() -> None:
    wire = OpportunityInput(
        subject="S", status_id=1, account_id=1, account_location_id=1, type_id=1, probability=Decimal(50), rating_id=1,
        sales_representative_user_id=1, amount=Decimal("1.005"), customer_po="PO",
        close_date=datetime(2026, 8, 1, tzinfo=UTC),
    ).to_wire()  # fmt: skip
    assert wire["CustomerPO"] == "PO"
    assert wire["Amount"] == 1.01
    assert wire["CloseDate"] == "2026-08-01T00:00:00Z"
    assert "ContactId" not in wire


def test_a_contact_has_its_default_address_in_every_shape() -> None:
    emails = [{"emailAddress": "a@x", "isDefault": False}, {"emailAddress": "b@x", "isDefault": True}]
    assert Contact.model_validate({"id": 1, "emails": emails}).email_address == "b@x"


def test_a_location_has_a_name_in_every_shape() -> None:
    names = [Location.model_validate({"id": 1, key: "Main"}).name for key in ("name", "locationName")]
    assert names == ["Main", "Main"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"success": False, "error": {"message": "m", "details": "d"}}, "d"),
        ({"Success": False, "Error": {"Message": "m"}}, "m"),
        ({"error": "invalid_grant", "error_description": "wrong"}, "wrong"),
        ({"title": "Bad", "errors": {"Subject": ["is required"]}}, "Bad"),
    ],
)
def test_errors_of_every_shape_become_one_sentence(body: Any, message: str) -> None:
    assert read_failure(json.dumps(body).encode()).message == message


def test_an_error_that_is_only_text_is_cut_short() -> None:
    assert len(read_failure(b"x" * 5000).message) == 300


def test_a_bare_record_is_not_taken_for_an_envelope() -> None:
    assert open_envelope({"id": 1, "result": "won"}).result == {"id": 1, "result": "won"}


def test_capabilities_are_read_whatever_case_and_parameter_names() -> None:
    paths: dict[str, Any] = {
        template.upper().replace("QUOTATIONID", "q"): {method.lower(): {}} for method, template in OPERATIONS.values()
    }
    paths["/V2/CRM/QUOTES/{id}/"] = {"PUT": {}}
    assert read_capabilities({"Paths": paths}) == frozenset(Capability)
    assert read_capabilities({"paths": {"/v2/crm/quotes/summary": {"get": {}}}}) == frozenset()
    assert read_capabilities({}) == frozenset()
