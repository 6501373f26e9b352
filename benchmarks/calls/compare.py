"""Ours, the floor and the naive integration on one workload."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.bench import Bench
from benchmarks.calls.bms import open_bms
from benchmarks.calls.floor import Terms, floor_of
from benchmarks.calls.naive import Naive
from benchmarks.calls.ours import Play, open_play
from benchmarks.calls.workload import QUOTES_PER_DAY, STARTED, Event, Quote, Workload

SAMPLED_CUSTOMERS = 2
"""One whom BMS knows and one whom it does not, with all of their quotes."""
OF_LINES = ("/lineItems", "/services/", "/products")
NO_LIMIT = 10**9


class UnfairError(Exception):
    """A comparison would not be one: somebody broke the contract, or did not finish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Calls a quote; ``idle_calls`` are all that went out for events, syncs and a restart that changed nothing."""

    ours: float
    floor: float
    naive: float
    idle_calls: int

    @property
    def over_floor(self) -> float:
        """How many times the floor ours is."""
        return self.ours / self.floor

    @property
    def under_naive(self) -> float:
        """How many times fewer ours is than the naive integration."""
        return self.naive / self.ours

    def __str__(self) -> str:
        return (
            f"{self.ours:.1f} calls a quote, {self.over_floor:.3f} x the floor, "
            f"{self.under_naive:.1f} x fewer than naive, {self.idle_calls} when nothing changed"
        )


async def compare(bench: Bench, workload: Workload, terms: Terms) -> Comparison:
    """Play all three. Raises UnfairError."""
    quotes = len(workload.quotes)
    ours, idle = await count_ours(bench, workload, terms)
    return Comparison(
        ours=ours.total() / quotes,
        floor=floor_of(workload, terms, is_new=is_new(workload)).total() / quotes,
        naive=await count_naive(workload, terms),
        idle_calls=idle.total(),
    )


async def count_ours(bench: Bench, workload: Workload, terms: Terms) -> tuple[Counter[str], Counter[str]]:
    """Our calls for the workload, and those for what changes nothing after it. Raises UnfairError."""
    async with open_play(bench, workload, terms) as play:
        if not is_new(workload):
            play.forget_first_look_ups()
            await play.remember_items()
        await play.play()
        await _check(play, len(workload.quotes))
        ours = play.calls
        play.forget_calls()
        await _change_nothing(play, workload)
        await _check(play, len(workload.quotes))
        return ours, play.calls


def is_new(workload: Workload) -> bool:
    """Whether a workload begins on a new connection: a part of a day begins where earlier quotes have been."""
    return len(workload.quotes) >= QUOTES_PER_DAY


async def _change_nothing(play: Play, workload: Workload) -> None:
    """Every quote's last event comes once more as a newer one; every quote is synced again; the process restarts."""
    await play.deliver([(_again(quote), quote) for quote in workload.quotes])
    await play.work_off()
    await play.sync_again()
    await play.work_off()
    play.restart()
    await play.sync_again()
    await play.work_off()


def _again(quote: Quote) -> Event:
    last = quote.events[-1]
    return replace(last, version=last.version + 1)


async def _check(play: Play, quotes: int) -> None:
    states = await play.states()
    if states != {"synced": quotes} or play.violations:
        message = f"Not every quote was synced as the contract wants it: {states}, {play.violations[:1]}"
        raise UnfairError(message)


async def count_naive(workload: Workload, terms: Terms) -> float:
    """The naive integration's calls a quote, by the quotes of some customers. Raises UnfairError."""
    bms = open_bms(workload, contract=terms.contract, clock=lambda: STARTED, sleep=asyncio.sleep)
    world = bms.state.world
    world.settings = world.settings.changed({"call_limit": NO_LIMIT})  # it would be stopped by the budget, too
    naive, sample = Naive(bms, terms), workload.of_customers(SAMPLED_CUSTOMERS)
    await naive.play(sample)
    if world.violations:
        message = f"The naive integration broke the contract: {world.violations[0]}"
        raise UnfairError(message)
    for_lines = sum(count for call, count in naive.calls.items() if any(part in call for part in OF_LINES))
    lines = _lines(workload.quotes) / len(workload.quotes) * len(sample) / _lines(sample)
    return (naive.calls.total() - for_lines + for_lines * lines) / len(sample)


def _lines(quotes: Sequence[Quote]) -> int:
    return sum(len(event.state.lines) for quote in quotes for event in quote.events)
