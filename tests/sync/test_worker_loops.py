"""No error ends a loop of the worker: it is told, counted, and the loop goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from app.house import House, open_house
from app.main import create_app
from app.sync.drift import DriftSweeper
from app.sync.engine import Engine
from app.sync.loops import Loops
from app.sync.notice_delivery import Deliverer
from app.sync.sweeps import Sweeper
from app.sync.worker import Worker
from tests.fixtures.engine import BRISK
from tests.fixtures.management import settings_for, with_state


class Clock:
    """Seconds that pass only while somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loops(clock: Clock) -> Loops:
    return Loops(monotonic=clock.monotonic, sleep=clock.sleep)


def fails(times: int) -> Callable[[], Awaitable[None]]:
    left = times

    async def loop() -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise RuntimeError("nobody foresaw this")

    return loop


def errors_of(name: str) -> float:
    return REGISTRY.get_sample_value("quotebridge_loop_errors_total", {"loop": name}) or 0


async def test_a_loop_that_fails_goes_on_after_pauses_that_grow(loops: Loops, clock: Clock) -> None:
    before = errors_of("sweeps")
    await loops.keep("sweeps", fails(8))
    assert clock.slept == [1, 2, 4, 8, 16, 30, 30, 30]
    assert errors_of("sweeps") == before + 8


async def test_a_loop_that_keeps_failing_is_named_until_it_has_been_well_for_a_while(
    loops: Loops, clock: Clock
) -> None:
    await loops.keep("sweeps", fails(2))
    assert loops.failing() == []
    await loops.keep("notices", fails(3))
    assert loops.failing() == ["notices"]
    clock.now += 301
    assert loops.failing() == []


async def test_errors_that_lie_far_apart_are_not_taken_for_one_trouble(loops: Loops, clock: Clock) -> None:
    for _ in range(3):
        await loops.keep("drift", fails(1))
        clock.now += 301
    assert loops.failing() == []
    assert clock.slept == [1, 1, 1]


@pytest.fixture
async def house(clean_database: str) -> AsyncIterator[House]:
    async with open_house(settings_for(clean_database, **{**BRISK, "lease_seconds": 0.03})) as house:
        yield house


@pytest.mark.parametrize(
    ("owner", "method", "name"),
    [
        (Sweeper, "run", "sweeps"),
        (Deliverer, "run", "notices"),
        (DriftSweeper, "run", "drift"),
        (Engine, "_renew", "heartbeat"),
        (Engine, "_turn", "claims"),
    ],
)
async def test_whatever_loop_of_the_worker_fails_is_begun_again(
    house: House, loops: Loops, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, name: str
) -> None:
    before, begun_again = errors_of(name), asyncio.Event()
    real = getattr(owner, method)
    failures = iter(range(4))

    async def at_first_it_fails(self: Any) -> None:
        if next(failures, None) is not None:
            raise RuntimeError("nobody foresaw this")
        begun_again.set()
        await real(self)

    monkeypatch.setattr(owner, method, at_first_it_fails)
    worker = Worker(house, loops=loops)
    running = asyncio.create_task(worker.run())
    await begun_again.wait()
    assert (errors_of(name), loops.failing()) == (before + 4, [name])
    await worker.stop()
    await running


async def test_readyz_names_loops_that_keep_failing_and_events_are_taken_all_the_same(clean_database: str) -> None:
    app = create_app(settings_for(clean_database))
    async with app.router.lifespan_context(app) as state:
        served = dict(state or {})
        served["loops"] = loops = Loops(sleep=lambda _: asyncio.sleep(0))
        transport = httpx.ASGITransport(with_state(app, served))
        async with httpx.AsyncClient(transport=transport, base_url="http://quotebridge.test") as api:
            assert (await api.get("/readyz")).json() == {"status": "ok", "failing": []}
            await loops.keep("drift", fails(3))
            answer = await api.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "failing": ["drift"]})
