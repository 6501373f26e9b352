from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.db.tables import Connection
from app.directory import Directory
from app.directory.lookups import KEPT_UNDER_LOAD, READ_AT_A_STRETCH
from app.house import House, open_house
from tests.fixtures.management import managed, settings_for
from tests.fixtures.sandbox import Sandbox

STATUSES = "GET /v2/crm/opportunities/statuses/Lookup"
WAREHOUSES = "GET /v2/inventory/warehouses/lookup"


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def house(clean_database: str, bms: Sandbox, clock: Clock) -> AsyncIterator[House]:
    host = bms.url.removeprefix("http://")
    async with open_house(settings_for(clean_database, host, lookup_cache_seconds=10), clock=clock) as house:
        yield house


@pytest.fixture
async def connection(house: House, clean_database: str, bms: Sandbox) -> Connection:
    async with managed(clean_database, bms) as management:
        made = await management.connect()
    async with house.database.transaction() as session:
        row = await session.get_one(Connection, made["id"])
    bms.forget_calls()
    return row


async def test_a_list_is_read_once_for_every_replica(house: House, connection: Connection, bms: Sandbox) -> None:
    client = house.clients.client(connection)
    first = await house.directory.statuses(connection, client)
    replica = Directory(house.database, house.clients, house.settings, house.clock)
    assert await replica.statuses(connection, client) == first
    assert {row.id for row in first if row.is_selectable} == {101, 102}
    assert bms.call_counts()[STATUSES] == 1


async def test_a_list_older_than_asked_for_is_read_again(
    house: House, connection: Connection, bms: Sandbox, clock: Clock
) -> None:
    client = house.clients.client(connection)
    await house.directory.statuses(connection, client)
    clock.ahead = timedelta(seconds=9)
    await house.directory.statuses(connection, client)
    assert bms.call_counts()[STATUSES] == 1
    await house.directory.statuses(connection, client, max_age=timedelta(seconds=5))
    assert bms.call_counts()[STATUSES] == 2
    await house.directory.statuses(connection, client, max_age=timedelta())
    assert bms.call_counts()[STATUSES] == 3
    clock.ahead += timedelta(seconds=11)
    await house.directory.statuses(connection, client)
    assert bms.call_counts()[STATUSES] == 4


async def test_the_sparing_read_as_often_as_anybody_while_they_are_few(
    house: House, connection: Connection, bms: Sandbox, clock: Clock
) -> None:
    client = house.clients.client(connection)
    for _ in range(5):
        await house.directory.warehouses(connection, client, sparing=True)
        clock.ahead += timedelta(seconds=11)
    assert bms.call_counts()[WAREHOUSES] == 5


async def test_the_sparing_take_a_list_of_some_minutes_when_they_are_many(
    house: House, connection: Connection, bms: Sandbox, clock: Clock
) -> None:
    client = house.clients.client(connection)
    for _ in range(READ_AT_A_STRETCH):
        house.directory.allowance.take((connection.id, "warehouses"))
    assert len(await house.directory.warehouses(connection, client, sparing=True)) == 1
    bms.create("warehouses", Name="Second warehouse")
    for _ in range(9):
        clock.ahead += KEPT_UNDER_LOAD / 10
        assert len(await house.directory.warehouses(connection, client, sparing=True)) == 1
    assert bms.call_counts()[WAREHOUSES] == 1
    clock.ahead += KEPT_UNDER_LOAD / 5
    assert len(await house.directory.warehouses(connection, client, sparing=True)) == 2


async def test_people_see_what_bms_holds_however_much_is_being_synced(
    house: House, connection: Connection, bms: Sandbox, clock: Clock
) -> None:
    client = house.clients.client(connection)
    for _ in range(READ_AT_A_STRETCH + 1):
        house.directory.allowance.take((connection.id, "warehouses"))
    await house.directory.warehouses(connection, client)
    bms.create("warehouses", Name="Second warehouse")
    clock.ahead += timedelta(seconds=11)
    assert len(await house.directory.warehouses(connection, client)) == 2


async def test_what_was_read_live_is_kept_for_everybody(house: House, connection: Connection, bms: Sandbox) -> None:
    client = house.clients.client(connection)
    assert len(await house.directory.warehouses(connection, client)) == 1
    bms.create("warehouses", Name="Second warehouse")
    assert len(await house.directory.warehouses(connection, client)) == 1
    assert len(await house.directory.warehouses(connection, client, max_age=timedelta())) == 2
    assert len(await house.directory.warehouses(connection, client)) == 2


async def test_a_list_of_a_connection_that_was_deleted_meanwhile_is_still_answered(
    house: House, connection: Connection, clean_database: str
) -> None:
    client = house.clients.client(connection)
    await house.directory.statuses(connection, client)
    database = await asyncpg.connect(clean_database)
    try:
        await database.execute("DELETE FROM connections")
        assert await house.directory.employees(connection, client)
        assert await database.fetch("SELECT 1 FROM lookups") == []
    finally:
        await database.close()


async def test_records_come_back_from_the_database_as_they_were(house: House, connection: Connection) -> None:
    client = house.clients.client(connection)
    live = await house.directory.employees(connection, client)
    assert await house.directory.employees(connection, client) == live
    assert {row.email_address for row in live if not row.is_active} == {"ian@msp.example"}
