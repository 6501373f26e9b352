"""The tenant's own description of its API, made from the table of operations."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.contract import DOCUMENT, FILE, Answer, Body, Group, Kind, Operation, Request
from sandbox.shapes import INT32_MAX, Field, Record, Shape, UploadedFile
from sandbox.world import World

group = Group("Swagger")

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>BMS API 2.0</title></head>
<body><h1>BMS API 2.0</h1><p>The description of this API is in <a href="v2/swagger.json">swagger.json</a>.</p></body>
</html>
"""
_JSON_TYPES = ("application/json", "application/json-patch+json", "text/json", "application/*+json")
_TYPES: dict[str, Record] = {
    "int": {"type": "integer", "format": "int32"},
    "id": {"type": "integer", "format": "int32", "minimum": 1, "maximum": INT32_MAX},
    "text": {"type": "string"},
    "text+": {"type": "string", "minLength": 1},
    "number": {"type": "number", "format": "double"},
    "flag": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "object": {"type": "object"},
    "any": {},
    "file": {"type": "string", "format": "binary"},
}


@group.get("/swagger/v2/swagger.json", DOCUMENT, is_anonymous=True)
def describe_api(world: World, _request: Request) -> Record:
    """Return the OpenAPI document of the operations on offer."""
    from sandbox.bms import OPERATIONS  # noqa: PLC0415 - this group is itself part of the table

    return describe(OPERATIONS.offered(world.settings.contract))


@group.get("/swagger/index.html", FILE, is_anonymous=True)
def show_page(_world: World, _request: Request) -> UploadedFile:
    """Return a page that leads to the document."""
    return UploadedFile("index.html", "text/html; charset=utf-8", _PAGE.encode())


def describe(operations: Iterable[Operation]) -> Record:
    """Return an OpenAPI 3.0.1 document for some operations."""
    schemas: Record = {"ErrorInfo": _error_schema()}
    paths: dict[str, Record] = {}
    for row in operations:
        if row.tag != group.tag:
            paths.setdefault(row.template, {})[row.method.lower()] = _describe_operation(row, schemas)
    return {
        "openapi": "3.0.1",
        "info": {"title": "BMS API 2.0", "description": "A local stand-in.", "version": "2.0"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"bearerAuth": []}],
    }


def _describe_operation(row: Operation, schemas: Record) -> Record:
    parameters = [_parameter(each, "path") for each in row.path_fields]
    parameters += [_parameter(each, "query") for each in row.query]
    described: Record = {"tags": [row.tag], "operationId": row.handler.__name__, "parameters": parameters}
    if row.body is not None:
        described["requestBody"] = {"content": _body_content(row.body, schemas)}
    ok: Record = {"description": "OK"}
    if row.answer.kind is not Kind.NOTHING:
        ok["content"] = {"application/json": {"schema": _answer_schema(row.answer, schemas)}}
    return described | {"responses": {"200": ok}}


def _parameter(each: Field, place: str) -> Record:
    plain = Field(each.name, "int" if each.kind == "id" else each.kind, many=each.many)
    described: Record = {"name": each.name, "in": place, "schema": _field_schema(plain, {})}
    return described | ({"required": True} if each.required else {})


def _body_content(body: Body, schemas: Record) -> Record:
    if body.is_form:
        return {"multipart/form-data": {"schema": _shape_schema(body.shape, schemas)}}
    reference = _reference(body.shape, schemas)
    schema = {"type": "array", "items": reference} if body.many else reference
    return {content_type: {"schema": schema} for content_type in _JSON_TYPES}


def _answer_schema(answer: Answer, schemas: Record) -> Record:
    if answer.kind is Kind.FILE:
        return {"type": "string", "format": "binary"}
    result = {"type": "string", "nullable": True} if answer.shape is None else _reference(answer.shape, schemas)
    if answer.kind is Kind.BARE:
        return result
    properties: Record = {
        "Success": {"type": "boolean", "readOnly": True},
        "Error": {"$ref": "#/components/schemas/ErrorInfo"},
        "Result": {"type": "array", "items": result} if answer.kind.is_list else result,
    }
    if answer.kind is Kind.PAGED:
        properties["TotalRecords"] = _TYPES["int"]
    return {"type": "object", "properties": properties}


def _reference(shape: Shape, schemas: Record) -> Record:
    if shape.name not in schemas:
        schemas[shape.name] = {}
        schemas[shape.name] = _shape_schema(shape, schemas)
    return {"$ref": f"#/components/schemas/{shape.name}"}


def _shape_schema(shape: Shape, schemas: Record) -> Record:
    described: Record = {
        "type": "object",
        "properties": {each.name: _field_schema(each, schemas) for each in shape.fields},
    }
    required = [each.name for each in shape.fields if each.required]
    return described | {"additionalProperties": False} | ({"required": required} if required else {})


def _field_schema(each: Field, schemas: Record) -> Record:
    plain = _reference(each.shape, schemas) if each.shape is not None else _TYPES[each.kind]
    if each.many:
        return {"type": "array", "items": plain, "nullable": True}
    return {**plain, "nullable": True} if each.nullable else plain


def _error_schema() -> Record:
    text = {"type": "string", "nullable": True}
    properties: Record = {"Code": _TYPES["int"], "Message": text, "Details": text, "StackStrace": text}
    return {"type": "object", "properties": properties | {"SubErrors": {"type": "array", "items": text}}}
