"""What runs behind the second wall: requests that name a connection, requests of a connection's key, and runs."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

import app
from app.db.session import Database
from app.db.tables import Connection
from app.deps import SessionDep
from app.house import House
from app.sync.errand import Errand
from app.sync.reconciler import reconcile
from tests.api.conftest import Link, client_of, connection_key, event
from tests.fixtures.engine import event as to_sync
from tests.fixtures.engine import working
from tests.fixtures.sandbox import Sandbox

FORGETFUL = text("SELECT connection_id FROM quotes UNION ALL SELECT id FROM connections")
"""A query that forgets to say whose rows it means."""


FOR_ALL = {
    "app/connections/access.py": "a key is looked up before it is known whose it is",
    "app/routers/health.py": "metrics count all connections",
}
"""Modules of pages and routes, and what both ask first, that read for no connection in particular, and why."""


def test_pages_and_routes_read_for_one_connection_but_where_there_is_a_reason() -> None:
    root = Path(app.__file__).parents[1]
    shared = root / "app/connections/access.py"
    modules = [shared, *root.glob("app/routers/*.py"), *root.glob("app/console/**/*.py")]
    for_all = {str(each.relative_to(root)) for each in modules if "database.transaction()" in each.read_text()}
    assert for_all == FOR_ALL.keys()


@pytest.fixture(name="app")
def app_with_a_careless_route(app: FastAPI) -> FastAPI:
    """The application with a route that somebody has written carelessly."""

    @app.get("/v1/connections/{connection_id}/careless")
    async def careless(connection_id: str, session: SessionDep) -> list[str]:
        return [str(owner) for owner in await session.scalars(FORGETFUL)]

    return app


async def test_a_careless_route_below_a_connection_gives_that_connections_rows_only(
    operator: httpx.AsyncClient, link: Link, other_link: Link
) -> None:
    for each in (link, other_link):
        assert (await each.send(event())).status_code == 202
    answer = await operator.get(f"{link.path}/careless")
    assert answer.json() == [link.connection_id] * 2


async def test_the_list_of_a_connections_key_is_read_behind_the_wall(
    app: FastAPI, state: dict[str, Any], house: House, link: Link, other_link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    scopes: list[str | None] = []
    unspied = Database.of

    def spied(self: Database, connection_id: str | None) -> Database:
        scopes.append(connection_id)
        return unspied(self, connection_id)

    monkeypatch.setattr(Database, "of", spied)
    async with client_of(app, state, key=await connection_key(house, link.connection_id)) as client:
        listed = (await client.get("/v1/connections")).json()["items"]
    assert [row["id"] for row in listed] == [link.connection_id]
    assert scopes == [link.connection_id]


async def test_a_run_sees_its_own_connection_only(
    clean_database: str, bms: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    async def spied(errand: Errand, *more: Any, **how: Any) -> Any:
        async with errand.database.transaction() as session:
            seen.append(list(await session.scalars(select(Connection.id))))
        return await reconcile(errand, *more, **how)

    monkeypatch.setattr("app.sync.run.reconcile", spied)
    async with working(clean_database, bms) as engine:
        await engine.connect()
        await engine.connect()
        await engine.configure()
        assert (await engine.synced(to_sync()))["state"] == "synced"
    assert seen == [[engine.connection_id]]
