"""Quotes: the list, one quote with everything that happened to it, the preview, and sync now."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.console import reads
from app.console.bms import NotAskedError, as_page, explained
from app.console.deps import ConnectionDep, FormDep
from app.console.errors import PageError, not_found
from app.console.render import page, redirect
from app.console.session import PATH
from app.console.words import QUOTE_STATES, RECORDS
from app.db import quotes as repository
from app.db.lanes import mark_due
from app.db.quotes import QuoteFilter
from app.db.tables import Connection, Event, Link, Quote, Run
from app.deps import HouseDep, SessionDep
from app.intake.canonical import from_canonical

router = APIRouter(prefix="/connections/{connection_id}/quotes")

Search = Annotated[str, Query(max_length=200)]


@router.get("")
async def list_quotes(
    request: Request,
    connection: ConnectionDep,
    house: HouseDep,
    session: SessionDep,
    *,
    search: Search = "",
    state: Search = "",
    before: Search = "",
) -> Response:
    """The connection's quotes, the last changed first."""
    wanted = QuoteFilter(
        state=state if state in QUOTE_STATES else None, search=search.replace("\0", "").strip() or None
    )
    try:
        listed = await reads.quotes(session, connection.id, wanted, before=before)
    except ValueError:  # an address that somebody has changed
        listed = await reads.quotes(session, connection.id, wanted)
    return page(
        request,
        "quotes.html",
        health=await reads.health_of(house, connection.id),
        listed=listed,
        counts=await reads.state_counts(session, connection.id),
        search=search,
        state=state,
        live=f"{PATH}/live/{connection.id}",
    )


@router.get("/{quote_id}")
async def show_quote(
    request: Request, connection: ConnectionDep, house: HouseDep, session: SessionDep, quote_id: str
) -> Response:
    """One quote: where it stands, what it became, and what happened when."""
    quote = await _find(session, connection, quote_id)
    link = await repository.find_link(session, quote)
    events = await reads.quote_events(session, quote)
    runs = await repository.newest_runs(session, quote)
    return page(
        request,
        "quote.html",
        health=await reads.health_of(house, connection.id),
        quote=quote,
        records=_records(link),
        timeline=_timeline(events, runs),
        issues=await reads.open_issues_of(session, quote),
        amount=_amount(link),
        live=f"{PATH}/live/{connection.id}",
    )


@router.post("/{quote_id}/sync")
async def sync_quote(
    request: Request, connection: ConnectionDep, session: SessionDep, _: FormDep, quote_id: str
) -> Response:
    """Make the quote due at once."""
    quote = await _find(session, connection, quote_id)
    this = (Quote.connection_id == quote.connection_id, Quote.quote_id == quote.quote_id)
    await mark_due(session, *this, urgent=True)
    message = "The quote is next in line. This page shows the result as soon as it is there."
    return redirect(request, _address(connection, quote), message)


@router.get("/{quote_id}/preview")
async def preview_quote(request: Request, connection: ConnectionDep, house: HouseDep, quote_id: str) -> Response:
    """What a sync would do now, field by field; BMS is read and nothing is sent."""
    from app.sync.preview import preview  # noqa: PLC0415 - only a dry run needs the engine in the web process

    async with house.database.of(connection.id).transaction() as session:
        quote = await _find(session, connection, quote_id)
    if connection.settings is None:
        detail = "Nothing can be planned before this connection's settings are saved."
        raise PageError(409, "Settings first", detail, "Open Settings, check what is proposed and save it.")
    try:
        async with explained():
            planned = await preview(house, connection, from_canonical(quote.content), lane_id=quote.quote_id)
    except NotAskedError as error:
        raise as_page(error.trouble) from None
    health = await reads.health_of(house, connection.id)
    return page(request, "preview.html", health=health, quote=quote, plan=planned.to_json())


async def _find(session: AsyncSession, connection: Connection, quote_id: str) -> Quote:
    if "\0" in quote_id:
        raise not_found("quote")
    lane_id = await repository.lane_of(session, connection.id, quote_id)
    quote = await session.get(Quote, (connection.id, lane_id))
    if quote is None:
        raise not_found("quote")
    return quote


def _address(connection: Connection, quote: Quote) -> str:
    return f"{PATH}/connections/{connection.id}/quotes/{quote.quote_id}"


def _records(link: Link | None) -> list[tuple[str, int]]:
    found = [(label, getattr(link, name, None)) for name, label in RECORDS.items()]
    return [(label, kaseya_id) for label, kaseya_id in found if kaseya_id is not None]


def _amount(link: Link | None) -> str | None:
    sent = (link.opportunity_sent if link else None) or {}
    return sent.get("amount")


def _timeline(events: Any, runs: Any) -> list[tuple[str, Event | Run]]:  # noqa: ANN401 - two lists of rows
    """Events and runs in one list, the latest first."""
    entries = [(event.received_at, "event", event) for event in events]
    entries += [(run.finished_at, "run", run) for run in runs]
    entries.sort(key=lambda entry: entry[0], reverse=True)
    return [(kind, row) for _, kind, row in entries]
