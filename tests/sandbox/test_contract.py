"""The table of operations against the published contract."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.bms import OPERATIONS
from sandbox.bms.swagger import describe
from sandbox.contract import Contract, Kind, Operation
from sandbox.rendering import camel

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "kaseya" / "bms-v2-quote-sync.json"


@pytest.fixture(scope="module")
def vendor() -> dict[str, Any]:
    if not PUBLISHED.exists():
        pytest.skip("Kaseya's own swagger is not beside this repository: it is theirs and is not shipped with it.")
    return dict(json.loads(PUBLISHED.read_text()))


def ours() -> list[Operation]:
    return [row for row in OPERATIONS.offered(Contract.PUBLISHED) if row.tag != "Swagger"]


def resolve(vendor: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return dict(vendor["components"]["schemas"][name]) if name else schema


def body_schema(vendor: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content")
    if not content:
        return None
    schema = resolve(vendor, next(iter(content.values()))["schema"])
    return resolve(vendor, schema["items"]) if schema.get("type") == "array" else schema


def differences(vendor: dict[str, Any], mine: Any, theirs: dict[str, Any], at: str) -> Iterator[str]:
    properties = {name: value for name, value in theirs.get("properties", {}).items() if not value.get("readOnly")}
    if {each.name for each in mine.fields} != set(properties):
        yield f"{at}: fields differ: {sorted({each.name for each in mine.fields} ^ set(properties))}"
        return
    if {each.name for each in mine.fields if each.required} != set(theirs.get("required", [])):
        yield f"{at}: required fields differ"
    for each in mine.fields:
        yield from field_differences(vendor, each, properties[each.name], f"{at}.{each.name}")


def field_differences(vendor: dict[str, Any], each: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    if each.many != (schema.get("type") == "array"):
        yield f"{at}: one is a list, the other is not"
        return
    inner = resolve(vendor, schema["items"] if each.many else schema)
    if each.shape is not None:
        yield from differences(vendor, each.shape, inner, at)
        return
    if each.kind == "any":
        return
    kind = {"integer": "int", "number": "number", "boolean": "flag", "string": "text", "object": "object"}[
        inner["type"]
    ]
    if kind == "text":
        kind = {"date-time": "time", "binary": "file"}.get(inner.get("format", ""), kind)
    if kind == "text" and inner.get("minLength") == 1:
        kind = "text+"
    if kind == "int" and inner.get("minimum") == 1:
        kind = "id"
    if each.kind != kind or (not each.many and each.nullable != schema.get("nullable", False)):
        yield f"{at}: {each.kind} nullable={each.nullable}, published {kind} {schema}"


def test_every_path_and_verb_is_published(vendor: dict[str, Any]) -> None:
    unknown = [row.key for row in ours() if row.method.lower() not in vendor["paths"].get(row.template, {})]
    assert unknown == []


def test_every_parameter_is_published_with_its_type(vendor: dict[str, Any]) -> None:
    theirs: dict[str, set[Any]] = {}
    mine: dict[str, set[Any]] = {}
    described = describe(ours())
    for row in ours():
        for paths, found in ((vendor["paths"], theirs), (described["paths"], mine)):
            parameters = paths[row.template][row.method.lower()].get("parameters", [])
            found[row.key] = {
                (each["name"], each["in"], each.get("required", False), json.dumps(each["schema"], sort_keys=True))
                for each in parameters
            }
    # A list's own `nullable` says nothing about a parameter.
    plain = {
        key: {(name, place, needed, schema.replace('"nullable": true, ', "")) for name, place, needed, schema in found}
        for key, found in mine.items()
    }
    assert plain == theirs


def test_every_input_is_published_with_its_types_and_what_is_required(vendor: dict[str, Any]) -> None:
    found = []
    for row in ours():
        theirs = body_schema(vendor, vendor["paths"][row.template][row.method.lower()])
        if (row.body is None) != (theirs is None):
            found.append(f"{row.key}: only one of them has a body")
        elif row.body is not None and theirs is not None:
            needs = row.body.shape
            if needs.name in {"AttachmentUpload", "TempAttachmentUpload"}:
                # Published as optional, but an upload without a file makes no sense: the sandbox insists.
                theirs = theirs | {"required": [needs.fields[0].name]}
            found += differences(vendor, needs, theirs, row.key)
    assert found == []


def test_every_output_has_all_published_fields(vendor: dict[str, Any]) -> None:
    found = {}
    for row in ours():
        content = vendor["paths"][row.template][row.method.lower()]["responses"]["200"].get("content")
        if row.answer.kind in {Kind.NOTHING, Kind.FILE}:
            continue
        schema = resolve(vendor, next(iter(content.values()))["schema"])
        assert ("TotalRecords" in schema["properties"]) == (row.answer.kind is Kind.PAGED), row.key
        is_enveloped = "Success" in schema["properties"]
        assert is_enveloped != (row.answer.kind is Kind.BARE), row.key
        result = resolve(vendor, schema["properties"]["Result"]) if is_enveloped else schema
        is_list = result.get("type") == "array"
        assert is_list == row.answer.kind.is_list, row.key
        record = resolve(vendor, result["items"]) if is_list else result
        assert row.answer.shape is not None
        surplus = {each.name for each in row.answer.shape.fields} ^ set(record["properties"])
        if surplus:
            found[row.key] = sorted(surplus)
    assert found == {}


def test_the_extension_is_five_operations() -> None:
    assert {row.key for row in OPERATIONS.offered(Contract.EXTENDED)} - {
        row.key for row in OPERATIONS.offered(Contract.PUBLISHED)
    } == {
        "POST /v2/crm/quotes",
        "PUT /v2/crm/quotes/{quotationId}",
        "GET /v2/crm/quotes/{quotationId}/lineItems",
        "DELETE /v2/crm/quotes/{quotationId}/lineItems/{lineItemId}",
        "POST /v2/inventory/products",
    }


@pytest.mark.parametrize(
    ("pascal", "expected"),
    [
        ("AccessToken", "accessToken"),
        ("CustomerPO", "customerPO"),
        ("TTC", "ttc"),
        ("QTYInStock", "qtyInStock"),
        ("UPC", "upc"),
        ("Address1", "address1"),
        ("Id", "id"),
        ("PictureURL", "pictureURL"),
        ("latitude", "latitude"),
    ],
)
def test_names_become_camel_case_as_dotnet_writes_them(pascal: str, expected: str) -> None:
    assert camel(pascal) == expected
