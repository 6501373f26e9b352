"""Look-ups of a connection's BMS: what its settings can be set to."""

from enum import StrEnum
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.deps import HouseDep
from app.directory.choices import CHOICES, Choice
from app.routers.asking import asking
from app.routers.kaseya_problems import READ_PROBLEMS
from app.routers.problems import problem_responses
from app.routers.security import ConnectionDep

router = APIRouter(prefix="/v1/connections/{connection_id}/lookups", tags=["look-ups"])

LookupKind = StrEnum("LookupKind", {kind.upper().replace("-", "_"): kind for kind in CHOICES})  # type: ignore[misc] # made of the table


class ChoiceView(BaseModel):
    """One row to choose; members that its kind does not have are left out."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    is_active: bool


class LookupView(BaseModel):
    """All rows of a look-up."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {"id": "2", "name": "Quoted", "is_active": True, "base_status": "Open", "probability": "50"}
                    ],
                    "next_cursor": None,
                    "note": None,
                }
            ]
        }
    )

    items: list[ChoiceView]
    next_cursor: None = Field(default=None, description="always null: a look-up comes whole")
    note: str | None = Field(description="why the list may not be complete")


@router.get("/{kind}", summary="Read a look-up", responses=problem_responses(*READ_PROBLEMS, "invalid-request"))
async def get_lookup(connection: ConnectionDep, house: HouseDep, kind: LookupKind) -> LookupView:
    """Read what a setting can be set to. The list is kept for a few seconds and shared by every replica.

    Statuses have `base_status` and `probability`, employees `email`, account types `is_client` and `is_vendor`.
    """
    async with asking(house, connection) as client:
        found = await CHOICES[kind.value](house.directory, connection, client)
    return LookupView(items=[_view(row) for row in found.rows], note=found.note)


def _view(row: Choice) -> ChoiceView:
    more: dict[str, Any] = dict(row.more)
    return ChoiceView(id=str(row.id), name=row.name, is_active=row.is_active, **more)
