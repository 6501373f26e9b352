"""The call budget over hours: three replicas whose clocks differ, one starts anew, and BMS counts with them."""

import random
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from app.connections.clients import Clients, Pulse
from app.db.tables import Connection
from app.kaseya import KaseyaThrottledError, KaseyaTransientError
from simulation.people import CONNECTION_ID
from simulation.quotes import STARTED
from simulation.stage import Stage
from simulation.wire import Weather
from tests.reliability.virtual import Shift, many_quotes, shift

LIMIT = 50
HOURS = 5
SEARCH = "GET /v2/crm/opportunities"
SKEWS = (timedelta(seconds=-5), timedelta(), timedelta(seconds=5))


def _rough(_: Stage) -> Weather:
    return Weather(random.Random(5), 0.05, frozenset({"drop_before", "drop_after", "error_before", "error_after"}))


def _replica(worker: Shift, connection: Connection, skew: timedelta) -> Callable[[], Coroutine[Any, Any, None]]:
    """A hungry process: it searches as fast as it is let, and waits exactly as long as it is told."""
    stage, engine = worker.stage, worker.engine
    pulse = Pulse(clock=lambda: stage.clock() + skew, monotonic=stage.monotonic, sleep=stage.sleep)
    clients = Clients(engine.database, engine.vault, worker.wire, engine.settings, pulse=pulse)

    async def search_for_ever() -> None:
        client = clients.client(connection)
        while True:
            try:
                await client.opportunities.search(account_id=1)
            except KaseyaThrottledError as error:
                await stage.sleep((error.retry_after or timedelta.max).total_seconds())
            except KaseyaTransientError:
                await stage.sleep(0.1)

    return search_for_ever


async def _play(stage: Stage, *, until: datetime) -> None:
    """Let everybody act in turn, and the clock jump to who wakes first when all sleep."""
    while stage.now < until:
        awake = [actor for actor in stage.actors if actor.wakes_at is None or actor.wakes_at <= stage.now]
        for actor in awake:
            await stage.move(actor)
            assert not actor.is_done, actor.task
        if not awake:
            wakes = [actor.wakes_at for actor in stage.actors if actor.wakes_at is not None]
            await stage.advance(min(until, *wakes))


def _fullest_hour(called: list[datetime]) -> int:
    hour = timedelta(hours=1)
    return max(sum(first <= each < first + hour for each in called) for first in called)


async def test_no_hour_of_three_replicas_holds_more_than_the_limit_and_95_percent_of_it_are_used(
    empty_database_url: str,
) -> None:
    async with shift(empty_database_url, _rough, kaseya_call_limit=LIMIT) as (worker, weather, world):
        world.settings = world.settings.changed({"call_limit": LIMIT})
        async with worker.engine.database.transaction() as session:
            connection = await session.get(Connection, CONNECTION_ID)
            assert connection is not None
            session.expunge_all()
        first, *_ = [worker.stage.enter(f"replica {skew}", _replica(worker, connection, skew)) for skew in SKEWS]
        await worker.stage.settle_in()
        await _play(worker.stage, until=STARTED + timedelta(hours=HOURS / 2))
        await worker.stage.kill(first)
        worker.stage.enter("the first again", _replica(worker, connection, SKEWS[0]))
        await worker.stage.settle_in()
        await _play(worker.stage, until=STARTED + timedelta(hours=HOURS))
        called = sorted(call.at for call in world.calls if f"{call.method} {call.template}" == SEARCH)
        assert not world.violations, "BMS itself counted more than the limit in some hour"
        assert sum(weather.met.values()) > 0
        assert _fullest_hour(called) <= LIMIT
        assert len(called) >= 0.95 * LIMIT * HOURS


class LosingOneAnswer(Weather):
    """BMS makes the opportunity, and its answer is lost."""

    def fault(self, method: str, path: str) -> str | None:
        """What goes wrong with this call."""
        is_it = f"{method} {path}" == "POST /v2/crm/opportunities" and not self.met
        return "drop_after" if is_it else None


async def test_a_look_for_a_lost_answer_may_use_the_reserve_of_a_budget_that_is_spent(empty_database_url: str) -> None:
    def weather(_: Stage) -> Weather:
        return LosingOneAnswer(random.Random(1), 1, frozenset())

    async with shift(empty_database_url, weather, kaseya_call_limit=LIMIT) as (worker, _, world):
        async with worker.engine.database.transaction() as session:
            connection = await session.get(Connection, CONNECTION_ID)
            assert connection is not None
            session.expunge_all()
        spender = worker.stage.enter("spender", _replica(worker, connection, timedelta()))
        await worker.stage.settle_in()
        await _play(worker.stage, until=STARTED + timedelta(minutes=1))
        await worker.stage.kill(spender)
        spent = sum(f"{call.method} {call.template}" == SEARCH for call in world.calls)
        assert LIMIT * 0.9 < spent < LIMIT, "what is left is the reserve"
        await worker.accept(many_quotes(1))
        await worker.work()
        (synced_at,) = await worker.synced_at()
        assert synced_at - STARTED < timedelta(minutes=10), "it did not wait for room in the window"
        assert await worker.states() == {"synced": 1}
