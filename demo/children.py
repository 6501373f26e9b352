"""The processes that the demo starts: database, sandbox and service; all end with it, by their own process ids."""

import asyncio
import base64
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from local.postgres import URL_VARIABLE, own_postgres

START_SECONDS = 30.0
STOP_SECONDS = 35.0
LOOK_SECONDS = 0.02
TAIL_LINES = 12
_LISTENING = re.compile(r"listening on (http://\S+)")
_QUOTEBRIDGE = ("-c", "from app.cli import main; main()")

SHORT_WAITS = {
    "POLL_SECONDS": "1",
    "DEBOUNCE_QUIET_SECONDS": "0.6",
    "DEBOUNCE_MAX_SECONDS": "3",
    "DOUBT_GRACE_SECONDS": "1",
    "RETRY_BASE_SECONDS": "0.5",
    "LOOKUP_CACHE_SECONDS": "0",
}
"""Nobody likes to watch a minute's grace pass; the rules are the same with shorter waits."""


class ChildError(Exception):
    """A process did not start or ended early; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process that listens at ``url`` and writes to ``log``."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    url: str

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    def last_words(self) -> str:
        """The end of its log."""
        return _tail(self.log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What the service is started with; made anew for every demo."""

    encryption_key: str
    operator_key: str

    @classmethod
    def generate(cls) -> "Secrets":
        """Make new ones."""
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        return cls(encryption_key=key, operator_key=f"demo_{secrets.token_hex(20)}")


@contextmanager
def demo_database() -> Iterator[str]:
    """A database of the demo's own: on the server that the environment names, else on one that is started here."""
    server = os.environ.get(URL_VARIABLE)
    if not server:
        with own_postgres() as url:
            yield url
        return
    name = f"quotebridge_demo_{secrets.token_hex(4)}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


def migrate(database_url: str, given: Secrets) -> None:
    """Make the schema with the service's own command; raises ChildError with what it complained about."""
    done = subprocess.run(
        [sys.executable, *_QUOTEBRIDGE, "migrate"],
        env=_environment(database_url, given),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildError(f"`quotebridge migrate` failed: {done.stderr.strip()[-500:]}")


@contextmanager
def sandbox(folder: Path, *, contract: str) -> Iterator[Child]:
    """Run the BMS sandbox on a free port."""
    arguments = ["-m", "sandbox", "--port", "0", "--contract", contract]
    with _running("sandbox", arguments, folder, os.environ) as child:
        yield child


@contextmanager
def service(folder: Path, database_url: str, given: Secrets, *, bms_url: str, port: int) -> Iterator[Child]:
    """Run `quotebridge serve`, allowed to talk to the sandbox."""
    environment = _environment(database_url, given, ALLOWED_KASEYA_HOSTS=bms_url.removeprefix("http://"), **SHORT_WAITS)
    with _running("service", [*_QUOTEBRIDGE, "serve", "--port", str(port)], folder, environment) as child:
        yield child


def _environment(database_url: str, given: Secrets, **more: str) -> Mapping[str, str]:
    """Ours without whatever else the caller has set for a service of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEBRIDGE_")}
    ours = {
        "DATABASE_URL": database_url,
        "SECRET_KEYS": given.encryption_key,
        "ADMIN_TOKEN": given.operator_key,
        **more,
    }
    return kept | {f"QUOTEBRIDGE_{name}": value for name, value in ours.items()}


@contextmanager
def _running(name: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Child]:
    log = folder / f"{name}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*_bound_to_our_life(), sys.executable, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end the others in order
        ) as process,
    ):
        try:
            yield Child(name, process, log, _await_address(name, process, log))
        finally:
            _end(process)


def _await_address(name: str, process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if found := _LISTENING.search(log.read_text(errors="replace")):
            return found[1]
        if process.poll() is not None:
            raise ChildError(f"The {name} ended while starting: {_tail(log)}")
        time.sleep(LOOK_SECONDS)
    raise ChildError(f"The {name} did not listen after {START_SECONDS:.0f} s: {_tail(log)}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _bound_to_our_life() -> list[str]:
    """Where Linux's setpriv is at hand, let a child end with us even when we are killed."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


async def _execute(url: str, statement: str) -> None:
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError) as error:
        raise ChildError(f"The database that {URL_VARIABLE} names cannot be reached: {error}.") from error
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        raise ChildError(f"The demo needs a database of its own and may not make one: {error}.") from error
    finally:
        await connection.close()
