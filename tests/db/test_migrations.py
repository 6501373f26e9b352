import asyncio
import subprocess
import sys

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from app.db.migrate import alembic_config, downgrade, upgrade
from app.db.schema import needed_revision

COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'public' ORDER BY 1, 2
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"
TYPES = """
SELECT typname, typtype FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typtype IN ('d', 'e') ORDER BY 1
"""
WALLS = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polname, pg_get_expr(p.polqual, p.polrelid)
FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1
"""
SCHEMA = {
    "columns": COLUMNS,
    "indexes": INDEXES,
    "constraints": CONSTRAINTS,
    "functions": FUNCTIONS,
    "types": TYPES,
    "walls": WALLS,
}


def test_up_down_up_ends_in_the_same_schema(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    first = _schema(empty_database_url)
    downgrade(empty_database_url)
    upgrade(empty_database_url)
    assert first["columns"]
    assert _schema(empty_database_url) == first


def test_going_all_the_way_down_leaves_nothing_but_alembics_own_table(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    downgrade(empty_database_url)
    left = _schema(empty_database_url)
    assert {row[0] for row in left["columns"]} == {"alembic_version"}
    assert (left["functions"], left["types"]) == ([], [])


def test_the_models_and_the_migrations_describe_the_same_tables(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    command.check(alembic_config(empty_database_url))


def _schema(url: str) -> dict[str, list[tuple[object, ...]]]:
    async def read() -> dict[str, list[tuple[object, ...]]]:
        connection = await asyncpg.connect(url)
        try:
            return {name: [tuple(row) for row in await connection.fetch(query)] for name, query in SCHEMA.items()}
        finally:
            await connection.close()

    return asyncio.run(read())


def test_the_revision_that_the_code_needs_is_the_one_that_alembic_would_go_to() -> None:
    needed_revision.cache_clear()
    script = ScriptDirectory.from_config(alembic_config("postgresql:///"))
    assert needed_revision() == script.get_current_head()


@pytest.mark.parametrize("module", ["app.serving", "app.sync.worker"])
def test_a_process_that_serves_or_works_does_not_load_alembic(module: str) -> None:
    told = f"import sys, {module}; print('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, check=True, text=True).stdout == "False\n"
