"""What every test may ask for: a database of its worker's own, and a BMS sandbox."""

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.sandbox"]
