"""Looks at everything that must be right before the service can work, and says what is not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select

from app.connections.rotation import Survey, survey
from app.connections.secrets import Vault
from app.db.schema import current_revision, is_usable, needed_revision
from app.db.session import Database
from app.db.tables import Connection
from app.db.walls import IS_BOUND
from app.routers.refusals import DATABASE_AWAY
from app.settings import Settings, SettingsError, unknown_names

RESOLVE_SECONDS = 5
SERVE_AS_ANOTHER = (
    "run `quotebridge migrate` as a user who may create roles, or serve as one that is neither superuser nor BYPASSRLS."
)


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
    if not is_usable(revision):
        at = f"at {revision}" if revision else "not there yet"
        yield Finding("schema", fine=False, sentence=f"It is {at}; run `quotebridge migrate`.")
        return
    fits = "Up to date" if revision == needed_revision() else "A later version's, which this one can work on"
    yield Finding("schema", fine=True, sentence=f"{fits} ({revision}).")
    async with database.transaction() as session:
        urls = (await session.scalars(select(Connection.base_url))).all()
        bound = await session.scalar(IS_BOUND)
    yield _about_wall(bound=bool(bound))
    yield _about_keys(await survey(database, Vault(settings.keys)))
    for host in sorted({urlsplit(url).hostname or url for url in urls}):
        yield await _examine_host(host)


def _about_wall(*, bound: bool) -> Finding:
    if bound:
        return Finding("tenancy", fine=True, sentence="PostgreSQL keeps connections apart by row-level security.")
    told = "The database's user passes row-level security by, so only our own queries keep connections apart"
    return Finding("tenancy", fine=False, sentence=f"{told}; {SERVE_AS_ANOTHER}")


def _about_keys(found: Survey) -> Finding:
    if found.unreadable:
        first, more = found.unreadable[0], len(found.unreadable) - 1
        others = f", and {more} more like it" if more else ""
        return Finding("keys", fine=False, sentence=f"{first[:1].upper()}{first[1:]}{others}.")
    told = f"They open all {found.secrets} stored secrets."
    if found.stale:
        told += f" {found.stale} still use an older key; run `quotebridge keys rotate-secrets` before you take it away."
    return Finding("keys", fine=True, sentence=told)


async def _examine_host(host: str) -> Finding:
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            await asyncio.get_running_loop().getaddrinfo(host, 443)
    except OSError:
        return Finding(host, fine=False, sentence="Its name cannot be resolved from here; check DNS and firewall.")
    return Finding(host, fine=True, sentence="Its name resolves.")
