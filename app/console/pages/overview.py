"""A connection's first page: how it is, what to do next, its webhook, and pause, resume, test and delete."""

from fastapi import APIRouter, Request
from sqlalchemy import select
from starlette.responses import Response

from app.console import reads, sample
from app.console.bms import NotAskedError, as_page, explained
from app.console.deps import ConnectionDep, FormDep, OperatorDep
from app.console.errors import not_found
from app.console.render import page, redirect, shown_once
from app.console.session import PATH
from app.db.quotes import QuoteFilter
from app.db.tables import Connection, Event
from app.deps import AddressDep, HouseDep, SessionDep
from app.house import House

router = APIRouter(prefix="/connections/{connection_id}")


@router.get("")
async def show_connection(
    request: Request, connection: ConnectionDep, house: HouseDep, session: SessionDep, address: AddressDep
) -> Response:
    """The connection at a glance."""
    health = await reads.health_of(house, connection.id)
    if health is None:
        raise not_found("connection")
    secret = shown_once(request, connection.id)
    webhook = f"{address}/webhooks/{connection.id}/quotes"
    newest = await reads.quotes(session, connection.id, QuoteFilter())
    return page(
        request,
        "overview.html",
        health=health,
        secret=secret,
        webhook=webhook,
        command=sample.command(webhook, secret=secret),
        sample=sample,
        sent_events=await session.scalar(select(Event.id).where(Event.connection_id == connection.id).limit(1)),
        counts=await reads.state_counts(session, connection.id),
        newest=newest.rows[:5],
        live=f"{PATH}/live/{connection.id}",
    )


@router.post("/test")
async def check_connection(request: Request, connection: ConnectionDep, house: HouseDep, _: FormDep) -> Response:
    """Sign in to BMS anew and read again what it can do."""
    try:
        async with explained():
            tenant = await house.connections.test(connection)
    except NotAskedError as error:
        said = f"{error.trouble.title}. {error.trouble.detail} {error.trouble.remedy}"
        return redirect(request, _address(connection), said, kind="bad")
    message = " ".join(("BMS accepted the sign-in just now.", *tenant.notes))
    return redirect(request, _address(connection), message)


@router.post("/pause")
async def pause_connection(request: Request, connection: ConnectionDep, house: HouseDep, _: FormDep) -> Response:
    """Stop syncing; events are still taken in."""
    async with explained():
        await house.connections.pause(connection.id)
    return redirect(request, _address(connection), "Paused. Events are taken in and wait until you resume.")


@router.post("/resume")
async def resume_connection(request: Request, connection: ConnectionDep, house: HouseDep, _: FormDep) -> Response:
    """Sync again, at once."""
    try:
        async with explained():
            await house.connections.resume(connection)
    except NotAskedError as error:
        raise as_page(error.trouble) from None
    return redirect(request, _address(connection), "Resumed. What waited is synced now.")


@router.post("/delete")
async def delete_connection(
    request: Request, _: OperatorDep, connection: ConnectionDep, house: HouseDep, form: FormDep
) -> Response:
    """Delete the connection with all it knows, once its name was typed."""
    if form.get("name") != connection.name:
        message = f"Not deleted: type the name {connection.name!r} exactly, to be sure that it is this one."
        return redirect(request, f"{_address(connection)}/access#delete", message, kind="bad")
    await house.connections.delete(connection.id)
    forget(house, connection)
    return redirect(request, PATH, f"{connection.name} is deleted. What it made in BMS stays there.")


def forget(house: House, connection: Connection) -> None:
    """Drop what this process keeps of a connection that has changed."""
    house.doors.forget(connection.id)
    house.directory.recent.forget(connection.id)


def _address(connection: Connection) -> str:
    return f"{PATH}/connections/{connection.id}"
