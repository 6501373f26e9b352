"""Settings of a connection: read, propose and save them; and find the module id that attachments need."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from app.connections.checks import Fault, missing_warehouse, unknown_references
from app.connections.defaults import propose
from app.connections.model import ConnectionSettings, KaseyaId
from app.connections.saving import save_settings
from app.deps import HouseDep
from app.directory.attachment_module import find_module
from app.directory.tenant_lists import read_known, read_seen
from app.routers.asking import asking
from app.routers.kaseya_problems import READ_PROBLEMS, connection_gone
from app.routers.problems import Problem, problem_responses
from app.routers.security import ConnectionDep
from app.routers.settings_example import SETTINGS_EXAMPLE


class SettingsRoute(APIRoute):
    """A route whose body are settings: what is wrong with them is told as ``invalid-settings``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the usual handler."""
        handle = super().get_route_handler()

        async def handle_settings(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                faults = [_fault(each) for each in error.errors()]
                if not all(each["type"] != "json_invalid" and each["loc"][0] == "body" for each in error.errors()):
                    raise
                raise _refused("invalid-settings", faults) from None

        return handle_settings


router = APIRouter(prefix="/v1/connections/{connection_id}", tags=["settings"], route_class=SettingsRoute)


class ProposedSettings(BaseModel):
    """Settings to start from."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"settings": SETTINGS_EXAMPLE, "missing": ["/account/account_type_id"]}]}
    )

    settings: dict[str, Any] = Field(description="the form that PUT takes, null where nothing can be proposed")
    missing: list[str] = Field(description="JSON pointers to what a person must fill in before it can be saved")


class ProbeRequest(BaseModel):
    """Where a person has attached a file."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"opportunity_id": "4711"}]})

    opportunity_id: Annotated[KaseyaId, Field(ge=1)]


class ProbeView(BaseModel):
    """What the probe found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"module_id": "47", "asked": 47}]})

    module_id: str | None = Field(description="null: no module up to 100 shows a file at this opportunity")
    asked: int = Field(description="how many modules BMS was asked for; each is one call")


@router.get(
    "/settings",
    summary="Read the settings",
    responses={
        200: {"content": {"application/json": {"example": SETTINGS_EXAMPLE}}},
        **problem_responses("connection-not-found", "settings-not-saved"),
    },
)
async def get_settings(connection: ConnectionDep) -> ConnectionSettings:
    """Read the settings as they were saved."""
    if connection.settings is None:
        detail = (
            "No settings have been saved yet, so no quote is synced. Read settings/proposed, fill in what it names as "
            "missing, and PUT its `settings` here."
        )
        raise Problem(404, "settings-not-saved", detail)
    return ConnectionSettings.model_validate(connection.settings)


@router.put(
    "/settings",
    summary="Save the settings",
    responses={
        200: {"content": {"application/json": {"example": SETTINGS_EXAMPLE}}},
        **problem_responses(
            *READ_PROBLEMS, "invalid-settings", "default-warehouse-required", "unknown-reference", "invalid-request"
        ),
    },
)
async def save_connection_settings(
    connection: ConnectionDep,
    house: HouseDep,
    settings: Annotated[ConnectionSettings, Body(openapi_examples={"usual": {"value": SETTINGS_EXAMPLE}})],
) -> ConnectionSettings:
    """Check the settings against BMS and save them whole.

    Statuses, warehouses, employees and account types must be there and active; what BMS has no look-up for is accepted.
    Open issues that name a setting are tried again; other quotes change at their next event or by replay.
    """
    if (fault := missing_warehouse(settings)) is not None:
        raise _refused("default-warehouse-required", [fault])
    async with asking(house, connection) as client:
        known = await read_known(house.directory, connection, client)
    if faults := unknown_references(settings, known):
        raise _refused("unknown-reference", faults)
    async with house.database.of(connection.id).transaction() as session:
        if await save_settings(session, connection.id, settings, now=house.clock()) is None:
            raise connection_gone()
    house.doors.forget(connection.id)
    return settings


@router.get("/settings/proposed", summary="Propose settings", responses=problem_responses(*READ_PROBLEMS))
async def propose_settings(connection: ConnectionDep, house: HouseDep) -> ProposedSettings:
    """Propose settings from what BMS has: its statuses, its only warehouse, the choices that its records use."""
    async with asking(house, connection) as client:
        proposed = propose(await read_seen(house.directory, connection, client))
    return ProposedSettings(settings=proposed.settings, missing=proposed.missing)


@router.post(
    "/attachment-module-probe",
    summary="Find the attachment module of opportunities",
    responses=problem_responses(*READ_PROBLEMS, "invalid-request"),
)
async def probe_attachment_module(
    connection: ConnectionDep, house: HouseDep, where: Annotated[ProbeRequest, Body()]
) -> ProbeView:
    """Find the module id that stands for opportunities, which BMS does not publish and which differs between tenants.

    Attach a file to an opportunity in BMS first; the probe asks for the files of that opportunity under one module
    after the other, up to a hundred, and stops where one shows.
    """
    async with asking(house, connection) as client:
        found = await find_module(client, where.opportunity_id)
    return ProbeView(module_id=None if found.module_id is None else str(found.module_id), asked=found.asked)


def _refused(name: str, faults: Iterable[Fault]) -> Problem:
    errors = [{"pointer": fault.pointer, "message": fault.message} for fault in faults]
    detail = f"{errors[0]['pointer']}: {errors[0]['message']} Nothing was saved."
    return Problem(422, name, detail, errors=errors)


def _fault(error: dict[str, Any]) -> Fault:
    parts = [part for part in error["loc"] if part != "body"]
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    message = (
        "This setting is needed." if error["type"] == "missing" else str(error["msg"]).removeprefix("Value error, ")
    )
    return Fault(pointer, message[:1].upper() + message[1:].rstrip(".") + ".")
