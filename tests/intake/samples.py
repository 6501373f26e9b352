"""A full event body to change at will, and a quote of Quoter's that says the same as another one."""

import copy
import json
from typing import Any

_LINE: dict[str, Any] = {
    "line_id": "l-1",
    "item_code": "FW-9",
    "sku": "FW-9",
    "name": "Edge firewall",
    "description": "One year of updates",
    "category": "Hardware",
    "quantity": "2",
    "unit_price": "1250.00",
    "unit_cost": "900.00",
    "discount": "25.00",
    "discount_kind": "amount",
    "taxable": False,
    "recurring": False,
    "optional": False,
    "selected": True,
}

_EVENT: dict[str, Any] = {
    "type": "quote.created",
    "timestamp": "2030-01-01T10:00:00Z",
    "data": {
        "quote_id": "81",
        "number": "2001",
        "revision": 0,
        "version": None,
        "name": "Office move",
        "status": "pending",
        "currency": "EUR",
        "expires_on": "2030-02-01",
        "owner": {"name": "Robin Rep", "email": "robin@msp.example"},
        "account": {
            "name": "Sample Ltd",
            "website": "https://sample.example",
            "phone": "555-0199",
            "address": {
                "line1": "2 Sample Rd",
                "city": "Leeds",
                "state": "YK",
                "postal_code": "LS1",
                "country": "England",
            },
        },
        "contact": {"first_name": "Kim", "last_name": "Sample", "email": "kim@sample.example", "phone": "555-0198"},
        "opportunity": {"kaseya_opportunity_id": None},
        "totals": {"one_time": "2450.00", "recurring": "0.00", "recurring_period": "month", "margin": "650.00"},
        "discount": "0.00",
        "shipping": "10.00",
        "taxes": [{"name": "VAT", "amount": "490.00"}],
        "lines": [_LINE],
        "pdf": None,
    },
}

_QUOTER: dict[str, Any] = {
    "id": "81",
    "parent_quote_id": None,
    "revision": None,
    "name": "Office move",
    "number": "2001",
    "expiry_date": "2030-02-01 07:00:00",
    "won_date": None,
    "recurring_time_period": "1",
    "recurring_time_period_string": "monthly",
    "status": "pending",
    "discount": None,
    "total": {"upfront": "2,450.00", "recurring": None, "one_time_margin_dollars": "650.00"},
    "shipping": "10.00",
    "taxes": [{"name": "VAT", "amount": "490.00"}],
    "person": {
        "first_name": "Kim",
        "last_name": "Sample",
        "organization": "Sample Ltd",
        "addresses": {
            "billing": {
                "line1": "2 Sample Rd",
                "line2": "",
                "city": "Leeds",
                "state": {"code": "YK", "name": "Yorkshire"},
                "country": {"code": "GB", "name": "England"},
                "postal_code": "LS1",
            },
            "shipping": None,
        },
        "telephone_numbers": {"work": "555-0199", "mobile": "555-0198", "fax": None},
        "email_address": "kim@sample.example",
        "website": "https://sample.example",
    },
    "quote_owner": {"full_name": "Robin Rep", "email": "robin@msp.example"},
    "currency": {"code": "EUR", "name": "Euro "},
    "line_items": [
        {
            "id": "l-1",
            "quantity": "2",
            "name": "Edge firewall",
            "description": "One year of updates",
            "sku": "FW-9",
            "recurring": "false",
            "base_unit_price": "1,250.00",
            "unit_price": "1,250.00",
            "unit_cost": "900.00",
            "total": {"upfront": "2,500.00", "upfront_after_discount": "2,450.00"},
            "discount": "50.00",
            "type": {"name": "Hardware"},
            "is_optional": False,
            "is_optional_selected": False,
        }
    ],
    "new": "true",
}


def event() -> dict[str, Any]:
    """A fresh event body with every kind of field in it."""
    return copy.deepcopy(_EVENT)


def quoter() -> dict[str, Any]:
    """The same quote as Quoter tells it; its zone is America/Denver."""
    return copy.deepcopy(_QUOTER)


def body(value: object) -> bytes:
    """JSON as a sender would post it."""
    return json.dumps(value, ensure_ascii=False).encode()
