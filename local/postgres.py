"""Starts a real PostgreSQL of our own: `with own_postgres() as url`, or `python -m local.postgres -- COMMAND`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.binaries import Binaries, LocalPostgresError, find_binaries

URL_VARIABLE = "QUOTEBRIDGE_DATABASE_URL"
_KEEPER = Path(__file__).with_name("keeper.py")

__all__ = ["LocalPostgresError", "main", "own_postgres"]


@contextmanager
def own_postgres(data_dir: Path | None = None, *, durable: bool = True) -> Iterator[str]:
    """Run a PostgreSQL server for the length of a `with` block and yield its `postgresql://` URL.

    The server listens on a unix socket in a private temporary folder and on no network address. It ends with this
    process, even when this process is killed.

    Args:
        data_dir: where to keep the data; without it they live in a temporary folder and go with the server.
        durable: False lets commits be lost in a power cut, for tests that make many databases.

    Raises:
        LocalPostgresError: No server binaries, or the server did not start; the message says why.
    """
    data_dir = data_dir and data_dir.absolute()
    keeper = subprocess.Popen(
        [sys.executable, "-I", _KEEPER, _order(find_binaries(major=_major_of(data_dir)), data_dir, durable=durable)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C ends us first, so that we still have a database while we finish
    )
    with keeper:  # leaving closes the pipe, which the keeper takes as the word to stop, and waits for it
        yield _url_of(keeper)


def main(arguments: Sequence[str]) -> int:
    """Run a command with QUOTEBRIDGE_DATABASE_URL set: to a server of our own, unless it is set already."""
    if arguments[:1] != ["--"] or len(arguments) == 1:
        print("usage: python -m local.postgres -- COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    command = arguments[1:]
    try:
        if os.environ.get(URL_VARIABLE):
            return subprocess.run(command, check=False).returncode
        with own_postgres() as url:
            return subprocess.run(command, check=False, env=os.environ | {URL_VARIABLE: url}).returncode
    except (LocalPostgresError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1


def _order(binaries: Binaries, data_dir: Path | None, *, durable: bool) -> str:
    return json.dumps(
        {
            "bin_dir": str(binaries.bin_dir),
            "copied_folders": [str(folder) for folder in binaries.copied_folders],
            "data_dir": data_dir and str(data_dir),
            "durable": durable,
        }
    )


def _major_of(data_dir: Path | None) -> int | None:
    """Tell which PostgreSQL made a data folder, if one did: no other major version can open it."""
    try:
        return int((data_dir / "PG_VERSION").read_text()) if data_dir else None
    except FileNotFoundError:
        return None


def _url_of(keeper: subprocess.Popen[str]) -> str:
    """Wait for the keeper's one line."""
    line = keeper.stdout.readline() if keeper.stdout else ""
    word, _, rest = line.strip().partition(" ")
    if word != "ready":
        raise LocalPostgresError(rest or "PostgreSQL's keeper ended without a word; its complaint is above.")
    return rest


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
