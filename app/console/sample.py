"""The example event, and the command that signs and sends it: pasted into a terminal, it is all that is needed."""

import json
from typing import Any

QUOTE_ID = "example-1042"
ACCOUNT = "Example Widgets Ltd"
PLACEHOLDER_TIME = "@now@"

EVENT: dict[str, Any] = {
    "type": "quote.created",
    "timestamp": PLACEHOLDER_TIME,
    "data": {
        "quote_id": QUOTE_ID,
        "number": "1042",
        "name": "Firewall refresh",
        "status": "pending",
        "currency": "USD",
        "expires_on": "2099-12-31",
        "owner": {"name": "Sam Seller", "email": "sam@msp.example"},
        "account": {
            "name": ACCOUNT,
            "phone": "555-0100",
            "address": {
                "line1": "1 Example St",
                "city": "Springfield",
                "state": "CA",
                "postal_code": "90000",
                "country": "United States",
            },
        },
        "contact": {"first_name": "Alex", "last_name": "Example", "email": "alex@widgets.example"},
        "totals": {"one_time": "2600.00", "recurring": "150.00", "recurring_period": "month"},
        "taxes": [{"name": "CA sales tax", "amount": "78.00"}],
        "lines": [
            {
                "line_id": "l-1",
                "item_code": "FW-100",
                "name": "Firewall 100",
                "category": "Hardware",
                "quantity": "1",
                "unit_price": "1200.00",
                "unit_cost": "800.00",
            },
            {
                "line_id": "l-2",
                "item_code": "LAB-SR",
                "name": "Senior engineer hour",
                "category": "Labor",
                "quantity": "8",
                "unit_price": "175.00",
                "unit_cost": "70.00",
            },
            {
                "line_id": "l-3",
                "item_code": "MON-FW",
                "name": "Managed firewall",
                "category": "Managed services",
                "quantity": "1",
                "unit_price": "150.00",
                "unit_cost": "60.00",
                "recurring": True,
            },
        ],
    },
}

# The parentheses let a shell read all of it before the first line runs, so that the question for the secret is not
# answered by the line below it.
_COMMAND = """\
(
{secret}
at=$(date +%s) id="msg_$at"
body=$(printf '%s' '{body}' | sed "s/{now}/$(date -u +%Y-%m-%dT%H:%M:%SZ)/")
key=$(printf '%s' "${{secret#whsec_}}" | base64 -d | od -An -v -tx1 | tr -d ' \\n')
signature=$(printf '%s.%s.%s' "$id" "$at" "$body" |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
curl -sS '{url}' -H 'content-type: application/json' -H "webhook-id: $id" \\
  -H "webhook-timestamp: $at" -H "webhook-signature: v1,$signature" --data-binary "$body"; echo
)"""
_ASK = "printf 'Signing secret: '; read -rs secret; echo"


def command(url: str, *, secret: str | None) -> str:
    """Shell that signs and sends the example event; without the secret at hand it asks for it."""
    given = _ASK if secret is None else f"secret='{secret}'"
    body = json.dumps(EVENT)
    assert "'" not in body, "the body stands between single quotes"
    return _COMMAND.format(secret=given, body=body, now=PLACEHOLDER_TIME, url=url)
