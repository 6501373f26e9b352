"""Settings of a connection as the documentation shows them."""

from typing import Any

SETTINGS_EXAMPLE: dict[str, Any] = {
    "account": {
        "create_missing": True,
        "account_type_id": "1",
        "business_type_id": "1",
        "account_manager_id": "12",
        "phone_type_id": "1",
        "email_type_id": "1",
    },
    "opportunity": {
        "type_id": "1",
        "rating_id": "2",
        "lead_source_id": None,
        "default_sales_employee_id": "12",
        "name_template": "{number} {name}",
        "rename_on_update": False,
        "value_basis": "one_time",
        "recurring_periods": 1,
        "close_date": "expiry",
        "close_after_days": 30,
        "time_zone": None,
    },
    "status_mapping": {"pending": "2", "accepted": "4", "ordered": None, "fulfilled": None, "lost": "5"},
    "service_quotation": {
        "enabled": True,
        "default_warehouse_id": "1",
        "default_item_type": {"kind": "service", "item_type_id": "3"},
        "distributor_type_id": "0",
        "expired_when_won": "skip",
    },
    "item_types": {"Hardware": {"kind": "product", "item_type_id": "1"}},
    "attachment": {"push_pdf": True, "opportunity_module_id": "47"},
    "drift": {"sweep": "daily", "found": "report"},
}
