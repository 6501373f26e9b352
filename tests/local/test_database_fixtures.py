import asyncpg

from tests.fixtures.database import DELETE_ALL_ROWS, execute, with_database


async def test_cleaning_empties_every_table_but_alembics_own(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("""
        CREATE TABLE alembic_version AS SELECT 'head' AS version_num;
        CREATE TABLE parents (id integer PRIMARY KEY);
        CREATE TABLE children (id integer GENERATED ALWAYS AS IDENTITY, parent integer REFERENCES parents);
        CREATE TABLE "Odd name" AS SELECT 1 AS one;
        INSERT INTO parents VALUES (1);
        INSERT INTO children (parent) VALUES (1), (1);
    """)
    execute(empty_database_url, DELETE_ALL_ROWS)
    for table, rows in {"alembic_version": 1, "parents": 0, "children": 0, '"Odd name"': 0}.items():
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == rows  # noqa: S608
    await connection.close()


async def test_a_workers_database_is_migrated_and_its_own(database_url: str, server_url: str, worker_id: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert str(await connection.fetchval("SELECT current_database()")).endswith(f"_{worker_id}")
    assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
    await connection.close()
    assert database_url != server_url


def test_another_database_of_the_same_server_keeps_socket_port_and_credentials() -> None:
    assert with_database("postgresql://q@/q?host=/tmp/s&port=5432", "a") == "postgresql://q@/a?host=/tmp/s&port=5432"
    assert with_database("postgresql://q:pw@db:5433/q?ssl=off", "a") == "postgresql://q:pw@db:5433/a?ssl=off"
