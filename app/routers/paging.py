"""Lists, a page at a time: a limit, an opaque cursor, and the form of the answer."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.routers.problems import Problem

DEFAULT_LIMIT = 50
MOST = 250

Item = TypeVar("Item")
Row = TypeVar("Row")
Column = InstrumentedAttribute[Any]


class Listing(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="send it as `cursor` for the next page; null on the last one")


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is asked for: at most ``limit`` rows ``after`` the last row of the page before."""

    limit: int
    after: tuple[str, ...] = ()

    def cut(self, rows: Sequence[Row], *, key: Callable[[Row], Iterable[str]]) -> tuple[Sequence[Row], str | None]:
        """The page's rows and the next cursor, from one row more than the page holds."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        return shown, encode_cursor(key(shown[-1])) if more else None

    def newest_first(
        self, query: Select[*tuple[Any, ...]], *columns: Column, read: Sequence[Callable[[str], object]] = (str,)
    ) -> Select[*tuple[Any, ...]]:
        """The query ordered by these columns, latest first, for this page and one row more.

        ``read`` turns the cursor's parts, which are text, into the columns' values.
        """
        if self.after:
            bounds = (literal(value, column.type) for value, column in zip(self._values(read), columns, strict=True))
            query = query.where(tuple_(*columns) < tuple_(*bounds))
        return query.order_by(*(column.desc() for column in columns)).limit(self.limit + 1)

    def _values(self, read: Sequence[Callable[[str], object]]) -> list[object]:
        try:
            return [convert(part) for convert, part in zip(read, self.after, strict=True)]
        except ValueError:
            raise bad_cursor() from None


def encode_cursor(parts: Iterable[str]) -> str:
    """A cursor that says after which row the next page begins."""
    return base64.urlsafe_b64encode(json.dumps(list(parts)).encode()).rstrip(b"=").decode()


def bad_cursor() -> Problem:
    """The problem of a cursor that no list of ours has given out."""
    error = {"pointer": "/query/cursor", "message": "This is not a cursor of this list; leave it out to start anew."}
    return Problem(422, "invalid-request", "The cursor is not one that this list gave out.", errors=[error])


def decode_cursor(cursor: str) -> tuple[str, ...]:
    """What :func:`encode_cursor` was given; a :class:`Problem` 422 for anything else."""
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise bad_cursor() from None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, str) and _is_text(part) for part in parts):
        raise bad_cursor()
    return tuple(parts)


def _is_text(part: str) -> bool:
    """Whether PostgreSQL takes it as text."""
    return "\0" not in part and not any("\ud800" <= character <= "\udfff" for character in part)


def _page(
    limit: Annotated[int, Query(ge=1, le=MOST, description="how many at most")] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=1024, description="`next_cursor` of the page before; leave it out for the first")
    ] = None,
) -> Page:
    return Page(limit, decode_cursor(cursor) if cursor else ())


PageDep = Annotated[Page, Depends(_page)]
