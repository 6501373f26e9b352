"""The command ``quotebridge``: serve, work, migrate, look after keys, and try it all out."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import telemetry
from app.db.schema import current_revision, is_usable, needed_revision
from app.db.session import Database
from app.db.tables import ApiKey
from app.routers.refusals import DATABASE_AWAY
from app.settings import Settings, SettingsError, unknown_names

if TYPE_CHECKING:
    from app.doctor import Finding

Result = TypeVar("Result")

cli = typer.Typer(
    name="quotebridge",
    help="Keeps Kaseya BMS in step with the quotes of a quoting frontend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(
    name="keys",
    help="Make, list and revoke API keys; move stored secrets to a new encryption key.",
    no_args_is_help=True,
)
cli.add_typer(keys)

_FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True}
MISCONFIGURED = 2


def main() -> None:
    """Run the command line."""
    cli()


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 8080,
    *,
    no_sync: Annotated[bool, typer.Option("--no-sync", help="Only the web part; `worker` does the rest.")] = False,
) -> None:
    """Serve webhooks, API and console, and sync in the same process."""
    from app.serving import serve as run_server  # noqa: PLC0415 - other commands start faster without the web stack

    settings = _start()
    try:
        run_server(settings, host=host, port=port, sync=not no_sync)
    except OSError as error:
        _stop(f"Cannot listen on {host}:{port}: {error.strerror or error}.")


@cli.command()
def worker() -> None:
    """Sync without serving; as many of these as one likes."""
    asyncio.run(_work(_start()))


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from app.db.migrate import upgrade  # noqa: PLC0415 - a process that serves has no use for Alembic

    settings = _settings()
    try:
        upgrade(settings.dsn)
    except DATABASE_AWAY as error:
        _stop(f"The database cannot be reached ({type(error).__name__}).", code=1)
    _say(f"The schema is at {needed_revision()}.")


@cli.command(context_settings=_FORWARD)
def demo(context: typer.Context) -> None:
    """Play the life of a few quotes against a BMS sandbox; --once ends with a verdict."""
    _exec("demo", context.args)


@cli.command(context_settings=_FORWARD)
def sandbox(context: typer.Context) -> None:
    """Run the BMS sandbox: --port P --contract published|extended."""
    _exec("sandbox", context.args)


@cli.command()
def doctor() -> None:
    """Check settings, database, schema, keys and the names of BMS servers; exit code 1 if something is wrong."""
    from app.doctor import examine  # noqa: PLC0415 - as above

    async def look() -> list["Finding"]:
        return [finding async for finding in examine(os.environ)]

    findings = asyncio.run(look())
    marks = {True: "[green]ok[/]", False: "[red]!![/]"}
    _show(("", "what", "finding"), [(marks[each.fine], each.subject, each.sentence) for each in findings])
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)


@cli.command()
def openapi(
    check: Annotated[Path | None, typer.Option(help="Compare with this file; exit code 1 if it differs.")] = None,
) -> None:
    """Print the description of the API as YAML."""
    from app.main import described  # noqa: PLC0415 - as above

    said = described()
    if check is None:
        sys.stdout.write(said)
    elif not check.exists() or check.read_text(encoding="utf-8") != said:
        _stop(f"{check} is not what the code says; write it anew with `quotebridge openapi > {check}`.", code=1)


@keys.command("create")
def create_api_key(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    connection: Annotated[str | None, typer.Option(help="Open only this connection.")] = None,
) -> None:
    """Make a key; the last line printed is the key, which is shown this once."""
    from app.connections.keys import KeyScopeError, create_key  # noqa: PLC0415 - as above

    try:
        made = _in_database(lambda session: create_key(session, name, connection_id=connection))
    except KeyScopeError as error:
        _stop(str(error), code=1)
    _say(f"Made {made.row.id} ({name}). Keep it safe: it cannot be shown again.\n{made.key}")


@keys.command("list")
def list_api_keys() -> None:
    """List all keys, newest first."""
    rows = []
    for row in _in_database(_list_keys):
        times = (str(each.replace(microsecond=0)) if each else "" for each in (row.last_used_at, row.revoked_at))
        rows.append((row.id, row.name, row.connection_id or "operator", *times))
    _show(("id", "name", "scope", "last used", "revoked"), rows)


@keys.command("revoke")
def revoke_api_key(key_id: Annotated[str, typer.Argument(help="The key's id, not the key itself.")]) -> None:
    """Revoke a key: it opens nothing from now on."""
    revoke = update(ApiKey).where(ApiKey.id == key_id).values(revoked_at=func.coalesce(ApiKey.revoked_at, func.now()))
    if _in_database(lambda session: session.scalar(revoke.returning(ApiKey.id))) is None:
        _stop(f"There is no key {key_id}; `quotebridge keys list` shows all.", code=1)
    _say(f"{key_id} is revoked.")


@keys.command("rotate-secrets")
def rotate_secrets() -> None:
    """Encrypt all stored secrets under the first of QUOTEBRIDGE_SECRET_KEYS; safe while serving, and to repeat.

    Give every process the new key behind the old one first, then before it; then run this; then take the old one away.
    """
    from app.connections.rotation import reseal  # noqa: PLC0415 - as above
    from app.connections.secrets import Vault  # noqa: PLC0415 - as above

    settings = _settings()
    found = _on_database(settings, lambda database: reseal(database, Vault(settings.keys)))
    _say(f"{found.stale} of {found.secrets} stored secrets were under an older key and are under the newest one now.")
    if found.unreadable:
        told = "".join(f"\n  {each}" for each in found.unreadable)
        _stop(f"{len(found.unreadable)} could not be read and stay as they are:{told}", code=1)


async def _list_keys(session: AsyncSession) -> list[ApiKey]:
    return list(await session.scalars(select(ApiKey).order_by(ApiKey.id.desc())))


def _settings() -> Settings:
    """The environment's settings; the process stops with a sentence if they do not describe a service."""
    for name in unknown_names(os.environ):
        sys.stderr.write(f"quotebridge: {name} means nothing here; is it misspelt?\n")
    try:
        settings = Settings.load()
        _ = settings.sqlalchemy_url
    except SettingsError as error:
        _stop(f"{error}. Set it in the environment; the README lists all names.")
    return settings


