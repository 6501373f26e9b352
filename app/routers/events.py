"""Events: what came in, what became of it, and replay of one or of many."""

import json
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from sqlalchemy import select
from sqlalchemy.orm import defer

from app.db import quotes as repository
from app.db.events import EventFilter
from app.db.lanes import mark_due
from app.db.quotes import QuoteFilter
from app.db.tables import Connection, Event, Quote
from app.deps import HouseDep, SessionDep
from app.house import House
from app.intake import quoter
from app.intake.deliveries import Answer, Delivery, Source
from app.intake.problems import InvalidEventError, RefusedError
from app.intake.reception import read_again
from app.intake.strict_json import check_json
from app.quotes.model import EventType
from app.routers.examples import EVENT, EVENT_VIEW
from app.routers.fields import EventId, Search, Time
from app.routers.paging import Listing, PageDep
from app.routers.problems import Problem, problem_responses, refused
from app.routers.quotes import State
from app.routers.security import ConnectionDep

router = APIRouter(prefix="/v1/connections/{connection_id}", tags=["events"])

Disposition = Literal["pending", "applied", "superseded", "unchanged", "rejected", "parked"]
QUOTE_IDS_MAX = 1000


class EventView(BaseModel):
    """One stored delivery, and what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EVENT_VIEW]})

    event_id: str
    webhook_id: str | None
    source: Source
    type: str | None
    quote_id: str | None
    received_at: Time
    happened_at: Time | None
    disposition: Disposition
    reason: str | None


class EventWithPayload(EventView):
    """One stored delivery with what it said: parsed where it is JSON, else as text."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**EVENT_VIEW, "payload": EVENT}]})

    payload: Any


class ReplayedEvent(BaseModel):
    """The quote that is due again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"quote_id": "q-7000001"}]})

    quote_id: str


class ReplayFilter(BaseModel):
    """Which quotes to sync again: all that meet every member given; `all` says that no restriction is meant."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    quote_ids: Annotated[list[Search], Field(max_length=QUOTE_IDS_MAX)] | None = None
    received_after: Time | None = None
    received_before: Time | None = None
    all: Literal[True] | None = None

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        restricted = any(value is not None for name, value in self if name != "all")
        if restricted == bool(self.all):
            message = "name at least one restriction, or all: true and nothing else"
            raise ValueError(message)
        return self


class ReplayRequest(BaseModel):
    """What to replay. With `dry_run` it is only counted."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"filter": {"state": "parked"}, "dry_run": True}]},
    )

    filter: ReplayFilter
    dry_run: StrictBool = False


class ReplayView(BaseModel):
    """How many quotes the filter means, how many of them are due again, and when the last of them will be."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"quotes": 120, "marked": 120, "last_due_at": "2026-03-02T10:16:00Z"}]}
    )

    quotes: int
    marked: int
    last_due_at: Time | None


@router.get("/events", summary="List the events", responses=problem_responses("connection-not-found"))
async def list_events(
    connection: ConnectionDep,
    session: SessionDep,
    page: PageDep,
    *,
    disposition: Disposition | None = None,
    quote_id: Annotated[Search | None, Query(description="of the quote or any of its revisions")] = None,
    type: EventType | None = None,  # noqa: A002 - the query's own word
    received_after: Time | None = None,
    received_before: Time | None = None,
) -> Listing[EventView]:
    """List what the webhooks took in, the newest first; rejected deliveries are here too."""
    lane = await repository.lane_of(session, connection.id, quote_id) if quote_id else None
    wanted = EventFilter(
        disposition=disposition,
        quote_id=lane,
        type=type,
        received_after=received_after,
        received_before=received_before,
    )
    query = select(Event).options(defer(Event.body)).where(*wanted.conditions(connection.id))
    rows = (await session.scalars(page.newest_first(query, Event.id))).all()
    shown, cursor = page.cut(rows, key=lambda row: [row.id])
    return Listing(items=[EventView(**_members(row)) for row in shown], next_cursor=cursor)


