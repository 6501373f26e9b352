"""From what a handler returns to what goes over the wire: envelopes, refusals, letter case."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from sandbox.contract import Answer, Kind
from sandbox.errors import MissingError, RefusedError, SignInError
from sandbox.settings import Casing, Refusals, Settings, SignInRefusals
from sandbox.shapes import Record, UploadedFile

SECURITY_ERROR = 978001
DEFAULT_PAGE_SIZE = 25
MAXIMUM_PAGE_SIZE = 500
_LEADING_CAPITALS = re.compile(r"^[A-Z]+(?=[A-Z][a-z]|$|[^A-Za-z])|^[A-Z](?=[a-z]|$)")


def camel(name: str) -> str:
    """Return a PascalCase name as .NET writes it in camelCase: `CustomerPO` → `customerPO`, `TTC` → `ttc`."""
    return _LEADING_CAPITALS.sub(lambda match: match[0].lower(), name, count=1)


def answered(answer: Answer, result: Any, settings: Settings, *, page: tuple[int, int] | None) -> Response:  # noqa: ANN401 - what handlers return
    """Return the response to a call that went well."""
    if answer.kind is Kind.DOCUMENT:
        return JSONResponse(result)
    if answer.kind is Kind.NOTHING:
        return Response(status_code=200)
    if answer.kind is Kind.FILE:
        return _file(result)
    if answer.kind is Kind.BARE and not settings.enveloped_summaries:
        return _json(_filled(answer, result), settings)
    envelope: Record = {"Success": True, "Error": None}
    if answer.kind.is_list:
        records = [_filled(answer, each) for each in _page_of(result, page)]
        envelope["Result"] = records
        if answer.kind is Kind.PAGED:
            envelope["TotalRecords"] = len(result)
    else:
        envelope["Result"] = _filled(answer, result)
    return _json(envelope, settings)


def refused(error: RefusedError, settings: Settings) -> Response:
    """Return the response to a call that BMS understood and declined."""
    details = "; ".join(f"{problem.field}: {problem.message}" for problem in error.problems) or None
    if settings.refusals is Refusals.ENVELOPE:
        return failure(error.message, settings, details=details)
    status = 404 if isinstance(error, MissingError) else 400
    problems: Record = {}
    for problem in error.problems:
        problems.setdefault(problem.field, []).append(problem.message)
    body = {"title": error.message, "status": status, "detail": details, "errors": problems}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def unauthorised(error: SignInError, settings: Settings) -> Response:
    """Return the response to a call without a good token, or to a sign-in that failed."""
    is_quiet = error.is_sign_in and settings.sign_in_refusals is SignInRefusals.OK
    status = 200 if is_quiet else 401
    return failure("Security Error", settings, code=SECURITY_ERROR, details=error.message, status=status)


def failure(
    message: str, settings: Settings, *, code: int = 0, details: str | None = None, status: int = 200
) -> Response:
    """Return an envelope that says no."""
    error = {"Code": code, "Message": message, "Details": details, "StackStrace": None, "SubErrors": []}
    return _json({"Success": False, "Error": error, "Result": None}, settings, status=status)


def problem(status: int, title: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document, as the web server in front of BMS would."""
    body = {"title": title, "status": status}
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


def cased(value: Any, casing: Casing = Casing.CAMEL) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with the names of its objects in the wanted case, and its times as text."""
    match value:
        case Mapping():
            rename = camel if casing is Casing.CAMEL else str
            return {rename(str(name)): cased(item, casing) for name, item in value.items()}
        case list():
            return [cased(item, casing) for item in value]
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case _:
            return value


def without_id(response: Response) -> Response:
    """Return the same answer, whose result tells no id."""
    body = json.loads(bytes(response.body))
    holder = next((body[name] for name in ("result", "Result") if name in body), body)
    for record in holder if isinstance(holder, list) else [holder]:
        if isinstance(record, dict):
            for name in ("id", "Id", "productIndexId", "ProductIndexId"):
                record.pop(name, None)
    return JSONResponse(body, status_code=response.status_code)


def truncated(response: Response) -> Response:
    """Return the first half of the same answer."""
    half = bytes(response.body)[: len(response.body) // 2]
    return Response(half, status_code=response.status_code, media_type="application/json")


def _filled(answer: Answer, result: Any) -> Any:  # noqa: ANN401 - a record, or a plain value
    return result if answer.shape is None else answer.shape.fill(result)


def _page_of(records: list[Record], page: tuple[int, int] | None) -> list[Record]:
    if page is None:
        return records
    number, size = page
    return records[(number - 1) * size : number * size]


def _json(body: Any, settings: Settings, *, status: int = 200) -> Response:  # noqa: ANN401 - any JSON value
    return JSONResponse(cased(body, settings.casing), status_code=status)


def _file(file: UploadedFile) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(file.filename)}"
    headers = {} if file.content_type.startswith("text/html") else {"Content-Disposition": disposition}
    return Response(file.content, media_type=file.content_type, headers=headers)
