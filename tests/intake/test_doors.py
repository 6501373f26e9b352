"""Doors: what is kept for a moment is read once for all who wait, and beside the requests while it is in use."""

import asyncio
from datetime import timedelta

import pytest

from app.intake.doors import Door, Doors


class House:
    """Counts what is read; a read waits until it is let go."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.secret = "first"
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.doors = Doors(self.load, kept_for=timedelta(seconds=1), monotonic=lambda: self.now)

    async def load(self, connection_id: str) -> Door | None:
        self.reads += 1
        secret = self.secret
        await self.may_answer.wait()
        return Door(connection_id=connection_id, secrets=(secret,))

    async def secret_of(self) -> str:
        door = await self.doors.find("con_1")
        assert door is not None
        return door.secrets[0]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_many_who_wait_are_served_by_one_read() -> None:
    house = House()
    assert await asyncio.gather(*(house.secret_of() for _ in range(32))) == ["first"] * 32
    assert house.reads == 1


async def test_a_door_in_use_is_read_anew_without_anybody_waiting() -> None:
    house = House()
    await house.secret_of()
    house.secret, house.now = "second", 0.6
    house.may_answer.clear()
    assert [await house.secret_of() for _ in range(5)] == ["first"] * 5
    house.may_answer.set()
    await settled()
    assert await house.secret_of() == "second"
    assert house.reads == 2


async def test_nobody_is_served_what_is_older_than_its_time() -> None:
    house = House()
    await house.secret_of()
    house.secret, house.now = "second", 1.0
    assert await house.secret_of() == "second"


async def test_what_was_read_before_it_was_forgotten_is_not_kept() -> None:
    house = House()
    house.may_answer.clear()
    waiting = asyncio.create_task(house.secret_of())
    await settled()
    house.doors.forget("con_1")
    house.secret = "second"
    house.may_answer.set()
    await waiting
    assert await house.secret_of() == "second"


async def test_a_reload_is_a_read_of_its_own() -> None:
    house = House()
    house.may_answer.clear()
    waiting = asyncio.create_task(house.secret_of())
    await settled()
    house.secret = "second"
    reloading = asyncio.create_task(house.doors.reload("con_1"))
    await settled()
    house.may_answer.set()
    await waiting
    reloaded = await reloading
    assert reloaded is not None
    assert reloaded.secrets == ("second",)
    assert await house.secret_of() == "second"


async def test_all_who_wait_hear_of_an_error_and_the_next_one_tries_again() -> None:
    house, fail = House(), True

    async def load(connection_id: str) -> Door | None:
        if fail:
            raise ConnectionResetError
        return await house.load(connection_id)

    doors = Doors(load)
    found = await asyncio.gather(doors.find("con_1"), doors.find("con_1"), return_exceptions=True)
    assert [type(each) for each in found] == [ConnectionResetError] * 2
    fail = False
    assert await doors.find("con_1") is not None


async def test_a_request_that_is_given_up_does_not_take_the_door_from_the_others() -> None:
    house = House()
    house.may_answer.clear()
    gone, stays = asyncio.create_task(house.secret_of()), asyncio.create_task(house.secret_of())
    await settled()
    gone.cancel()
    await settled()
    house.may_answer.set()
    assert await stays == "first"
    with pytest.raises(asyncio.CancelledError):
        await gone
