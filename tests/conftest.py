"""What every test may ask for: a database of its worker's own, and a BMS sandbox."""

import pytest

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.sandbox"]

LONG = (
    "tests/reliability/",
    "tests/demo/",
    "tests/simulation/",
    "tests/console/test_browser",
    "schemathesis",
    "shutdown",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take long: at the end, one of them would keep a single worker busy alone."""
    items.sort(key=lambda item: not any(part in item.nodeid for part in LONG))
