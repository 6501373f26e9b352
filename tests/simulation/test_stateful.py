"""Hypothesis plays frontend, BMS, people and fate: whatever it does, BMS ends as the newest events want it."""

import asyncio
import random
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import or_, select

from app.db.tables import Event, Intent, Issue
from app.sync.mapping import marker
from simulation.house import opened
from simulation.orders import Order, OrderedWeather
from simulation.people import CONNECTION_ID
from simulation.play import Play
from simulation.processes import Engine
from simulation.quotes import Quote, make_quotes
from simulation.script import Script, Storm

FEW = settings(
    max_examples=8,
    stateful_step_count=10,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""A failing example is printed as it is: shrinking it would play it hundreds of times."""
ENDS = {"pending", "applied", "superseded", "unchanged", "rejected", "parked"}
CREATES = st.sampled_from(
    ["/crm/accounts$", "/crm/contacts/summary$", "/crm/opportunities$", "/crm/quotes$", "/lineItems/"]
)
WRITE_FAULTS = st.sampled_from(
    ["drop_before", "drop_after", "success_false", "error_before", "error_after", "truncated_body", "missing_id"]
)
SECONDS = st.sampled_from([1, 20, 61, 130, 400, 1000])


class Hands:
    """Runs the plays of one test, on one event loop and one database."""

    def __init__(self, runner: asyncio.Runner, engine: Engine) -> None:
        self.engine = engine
        self.run = runner.run


@pytest.fixture
def hands(playable_url: str) -> Iterator[Hands]:
    """What a test that is no coroutine itself needs to play."""
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        engine = opened(playable_url)
        yield Hands(runner, runner.run(engine.__aenter__()))
        runner.run(engine.__aexit__(None, None, None))


def _script(quotes: list[Quote], weather: OrderedWeather) -> Script:
    return Script(
        chance=random.Random(0), is_extended=True, storm=Storm(weather=weather), quotes=quotes, arrivals=[], workers=2
    )


class Fate(RuleBasedStateMachine):
    """Events come in any order, calls go wrong in every way, workers die anywhere, time passes, people answer."""

    def __init__(self, hands: Hands) -> None:
        super().__init__()
        self._hands = hands
        self._weather = OrderedWeather()
        self._delivered = set[tuple[int, int]]()
        self._play: Play | None = None

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        self._hands.run(work)

    @property
    def play(self) -> Play:
        assert self._play is not None
        return self._play

    @initialize(seed=st.integers(0, 30))
    def connect(self, seed: int) -> None:
        self._quotes = make_quotes(random.Random(seed))[:2]
        self._play = Play(_script(self._quotes, self._weather), self._hands.engine)
        self._run(self.play.begin())

    @rule(number=st.integers(0, 1), version=st.integers(0, 3), fault=st.none() | WRITE_FAULTS, path=CREATES)
    def deliver(self, number: int, version: int, fault: str | None, path: str) -> None:
        if fault is not None:
            self.have_a_create_go_wrong(fault, path)
        number %= len(self._quotes)
        version = version % len(self._quotes[number].events) + 1
        self._delivered.add((number, version))
        self._run(self.play.deliver(number, version))
        self._run(self.play.pass_time(timedelta(seconds=2)))

    def have_a_create_go_wrong(self, kind: str, path: str) -> None:
        self._weather.orders.append(Order(kind, path=path))

    @rule(path=CREATES, seconds=SECONDS)
    def have_a_create_applied_late(self, path: str, seconds: int) -> None:
        self._weather.orders.append(Order("late_apply", path=path, seconds=seconds))

    @rule(seconds=st.sampled_from([20, 90, 150]), times=st.integers(1, 4))
    def have_lists_be_behind(self, seconds: int, times: int) -> None:
        self._weather.orders.append(Order("stale_list", method="GET", seconds=seconds, times=times))

    @rule(kind=st.sampled_from(["drop_after", "error_after", "timeout"]))
    def have_an_update_go_wrong(self, kind: str) -> None:
        self._weather.orders.append(Order(kind, method="PUT"))

    @precondition(lambda self: self._delivered)
    @rule(moves=st.integers(1, 60))
    def kill_a_worker(self, moves: int) -> None:
        self._run(self.play.crash_after(moves))

    @rule(seconds=SECONDS)
    def let_time_pass(self, seconds: int) -> None:
        self._run(self.play.pass_time(timedelta(seconds=seconds)))

    @rule()
    def answer_people(self) -> None:
        self._run(self.play.answer_people())

    @invariant()
    def nothing_goes_back_and_nothing_is_twice_unnoticed(self) -> None:
        if self._play is not None:
            self.play.verdict.watch()
            self._run(self._check())

    async def _check(self) -> None:
        async with self._hands.engine.database.transaction() as session:
            events = list(await session.scalars(select(Event)))
            in_doubt = Intent.kind == "opportunity", or_(Intent.state == "open", Intent.audit_at.is_not(None))
            doubted = set(await session.scalars(select(Intent.quote_id).where(*in_doubt)))
            told = set(await session.scalars(select(Issue.quote_id).where(Issue.code == "duplicate-found")))
        for quote in self._quotes:
            mark = marker(CONNECTION_ID, quote.quote_id)
            held = [row for row in self.play.world.store.all("opportunities") if mark in (row["Description"] or "")]
            assert len(held) <= 1 or quote.quote_id in doubted | told
        stored = [event.webhook_id for event in events]
        assert sorted(filter(None, stored)) == sorted(
            f"{self._quotes[number].quote_id}-{version}" for number, version in self._delivered
        )
        assert {event.disposition for event in events} <= ENDS

    def teardown(self) -> None:
        if self._play is None:
            return
        try:
            for number, quote in enumerate(self._quotes):
                self._run(self.play.deliver(number, len(quote.events)))
            self._run(self.play.end())
        finally:
            self._run(self.play.stage.clear())


def test_whatever_fate_does_bms_ends_as_the_newest_events_want_it(hands: Hands) -> None:
    run_state_machine_as_test(lambda: Fate(hands), settings=FEW)  # type: ignore[arg-type] # it takes any factory


def test_any_choice_order_and_repetition_of_events_with_the_newest_ends_in_the_same_bms(hands: Hands) -> None:
    quotes = [max(make_quotes(random.Random(21)), key=lambda quote: len(quote.events))]
    newest = len(quotes[0].events)
    assert newest > 2, "a quote with a life"
    shown = set[str]()

    @settings(parent=FEW, max_examples=6)
    @given(st.lists(st.integers(1, newest), max_size=6), st.integers(0, 6), st.sampled_from([0, 1, 30]))
    def play(others: list[int], place: int, pause: int) -> None:
        versions = [*others[:place], newest, *others[place:]]
        shown.add(hands.run(_shown_after(hands.engine, quotes, versions, timedelta(seconds=pause))))

    play()
    assert len(shown) == 1, shown


async def _shown_after(engine: Engine, quotes: list[Quote], versions: list[int], pause: timedelta) -> str:
    """What BMS shows of the quote, after these of its events in this order."""
    play = Play(_script(quotes, OrderedWeather()), engine)
    try:
        await play.begin()
        for version in versions:
            await play.deliver(0, version)
            await play.pass_time(pause)
        await play.end()
    finally:
        await play.stage.clear()
    fields = {
        "opportunities": ("StatusId", "Amount", "CloseDate", "Subject"),
        "lines": ("Name", "Quantity", "UnitPrice"),
    }
    return str(
        {
            name: sorted(str([row[each] for each in of]) for row in play.world.store.all(name))
            for name, of in fields.items()
        }
    )
