"""BMS is away for hours: nothing becomes an issue, asking costs next to nothing, and its return is seen at once."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from simulation.quotes import STARTED
from simulation.stage import Stage
from tests.reliability.virtual import Outage, many_quotes, shift

QUOTES = 12
FOUR_PERCENT = 60
"""Of the 1500 calls an hour that BMS allows to each endpoint."""


def _away(kind: str, hours: float, *, hits: Callable[[str], bool] = lambda path: True) -> Callable[[Stage], Outage]:  # noqa: ARG005 - every path
    until = STARTED + timedelta(hours=hours)

    def make(stage: Stage) -> Outage:
        return Outage(random.Random(1), 1, frozenset(), stage=stage, kind=kind, until=until, hits=hits)

    return make


@pytest.mark.parametrize(
    ("weather", "seen_within"),
    [
        pytest.param(_away("unsent", 6), timedelta(seconds=60), id="nobody answers"),
        pytest.param(_away("error_before", 1), timedelta(seconds=60), id="a gateway answers 5xx"),
        pytest.param(
            _away("error_before", 1, hits=lambda path: "/crm/" in path),
            timedelta(seconds=70),
            id="strangers are answered, work is not",
        ),
    ],
)
async def test_hours_without_bms_open_no_issue_and_cost_few_calls_and_its_return_is_seen_at_once(
    empty_database_url: str, weather: Callable[[Stage], Outage], seen_within: timedelta
) -> None:
    async with shift(empty_database_url, weather) as (worker, outage, world):
        await worker.accept(many_quotes(QUOTES))
        await worker.work(is_over=lambda: outage.back_at is not None)
        assert outage.back_at is not None
        assert (await worker.states()).keys() <= {"retrying", "pending", "syncing"}
        busiest = max(outage.tried.values())
        assert busiest < FOUR_PERCENT, outage.tried
        await worker.work()
        first, *_, last = await worker.synced_at()
        assert first - outage.back_at <= seen_within, "the last probe met the outage's last moment"
        assert last - outage.back_at <= timedelta(minutes=5)
        assert (await worker.states(), await worker.issues()) == ({"synced": QUOTES}, [])
        assert not world.violations
