"""Drift: where BMS was found to differ from the quotes, and looking for it now."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.connections.model import ConnectionSettings
from app.connections.refusal import ACTIVE
from app.console import reads
from app.console.deps import ConnectionDep, FormDep
from app.console.render import page, redirect
from app.console.session import PATH
from app.db import drifts
from app.db.tables import Connection
from app.deps import HouseDep, SessionDep

router = APIRouter(prefix="/connections/{connection_id}/drift")


@router.get("")
async def show_drift(
    request: Request,
    connection: ConnectionDep,
    house: HouseDep,
    session: SessionDep,
    before: Annotated[str, Query(max_length=400, pattern="^[^\0]*$")] = "",
) -> Response:
    """What differs, the last found first, and what the settings say is done about it."""
    try:
        listed = await reads.drift(session, connection.id, before=before)
    except ValueError:  # an address that somebody has changed
        listed = await reads.drift(session, connection.id)
    settings = ConnectionSettings.model_validate(connection.settings) if connection.settings else None
    return page(
        request,
        "drift.html",
        health=await reads.health_of(house, connection.id),
        listed=listed,
        drift=settings.drift if settings else None,
        hindrance=_hindrance(connection),
        live=f"{PATH}/live/{connection.id}",
    )


@router.post("/sweep")
async def sweep_drift(request: Request, connection: ConnectionDep, session: SessionDep, _: FormDep) -> Response:
    """Have a worker look through BMS as soon as one is free."""
    here = f"{PATH}/connections/{connection.id}/drift"
    if hindrance := _hindrance(connection):
        return redirect(request, here, hindrance, kind="bad")
    await drifts.ask(session, connection.id)
    return redirect(request, here, "BMS is looked through now. This page shows what is found as soon as it is there.")


def _hindrance(connection: Connection) -> str | None:
    """Why BMS cannot be looked through now, and what to do about it."""
    if connection.settings is None:
        return "Nothing was synced yet, so nothing can differ: save the settings first."
    if connection.state != ACTIVE:
        return "A paused connection is not looked through: resume it first."
    return None
