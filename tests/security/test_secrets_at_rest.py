"""Secrets in the database: bound to their row, tamper-evident, and moved to a new key while the service runs."""

import asyncio
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, select, text, update

from app.connections.rotation import SEALED, Survey, reseal
from app.connections.sealed import MFA_SECRET, PASSWORD
from app.connections.secrets import SecretUnreadableError, Vault
from app.db.base import Base
from app.db.session import Database
from app.db.tables import Connection, SigningSecret
from app.doctor import examine
from app.house import House
from app.sync.problems import NeedsPersonError
from app.sync.run import _explained
from tests.api.conftest import SECRET_KEY, Link, event

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)
RUN_ROTATION = "run `quotebridge keys rotate-secrets`"
ZERO = bytes(32)
"""The key that the API's fixtures seal with."""


def test_every_sealed_column_of_a_connection_is_rotated() -> None:
    binary = {column.key for column in Connection.__table__.columns if isinstance(column.type, LargeBinary)}
    assert {column.key for column in SEALED.values()} == binary
    elsewhere = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if table.name != "connections" and isinstance(column.type, LargeBinary)
    }
    digests_and_bodies = {
        "api_keys.digest",
        "events.body",
        "events.body_digest",
        "quotes.body_digest",
        "quotes.synced_digest",
        "quote_documents.content",
        "quote_documents.digest",
    }
    assert elsewhere == digests_and_bodies | {"signing_secrets.secret"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"connection_id": "con_b", "field": PASSWORD},
        {"connection_id": "con_a", "field": MFA_SECRET},
        {"connection_id": "con_", "field": "a" + PASSWORD},
    ],
)
def test_a_secret_moved_to_another_row_or_field_does_not_open(elsewhere: dict[str, str]) -> None:
    vault = Vault([NEW])
    sealed = vault.seal("hunter2", connection_id="con_a", field=PASSWORD)
    assert vault.open(sealed, connection_id="con_a", field=PASSWORD) == "hunter2"
    with pytest.raises(SecretUnreadableError, match="another row"):
        vault.open(sealed, **elsewhere)


def test_a_secret_with_any_bit_changed_or_cut_short_does_not_open() -> None:
    vault = Vault([NEW])
    sealed = vault.seal("hunter2", connection_id="con_a", field=PASSWORD)
    changed = [
        sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :] for at in range(len(sealed)) for bit in range(8)
    ]
    for tampered in [*changed, *(sealed[:length] for length in range(len(sealed))), sealed + b"\0"]:
        with pytest.raises(SecretUnreadableError):
            vault.open(tampered, connection_id="con_a", field=PASSWORD)


def test_no_two_seals_of_one_secret_are_alike() -> None:
    vault = Vault([NEW])
    assert len({vault.seal("hunter2", connection_id="con_a", field=PASSWORD) for _ in range(100)}) == 100


def test_an_unreadable_secret_becomes_an_issue_that_says_what_to_do() -> None:
    sealed = Vault([OLD]).seal("hunter2", connection_id="con_a", field=PASSWORD)
    with pytest.raises(SecretUnreadableError) as caught:
        Vault([NEW]).open(sealed, connection_id="con_a", field=PASSWORD)
    explained = _explained(caught.value)
    assert isinstance(explained, NeedsPersonError)
    problem = explained.problem
    assert problem.code == "secret-unreadable"
    assert problem.detail == "the key that sealed password of con_a is not among QUOTEBRIDGE_SECRET_KEYS."
    assert "back into QUOTEBRIDGE_SECRET_KEYS" in problem.remedy
    assert "hunter2" not in repr(problem)


@pytest.fixture
async def sealed_twice(house: House, link: Link, other_link: Link) -> tuple[str, str]:
    """Two connections under the old key, each with something in every sealed column."""
    ids = link.connection_id, other_link.connection_id
    async with house.database.transaction() as session:
        for connection_id in ids:
            values = {
                field: house.vault.seal(f"{field} of {connection_id}", connection_id=connection_id, field=field)
                for field in SEALED
            }
            await session.execute(update(Connection).where(Connection.id == connection_id).values(values))
    return ids


async def _opened(database: Database, vault: Vault, connection_id: str) -> dict[str, str]:
    async with database.transaction() as session:
        row = (await session.execute(select(*SEALED.values()).where(Connection.id == connection_id))).one()
    return {
        field: vault.open(sealed, connection_id=connection_id, field=field)
        for field, sealed in zip(SEALED, row, strict=True)
    }


