"""The API through ASGI for these tests, too, and the service as a process of its own for what only a socket can do."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import anyone, app, drain, house, link, operator, other_link, settings, state
from tests.fixtures.database import DELETE_ALL_ROWS, execute
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Service, serving
from tests.security.raw import Target, targeting

__all__ = ["anyone", "app", "drain", "house", "link", "operator", "other_link", "settings", "state"]


@pytest.fixture(scope="module")
def service(database_url: str, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One process for all tests of a module."""
    execute(database_url, DELETE_ALL_ROWS)
    with serving(database_url, sandbox, folder=tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="module")
def target(service: Service, sandbox: Sandbox) -> Iterator[Target]:
    """The process, connected to BMS."""
    with targeting(service, sandbox) as target:
        yield target
