"""Service quotations and their line items."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from app.kaseya.records.base import BmsDateTime, Input, Money, Number, Record


class QuotationSummary(Record):
    """A quotation as its list gives it: without account and opportunity."""

    id: int
    name: str | None = None
    quotation_number: str | None = None
    status_id: int | None = None
    status_name: str | None = None
    expiry_date: BmsDateTime | None = None
    created_on: BmsDateTime | None = None


class Quotation(QuotationSummary):
    """A quotation's header."""

    created_by_id: int | None = None
    created_by_name: str | None = None
    opportunity_id: int | None = None
    opportunity_title: str | None = None
    account_id: int | None = None
    account_name: str | None = None
    location_id: int | None = None
    location_name: str | None = None
    sales_representative_first_name: str | None = None
    sales_representative_last_name: str | None = None
    sales_representative_user_id: int | None = None


class QuotationInput(Input):
    """A quotation's header, new or whole. BMS refuses an expiry date in the past."""

    name: str = Field(min_length=1)
    opportunity_id: int
    account_id: int
    location_id: int
    contact_id: int | None = None
    sales_representative_user_id: int
    expiry_date: BmsDateTime
    warehouse_id: int
    description: str | None = None


class LineItem(Record):
    """A line of a quotation."""

    id: int
    quotation_id: int | None = None
    name: str | None = None
    description: str | None = None
    original_unit_price: Decimal | None = None
    unit_price: Decimal = Decimal(0)
    unit_cost: Decimal = Decimal(0)
    quantity: Decimal | None = None
    discount: Decimal = Decimal(0)
    total: Decimal | None = None
    tax_rate: Decimal | None = None
    taxable: bool = False
    margin: Decimal | None = None
    margin_type: int | None = None
    ext_dist_reference: str | None = None
    distributor_type_id: int | None = None
    image: str | None = None
    created_on: BmsDateTime | None = None


class LineItemInput(Input):
    """A line, new or whole.

    `id` has two meanings: for a new line the item's (a service's id, a product's index id, 0 for free text),
    for an update the line's own.
    """

    id: int = 0
    name: str | None = None
    description: str | None = None
    ext_dist_reference: str | None = None
    image: str | None = None
    unit_price: Money
    unit_cost: Money = Decimal(0)
    quantity: Number
    margin: Number | None = None
    margin_type: int | None = None
    discount: Number = Decimal(0)
    taxable: bool = False
