"""How BMS narrows a list: names by "contains", ids by equality, times by range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.shapes import Record, parse_time

_NOT_FILTERS = frozenset({"Sort", "Exclude", "PageSize", "PageNumber"})


def select(
    records: Iterable[Record], query: Mapping[str, Any], *, fields: Mapping[str, str] | None = None
) -> list[Record]:
    """Return the records that pass every filter given.

    A filter is named after the field it looks at; `fields` names the others. `…From` and `…To` are bounds of a time,
    a list means "one of these", a string is contained without regard to case, everything else is equal.
    """
    tests = [
        _read(name.removeprefix("Filter."), value, fields or {})
        for name, value in query.items()
        if name not in _NOT_FILTERS
    ]
    return [record for record in records if all(_passes(record.get(name), how, value) for name, how, value in tests)]


def comma_separated(value: str) -> list[int]:
    """Read a filter that carries several ids in one string."""
    return [int(part) for part in value.split(",") if part.strip().isdigit()]


def _read(name: str, value: Any, fields: Mapping[str, str]) -> tuple[str, str, Any]:  # noqa: ANN401 - any filter value
    if name.endswith(("OnFrom", "OnTo")):
        bound = "From" if name.endswith("From") else "To"
        return name.removesuffix(bound), bound, _aware(parse_time(value))
    known = fields.get(name, name)
    if isinstance(value, list):
        return known if name in fields else known.removesuffix("s"), "in", value
    return known, "contains" if isinstance(value, str) else "is", value


def _passes(held: Any, how: str, value: Any) -> bool:  # noqa: ANN401 - any field of a record
    match how:
        case "From":
            return held is not None and held >= value
        case "To":
            return held is not None and held <= value
        case "in":
            return held in value
        case "contains":
            return value.casefold() in str(held or "").casefold()
        case _:
            return bool(held == value)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
