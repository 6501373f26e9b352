"""Drift: where BMS was found to differ from the quotes, and looking for it now."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.db import drifts
from app.db.tables import Drift
from app.deps import SessionDep
from app.routers.fields import Time
from app.routers.paging import Listing, PageDep
from app.routers.problems import Problem, problem_responses
from app.routers.security import ConnectionDep

router = APIRouter(prefix="/v1/connections/{connection_id}/drift", tags=["drift"])

DRIFT_EXAMPLE: dict[str, Any] = {
    "quote_id": "q-7000001",
    "opportunity_id": "5001",
    "field": "amount",
    "ours": "2160.00",
    "theirs": "2000.00",
    "found_at": "2026-03-03T02:00:00Z",
}


class DriftView(BaseModel):
    """One field of a linked opportunity in which BMS differs from what the quote says."""

    model_config = ConfigDict(json_schema_extra={"examples": [DRIFT_EXAMPLE]})

    quote_id: str
    opportunity_id: str | None
    field: str = Field(description="amount, status_id, close_date or sales_representative_user_id")
    ours: str | None = Field(description="what was sent to BMS")
    theirs: str | None = Field(description="what BMS shows now")
    found_at: Time


class SweepView(BaseModel):
    """When BMS was last looked through."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"last_checked_at": "2026-03-03T02:00:00Z"}]})

    last_checked_at: Time | None = Field(description="null before the first sweep")


@router.get("", summary="List where BMS differs", responses=problem_responses("connection-not-found"))
async def list_drift(connection: ConnectionDep, session: SessionDep, page: PageDep) -> Listing[DriftView]:
    """List the fields in which BMS was found to differ from the quotes, the last found first.

    An entry goes when a later sweep finds the field equal again, or when the setting `drift.found` is `restore`: then
    the quote is sent again instead, and its run tells what was put right.
    """
    columns = Drift.found_at, Drift.quote_id, Drift.field
    query = page.newest_first(drifts.listed(connection.id), *columns, read=(datetime.fromisoformat, str, str))
    rows = (await session.execute(query)).all()
    shown, cursor = page.cut(rows, key=lambda row: [row[0].found_at.isoformat(), row[0].quote_id, row[0].field])
    return Listing(items=[_view(drift, opportunity_id) for drift, opportunity_id in shown], next_cursor=cursor)


@router.post(
    "/sweep",
    status_code=202,
    summary="Look for drift now",
    responses=problem_responses("connection-not-found", ("settings-not-saved", 409), "connection-paused"),
)
async def sweep_drift(connection: ConnectionDep, session: SessionDep) -> SweepView:
    """Read what changed in BMS since the last sweep and compare it, as soon as a worker is free; answers before that.

    It is done once even where the setting `drift.sweep` is off. `last_checked_at` has moved when it is done.
    """
    if connection.settings is None:
        raise Problem(409, "settings-not-saved", "Nothing was synced yet: PUT the connection's settings first.")
    if connection.state != "active":
        raise Problem(409, "connection-paused", "A paused connection is not swept; resume it first.")
    await drifts.ask(session, connection.id)
    return SweepView(last_checked_at=connection.drift_checked_at)


def _view(row: Drift, opportunity_id: int | None) -> DriftView:
    return DriftView(
        quote_id=row.quote_id,
        opportunity_id=None if opportunity_id is None else str(opportunity_id),
        field=row.field,
        ours=row.ours,
        theirs=row.theirs,
        found_at=row.found_at,
    )