@router.get(
    "/events/{event_id}",
    summary="Read one event",
    responses=problem_responses("connection-not-found", "event-not-found"),
)
async def get_event(connection: ConnectionDep, session: SessionDep, event_id: EventId) -> EventWithPayload:
    """Read an event with its payload as it came in."""
    row = _found(await session.get(Event, (connection.id, event_id)), event_id)
    return EventWithPayload(**_members(row), payload=_payload(row))


@router.post(
    "/events/{event_id}/replay",
    status_code=202,
    summary="Replay one event",
    responses=problem_responses(
        "connection-not-found", "event-not-found", "delivery-conflict", "invalid-event", "quote-expired"
    ),
)
async def replay_event(connection: ConnectionDep, house: HouseDep, event_id: EventId) -> ReplayedEvent:
    """Sync the event's quote again: always its newest state. A rejected event is first read anew, by today's rules."""
    async with house.database.of(connection.id).transaction() as session:
        row = _found(await session.get(Event, (connection.id, event_id)), event_id)
        if row.counted and row.quote_id:
            this = (Quote.connection_id == connection.id, Quote.quote_id == row.quote_id)
            await mark_due(session, *this, urgent=True)
            return ReplayedEvent(quote_id=row.quote_id)
    return await _accept_anew(house, connection, row)


@router.post(
    "/replay",
    status_code=202,
    summary="Replay many quotes",
    responses=problem_responses("connection-not-found"),
)
async def replay_quotes(
    connection: ConnectionDep, session: SessionDep, house: HouseDep, wanted: Annotated[ReplayRequest, Body()]
) -> ReplayView:
    """Sync all quotes of a filter again, two a second and behind live events. Count first with `dry_run`.

    `GET …/quotes?state=pending` shows those that still wait.
    """
    chosen = QuoteFilter(**wanted.filter.model_dump(exclude={"all"}))
    if wanted.dry_run:
        return ReplayView(quotes=await repository.count(session, connection.id, chosen), marked=0, last_due_at=None)
    marked = await repository.replay(session, connection.id, chosen)
    last_due_at = house.clock() + repository.replay_takes(marked) if marked else None
    return ReplayView(quotes=marked, marked=marked, last_due_at=last_due_at)


def _found(row: Event | None, event_id: str) -> Event:
    if row is None:
        raise Problem(404, "event-not-found", f"This connection has no event {event_id}.")
    return row


async def _accept_anew(house: House, connection: Connection, row: Event) -> ReplayedEvent:
    door = await house.doors.reload(connection.id)
    if door is None:
        raise Problem(404, "connection-not-found", "The connection was deleted meanwhile.")
    source = Source(row.source)
    read = read_again(door, source, row.body, now=house.clock())
    if isinstance(read, RefusedError):
        raise refused(read)
    delivery = Delivery(
        connection_id=connection.id,
        source=source,
        webhook_id=row.webhook_id,
        body=row.body,
        digest=row.body_digest,
        event=read,
    )
    acceptance = await house.inbox.accept(delivery)
    if acceptance.answer is Answer.CONFLICT:
        raise Problem(409, "delivery-conflict", "Another body was accepted under this webhook-id; send a new event.")
    async with house.database.of(connection.id).transaction() as session:
        return ReplayedEvent(quote_id=await repository.lane_of(session, connection.id, read.quote.quote_id))


def _members(row: Event) -> dict[str, Any]:
    names = EventView.model_fields.keys() - {"event_id"}
    return {name: getattr(row, name) for name in names} | {"event_id": row.id}


def _payload(row: Event) -> Any:  # noqa: ANN401 - whatever JSON the sender wrote
    try:
        data = quoter.read_form(row.body).data.encode() if row.source == Source.QUOTER else row.body
        check_json(data)
        return json.loads(data)
    except (RefusedError, InvalidEventError, ValueError, RecursionError):
        return row.body.decode(errors="replace")
