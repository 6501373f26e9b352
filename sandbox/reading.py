"""From the wire to a request that the contract allows: path, query, body."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request as HttpRequest

from sandbox.contract import Body, Operation
from sandbox.errors import RefusedError
from sandbox.shapes import Field, Problem, Record, UploadedFile

_SECRET_FIELDS = frozenset(
    {
        "password",
        "mfacode",
        "accesstoken",
        "refreshtoken",
        "clientsecret",
        "samlresponse",
        "samlkey",
        "itctoken",
        "code",
    }
)
_NO_JSON = object()


async def read_body(request: HttpRequest) -> Any:  # noqa: ANN401 - any JSON value or form
    """Return the body as sent: a form's fields, a JSON value, or None when there is none."""
    content_type = request.headers.get("content-type", "")
    if content_type.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        async with request.form() as form:
            return await _read_form(form)
    raw = await request.body()
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return _NO_JSON


def blanked(body: Any) -> Any:  # noqa: ANN401 - any JSON value or form
    """Return a body as it may be shown: secrets starred out, files by name and size."""
    match body:
        case Mapping():
            return {name: "***" if name.lower() in _SECRET_FIELDS else blanked(item) for name, item in body.items()}
        case list():
            return [blanked(item) for item in body]
        case UploadedFile():
            return {"filename": body.filename, "content_type": body.content_type, "size": len(body.content)}
        case _:
            return None if body is _NO_JSON else body


def read_path(operation: Operation, values: Mapping[str, str]) -> Record:
    """Return the path's parameters as declared. Raises RefusedError for one that is no id."""
    path: Record = {}
    problems: list[Problem] = []
    for each in operation.path_fields:
        value = _convert(each, values[each.name])
        path[each.name] = value
        problems += each.check(value, each.name)
    _refuse(problems)
    return path


def read_query(operation: Operation, pairs: Iterable[tuple[str, str]]) -> Record:
    """Return the query's parameters as declared. Raises RefusedError for unknown, missing or mistyped ones."""
    known = {each.name.lower(): each for each in operation.query}
    query: Record = {}
    problems = []
    for name, text in pairs:
        each = known.get(name.lower())
        if each is None:
            problems.append(Problem(name, "is not a parameter of this operation"))
        elif each.many:
            query.setdefault(each.name, []).append(_convert(each, text))
        else:
            query[each.name] = _convert(each, text)
    for each in operation.query:
        if each.name in query:
            problems += each.check(query[each.name], each.name)
        elif each.required:
            problems.append(Problem(each.name, "is required"))
    _refuse(problems)
    return query


def check_body(expected: Body | None, body: Any, *, is_form: bool) -> Any:  # noqa: ANN401 - any JSON value or form
    """Return the body under its declared names. Raises RefusedError where it differs from the contract."""
    if expected is None:
        if body is not None:
            _refuse([Problem("body", "this operation takes none")])
        return None
    if body is None or body is _NO_JSON or is_form != expected.is_form:
        kind = "a form" if expected.is_form else "JSON"
        _refuse([Problem("body", f"must be {kind} ({expected.shape.name})")])
    if expected.many:
        return _check_list(expected, body)
    _refuse(list(expected.shape.check(body)))
    return expected.shape.named(body)


def page_asked_for(source: Mapping[str, Any]) -> tuple[int, int | None]:
    """Return page number (from 1) and page size. Raises RefusedError for numbers below 1."""
    number, size = source.get("PageNumber"), source.get("PageSize")
    problems = [
        Problem(name, "must be at least 1")
        for name, value in (("PageNumber", number), ("PageSize", size))
        if value is not None and value < 1
    ]
    _refuse(problems)
    return number or 1, size


def _check_list(expected: Body, body: Any) -> list[Record]:  # noqa: ANN401 - any JSON value
    if not isinstance(body, list):
        _refuse([Problem("body", f"must be a list of {expected.shape.name}")])
    _refuse([found for index, item in enumerate(body) for found in expected.shape.check(item, f"[{index}]")])
    return [expected.shape.named(item) for item in body]


async def _read_form(form: FormData) -> Record:
    values: Record = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
            content_type = value.content_type or "application/octet-stream"
            values[name] = UploadedFile(value.filename or "", content_type, content)
        else:
            values[name] = value
    return values


def _convert(each: Field, text: str) -> Any:  # noqa: ANN401 - whatever the field is declared as
    match each.kind:
        case "int" | "id":
            return int(text) if text.lstrip("-").isdecimal() else text
        case "flag":
            return {"true": True, "false": False}.get(text.lower(), text)
        case _:
            return text


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise RefusedError("One or more validation errors occurred.", is_violation=True, problems=problems)
