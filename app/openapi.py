"""The description of the API: what FastAPI knows, and what it cannot know: webhooks in and out, problems everywhere."""

from copy import deepcopy
from typing import Any

import yaml
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.intake.wire import EventIn
from app.routers.problems import PROBLEM_SCHEMA, problem_examples, problem_responses
from app.routers.webhook_description import NOTICES, WEBHOOK_PATHS

DESCRIPTION = """\
Quotebridge keeps Kaseya BMS opportunities and service quotations in step with the quotes of a quoting frontend.

The frontend sends signed events to `/webhooks/…`; people and programs manage everything else under `/v1`.
Ids are strings, times are RFC 3339 in UTC, money is a string holding a decimal. Errors are RFC 9457 problems, whose
`type` opens a page that explains them. Lists come in pages: send `next_cursor` as `cursor` until it is null.
"""
TAGS = {
    "webhooks": "Events in: what the frontend sends.",
    "connections": "One MSP's link to a BMS company.",
    "settings": "How a connection's quotes are carried over.",
    "signing-secrets": "What the frontend signs its events with.",
    "look-ups": "What the settings can name.",
    "pickers": "Live search in BMS while somebody writes a quote.",
    "quotes": "What is known of each quote, and what it became in BMS.",
    "events": "What came in, and replay.",
    "issues": "What stopped and waits for a person.",
    "drift": "Where BMS differs from the quotes.",
    "api-keys": "Keys of this API.",
    "health": "For whoever runs the service.",
}
PROBLEM = {
    "title": PROBLEM_SCHEMA,
    "description": "What went wrong, as RFC 9457 has it.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "opens a page that explains the problem"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "a sentence about this one occurrence"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "RFC 6901, into the posted body"},
                    "message": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}
EVERYWHERE = ("invalid-request", "body-too-large", "database-away")
SECURED = ("unauthorized", *EVERYWHERE)


def add_description(app: FastAPI) -> None:
    """Let ``app.openapi()``, and so /openapi.json, answer the whole description."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def to_yaml(app: FastAPI) -> str:
    """The description as openapi.yaml holds it."""
    return yaml.dump(app.openapi(), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=120)


class _PlainDumper(yaml.SafeDumper):
    """Writes what occurs twice twice: aliases are hard to read and not every reader of OpenAPI knows them."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def describe(app: FastAPI) -> dict[str, Any]:
    """Everything the API takes and answers."""
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        separate_input_output_schemas=app.separate_input_output_schemas,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    schema["paths"] = {**deepcopy(WEBHOOK_PATHS), **schema["paths"]}
    schema["webhooks"] = deepcopy(NOTICES)
    schemas = schema["components"]["schemas"]
    schemas[PROBLEM_SCHEMA] = PROBLEM
    schema["components"]["examples"] = problem_examples()
    schemas.update(_event_schemas())
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in schema["paths"].values():
        for operation in path.values():
            _add_problems(operation)
    return schema


def _event_schemas() -> dict[str, Any]:
    event = EventIn.model_json_schema(mode="validation", ref_template="#/components/schemas/{model}")
    return {**event.pop("$defs", {}), "EventIn": event}


def _add_problems(operation: dict[str, Any]) -> None:
    """Declare what any operation of its kind can answer, beside what it has declared itself."""
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    if "health" in operation["tags"]:
        return
    names = SECURED if "security" in operation else EVERYWHERE
    for status, common in problem_responses(*names).items():
        examples = responses.setdefault(str(status), common)["content"]["application/problem+json"]["examples"]
        missing = common["content"]["application/problem+json"]["examples"].keys() - examples.keys()
        if missing:
            known = [*examples, *sorted(missing)]
            responses[str(status)] = problem_responses(*((name, int(status)) for name in known))[int(status)]
    operation["responses"] = dict(sorted(responses.items()))
