"""Strictness that JSON parsers lack: what could be read two ways, or could not be stored, is refused with its place.

The quick look costs one C-speed parse; only a body that looks wrong is walked, to say where.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from app.intake.problems import FieldError, InvalidEventError

MAX_DEPTH = 32
MAX_INTEGER_DIGITS = 19
MAX_ERRORS = 50
_SUSPECT_ESCAPES = (b"\\u0000", b"\\ud", b"\\uD")


class _SuspectError(Exception):
    """The quick look found something that the walk must place."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """Stands in the walked tree for a number that JSON has not, or that we do not take."""

    message: str


class _Members(list[tuple[str, object]]):
    """An object's members as they were written, repeated names included."""


def pointer(*parts: str | int) -> str:
    """An RFC 6901 JSON pointer."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def check_json(body: bytes) -> None:
    """Pass a body that is one plain JSON text, and nothing else.

    Raises:
        InvalidEventError: Not UTF-8, not JSON, a repeated name, NUL or half a surrogate pair in a string, NaN or
            Infinity, a number beyond a 64-bit integer's digits or a double's range, or more than 32 levels deep.
    """
    text = _decode(body)
    if not _looks_clean(body, text):
        _refuse_what_is_wrong(text)


def _decode(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidEventError((FieldError("", f"The body is not UTF-8 (byte {error.start})."),)) from None


def _looks_clean(body: bytes, text: str) -> bool:
    # One byte is found much faster than two, and most bodies hold no escape at all.
    if b"\\" in body and any(escape in body for escape in _SUSPECT_ESCAPES):
        return False
    try:
        tree = json.loads(
            text,
            object_pairs_hook=_unique_members,
            parse_constant=_suspect,
            parse_int=_short_integer,
            parse_float=_finite,
        )
    except (_SuspectError, ValueError, RecursionError):
        return False
    return body.count(b"[") + body.count(b"{") <= MAX_DEPTH or not _is_deep(tree)


def _unique_members(members: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(members)
    if len(unique) != len(members):
        raise _SuspectError
    return unique


def _suspect(_: str) -> object:
    raise _SuspectError


def _short_integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise _SuspectError
    return 0


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _SuspectError
    return number


def _is_deep(tree: object) -> bool:
    level = [tree]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node if type(node) is list else ())
            if type(child) is dict or type(child) is list
        ]
    return bool(level)


def _refuse_what_is_wrong(text: str) -> None:
    try:
        tree = json.loads(
            text,
            object_pairs_hook=_Members,
            parse_constant=lambda name: _Refused(f"{name} is not a JSON number."),
            parse_int=_integer_or_refused,
            parse_float=_float_or_refused,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidEventError((FieldError("", f"The body is not JSON: {error.msg} at {place}."),)) from None
    except RecursionError:
        raise InvalidEventError((FieldError("", f"The body is nested more than {MAX_DEPTH} levels deep."),)) from None
    errors = tuple(error for error, _ in zip(_walk(tree), range(MAX_ERRORS), strict=False))
    if errors:
        raise InvalidEventError(errors)


def _integer_or_refused(text: str) -> object:
    if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        return _Refused(f"The number has more than {MAX_INTEGER_DIGITS} digits.")
    return 0


def _float_or_refused(text: str) -> object:
    return _Refused("The number is too large.") if math.isinf(float(text)) else 0.0


def _walk(tree: object) -> Iterator[FieldError]:
    """Every fault in the tree, in document order; iterative, so that depth cannot hurt."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), tree)]
    while waiting:
        path, node = waiting.pop()
        message = _fault(node, len(path))
        if message:
            yield FieldError(pointer(*(_printable(part) for part in path)), message)
            continue
        if isinstance(node, _Members):
            yield from _faulty_names(path, node)
            waiting.extend(((*path, name), child) for name, child in reversed(node))
        elif isinstance(node, list):
            waiting.extend(((*path, index), child) for index, child in reversed(list(enumerate(node))))


def _fault(node: object, depth: int) -> str | None:
    match node:
        case _Refused(message):
            return message
        case str():
            return _fault_in_text(node)
        case list() if depth > MAX_DEPTH:
            return f"The body is nested more than {MAX_DEPTH} levels deep."
        case _:
            return None


def _fault_in_text(text: str) -> str | None:
    if "\0" in text:
        return "The text holds a NUL character."
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "The text holds half of a surrogate pair."
    return None


def _faulty_names(path: tuple[str | int, ...], members: _Members) -> Iterator[FieldError]:
    seen: set[str] = set()
    for name, _ in members:
        place = pointer(*(_printable(part) for part in (*path, name)))
        if name in seen:
            yield FieldError(place, "The name is there more than once.")
        if _fault_in_text(name):
            yield FieldError(place, "The name holds a NUL character or half of a surrogate pair.")
        seen.add(name)


def _printable(part: str | int) -> str | int:
    return part if isinstance(part, int) else part.encode(errors="replace").decode().replace("\0", "?")
