"""Starts what takes the events, each in a process of its own: Quotebridge itself, or one of the references."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes

from app.connections.secrets import Vault
from app.db.ids import new_id
from app.db.session import Database
from app.db.tables import Connection, Pace, SigningSecret
from app.intake.signature import new_secret
from app.settings import Settings
from benchmarks.references.bare import DSN_VARIABLE
from benchmarks.references.secret import SECRET_VARIABLE

SECRET_KEY = "A" * 43 + "="
NOBODY = "127.0.0.1:9"
"""Where BMS should be, and nobody answers."""
SETTINGS = {
    "account": {
        "create_missing": True,
        "account_type_id": "1",
        "business_type_id": "21",
        "account_manager_id": "12",
        "phone_type_id": "71",
        "email_type_id": "61",
    },
    "opportunity": {"type_id": "31", "rating_id": "42", "default_sales_employee_id": "12", "time_zone": "UTC"},
    "status_mapping": {"pending": "102", "accepted": "103", "lost": "104"},
}
ROOT = Path(__file__).resolve().parents[2]
END_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running server, and as whom to send to it."""

    port: int
    pid: int
    connection_id: str
    secret: str


@asynccontextmanager
async def quotebridge(dsn: str, *, sync: bool = False, **settings: object) -> AsyncIterator[Target]:
    """``quotebridge serve`` on this database, with one connection to send to; ``sync`` runs the worker, too."""
    values = {"database_url": dsn, "secret_keys": SECRET_KEY, "allowed_kaseya_hosts": NOBODY, **settings}
    environment = {f"QUOTEBRIDGE_{name.upper()}": str(value) for name, value in values.items()}
    connection_id, secret = await connect(environment)
    command = [str(Path(sys.executable).with_name("quotebridge")), "serve", "--port", "0"]
    async with _running([*command, *([] if sync else ["--no-sync"])], environment) as (process, port):
        yield Target(port=port, pid=process.pid, connection_id=connection_id, secret=secret)


@asynccontextmanager
async def reference(name: str, dsn: str) -> AsyncIterator[Target]:
    """The reference of this module name, on this database."""
    secret = new_secret(token_bytes)
    environment = {DSN_VARIABLE: dsn, SECRET_VARIABLE: secret}
    async with _running([sys.executable, "-m", "benchmarks.references", name], environment) as (process, port):
        yield Target(port=port, pid=process.pid, connection_id="con_reference", secret=secret)


async def connect(environment: Mapping[str, str]) -> tuple[str, str]:
    """Store a connection as a successful connect leaves it; returns its id and its signing secret."""
    settings = Settings.load(environment)
    database, vault = Database.connect(settings.sqlalchemy_url), Vault(settings.keys)
    connection_id, secret = new_id("con"), new_secret(token_bytes)

    def seal(text: str, field: str) -> bytes:
        return vault.seal(text, connection_id=connection_id, field=field)

    async with database.transaction() as session:
        connection = Connection(
            id=connection_id,
            name="Benchmark",
            server="custom",
            base_url=f"http://{NOBODY}",
            company="Benchmark",
            username="api",
            password=seal("password", "password"),
            capabilities=[],
            settings=SETTINGS,
        )
        session.add(connection)
        await session.flush()
        session.add(Pace(connection_id=connection_id))
        session.add(SigningSecret(connection_id=connection_id, id=new_id("sec"), secret=seal(secret, "signing_secret")))
    await database.close()
    return connection_id, secret


@asynccontextmanager
async def _running(command: list[str], environment: dict[str, str]) -> AsyncIterator[tuple[Process, int]]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEBRIDGE_")}
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, env=inherited | environment, cwd=ROOT)
    try:
        assert process.stdout
        line = (await process.stdout.readline()).decode().strip()
        _, _, port = line.rpartition(":")
        if not port.isdigit():
            raise RuntimeError(f"{' '.join(command)} did not start; what it complains about is above")
        yield process, int(port)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), END_SECONDS)
