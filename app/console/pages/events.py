"""Events: what came in and what became of it, and one event with its body."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.console import reads
from app.console.deps import ConnectionDep
from app.console.errors import not_found
from app.console.render import page
from app.console.session import PATH
from app.console.words import DISPOSITIONS, EVENT_TYPES
from app.db import quotes as repository
from app.db.events import EventFilter
from app.db.tables import Event
from app.deps import HouseDep, SessionDep
from app.intake import quoter
from app.intake.deliveries import Source
from app.intake.problems import RefusedError

router = APIRouter(prefix="/connections/{connection_id}/events")

Search = Annotated[str, Query(max_length=200)]
MOST_SHOWN = 200_000


@router.get("")
async def list_events(
    request: Request,
    connection: ConnectionDep,
    house: HouseDep,
    session: SessionDep,
    *,
    disposition: Search = "",
    type: Search = "",  # noqa: A002 - the query's own word
    quote_id: Search = "",
    before: Annotated[str, Query(pattern="^[a-z_0-9]*$")] = "",
) -> Response:
    """What the webhooks took in, the newest first; rejected deliveries are here too."""
    wanted_quote = quote_id.replace("\0", "").strip()
    wanted = EventFilter(
        disposition=disposition if disposition in DISPOSITIONS else None,
        type=type if type in EVENT_TYPES else None,
        quote_id=await repository.lane_of(session, connection.id, wanted_quote) if wanted_quote else None,
    )
    return page(
        request,
        "events.html",
        health=await reads.health_of(house, connection.id),
        listed=await reads.events(session, connection.id, wanted, before=before),
        chosen={"disposition": disposition, "type": type, "quote_id": quote_id},
        live=f"{PATH}/live/{connection.id}",
    )


@router.get("/{event_id}")
async def show_event(
    request: Request, connection: ConnectionDep, house: HouseDep, session: SessionDep, event_id: str
) -> Response:
    """One event, with its body as it came in."""
    event = None if "\0" in event_id else await session.get(Event, (connection.id, event_id))
    if event is None:
        raise not_found("event")
    health = await reads.health_of(house, connection.id)
    return page(request, "event.html", health=health, event=event, body=_body(event))


def _body(event: Event) -> str:
    """The body to read: indented where it is JSON, cut where it is very long (a PDF may be in it)."""
    try:
        data = quoter.read_form(event.body).data.encode() if event.source == Source.QUOTER else event.body
        text = json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    except (RefusedError, ValueError, RecursionError):
        text = event.body.decode(errors="replace")
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}\n… and {len(text) - MOST_SHOWN:,} more characters"
