"""Keeps one PostgreSQL server for the process that started this one, and ends it with that process.

Runs as a program of its own (`python -I keeper.py ORDER`, standard library only), because whoever wants the server may
be killed without a chance to clean up. Its standard input is a pipe from that process: when the pipe closes, for
whatever reason, the server is stopped and the temporary folder removed. Should the keeper itself be killed, Linux ends
the server.
"""

import ctypes
import json
import locale
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PORT = 5432  # names the socket file only; the server listens on no network address
NAME = "quotebridge"  # of the role and of the database
LONGEST_FOLDER = 80  # a socket's path may have about 104 characters
START_SECONDS = 60.0
STOP_SECONDS = 30.0
LINUX_SET_PARENT_DEATH_SIGNAL = 1

SETTINGS = {
    "autovacuum_naptime": "10s",
    "listen_addresses": "",
    "max_connections": "200",
    "max_wal_senders": "0",
    "port": str(PORT),
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
    "wal_level": "minimal",
}
FORGETFUL_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class KeeperError(Exception):
    """The server cannot be started; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to start. Sent as JSON in the first argument."""

    bin_dir: str
    copied_folders: Sequence[str]
    data_dir: str | None
    durable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who the server runs as; without ids, whoever we are. PostgreSQL refuses to be root."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> Sequence[int] | None:
        """The further groups to keep: all of ours, or none of root's."""
        return None if self.uid is None else ()

    def own(self, path: Path) -> None:
        """Give a path to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def choose_account() -> Account:
    """Choose who runs the server: whoever we are, or, as root, `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return Account(name="this account")
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise KeeperError("PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody` to run it as.")


def main() -> int:
    """Start the server that was ordered, say `ready URL` or `failed REASON`, and keep it until the pipe closes."""
    for stop_signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop_signal, lambda number, _frame: sys.exit(128 + number))
    order = Order(**json.loads(sys.argv[1]))
    run_dir = Path(tempfile.mkdtemp(prefix="quotebridge-postgres-", dir=_short_temporary_folder()))
    try:
        keep(order, run_dir)
    except KeeperError as error:
        _say(f"failed {' '.join(str(error).split())}")
        return 1
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)
    return 0


def keep(order: Order, run_dir: Path) -> None:
    """Run the server of an order, with its socket in `run_dir`, until standard input closes."""
    account = choose_account()
    account.own(run_dir)
    bin_dir = _runnable(order, run_dir, account)
    data_dir = Path(order.data_dir) if order.data_dir else run_dir / "data"
    if not (data_dir / "PG_VERSION").exists():
        initialise(bin_dir, data_dir, account, durable=order.durable and order.data_dir is not None)
    log = run_dir / "log"
    server = launch(bin_dir, data_dir, run_dir, log, account, durable=order.durable)
    try:
        _await_readiness(server, data_dir, log)
        _say(f"ready postgresql://{NAME}@/{NAME}?host={run_dir}&port={PORT}")
        while server.poll() is None and not select.select([sys.stdin], [], [], 1.0)[0]:
            pass
    finally:
        # A folder that is about to be removed needs no last checkpoint.
        stop(server, signal.SIGINT if order.data_dir else signal.SIGQUIT)


