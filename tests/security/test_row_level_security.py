"""The second wall: what a transaction of one connection sees and writes, whatever its queries forget to say."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    delete,
    func,
    select,
    text,
)
from sqlalchemy import insert as insert_into
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import ProgrammingError

import app.db.tables  # noqa: F401 - registers every table
from app.db.base import Base
from app.db.migrate import upgrade
from app.db.session import Database
from app.db.walls import IS_BOUND, SERVICE_ROLE, take_service_role
from app.settings import sqlalchemy_url
from tests.fixtures.database import execute

OURS, THEIRS = "con_ours", "con_theirs"
SHARED = {"call_slots"}
"""Tables whose rows belong to no connection: a budget is one of a BMS company, however many connections lead there."""

TABLES = [table for table in Base.metadata.sorted_tables if table.name not in SHARED]
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))


def owner(table: Table) -> str:
    return "id" if table.name == "connections" else "connection_id"


def row_of(table: Table, connection_id: str) -> dict[str, Any]:
    """Some row that the table takes; every text in it names the connection, so that keys differ."""
    samples: dict[type, Any] = {
        Text: f"of {connection_id}",
        Integer: 1,
        BigInteger: 1,
        Boolean: False,
        LargeBinary: connection_id.encode(),
        DateTime: datetime(2026, 11, 22, tzinfo=UTC),
        JSONB: [],
        Uuid: uuid4(),
    }
    row = {column.name: samples[type(column.type)] for column in table.columns if not column.nullable}
    return row | {owner(table): connection_id}


@pytest.fixture
async def database(clean_database: str) -> AsyncIterator[Database]:
    """A row of each of two connections in every table, and an operator's key."""
    database = Database.connect(sqlalchemy_url(clean_database))
    async with database.transaction() as session:
        for table in TABLES:
            for connection_id in (OURS, THEIRS):
                await session.execute(insert_into(table).values(row_of(table, connection_id)))
        keys = Base.metadata.tables["api_keys"]
        await session.execute(insert_into(keys).values(id="key_op", name="operator", digest=b"operator"))
    yield database
    await database.close()


def test_every_table_says_whose_its_rows_are_or_is_known_to_be_shared() -> None:
    unowned = {name for name, table in Base.metadata.tables.items() if owner(table) not in table.columns}
    assert unowned == SHARED


@each_table
async def test_a_query_that_names_no_connection_sees_only_the_transactions_own_rows(
    database: Database, table: Table
) -> None:
    async with database.of(OURS).transaction() as session:
        owners = (await session.scalars(select(table.c[owner(table)]))).all()
    assert set(owners) == {OURS}


@each_table
async def test_work_for_no_connection_sees_all_of_them(database: Database, table: Table) -> None:
    async with database.of(None).transaction() as session:
        owners = (await session.scalars(select(table.c[owner(table)]))).all()
    assert {OURS, THEIRS} <= set(owners)


@each_table
async def test_a_delete_without_a_condition_spares_the_others(database: Database, table: Table) -> None:
    async with database.of(OURS).transaction() as session:
        await session.execute(delete(table))
    async with database.transaction() as session:
        left = (await session.scalars(select(table.c[owner(table)]))).all()
    assert OURS not in left
    assert THEIRS in left


@each_table
async def test_no_row_of_another_connection_can_be_written(database: Database, table: Table) -> None:
    other = "con_third"
    async with database.transaction() as session:
        if table.name != "connections":
            for parent in [each for each in TABLES if each.name in {"connections", "quotes"} and each is not table]:
                await session.execute(insert_into(parent).values(row_of(parent, other)))
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.of(OURS).transaction() as session:
            await session.execute(insert_into(table).values(row_of(table, other)))


@each_table
async def test_no_row_can_be_given_to_another_connection(database: Database, table: Table) -> None:
    column = table.c[owner(table)]
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.of(OURS).transaction() as session:
            await session.execute(table.update().values({column: "con_third"}))


async def test_a_connections_transaction_can_neither_see_nor_make_an_operators_key(database: Database) -> None:
    keys = Base.metadata.tables["api_keys"]
    async with database.of(OURS).transaction() as session:
        assert await session.scalar(select(func.count()).select_from(keys).where(keys.c.connection_id.is_(None))) == 0
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.of(OURS).transaction() as session:
            await session.execute(insert_into(keys).values(id="key_new", name="mine", digest=b"mine"))


