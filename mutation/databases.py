"""For pytest under mutation: every process takes a migrated database that is there already, and leaves it there.

Making one for each of a thousand mutants would take longer than all their tests. Processes work side by side, so each
holds its database by a file lock, which ends with the test run, and with the process however that ends.
"""

import fcntl
import os
from pathlib import Path
from zlib import crc32

import pytest
from _pytest.fixtures import SubRequest

URLS_VARIABLE = "MUTATION_DATABASES"
LOCKS_VARIABLE = "MUTATION_LOCKS"


NO_VERDICT = 35
"""mutmut takes this exit code for neither killed nor survived: a run that could not begin has noticed nothing."""


class Databases:
    """The databases of the run, of which this process holds one as soon as a test asks for it."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self._held: dict[str, int] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: SubRequest) -> object:
        """Answer for the fixture that makes a database; every other fixture is set up as ever."""
        if fixturedef.argname != "database_url":
            return None
        url = self._hold()
        fixturedef.cached_result = (url, fixturedef.cache_key(request), None)
        return url

    def pytest_unconfigure(self) -> None:
        """Let go of it: mutmut goes on in this process, and forks others from it."""
        for lock in self._held.values():
            os.close(lock)
        self._held.clear()

    def _hold(self) -> str:
        """Hold a database that nobody holds."""
        for url in self._urls:
            if (lock := _lock(url)) is not None:
                self._held[url] = lock
                return url
        pytest.exit("There are more test runs at once than databases for them.", returncode=NO_VERDICT)


def pytest_configure(config: pytest.Config) -> None:
    """Stand in where the run has databases to give."""
    if urls := os.environ.get(URLS_VARIABLE, "").split():
        config.pluginmanager.register(Databases(urls))


def _lock(url: str) -> int | None:
    """The lock on this database, if it is free."""
    lock = os.open(Path(os.environ[LOCKS_VARIABLE]) / f"{crc32(url.encode()):08x}.lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
