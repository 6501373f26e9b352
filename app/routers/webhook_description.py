"""The part of the description that stands beside the routes: both webhooks in, and the notices out."""

from typing import Any

from app.routers.examples import EVENT, ISSUE
from app.routers.problems import problem_responses

JSON = "application/json"


def _parameter(name: str, where: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": where, "required": True, "description": description, "schema": {"type": "string"}}


SIGNATURE_HEADERS = [
    _parameter("webhook-id", "header", "the event's own id, the same on each retry"),
    _parameter("webhook-timestamp", "header", "seconds since 1970; at most 300 s from our clock"),
    _parameter("webhook-signature", "header", "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`"),
]
CONNECTION = _parameter("connection_id", "path", "the connection's id")


def _json(description: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema, "example": example}}}


def _object(**members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(members), "properties": members}


def _one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _problems(*names: str) -> dict[str, Any]:
    return {str(status): response for status, response in problem_responses(*names).items()}


TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
EVENT_ID = "evt_01k9x7d3m5q8r2t4v6w8y0z1ab"

WEBHOOK_PATHS: dict[str, Any] = {
    "/webhooks/{connection_id}/quotes": {
        "post": {
            "tags": ["webhooks"],
            "operationId": "receive_quote_event",
            "summary": "Send a quote event",
            "description": "Signed as Standard Webhooks with the connection's secret. An answer of 202 means that the "
            "event is stored for good; anything else means: send it again, or mend it first.",
            "parameters": [CONNECTION, *SIGNATURE_HEADERS],
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/EventIn"}, "example": EVENT}},
            },
            "responses": {
                "202": _json(
                    "Stored. `duplicate`: it had been before.",
                    _object(event_id=TEXT, status=_one_of("accepted", "duplicate")),
                    {"event_id": EVENT_ID, "status": "accepted"},
                ),
                **_problems(
                    "signature-invalid",
                    "connection-not-found",
                    "delivery-conflict",
                    "body-too-large",
                    "invalid-event",
                    "quote-expired",
                    "database-away",
                ),
            },
        }
    },
    "/webhooks/{connection_id}/quoter": {
        "post": {
            "tags": ["webhooks"],
            "operationId": "receive_quoter_quote",
            "summary": "Send a quote in Quoter's own format",
            "description": "Takes Quoter's form, checked by MD5 with the connection's `quoter_hash_key`. Quoter sends "
            "again for 62 hours whatever is not answered with a 2xx, so all that is understood gets a 200.",
            "parameters": [CONNECTION],
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {
                        "schema": _object(hash=TEXT, timestamp=TEXT, data=TEXT),
                        "example": {
                            "hash": "5f4dcc3b5aa765d61d8327deb882cf99",
                            "timestamp": "1772446500",
                            "data": '{"id":"7000001","status":"pending","line_items":[]}',
                        },
                    }
                },
            },
            "responses": {
                "200": _json(
                    "Understood; `reason` says why it was not applied.",
                    _object(
                        status=_one_of("accepted", "duplicate", "superseded", "rejected", "ignored"),
                        reason=TEXT_OR_NULL,
                    ),
                    {"status": "accepted", "reason": None},
                ),
                **_problems(
                    "unreadable-body", "signature-invalid", "connection-not-found", "body-too-large", "database-away"
                ),
            },
        }
    },
}


def _notice(kind: str, summary: str, description: str, told: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    body = {"type": kind, "timestamp": "2026-03-02T10:15:04Z", "data": {"connection_id": CONNECTION_ID, **example}}
    schema = _object(
        type=_one_of(kind),
        timestamp={"type": "string", "format": "date-time"},
        data=_object(connection_id=TEXT, **told),
    )
    return {
        "post": {
            "tags": ["webhooks"],
            "operationId": "notify_" + kind.replace(".", "_"),
            "summary": summary,
            "description": f"{description} Sent to the connection's `notice_url`, signed as Standard Webhooks with the "
            "secret that setting the URL has shown. The `webhook-id` stays the same on each try.",
            "parameters": SIGNATURE_HEADERS,
            "requestBody": {"required": True, "content": {JSON: {"schema": schema, "example": body}}},
            "responses": {"2XX": {"description": "Taken. Anything else is sent again, for three days."}},
        }
    }


CONNECTION_ID = "con_01k9x7d3m5q8r2t4v6w8y0z1ab"
RECORDS = ("account_id", "contact_id", "opportunity_id", "quotation_id", "attachment_id")
SYNCED = {
    "quote_id": TEXT,
    "number": TEXT_OR_NULL,
    "generation": {"type": "integer"},
    "kaseya": _object(**dict.fromkeys(RECORDS, TEXT_OR_NULL)),
    "warnings": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["code", "detail"],
            "properties": {"code": TEXT, "detail": TEXT, "line_id": TEXT},
        },
    },
}
SYNCED_EXAMPLE = {
    "quote_id": "q-7000001",
    "number": "1042",
    "generation": 1,
    "kaseya": {
        "account_id": "101",
        "contact_id": "301",
        "opportunity_id": "5001",
        "quotation_id": None,
        "attachment_id": None,
    },
    "warnings": [],
}
CLOSED = {"quote_id": TEXT_OR_NULL, "issue_id": TEXT, "code": TEXT}
OPENED = {**CLOSED, "title": TEXT, "detail": TEXT, "remedy": TEXT}
CLOSED_EXAMPLE = {name: ISSUE[name] for name in CLOSED}
OPENED_EXAMPLE = {name: ISSUE[name] for name in OPENED}

NOTICES: dict[str, Any] = {
    "quote.event": {
        "post": {
            **WEBHOOK_PATHS["/webhooks/{connection_id}/quotes"]["post"],
            "operationId": "send_quote_event",
            "parameters": SIGNATURE_HEADERS,
        }
    },
    "sync.succeeded": _notice(
        "sync.succeeded",
        "BMS shows the quote",
        "A quote has been synced, and nothing of it was left out.",
        SYNCED,
        SYNCED_EXAMPLE,
    ),
    "sync.warning": _notice(
        "sync.warning",
        "BMS shows the quote, but not all of it",
        "A quote has been synced; `warnings` tells what could not be carried over.",
        SYNCED,
        {**SYNCED_EXAMPLE, "warnings": [{"code": "tax_not_sent", "detail": "Taxes of 197.05 are not sent to BMS."}]},
    ),
    "sync.issue_opened": _notice(
        "sync.issue_opened",
        "A quote stopped and waits for a person",
        "An issue was opened: what stopped, why, and how to mend it. Without `quote_id` it is the whole connection.",
        OPENED,
        OPENED_EXAMPLE,
    ),
    "sync.issue_closed": _notice(
        "sync.issue_closed",
        "An issue is over",
        "An issue was retried or dismissed, or closed itself because its quote was synced.",
        CLOSED,
        CLOSED_EXAMPLE,
    ),
}