def _start() -> Settings:
    """Settings, logs, and a schema that fits: a process that serves does not change the schema by itself."""
    settings = _settings()
    telemetry.configure_logging(settings.log_level)
    if not is_usable(_in_database(current_revision, settings)):
        _stop("The database's schema is older than this version needs; run `quotebridge migrate` first.")
    return settings


def _in_database(work: Callable[[AsyncSession], Awaitable[Result]], settings: Settings | None = None) -> Result:
    """Do one piece of work in one transaction."""

    async def in_transaction(database: Database) -> Result:
        async with database.transaction() as session:
            return await work(session)

    return _on_database(settings or _settings(), in_transaction)


def _on_database(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        database = Database.connect(settings.sqlalchemy_url, pool_size=1)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except DATABASE_AWAY as error:
        _stop(f"The database cannot be reached ({type(error).__name__}).", code=1)


async def _work(settings: Settings) -> None:
    from app.house import open_house  # noqa: PLC0415 - other commands start faster without the engine
    from app.sync.worker import Worker  # noqa: PLC0415 - as above

    async with open_house(settings) as house:
        engine = Worker(house)
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stopped.set)
        running = asyncio.create_task(engine.run())
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await engine.stop()
        await running


def _exec(module: str, arguments: list[str]) -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - our own module, no shell


def _show(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(*headings, box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _stop(sentence: str, *, code: int = MISCONFIGURED) -> NoReturn:
    sys.stderr.write(f"quotebridge: {sentence}\n")
    raise typer.Exit(code)
