"""Quotes: what is known of each, what it became in BMS, what was tried; again now; and the dry run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import quotes as repository
from app.db.lanes import mark_due
from app.db.quotes import QuoteFilter
from app.db.tables import Connection, Link, Quote, Run
from app.deps import HouseDep, SessionDep
from app.house import House
from app.intake.problems import InvalidEventError
from app.intake.standard import from_canonical, parse
from app.quotes import model
from app.quotes.model import Status
from app.routers.examples import EVENT, PREVIEW, QUOTE, RUN
from app.routers.fields import QuoteId, Search, Time
from app.routers.kaseya_problems import READ_PROBLEMS, reading
from app.routers.paging import Listing, PageDep
from app.routers.problems import Problem, problem_responses, refused
from app.routers.security import ConnectionDep

router = APIRouter(prefix="/v1/connections/{connection_id}", tags=["quotes"])

State = Literal["pending", "syncing", "synced", "retrying", "parked", "rejected"]


class WarningView(BaseModel):
    """Something that could not be carried over but did not stop the run."""

    model_config = ConfigDict(extra="allow")

    code: str
    detail: str
    line_id: str | None = Field(default=None, exclude_if=lambda value: value is None, description="if it is about one")


class KaseyaRecords(BaseModel):
    """The BMS records that a quote became; null where there is none yet."""

    account_id: str | None = None
    location_id: str | None = None
    contact_id: str | None = None
    opportunity_id: str | None = None
    quotation_id: str | None = None
    attachment_id: str | None = None


class RunView(BaseModel):
    """One attempt to bring BMS to the desired state, with every HTTP request it made."""

    model_config = ConfigDict(json_schema_extra={"examples": [RUN]})

    run_id: str
    started_at: Time
    finished_at: Time
    outcome: str
    error: str | None
    generation: int
    steps: list[Any]
    calls: list[Any]


class QuoteSummary(BaseModel):
    """A quote in a list. `generation` counts accepted changes; BMS shows `synced_generation`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**QUOTE, "runs": None}]})

    quote_id: str
    number: str | None
    name: str
    status: Status
    state: State
    revision: int
    version: int | None
    generation: int
    synced_generation: int
    attempts: int
    due_at: Time | None
    last_error: str | None
    warnings: list[WarningView]
    kaseya: KaseyaRecords
    synced_at: Time | None
    updated_at: Time


class QuoteView(QuoteSummary):
    """One quote, with the newest 20 runs about it."""

    model_config = ConfigDict(json_schema_extra={"examples": [QUOTE]})

    runs: list[RunView]


class PreviewView(BaseModel):
    """What a sync would do now; nothing of it was sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [PREVIEW]}, extra="allow")

    steps: list[dict[str, Any]]
    warnings: list[WarningView]


@router.get("/quotes", summary="List the quotes", responses=problem_responses("connection-not-found"))
async def list_quotes(
    connection: ConnectionDep,
    session: SessionDep,
    page: PageDep,
    *,
    state: State | None = None,
    status: Status | None = None,
    search: Annotated[Search | None, Query(description="part of the number, the name or the id")] = None,
) -> Listing[QuoteSummary]:
    """List the connection's quotes, the last changed first."""
    wanted = QuoteFilter(state=state, status=status, search=search).conditions(connection.id)
    query = (
        select(Quote, Link)
        .outerjoin(Link, (Link.connection_id == Quote.connection_id) & (Link.quote_id == Quote.quote_id))
        .where(*wanted)
    )
    query = page.newest_first(query, Quote.updated_at, Quote.quote_id, read=(datetime.fromisoformat, str))
    rows = (await session.execute(query)).all()
    shown, cursor = page.cut(rows, key=lambda row: [row[0].updated_at.isoformat(), row[0].quote_id])
    return Listing(items=[QuoteSummary(**_members(quote, link)) for quote, link in shown], next_cursor=cursor)


