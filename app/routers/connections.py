"""Connections: make, list, read, change, test, pause, resume and delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from app.connections.service import Connections, Wanted
from app.db.tables import Connection
from app.deps import AddressDep, HouseDep
from app.house import House
from app.kaseya import SERVERS, Credentials, KaseyaError, KaseyaThrottledError
from app.routers.connection_views import (
    ChangedConnectionView,
    ConnectionChange,
    ConnectionRequest,
    ConnectionView,
    NewConnectionView,
    TestProblem,
    TestView,
    members,
    with_counts,
)
from app.routers.kaseya_problems import SIGN_IN_PROBLEMS, problem_of, readable, reading, signing_in
from app.routers.paging import Listing, PageDep
from app.routers.problems import Problem, problem_responses
from app.routers.security import CallerDep, ConnectionDep, OperatorDep

router = APIRouter(prefix="/v1/connections", tags=["connections"])
_one = APIRouter(prefix="/{connection_id}")


def _connections(house: HouseDep) -> Connections:
    return house.connections


ConnectionsDep = Annotated[Connections, Depends(_connections)]


@router.post(
    "",
    status_code=201,
    summary="Connect a BMS company",
    responses=problem_responses("not-found", *SIGN_IN_PROBLEMS),
)
async def create_connection(
    _: OperatorDep,
    house: HouseDep,
    connections: ConnectionsDep,
    address: AddressDep,
    wanted: Annotated[ConnectionRequest, Body()],
) -> NewConnectionView:
    """Sign in to BMS, read what it can do, and store the connection; when any of it fails, nothing is stored.

    The signing secret is shown this once. Two connections to one company are allowed.
    """
    with signing_in():
        made = await connections.connect(_to_wanted(wanted))
    body = await _members(house, made.row.id, address)
    body["webhook"]["signing_secret"] = made.signing_secret
    return NewConnectionView(**body, notes=list(made.notes))


@router.get("", summary="List the connections", responses=problem_responses("invalid-request"))
async def list_connections(
    caller: CallerDep, house: HouseDep, address: AddressDep, page: PageDep
) -> Listing[ConnectionView]:
    """List the connections, newest first; the key of one connection sees only that one."""
    query = with_counts()
    if caller.connection_id is not None:
        query = query.where(Connection.id == caller.connection_id)
    async with house.database.of(caller.connection_id).transaction() as session:
        rows = (await session.execute(page.newest_first(query, Connection.id))).all()
    shown, cursor = page.cut(rows, key=lambda row: [row[0].id])
    return Listing(
        items=[ConnectionView(**members(row, address=address)) for row in shown],
        next_cursor=cursor,
    )


@_one.get("", summary="Read a connection", responses=problem_responses("connection-not-found"))
async def get_connection(connection: ConnectionDep, house: HouseDep, address: AddressDep) -> ConnectionView:
    """Read one connection. Its credentials and secrets cannot be read again."""
    return ConnectionView(**await _members(house, connection.id, address))


@_one.patch(
    "",
    summary="Change a connection",
    responses=problem_responses("connection-not-found", *SIGN_IN_PROBLEMS),
)
async def update_connection(
    connection: ConnectionDep,
    house: HouseDep,
    connections: ConnectionsDep,
    address: AddressDep,
    change: Annotated[ConnectionChange, Body()],
) -> ChangedConnectionView:
    """Change what is given. New credentials sign in first, and resume a connection that was paused for them."""
    if change.base_url is not None and connection.server != "custom":
        raise _invalid("/base_url", f"The address of the server {connection.server!r} is fixed; leave base_url out.")
    with signing_in():
        changed = await connections.change(connection, change.in_clear())
    house.doors.forget(connection.id)
    house.directory.recent.forget(connection.id)
    body = await _members(house, connection.id, address)
    return ChangedConnectionView(**body, notice_signing_secret=changed.notice_secret)


@_one.delete(
    "",
    status_code=204,
    summary="Delete a connection",
    responses=problem_responses("not-found", "connection-not-found"),
)
async def delete_connection(
    _: OperatorDep, connection: ConnectionDep, house: HouseDep, connections: ConnectionsDep
) -> None:
    """Delete a connection with its quotes, events and keys. What is in BMS stays as it is."""
    await connections.delete(connection.id)
    house.doors.forget(connection.id)
    house.directory.recent.forget(connection.id)


@_one.post(
    "/test",
    summary="Test a connection",
    responses=problem_responses("connection-not-found", ("kaseya-credentials-rejected", 409), "kaseya-throttled"),
)
async def check_connection(connection: ConnectionDep, house: HouseDep, connections: ConnectionsDep) -> TestView:
    """Sign in to BMS anew and read its capabilities again; what does not work is told in `problems`.

    A connection that was paused for refused credentials resumes when they work again.
    """
    try:
        with readable():
            tenant = await connections.test(connection)
    except KaseyaThrottledError as error:
        raise problem_of(error) from None
    except KaseyaError as error:
        problem = problem_of(error)
        return TestView(
            ok=False,
            capabilities=[str(each) for each in connection.capabilities],
            checked_at=house.clock(),
            problems=[TestProblem(type=f"/problems/{problem.kind.name}", detail=problem.detail)],
            notes=[],
        )
    return TestView(
        ok=True,
        capabilities=tenant.capability_names,
        checked_at=house.clock(),
        problems=[],
        notes=list(tenant.notes),
    )


@_one.post("/pause", summary="Pause a connection", responses=problem_responses("connection-not-found"))
async def pause_connection(
    connection: ConnectionDep, house: HouseDep, connections: ConnectionsDep, address: AddressDep
) -> ConnectionView:
    """Stop syncing. Events are still accepted, and wait."""
    with reading():
        await connections.pause(connection.id)
    return ConnectionView(**await _members(house, connection.id, address))


@_one.post(
    "/resume",
    summary="Resume a connection",
    responses=problem_responses(
        "connection-not-found",
        ("kaseya-credentials-rejected", 409),
        ("kaseya-mfa-required", 409),
        "kaseya-throttled",
        "kaseya-unreachable",
    ),
)
async def resume_connection(
    connection: ConnectionDep, house: HouseDep, connections: ConnectionsDep, address: AddressDep
) -> ConnectionView:
    """Sync again, at once. A connection whose credentials were refused signs in first."""
    with reading():
        await connections.resume(connection)
    return ConnectionView(**await _members(house, connection.id, address))


def _to_wanted(request: ConnectionRequest) -> Wanted:
    return Wanted(
        name=request.name,
        server=request.server,
        base_url=_base_url(request),
        credentials=Credentials(
            company=request.company,
            username=request.username,
            password=request.password.get_secret_value(),
            mfa_secret=request.mfa_secret.get_secret_value() if request.mfa_secret else None,
        ),
        form_encoding=request.form_encoding,
    )


def _base_url(request: ConnectionRequest) -> str:
    if request.server == "custom":
        if request.base_url is None:
            raise _invalid("/base_url", "A custom server needs base_url, the address of its API.")
        return request.base_url
    if request.base_url is not None:
        raise _invalid("/base_url", f"The address of the server {request.server!r} is fixed; leave base_url out.")
    return SERVERS[request.server]


def _invalid(pointer: str, message: str) -> Problem:
    return Problem(422, "invalid-request", message, errors=[{"pointer": pointer, "message": message}])


async def _members(house: House, connection_id: str, address: str) -> dict[str, Any]:
    async with house.database.of(connection_id).transaction() as session:
        row = (await session.execute(with_counts().where(Connection.id == connection_id))).one_or_none()
    if row is None:
        raise Problem(404, "connection-not-found", "The connection was deleted meanwhile.")
    return members(row, address=address)


router.include_router(_one)
