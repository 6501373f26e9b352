"""The first page: all connections at a glance."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.console.deps import VisitorDep
from app.console.reads import healths
from app.console.render import page
from app.deps import HouseDep

router = APIRouter()


@router.get("")
@router.get("/")
async def list_connections(request: Request, visitor: VisitorDep, house: HouseDep, before: str = "") -> Response:
    """Each connection with its health, last event, budget and open issues."""
    listed = await healths(house, visitor, before=before)
    return page(request, "connections.html", listed=listed, live="/console/live")
