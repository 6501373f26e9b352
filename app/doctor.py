"""Looks at everything that must be right before the service can work, and says what is not."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select

from app.connections.secrets import SecretUnreadableError, Vault
from app.db.schema import current_revision, needed_revision
from app.db.session import Database
from app.db.tables import Connection
from app.routers.refusals import DATABASE_AWAY
from app.settings import Settings, SettingsError, unknown_names

RESOLVE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is as it must be, and a sentence about it."""

    subject: str
    fine: bool
    sentence: str


async def examine(environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Look at settings, database, schema, keys and names of BMS servers; stops where the rest cannot be looked at."""
    for name in unknown_names(environ):
        yield Finding("environment", fine=False, sentence=f"{name} means nothing here; is it misspelt?")
    try:
        settings = Settings.load(environ)
        database = Database.connect(settings.sqlalchemy_url, pool_size=2)
    except SettingsError as error:
        yield Finding("settings", fine=False, sentence=f"{error}.")
        return
    yield Finding("settings", fine=True, sentence="Complete.")
    try:
        async for finding in _examine_database(settings, database):
            yield finding
    except DATABASE_AWAY as error:
        yield Finding("database", fine=False, sentence=f"Not reachable ({type(error).__name__}).")
    finally:
        await database.close()


async def _examine_database(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    async with database.transaction() as session:
        revision = await current_revision(session)
    yield Finding("database", fine=True, sentence="Reachable.")
    if revision != needed_revision():
        at = f"at {revision}" if revision else "not there yet"
        yield Finding("schema", fine=False, sentence=f"It is {at}; run `quotebridge migrate`.")
        return
    yield Finding("schema", fine=True, sentence=f"Up to date ({revision}).")
    async with database.transaction() as session:
        rows = (await session.scalars(select(Connection).order_by(Connection.id))).all()
    yield _examine_keys(Vault(settings.keys), rows)
    for host in sorted({urlsplit(row.base_url).hostname or row.base_url for row in rows}):
        yield await _examine_host(host)


def _examine_keys(vault: Vault, rows: Sequence[Connection]) -> Finding:
    stale = 0
    for row in rows:
        try:
            vault.open(row.password, connection_id=row.id, field="password")
        except SecretUnreadableError as error:
            return Finding("keys", fine=False, sentence=f"{str(error)[:1].upper()}{str(error)[1:]}.")
        stale += vault.is_stale(row.password)
    told = f"They open all {len(rows)} connections."
    return Finding("keys", fine=True, sentence=f"{told} {stale} still use an older key." if stale else told)


async def _examine_host(host: str) -> Finding:
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            await asyncio.get_running_loop().getaddrinfo(host, 443)
    except OSError:
        return Finding(host, fine=False, sentence="Its name cannot be resolved from here; check DNS and firewall.")
    return Finding(host, fine=True, sentence="Its name resolves.")
