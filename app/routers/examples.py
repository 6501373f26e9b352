"""Examples that the description of the API shows; a test holds each against its schema."""

from typing import Any

EVENT: dict[str, Any] = {
    "type": "quote.created",
    "timestamp": "2026-03-02T10:15:00Z",
    "data": {
        "quote_id": "q-7000001",
        "number": "1042",
        "version": 1,
        "name": "Firewall refresh",
        "status": "pending",
        "currency": "USD",
        "issued_on": "2026-03-02",
        "expires_on": "2099-04-01",
        "url": "https://quotes.example.com/q/1042",
        "owner": {"name": "Sam Seller", "email": "sam@msp.example"},
        "account": {"name": "Example Widgets Ltd"},
        "contact": {"first_name": "Alex", "last_name": "Example", "email": "alex@widgets.example"},
        "totals": {"one_time": "2160.00", "recurring": "0.00"},
        "lines": [
            {
                "line_id": "l-1",
                "name": "Example firewall 100",
                "item_code": "FW-100",
                "quantity": "2",
                "unit_price": "1200.00",
                "unit_cost": "800.00",
                "discount": "10",
                "discount_kind": "percent",
                "category": "Hardware",
            }
        ],
    },
}
SYNC_CALL: dict[str, Any] = {
    "number": 1,
    "method": "POST",
    "path": "/v2/crm/opportunities",
    "status": 200,
    "outcome": "ok",
    "milliseconds": 182,
}
RUN: dict[str, Any] = {
    "run_id": "run_01k9x7d3m5q8r2t4v6w8y0z1ab",
    "started_at": "2026-03-02T10:15:02Z",
    "finished_at": "2026-03-02T10:15:04Z",
    "outcome": "synced",
    "error": None,
    "generation": 1,
    "steps": [{"action": "create", "resource": "opportunity", "kaseya_id": "5001", "changes": []}],
    "calls": [SYNC_CALL],
}
QUOTE: dict[str, Any] = {
    "quote_id": "q-7000001",
    "number": "1042",
    "name": "Firewall refresh",
    "status": "pending",
    "state": "synced",
    "revision": 0,
    "version": 1,
    "generation": 1,
    "synced_generation": 1,
    "attempts": 0,
    "due_at": None,
    "last_error": None,
    "warnings": [{"code": "tax_not_sent", "detail": "BMS takes no tax on an opportunity: CA sales tax 197.05."}],
    "kaseya": {
        "account_id": "101",
        "location_id": "201",
        "contact_id": "301",
        "opportunity_id": "5001",
        "quotation_id": None,
        "attachment_id": None,
    },
    "synced_at": "2026-03-02T10:15:04Z",
    "updated_at": "2026-03-02T10:15:04Z",
    "runs": [RUN],
}
PREVIEW: dict[str, Any] = {
    "steps": [
        {
            "action": "update",
            "resource": "opportunity",
            "kaseya_id": "5001",
            "changes": [{"field": "Amount", "before": "2160.00", "after": "2815.00"}],
        }
    ],
    "warnings": [],
}
EVENT_VIEW: dict[str, Any] = {
    "event_id": "evt_01k9x7d3m5q8r2t4v6w8y0z1ab",
    "webhook_id": "msg_2b6e",
    "source": "standard",
    "type": "quote.created",
    "quote_id": "q-7000001",
    "received_at": "2026-03-02T10:15:00Z",
    "happened_at": "2026-03-02T10:15:00Z",
    "disposition": "applied",
    "reason": None,
}
ISSUE: dict[str, Any] = {
    "issue_id": "iss_01k9x7d3m5q8r2t4v6w8y0z1ab",
    "quote_id": "q-7000001",
    "code": "line-in-doubt",
    "title": "A line may or may not be on the quotation",
    "detail": "BMS did not answer when the line 'Example firewall 100' was sent, and it cannot be looked up.",
    "remedy": "Look at the quotation in BMS. Retry with the line's id if it is there, or with send_again if not.",
    "setting": None,
    "state": "open",
    "opened_at": "2026-03-02T10:15:04Z",
    "closed_at": None,
    "closed_by": None,
    "candidates": [],
}