@router.get(
    "/quotes/{quote_id}",
    summary="Read one quote",
    responses=problem_responses("connection-not-found", "quote-not-found"),
)
async def get_quote(connection: ConnectionDep, session: SessionDep, quote_id: QuoteId) -> QuoteView:
    """Read a quote by its id, or by the id of any of its revisions."""
    return await _view(session, await _find(session, connection, quote_id))


@router.post(
    "/quotes/{quote_id}/sync",
    status_code=202,
    summary="Sync a quote again now",
    responses=problem_responses("connection-not-found", "quote-not-found"),
)
async def sync_quote(connection: ConnectionDep, session: SessionDep, quote_id: QuoteId) -> QuoteView:
    """Make the quote due at once, ahead of others; answers before it has run."""
    quote = await _find(session, connection, quote_id)
    this = (Quote.connection_id == quote.connection_id, Quote.quote_id == quote.quote_id)
    await mark_due(session, *this, urgent=True)
    await session.refresh(quote)
    return await _view(session, quote)


@router.post(
    "/quotes/{quote_id}/preview",
    summary="Preview the sync of a stored quote",
    responses=problem_responses("quote-not-found", ("settings-not-saved", 409), *READ_PROBLEMS),
)
async def preview_quote(connection: ConnectionDep, house: HouseDep, quote_id: QuoteId) -> PreviewView:
    """Plan what a sync would do now, field by field. BMS is read; no write is sent."""
    async with house.database.of(connection.id).transaction() as session:
        row = await _find(session, connection, quote_id)
    return await _preview(house, connection, from_canonical(row.content), lane_id=row.quote_id)


@router.post(
    "/preview",
    summary="Preview the sync of a posted event",
    responses=problem_responses("invalid-event", ("settings-not-saved", 409), *READ_PROBLEMS),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EventIn"}, "example": EVENT}},
        }
    },
)
async def preview_event(connection: ConnectionDep, house: HouseDep, request: Request) -> PreviewView:
    """Plan what this event, unsigned and not stored, would do. BMS is read; no write is sent."""
    try:
        quote = parse(await request.body()).quote
    except InvalidEventError as error:
        raise refused(error) from None
    async with house.database.of(connection.id).transaction() as session:
        lane_id = await repository.lane_of(session, connection.id, quote.quote_id)
    return await _preview(house, connection, quote, lane_id=lane_id)


async def _preview(house: House, connection: Connection, quote: model.Quote, *, lane_id: str) -> PreviewView:
    if connection.settings is None:
        detail = "Nothing can be planned before the settings are saved: PUT them to /settings first."
        raise Problem(409, "settings-not-saved", detail)
    from app.sync.preview import preview  # noqa: PLC0415 - only a dry run needs the engine in the web process

    with reading():
        planned = await preview(house, connection, quote, lane_id=lane_id)
    return PreviewView.model_validate(planned.to_json())


async def _find(session: AsyncSession, connection: Connection, quote_id: str) -> Quote:
    lane_id = await repository.lane_of(session, connection.id, quote_id)
    quote = await session.get(Quote, (connection.id, lane_id))
    if quote is None:
        raise Problem(404, "quote-not-found", f"This connection knows no quote {quote_id!r}.")
    return quote


async def _view(session: AsyncSession, quote: Quote) -> QuoteView:
    link = await repository.find_link(session, quote)
    runs = await repository.newest_runs(session, quote)
    return QuoteView(**_members(quote, link), runs=_runs(runs))


def _members(quote: Quote, link: Link | None) -> dict[str, Any]:
    names = QuoteSummary.model_fields.keys() - {"kaseya"}
    return {name: getattr(quote, name) for name in names} | {"kaseya": _records(link)}


def _records(link: Link | None) -> KaseyaRecords:
    ids = {name: getattr(link, name, None) for name in KaseyaRecords.model_fields}
    return KaseyaRecords(**{name: None if value is None else str(value) for name, value in ids.items()})


def _runs(rows: Sequence[Run]) -> list[RunView]:
    names = RunView.model_fields.keys() - {"run_id"}
    return [RunView(run_id=row.id, **{name: getattr(row, name) for name in names}) for row in rows]
