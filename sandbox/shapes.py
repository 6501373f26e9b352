"""A small language for the shapes of JSON objects: declare, check, fill out, describe.

A shape is written as one line of fields, for example `"Subject* text+, ContactId id?, CloseDate* time"`:

| mark        | means                                                                  |
|-------------|------------------------------------------------------------------------|
| `Name*`     | required                                                               |
| `int`       | a whole number of 32 bits                                              |
| `id`        | the same, from 1 on                                                    |
| `text`      | a string; `text+` is a string of at least one character                |
| `number`    | a JSON number (double)                                                 |
| `flag`      | true or false                                                          |
| `time`      | ISO 8601 date and time                                                 |
| `object`    | any JSON object; `any` is any JSON value                               |
| `file`      | a file part of a multipart body                                        |
| `Other`     | another shape, handed in by name                                       |
| `[kind]`    | a list of them                                                         |
| `kind?`     | may be null                                                            |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

INT32_MAX = 2**31 - 1
_DECLARATION = re.compile(r"^(?P<name>\w[\w.]*)(?P<required>\*?) (?P<list>\[?)(?P<kind>\w+\+?)\]?(?P<nullable>\??)$")

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which a value differs from its shape; `field` is a dotted path into the body."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Field:
    """One named value of a shape."""

    name: str
    kind: str
    required: bool = False
    many: bool = False
    nullable: bool = False
    shape: Shape | None = None

    def check(self, value: object, at: str) -> Iterator[Problem]:
        """Yield what is wrong with `value`; nothing when it is as declared."""
        if value is None:
            if not self.nullable and not self.many:
                yield Problem(at, "must not be null")
        elif not self.many:
            yield from self._check_one(value, at)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._check_one(item, f"{at}[{index}]")
        else:
            yield Problem(at, "must be a list")

    def _check_one(self, value: object, at: str) -> Iterator[Problem]:
        if self.shape is not None:
            yield from self.shape.check(value, at)
        elif not _ACCEPTS[self.kind](value):
            yield Problem(at, f"must be {_SPOKEN[self.kind]}, not {value!r:.80}")


@dataclass(frozen=True, slots=True)
class Shape:
    """A JSON object with known fields. Names are matched without regard to case, as BMS binds them."""

    name: str
    fields: tuple[Field, ...]
    _by_name: dict[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {each.name.lower(): each for each in self.fields})

    def find(self, name: str) -> Field | None:
        """Return the field of that name in any letter case."""
        return self._by_name.get(name.lower())

    def check(self, value: object, at: str = "") -> Iterator[Problem]:
        """Yield every difference between `value` and this shape: unknown, missing or mistyped fields."""
        if not isinstance(value, Mapping):
            yield Problem(at or "body", f"must be an object ({self.name})")
            return
        given = {str(name).lower(): item for name, item in value.items()}
        for name in value:
            if self.find(str(name)) is None:
                yield Problem(_join(at, str(name)), f"is not a field of {self.name}")
        for each in self.fields:
            if each.name.lower() in given:
                yield from each.check(given[each.name.lower()], _join(at, each.name))
            elif each.required:
                yield Problem(_join(at, each.name), "is required")

    def named(self, value: Mapping[str, Any]) -> Record:
        """Return the given fields of a checked value under their declared names; nothing is filled in."""
        named: Record = {}
        for name, item in value.items():
            known = self.find(str(name))
            if known is not None:
                named[known.name] = _named_within(known, item)
        return named

    def fill(self, record: Mapping[str, Any]) -> Record:
        """Return exactly the declared fields of `record`; null where it does not know one."""
        return {each.name: _filled_within(each, record.get(each.name)) for each in self.fields}


def shape(name: str, declaration: str, *others: Shape) -> Shape:
    """Build a shape from its one-line declaration; shapes it names come as further arguments."""
    return Shape(name, tuple(fields(declaration, *others)))


def fields(declaration: str, *others: Shape) -> Iterator[Field]:
    """Yield the fields of a declaration. Raises ValueError for one that cannot be read."""
    known = {other.name: other for other in others}
    for text in (part.strip() for part in declaration.split(",")):
        match = _DECLARATION.match(text)
        if match is None or (match["kind"] not in _ACCEPTS and match["kind"] not in known):
            raise ValueError(f"Cannot read the declaration {text!r}.")
        yield Field(
            name=match["name"],
            kind=match["kind"],
            required=bool(match["required"]),
            many=bool(match["list"]),
            nullable=bool(match["nullable"]),
            shape=known.get(match["kind"]),
        )


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time, with or without a zone. Raises ValueError for anything else."""
    return datetime.fromisoformat(text)


def _named_within(known: Field, item: Any) -> Any:  # noqa: ANN401 - any JSON value
    if known.shape is None or item is None:
        return item
    return [known.shape.named(each) for each in item] if known.many else known.shape.named(item)


def _filled_within(known: Field, item: Any) -> Any:  # noqa: ANN401 - any JSON value
    if known.shape is None or item is None:
        return item
    return [known.shape.fill(each) for each in item] if known.many else known.shape.fill(item)


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -INT32_MAX - 1 <= value <= INT32_MAX


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or "T" not in value:
        return False
    try:
        parse_time(value)
    except ValueError:
        return False
    return True


_ACCEPTS: Mapping[str, Callable[[object], bool]] = {
    "int": _is_int,
    "id": lambda value: _is_int(value) and value >= 1,  # type: ignore[operator]
    "text": lambda value: isinstance(value, str),
    "text+": lambda value: isinstance(value, str) and value != "",
    "number": _is_number,
    "flag": lambda value: isinstance(value, bool),
    "time": _is_time,
    "object": lambda value: isinstance(value, Mapping),
    "any": lambda _value: True,
    "file": lambda value: isinstance(value, UploadedFile),
}
_SPOKEN: Mapping[str, str] = {
    "int": "a whole number of 32 bits",
    "id": "a whole number from 1 to 2147483647",
    "text": "a string",
    "text+": "a string that is not empty",
    "number": "a number",
    "flag": "true or false",
    "time": "a date and time in ISO 8601",
    "object": "an object",
    "any": "anything",
    "file": "a file",
}


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file part of a multipart body."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)
