"""Every call that the client can make exists in the published contract, or is one of the five assumed operations."""

import contextlib
import inspect
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from app.kaseya import Call, KaseyaClient, KaseyaError, records
from app.kaseya.capabilities import OPERATIONS

PUBLISHED = Path(__file__).parents[3] / "shared" / "kaseya" / "bms-v2-quote-sync.json"
WHEN = datetime(2026, 8, 1, tzinfo=UTC)
SAMPLES: dict[str, Any] = {"int": 1, "str": "x", "bool": True, "bytes": b"x", "datetime": WHEN, "Collection": [1]}
UNPUBLISHED = {"/swagger/v2/swagger.json"}


def filled(record: type[Any]) -> Any:
    """Make an input with every field set."""
    kinds = {"int": 1, "str": "x", "bool": True, "datetime": WHEN, "Decimal": Decimal(1)}
    values: dict[str, Any] = {}
    for name, field in record.model_fields.items():
        text = str(field.annotation)
        inner = next(
            (
                each
                for each in vars(records).values()
                if inspect.isclass(each) and each.__name__ in text and each.__name__.endswith("Input")
            ),
            None,
        )
        values[name] = (filled(inner),) if inner else next(value for kind, value in kinds.items() if kind in text)
    return record(**values)


def argument(name: str, annotation: str) -> Any:
    if annotation.endswith("Input"):
        return filled(getattr(records, annotation))
    del name
    return next(value for kind, value in SAMPLES.items() if annotation.startswith(kind))


async def test_everything_we_send_is_published(bms: respx.MockRouter, client: KaseyaClient, gate: Any) -> None:
    if not PUBLISHED.exists():
        pytest.skip("the vendor's published contract is not part of the repository and does not lie beside it")
    document = json.loads(PUBLISHED.read_text())
    sent = bms.route().respond(json={"success": True, "result": {"id": 1}})
    assumed = {(method, template) for method, template in OPERATIONS.values()}
    checked: set[str] = set()
    for group in vars(client).values():
        for name, method in inspect.getmembers(group, inspect.iscoroutinefunction):
            if name.startswith("_") or name == "sign_in":
                continue
            for given in ways_to_call(method):
                # The one answer does not fit every call; what was sent is what counts.
                with contextlib.suppress(KaseyaError):
                    await method(**given)
                call, request = gate.calls[-1], sent.calls[-1].request
                if call.template in UNPUBLISHED or (call.method, call.template) in assumed:
                    continue
                _assert_published(document, call, request)
                checked.add(call.endpoint)
    assert len(checked) > 30
    assert {"GET /v2/crm/contacts/search", "GET /v2/crm/contacts/summary"} <= checked


def ways_to_call(method: Any) -> Iterator[dict[str, Any]]:
    """With every argument, and with each of those left out that may be: some decide which path is taken."""
    parameters = inspect.signature(method).parameters
    given = {name: argument(name, str(each.annotation)) for name, each in parameters.items()}
    yield given
    for name, each in parameters.items():
        if each.default is not inspect.Parameter.empty:
            yield {key: value for key, value in given.items() if key != name}


def _assert_published(document: Any, call: Call, request: httpx.Request) -> None:
    operation = document["paths"][call.template][call.method.lower()]
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    assert set(request.url.params.keys()) <= known, call.endpoint
    if request.content and "json" in request.headers["Content-Type"]:
        content = operation["requestBody"]["content"]["application/json"]["schema"]
        _assert_known(document, content, json.loads(request.content), call.endpoint)


def _assert_known(document: Any, schema: Any, body: Any, where: str) -> None:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in schema.get("allOf", ()):
        _assert_known(document, part, body, where)
    if isinstance(body, dict) and "properties" in schema:
        assert set(body) <= set(schema["properties"]), where
        assert set(schema.get("required", ())) <= set(body), where
        for key, value in body.items():
            _assert_known(document, schema["properties"][key], value, f"{where} {key}")
    for each in body if isinstance(body, list) else ():
        _assert_known(document, schema["items"], each, where)
