"""Opportunities, their statuses and notes."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from app.kaseya.records.base import BmsDateTime, Input, Money, Number, Record

OPEN = "open"
"""The base status (`status_action_name`, folded) of an opportunity that is still being worked on."""


class Opportunity(Record):
    """An opportunity, with all that BMS says of it. `probability` is on the tenant's own scale: never rescale it."""

    id: int
    created_by: int | None = None
    created_on: BmsDateTime | None = None
    modified_by: int | None = None
    modified_on: BmsDateTime | None = None
    subject: str | None = None
    status_id: int
    status: str | None = None
    account_id: int
    account_name: str | None = None
    account_location_id: int | None = None
    account_location_name: str | None = None
    contact_id: int | None = None
    contact_first_name: str | None = None
    contact_last_name: str | None = None
    type_id: int | None = None
    type: str | None = None
    probability: Decimal = Decimal(0)
    rating: str | None = None
    rating_id: int | None = None
    lead_source: str | None = None
    lead_source_id: int | None = None
    sales_representative_first_name: str | None = None
    sales_representative_last_name: str | None = None
    sales_representative_user_id: int | None = None
    amount: Decimal = Decimal(0)
    in_pipeline: bool = False
    description: str | None = None
    customer_po: str | None = None
    close_date: BmsDateTime | None = None
    probability_adjusted_revenue: Decimal | None = None


class OpportunityInput(Input):
    """The whole of an opportunity: BMS has no partial update, so what is left out is emptied."""

    subject: str = Field(min_length=1)
    status_id: int
    account_id: int = Field(ge=1)
    account_location_id: int = Field(ge=1)
    contact_id: int | None = Field(default=None, ge=1)
    type_id: int
    probability: Number
    rating_id: int
    lead_source_id: int | None = None
    sales_representative_user_id: int = Field(ge=1)
    amount: Money
    description: str | None = None
    customer_po: str | None = Field(default=None, alias="CustomerPO")
    close_date: BmsDateTime


class OpportunityStatus(Record):
    """A stage of the sale; BMS users define them. `status_action_name` is its base status, such as Open."""

    id: int
    name: str | None = None
    probability: Decimal = Decimal(0)
    is_active: bool = True
    is_pipeline: bool = False
    status_action_id: int | None = None
    status_action_name: str | None = None

    @property
    def is_selectable(self) -> bool:
        """Base status Open and active: an opportunity in it can be picked for a first link."""
        return self.is_active and (self.status_action_name or "").strip().casefold() == OPEN


class OpportunityNote(Record):
    """A note on an opportunity."""

    id: int
    note: str | None = None
    created_on: BmsDateTime | None = None
    created_by_name: str | None = None
