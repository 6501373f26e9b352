"""For pytest under mutation: every process takes a migrated database that is there already, and leaves it there.

Making one for each of a thousand mutants would take longer than all their tests. Processes work side by side, so each
holds its database by a file lock, which ends with the process however that ends.
"""

import fcntl
import os
import tempfile
from pathlib import Path
from zlib import crc32

import pytest
from _pytest.fixtures import SubRequest

VARIABLE = "MUTATION_DATABASES"


class Databases:
    """The databases of the run, of which this process holds one as soon as a test asks for it."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self._held: tuple[str, int] | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: SubRequest) -> object:
        """Answer for the fixture that makes a database; every other fixture is set up as ever."""
        if fixturedef.argname != "database_url":
            return None
        url = self._hold()
        fixturedef.cached_result = (url, fixturedef.cache_key(request), None)
        return url

    def _hold(self) -> str:
        """Hold a database that nobody holds."""
        if self._held is None or self._held[1] != os.getpid():
            self._held = (next(url for url in self._urls if _is_ours(url)), os.getpid())
        return self._held[0]


def pytest_configure(config: pytest.Config) -> None:
    """Stand in where the run has databases to give."""
    if urls := os.environ.get(VARIABLE, "").split():
        config.pluginmanager.register(Databases(urls))


def _is_ours(url: str) -> bool:
    lock = os.open(
        Path(tempfile.gettempdir()) / f"quotebridge-mutation-{crc32(url.encode()):08x}", os.O_CREAT | os.O_RDWR
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True
