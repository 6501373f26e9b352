"""What can stand on a line: services and products; and the warehouses that products lie in."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from app.kaseya.records.base import BmsDateTime, Input, Money, Record


class Service(Record):
    """A service. A price or cost of 0 means that none was set."""

    id: int
    name: str | None = None
    description: str | None = None
    unit_price: Decimal | None = None
    unit_cost: Decimal | None = None
    category_id: int | None = None
    category: str | None = None
    unit_of_measure_id: int | None = None
    is_active: bool = True
    is_taxable: bool = False
    created_on: BmsDateTime | None = None


class ServiceInput(Input):
    """A service, new or whole."""

    id: int = 0
    name: str = Field(min_length=1)
    description: str | None = None
    unit_cost: Money
    unit_price: Money
    category_id: int | None = None
    sub_category_id: int | None = None
    unit_of_measure_id: int | None = None
    income_account_id: int | None = None
    expense_account_id: int | None = None
    is_active: bool = True
    is_taxable: bool = False


class Product(Record):
    """A product. `product_index_id` is what lines and prices go by; `id` names a row of the list only."""

    product_index_id: int
    id: str | int | None = None
    product_number: str | None = None
    product_name: str | None = None
    product_description: str | None = None
    upc: str | None = None
    warehouse: str | None = None
    warehouse_id: int | None = None
    qty_available: Decimal | None = None


class ProductInput(Input):
    """A new product, where the tenant can create any."""

    product_number: str = Field(min_length=1)
    product_name: str = Field(min_length=1)
    product_description: str | None = None
    sku: str | None = Field(default=None, alias="SKU")
    unit_price: Money
    unit_cost: Money
    category_id: int | None = None


class PricingLevel(Record):
    """One price of a product."""

    id: int
    name: str | None = None
    price: Decimal = Decimal(0)
    margin: Decimal | None = None
    is_active: bool = True
    is_default: bool = False


class Warehouse(Record):
    """A warehouse; BMS marks none as the default."""

    id: int
    name: str | None = None