def initialise(bin_dir: Path, data_dir: Path, account: Account, *, durable: bool) -> None:
    """Make a data folder that trusts whoever may open the socket, and our database in it."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        account.own(data_dir)
        data_dir.chmod(0o700)
    except OSError as error:
        raise KeeperError(f"The data folder {data_dir} cannot be made: {error}.") from error
    identity = ["-U", NAME, "-A", "trust", "-E", "UTF8", f"--locale={_utf8_locale()}"]
    _run([bin_dir / "initdb", "-D", data_dir, *identity, *([] if durable else ["--no-sync"])], account)
    # The server is not up yet and the standard library speaks no SQL, but a server of one user reads it from a pipe.
    fsync = f"fsync={'on' if durable else 'off'}"
    single = [bin_dir / "postgres", "--single", "-D", data_dir, "-c", fsync, "postgres"]
    _run(single, account, text=f"CREATE DATABASE {NAME};\n")


def launch(
    bin_dir: Path, data_dir: Path, run_dir: Path, log: Path, account: Account, *, durable: bool
) -> subprocess.Popen[bytes]:
    """Start the server process, bound to the life of this one where the system can do that."""
    settings = SETTINGS | {"unix_socket_directories": str(run_dir)} | ({} if durable else FORGETFUL_SETTINGS)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with log.open("wb") as output:
        return subprocess.Popen(
            [bin_dir / "postgres", "-D", data_dir, *options],
            cwd=run_dir,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  # the keeper has no threads
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
        )


def stop(server: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Stop the server: SIGINT writes a last checkpoint, SIGQUIT does not."""
    for last_resort in (how, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(last_resort)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _runnable(order: Order, run_dir: Path, account: Account) -> Path:
    """Say where the account can run the binaries from: where they are, else from a copy in the run folder."""
    bin_dir = Path(order.bin_dir)
    if _can_run(bin_dir, account):
        return bin_dir
    if not order.copied_folders:
        raise KeeperError(
            f"{account.name} may not run {bin_dir}/initdb. Install PostgreSQL where every account can run it."
        )
    for folder in map(Path, order.copied_folders):
        shutil.copytree(
            folder, run_dir / "wheel" / folder.name, symlinks=True, ignore=shutil.ignore_patterns("include")
        )
    for path in (run_dir / "wheel").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    (run_dir / "wheel").chmod(0o755)
    copy = run_dir / "wheel" / bin_dir.relative_to(Path(order.copied_folders[0]).parent)
    if not _can_run(copy, account):
        raise KeeperError(
            f"{account.name} cannot run PostgreSQL from {run_dir}. Set TMPDIR to a folder that allows programs."
        )
    return copy


def _can_run(bin_dir: Path, account: Account) -> bool:
    try:
        _run([bin_dir / "initdb", "--version"], account)
    except (KeeperError, PermissionError):
        return False
    return True


def _run(command: Sequence[object], account: Account, *, text: str = "") -> None:
    """Run a command as the account; what it complains about becomes the error."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd="/",
        env=_environment(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        user=account.uid,
        group=account.gid,
        extra_groups=account.groups,
    )
    if result.returncode:
        raise KeeperError(f"{Path(str(command[0])).name} failed as {account.name}: {result.stderr.strip()[-500:]}")


def _await_readiness(server: subprocess.Popen[bytes], data_dir: Path, log: Path) -> None:
    """Wait until the server has noted in its pid file that it accepts connections, as pg_ctl does."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise KeeperError(f"PostgreSQL ended while starting: {log.read_text(errors='replace').strip()[-500:]}")
        if _noted_ready(data_dir / "postmaster.pid", server.pid):
            return
        time.sleep(0.005)
    raise KeeperError(f"PostgreSQL was not ready after {START_SECONDS:.0f} s: {log.read_text(errors='replace')[-500:]}")


def _noted_ready(pid_file: Path, pid: int) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return lines[:1] == [str(pid)] and lines[7:8] != [] and lines[7].strip() == "ready"


def _die_with(parent: int) -> Callable[[], None] | None:
    """Make what runs in the server's process before PostgreSQL does: ask Linux to end it when the keeper dies."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(LINUX_SET_PARENT_DEATH_SIGNAL, signal.SIGQUIT)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _environment() -> Mapping[str, str]:
    """Give what a server needs of ours: no PG* settings meant for clients, and messages in English."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _utf8_locale() -> str:
    """Choose a locale that knows letters beyond ASCII and sorts the same everywhere, where the machine has it."""
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    return "C.UTF-8"


def _short_temporary_folder() -> str:
    folder = tempfile.gettempdir()
    return folder if len(folder) <= LONGEST_FOLDER else "/tmp"  # noqa: S108  # mkdtemp makes a private folder in it


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
