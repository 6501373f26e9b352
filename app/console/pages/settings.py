"""The settings of a connection: proposed from what BMS has, chosen from its live lists, checked before saved."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.connections.checks import missing_warehouse, unknown_references
from app.connections.defaults import propose
from app.connections.model import INT32_MAX, ConnectionSettings
from app.connections.saving import save_settings
from app.console import reads, settings_fields, settings_form
from app.console.bms import NotAskedError, Trouble, asking
from app.console.deps import ConnectionDep, FormDep
from app.console.errors import not_found
from app.console.render import page, redirect
from app.console.session import PATH
from app.console.words import count
from app.db.tables import Connection
from app.deps import HouseDep
from app.directory.attachment_module import find_module
from app.directory.choices import CHOICES, Choices
from app.directory.tenant_lists import read_known, read_seen
from app.house import House
from app.kaseya import KaseyaClient, KaseyaContractError, KaseyaRejectedError

router = APIRouter(prefix="/connections/{connection_id}/settings")

Errors = Mapping[str, str]

# What the quotes of this connection say of their lines; the newest two hundred are enough to see.
_CATEGORIES = text(
    """
    SELECT DISTINCT line ->> 'category'
    FROM (SELECT content FROM quotes WHERE connection_id = :connection_id ORDER BY updated_at DESC LIMIT 200) newest,
         jsonb_array_elements(newest.content -> 'lines') line
    WHERE line ->> 'category' <> ''
    ORDER BY 1
    """
)


@router.get("")
async def show_settings(request: Request, connection: ConnectionDep, house: HouseDep) -> Response:
    """The settings as they are saved; before that, as they are proposed."""
    if connection.settings is not None:
        saved = ConnectionSettings.model_validate(connection.settings).model_dump(mode="json")
        return await _form_page(request, house, connection, saved)
    try:
        async with asking(house, connection) as client:
            proposed = propose(await read_seen(house.directory, connection, client))
    except NotAskedError as error:
        return await _form_page(request, house, connection, {}, trouble=error.trouble)
    return await _form_page(request, house, connection, proposed.settings, missing=proposed.missing)


@router.post("")
async def save(request: Request, connection: ConnectionDep, house: HouseDep, form: FormDep) -> Response:
    """Check the settings against BMS and save them whole; what cannot work is said beside its field."""
    given = settings_form.read(form)
    try:
        settings = ConnectionSettings.model_validate(given)
    except ValidationError as error:
        wrong = settings_form.by_pointer(settings_form.faults_of(error))
        return await _form_page(request, house, connection, given, errors=wrong, status=422)
    try:
        errors = await _check(house, connection, settings)
    except NotAskedError as error:
        return await _form_page(request, house, connection, given, trouble=error.trouble, status=502)
    if errors:
        return await _form_page(request, house, connection, given, errors=errors, status=422)
    async with house.database.of(connection.id).transaction() as session:
        again = await save_settings(session, connection.id, settings, now=house.clock())
    if again is None:
        raise not_found("connection")
    house.doors.forget(connection.id)
    retried = (
        f" {count(again, 'quote')} that waited for this {'is' if again == 1 else 'are'} tried again." if again else ""
    )
    first = "" if connection.settings_saved_at else " Next, send the example event: the command is below."
    to = f"{PATH}/connections/{connection.id}" + ("/settings" if connection.settings_saved_at else "")
    return redirect(request, to, f"Settings saved.{retried}{first}")


@router.post("/probe")
async def probe_module(request: Request, connection: ConnectionDep, house: HouseDep, form: FormDep) -> Response:
    """Find the module id of opportunities by a file that somebody has attached to one of them."""
    here = f"{PATH}/connections/{connection.id}/settings#probe"
    given = form.get("opportunity_id", "")
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= INT32_MAX):
        return redirect(request, here, "Enter the opportunity's id, a whole number as BMS shows it.", kind="bad")
    try:
        async with asking(house, connection) as client:
            found = await find_module(client, int(given))
    except NotAskedError as error:
        return redirect(request, here, f"{error.trouble.title}. {error.trouble.remedy}", kind="bad")
    if found.module_id is None:
        message = f"No file was found at opportunity {given}. Attach one there in BMS, then try again."
        return redirect(request, here, message, kind="bad")
    message = f"The module id is {found.module_id}. Enter it as “Module id of opportunities” and save."
    return redirect(request, here, message)


async def _check(house: House, connection: Connection, settings: ConnectionSettings) -> Errors:
    if (fault := missing_warehouse(settings)) is not None:
        return settings_form.by_pointer([fault])
    async with asking(house, connection) as client:
        known = await read_known(house.directory, connection, client)
    return settings_form.by_pointer(unknown_references(settings, known))


async def _form_page(
    request: Request,
    house: House,
    connection: Connection,
    settings: Mapping[str, Any],
    *,
    errors: Errors | None = None,
    missing: list[str] | None = None,
    trouble: Trouble | None = None,
    status: int = 200,
) -> Response:
    lists: dict[str, Choices] = {}
    if trouble is None:
        try:
            async with asking(house, connection) as client:
                lists = {kind: await _choices(house, connection, client, kind) for kind in settings_fields.LOOKUPS}
        except NotAskedError as error:
            trouble = error.trouble
    async with house.database.of(connection.id).transaction() as session:
        categories = await _categories(session, connection)
    return page(
        request,
        "settings.html",
        status=status,
        health=await reads.health_of(house, connection.id),
        groups=settings_fields.GROUPS,
        kinds=settings_fields.KINDS,
        at=lambda pointer: settings_form.at(settings, pointer),
        overrides=list((settings.get("item_types") or {}).items()),
        errors=errors or {},
        missing=missing or [],
        lists=lists,
        categories=categories,
        trouble=trouble,
        proposed=connection.settings is None,
    )


async def _choices(house: House, connection: Connection, client: KaseyaClient, kind: str) -> Choices:
    """A list of BMS; one that its API user may not read is empty, and ids can be entered."""
    try:
        return await CHOICES[kind](house.directory, connection, client)
    except (KaseyaRejectedError, KaseyaContractError):
        return Choices((), "BMS did not show this list to its API user; enter the id.")


async def _categories(session: AsyncSession, connection: Connection) -> list[str]:
    return list(await session.scalars(_CATEGORIES, {"connection_id": connection.id}))
