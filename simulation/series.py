"""A series of seeds, one after the other, on a database of its own."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

import uvloop

from simulation.house import hush, make_database, opened
from simulation.play import Play, Report
from simulation.script import Script

Failure = tuple[int, str, list[str]]
"""A seed, what is wrong with it, and its story."""
LOOK_UPS_KEPT = timedelta(minutes=1)
"""Look-ups decide nothing here that a lost answer could spoil, and reading one costs as much as a create."""


def play_share(url: str, number: int, seeds: Sequence[int], is_told: bool) -> tuple[list[Report], list[Failure]]:  # noqa: FBT001 - it crosses to another process
    """Play a share of the seeds in a process of its own."""
    hush()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        database_url = runner.run(make_database(url, f"simulation_{number}"))
        return runner.run(play_seeds(database_url, seeds, is_told=is_told))


async def play_seeds(
    database_url: str, seeds: Iterable[int], *, is_told: bool = False
) -> tuple[list[Report], list[Failure]]:
    """Play seeds one after the other on a prepared database; ``is_told`` prints the story of each."""
    reports, failures = list[Report](), list[Failure]()
    async with opened(database_url, look_ups_kept=LOOK_UPS_KEPT) as engine:
        for seed in seeds:
            play = Play(Script.of_seed(seed), engine)
            try:
                reports.append(await play.run())
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the seed has failed
                failures.append((seed, f"{type(error).__name__}: {error}", play.trace))
            if is_told:
                print("\n".join(play.trace), flush=True)
    return reports, failures
