"""The style sheet, the script, and the stream that tells open pages of changes."""

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from app.console.deps import ConnectionDep, VisitorDep
from app.console.errors import not_found
from app.console.live import Pulses
from app.console.render import static_file
from app.db.session import Database
from app.deps import HouseDep

router = APIRouter()


@router.get("/static/{digest}/{name}")
async def static(digest: str, name: str) -> Response:
    """A file whose address changes with its content."""
    found = static_file(digest, name)
    if found is None:
        raise not_found("file")
    return found


@router.get("/live")
async def live(request: Request, visitor: VisitorDep, house: HouseDep) -> Response:
    """Changes of any connection that the visitor may see."""
    return _stream(request, house.database, visitor.connection_id)


@router.get("/live/{connection_id}")  # noqa: FAST003 - ConnectionDep takes it
async def live_connection(request: Request, connection: ConnectionDep, house: HouseDep) -> Response:
    """Changes of one connection."""
    return _stream(request, house.database, connection.id)


def _stream(request: Request, database: Database, connection_id: str | None) -> Response:
    pulses: Pulses = request.app.state.pulses
    drain = request.state.drain
    changes = pulses.changes(database, connection_id, is_ending=lambda: drain.begun)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(changes, media_type="text/event-stream", headers=headers)