async def test_rotation_moves_every_secret_to_the_new_key_and_a_second_time_nothing(
    house: House, sealed_twice: tuple[str, str]
) -> None:
    both, alone = Vault([NEW, ZERO]), Vault([NEW])
    async with house.database.transaction() as session:
        before = (await session.execute(select(Connection.id, Connection.updated_at).order_by(Connection.id))).all()
    assert await reseal(house.database, both) == Survey(secrets=12, stale=12)
    assert await reseal(house.database, both) == Survey(secrets=12, stale=0)
    for connection_id in sealed_twice:
        expected = {field: f"{field} of {connection_id}" for field in SEALED}
        assert await _opened(house.database, alone, connection_id) == expected
    async with house.database.transaction() as session:
        for row in await session.scalars(select(SigningSecret)):
            assert alone.open(row.secret, connection_id=row.connection_id, field="signing_secret").startswith("whsec_")
        assert (
            await session.execute(select(Connection.id, Connection.updated_at).order_by(Connection.id))
        ).all() == before


async def test_what_no_key_opens_is_told_and_stays_while_the_rest_is_moved(
    house: House, sealed_twice: tuple[str, str]
) -> None:
    first, second = sealed_twice
    async with house.database.transaction() as session:
        theirs = await session.scalar(select(Connection.password).where(Connection.id == second))
        await session.execute(update(Connection).where(Connection.id == first).values(password=theirs))
    found = await reseal(house.database, Vault([NEW, ZERO]))
    assert (found.secrets, found.stale) == (12, 11)
    assert found.unreadable == (
        f"password of {first} does not decrypt: it was sealed for another row or changed since",
    )
    async with house.database.transaction() as session:
        assert await session.scalar(select(Connection.password).where(Connection.id == first)) == theirs


async def test_a_credential_changed_during_the_rotation_is_never_overwritten_by_the_older_one(
    house: House, sealed_twice: tuple[str, str]
) -> None:
    first, _ = sealed_twice
    both = Vault([NEW, ZERO])
    async with house.database.transaction() as session:
        row = await session.get(Connection, first, with_for_update=True)
        assert row is not None
        row.password = both.seal("typed just now", connection_id=first, field=PASSWORD)
        await session.flush()
        rotating = asyncio.create_task(reseal(house.database, both))
        await _waits_for_a_lock(house.database)
    await rotating
    assert (await _opened(house.database, Vault([NEW]), first))[PASSWORD] == "typed just now"


async def _waits_for_a_lock(database: Database) -> None:
    async with asyncio.timeout(20), database.transaction() as session:
        waiting = text(
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT l.granted AND a.datname = current_database()"
        )
        while not await session.scalar(waiting):  # noqa: ASYNC110 - it is PostgreSQL that waits
            await asyncio.sleep(0.01)


async def test_events_are_accepted_before_during_and_after_a_rotation(house: House, link: Link) -> None:
    assert (await link.send(event("q-1"))).status_code == 202
    answers = asyncio.gather(*(link.send(event(f"q-{number}")) for number in range(2, 12)))
    await reseal(house.database, Vault([ZERO, OLD]))
    assert {answer.status_code for answer in await answers} == {202}
    house.doors.forget(link.connection_id)
    assert (await link.send(event("q-12"))).status_code == 202


def _command(database_url: str, *keys: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEBRIDGE_")}
    environ = inherited | {"QUOTEBRIDGE_DATABASE_URL": database_url, "QUOTEBRIDGE_SECRET_KEYS": ",".join(keys)}
    quotebridge = Path(sys.executable).with_name("quotebridge")
    return subprocess.run(
        [quotebridge, "keys", "rotate-secrets"], env=environ, capture_output=True, text=True, check=False
    )


async def test_the_command_says_what_it_did_and_the_doctor_what_is_left(
    clean_database: str, house: House, sealed_twice: tuple[str, str]
) -> None:
    new_key = "B" * 43 + "="
    assert await _about(clean_database, "keys", f"{new_key},{SECRET_KEY}") == (
        True,
        f"They open all 12 stored secrets. 12 still use an older key; {RUN_ROTATION} before you take it away.",
    )
    done = await asyncio.to_thread(_command, clean_database, new_key, SECRET_KEY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "12 of 12 stored secrets were under an older key and are under the newest one now.\n"
    assert await _about(clean_database, "keys", new_key) == (True, "They open all 12 stored secrets.")
    fine, sentence = await _about(clean_database, "keys", SECRET_KEY)
    assert not fine
    assert sentence.startswith("The key that sealed password of con_")
    assert sentence.endswith("is not among QUOTEBRIDGE_SECRET_KEYS, and 11 more like it.")
    failed = await asyncio.to_thread(_command, clean_database, SECRET_KEY)
    assert failed.returncode == 1
    assert "12 could not be read and stay as they are:" in failed.stderr


async def test_the_doctor_says_that_postgresql_keeps_connections_apart(clean_database: str) -> None:
    told = (True, "PostgreSQL keeps connections apart by row-level security.")
    assert await _about(clean_database, "tenancy", SECRET_KEY) == told


async def _about(database_url: str, subject: str, keys: str) -> tuple[bool, str]:
    environ: dict[str, Any] = {"QUOTEBRIDGE_DATABASE_URL": database_url, "QUOTEBRIDGE_SECRET_KEYS": keys}
    (finding,) = [each async for each in examine(environ) if each.subject == subject]
    return finding.fine, finding.sentence
