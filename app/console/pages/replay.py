"""Syncing many quotes again: choose which, see how many, then do it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.connections.refusal import ACTIVE
from app.console import reads
from app.console.deps import ConnectionDep, Form, FormDep
from app.console.render import page, redirect
from app.console.session import PATH
from app.console.words import QUOTE_STATES, count
from app.db import quotes as repository
from app.db.quotes import QuoteFilter
from app.db.tables import Connection
from app.deps import HouseDep, SessionDep

router = APIRouter(prefix="/connections/{connection_id}/replay")

MOST_QUOTE_IDS = 1000
FIELDS = ("state", "search", "quote_ids", "received_after", "received_before")
Search = Annotated[str, Query(max_length=200, pattern="^[^\0]*$")]


class UnusableFieldError(ValueError):
    """A field that says nothing usable; the message says what it needs."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@router.get("")
async def show_replay(
    request: Request,
    connection: ConnectionDep,
    house: HouseDep,
    session: SessionDep,
    state: Search = "",
    search: Search = "",
) -> Response:
    """The form; with a state or a search it says at once how many quotes these are."""
    form = {"state": state, "search": search.strip()}
    wanted = _filter(form) if any(form.values()) else None
    found = await repository.count(session, connection.id, wanted) if wanted else None
    return await _form_page(request, house, connection, form, found=found)


@router.post("")
async def replay(
    request: Request, connection: ConnectionDep, house: HouseDep, session: SessionDep, form: FormDep
) -> Response:
    """Count what is chosen, or, once it was counted, make it due."""
    try:
        wanted = _filter(form)
    except UnusableFieldError as error:
        return await _form_page(request, house, connection, form, errors={error.name: str(error)}, status=422)
    if form.get("do") != "sync":
        found = await repository.count(session, connection.id, wanted)
        return await _form_page(request, house, connection, form, found=found)
    marked = await repository.replay(session, connection.id, wanted)
    message = f"{count(marked, 'quote')} {'is' if marked == 1 else 'are'} synced again, two a second."
    return redirect(request, f"{PATH}/connections/{connection.id}/quotes?state=pending", message)


def _filter(form: Form) -> QuoteFilter:
    """Which quotes a form means: all that meet every field that is filled in; raises UnusableFieldError."""
    quote_ids = [each for each in re.split(r"[\s,;]+", form.get("quote_ids", "")) if each]
    if len(quote_ids) > MOST_QUOTE_IDS:
        raise UnusableFieldError("quote_ids", f"These are more than {MOST_QUOTE_IDS:,} ids; enter fewer at a time.")
    return QuoteFilter(
        state=form["state"] if form.get("state") in QUOTE_STATES else None,
        search=form.get("search") or None,
        quote_ids=quote_ids or None,
        received_after=_moment(form, "received_after"),
        received_before=_moment(form, "received_before"),
    )


def _moment(form: Form, name: str) -> datetime | None:
    """A time in UTC, as a browser's field for dates and times gives it."""
    if not (given := form.get(name)):
        return None
    try:
        moment = datetime.fromisoformat(given)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnusableFieldError(name, "Write a time like 2026-03-02T10:15.") from None


async def _form_page(
    request: Request,
    house: HouseDep,
    connection: Connection,
    form: Form,
    *,
    found: int | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    shown: dict[str, Any] = {name: form.get(name, "") for name in FIELDS}
    return page(
        request,
        "replay.html",
        status=status,
        health=await reads.health_of(house, connection.id),
        form=shown,
        is_everything=not any(shown.values()),
        found=found,
        takes=repository.replay_takes(found or 0).total_seconds(),
        errors=errors or {},
        waits=connection.state != ACTIVE,
    )
