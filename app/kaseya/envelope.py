"""What BMS's JSON means: letter case folded, envelope taken off, errors of every known shape made one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Whatever a JSON document holds; what is looked for in it is checked where it is read."""

SECURITY_ERROR = 978001
"""The one published BMS error code: the access token is missing, wrong or expired."""

MAX_TEXT = 300
_ENVELOPE_KEYS = frozenset({"success", "error", "result", "totalrecords"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """An answer taken apart. `total_records` is there on paged lists only."""

    result: Json
    total_records: int | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What BMS says went wrong: one sentence, its error number, and remarks on single fields."""

    message: str
    code: int | None = None
    details: tuple[str, ...] = ()


def parse_json(body: bytes) -> Json:
    """Parse with keys in lower case and numbers with a fraction as Decimal; raises ValueError.

    The swagger promises PascalCase, the wire carries camelCase: reading must not depend on it.
    """
    return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_fold)


def open_envelope(value: Json) -> Envelope:
    """Take the envelope off, if there is one: some operations answer with the bare record."""
    if not is_envelope(value):
        return Envelope(value)
    success, error = value.get("success"), value.get("error")
    total = value.get("totalrecords")
    failed = success is False or (success is not True and bool(error))
    return Envelope(
        result=value.get("result"),
        total_records=total if isinstance(total, int) else None,
        failure=_failure(value) if failed else None,
    )


def is_envelope(value: Json) -> bool:
    """Tell an envelope from a bare record: it says `success`, or has a result and no keys of a record's own."""
    return isinstance(value, Mapping) and ("success" in value or ("result" in value and value.keys() <= _ENVELOPE_KEYS))


def read_failure(body: bytes) -> Failure:
    """Read an error body of any known shape: envelope, OAuth error, ProblemDetails, else its text, cut short."""
    try:
        value = parse_json(body)
    except ValueError:
        value = None
    if isinstance(value, Mapping):
        return _failure(value)
    return Failure(_shorten(body.decode("utf-8", "replace")))


def _failure(value: Mapping[str, Any]) -> Failure:
    error = value.get("error")
    if isinstance(error, Mapping):
        return _error_info(error)
    if "error_description" in value:
        return Failure(_shorten(value["error_description"] or error))
    if isinstance(error, str):
        return Failure(_shorten(error))
    details = _field_errors(value.get("errors"))
    message = value.get("detail") or value.get("title") or value.get("message") or "; ".join(details)
    return Failure(_shorten(message), details=details)


def _error_info(error: Mapping[str, Any]) -> Failure:
    """`details` before `message`: it is the more telling of the two. `stackStrace` is left out on purpose."""
    code, sub_errors = error.get("code"), error.get("suberrors")
    return Failure(
        message=_shorten(error.get("details") or error.get("message")),
        code=code if isinstance(code, int) else None,
        details=tuple(_shorten(each) for each in sub_errors) if isinstance(sub_errors, list) else (),
    )


def _field_errors(errors: Json) -> tuple[str, ...]:
    if not isinstance(errors, Mapping):
        return ()
    pairs = ((field, each if isinstance(each, list) else [each]) for field, each in errors.items())
    return tuple(f"{field}: {_shorten(text)}" for field, texts in pairs for text in texts)


def _shorten(text: Json) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def _fold(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key.lower(): value for key, value in pairs}


def _refuse_constant(name: str) -> Json:
    message = f"{name} is not a JSON number"
    raise ValueError(message)
