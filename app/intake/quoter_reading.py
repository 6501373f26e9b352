"""Reading single values of Quoter's data: every shape is possible, and none may raise."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from app.intake.wire import shortest
from app.quotes.money import EXACT

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]+)?")
_NOTHING = re.compile(r"[\s,$£€%]")
_SIX_PLACES = Decimal("0.000001")
_LOST_HALVES = re.compile("[\ud800-\udfff\0]")
_TEXT_LIMIT = 20_000


def text_of(value: object) -> str | None:
    """A text without what cannot be stored (NUL, half a surrogate pair); blank counts as missing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return _LOST_HALVES.sub("\ufffd", str(value)).strip()[:_TEXT_LIMIT].strip() or None


def number_of(value: object) -> Decimal | None:
    """An amount such as ``"2,575.00"`` or 45, to six places; missing where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
    text = _NOTHING.sub("", text)
    return to_six_places(Decimal(text)) if _NUMBER.fullmatch(text) else None


def to_six_places(number: Decimal) -> Decimal:
    """The precision that the JSON webhook takes as well, in its shortest spelling."""
    return shortest(format(number.quantize(_SIX_PLACES, context=EXACT), "f"))


def flag_of(value: object) -> bool:
    """True, ``"true"`` or ``"1"``; anything else is false."""
    return str(value).strip().lower() in {"true", "1"}


def branch_of(value: object, *names: str) -> Mapping[str, object]:
    """A nested object; an empty one where there is none (PHP writes an empty object as a list)."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def entries_of(value: object) -> list[Mapping[str, object]]:
    """A list's objects; PHP writes a list with gaps as an object."""
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, Mapping)]


def day_of(value: object, *, time_zone: str) -> date | None:
    """A UTC time such as ``"2030-12-22 08:00:00"`` as the day it is in the connection's time zone."""
    text = text_of(value)
    if text is None:
        return None
    try:
        if len(text) == len("2030-12-22"):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(ZoneInfo(time_zone)).date()
    except (ValueError, OverflowError):
        return None