async def test_a_pooled_connection_forgets_whose_transaction_it_last_held(clean_database: str) -> None:
    database = Database.connect(sqlalchemy_url(clean_database), pool_size=1)
    try:
        async with database.transaction() as session:
            await session.execute(insert_into(TABLES[0]).values(row_of(TABLES[0], OURS)))
            first = await session.scalar(select(func.pg_backend_pid()))
        async with database.of("con_nobody").transaction() as session:
            assert await session.scalar(select(func.count()).select_from(TABLES[0])) == 0
        async with database.transaction() as session:
            assert await session.scalar(select(func.pg_backend_pid())) == first
            assert await session.scalar(select(func.count()).select_from(TABLES[0])) == 1
    finally:
        await database.close()


async def test_a_superusers_connections_go_on_under_the_service_role(clean_database: str) -> None:
    database = Database.connect(sqlalchemy_url(clean_database))
    try:
        async with database.transaction() as session:
            row = (await session.execute(text("SELECT session_user <> current_user, current_user"))).one()
            assert await session.scalar(IS_BOUND)
    finally:
        await database.close()
    assert tuple(row) == (True, SERVICE_ROLE)


async def test_the_inboxs_own_pool_is_behind_the_wall_too(clean_database: str) -> None:
    pool = asyncpg.create_pool(clean_database, min_size=1, max_size=1, init=take_service_role)
    async with pool:
        for _ in range(2):  # what a connection is reset to between two uses keeps the role
            async with pool.acquire() as connection:
                assert await connection.fetchval("SELECT current_user") == SERVICE_ROLE


async def test_the_wall_does_not_make_the_planner_expect_few_rows(clean_database: str) -> None:
    """Claims look at many connections: a planner that expects one or two of them joins by nested loops."""
    database, table = Database.connect(sqlalchemy_url(clean_database)), Base.metadata.tables["connections"]
    try:
        async with database.transaction() as session:
            rows = [row_of(table, f"con_{number}") for number in range(1000)]
            await session.execute(insert_into(table), rows)
        execute(clean_database, "ANALYZE connections")
        async with database.transaction() as session:
            assert await session.scalar(IS_BOUND)
            explained: Any = await session.scalar(text("EXPLAIN (FORMAT JSON) SELECT * FROM connections"))
    finally:
        await database.close()
    assert explained[0]["Plan"]["Plan Rows"] > 900


@pytest.fixture
def ordinary_login(server_url: str, empty_database_url: str) -> Iterator[str]:
    """A login that is neither a superuser nor may make roles, and owns its database."""
    name = f"qb_ordinary_{secrets.token_hex(4)}"
    database = urlsplit(empty_database_url).path[1:]
    execute(server_url, f"CREATE ROLE {name} LOGIN PASSWORD 'ordinary'")
    execute(server_url, f"ALTER DATABASE {database} OWNER TO {name}")
    execute(empty_database_url, f"ALTER SCHEMA public OWNER TO {name}")
    parts = urlsplit(empty_database_url)
    host = parts.netloc.rpartition("@")[2]
    yield urlunsplit(parts._replace(netloc=f"{name}:ordinary@{host}"))
    execute(empty_database_url, f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}")
    execute(server_url, f"ALTER DATABASE {database} OWNER TO CURRENT_USER")
    execute(server_url, f"DROP ROLE {name}")


async def test_an_ordinary_owner_of_the_tables_is_bound_without_any_role(ordinary_login: str) -> None:
    await asyncio.to_thread(upgrade, ordinary_login)
    database = Database.connect(sqlalchemy_url(ordinary_login))
    try:
        async with database.transaction() as session:
            assert await session.scalar(IS_BOUND)
            assert await session.scalar(text("SELECT current_user = session_user"))
            for connection_id in (OURS, THEIRS):
                await session.execute(insert_into(TABLES[0]).values(row_of(TABLES[0], connection_id)))
        table = Base.metadata.tables["connections"]
        async with database.of(OURS).transaction() as session:
            assert (await session.scalars(select(table.c.id))).all() == [OURS]
    finally:
        await database.close()


async def test_a_database_restored_without_its_privileges_gets_them_back_with_the_next_migrate(
    empty_database_url: str,
) -> None:
    await asyncio.to_thread(upgrade, empty_database_url)
    execute(empty_database_url, f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {SERVICE_ROLE}")
    assert not await _is_bound(empty_database_url)  # it works, behind one wall
    await asyncio.to_thread(upgrade, empty_database_url)
    assert await _is_bound(empty_database_url)


async def _is_bound(url: str) -> bool:
    database = Database.connect(sqlalchemy_url(url))
    try:
        async with database.transaction() as session:
            return bool(await session.scalar(IS_BOUND))
    finally:
        await database.close()
