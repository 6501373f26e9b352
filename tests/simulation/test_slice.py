"""A slice of `make simulate`: the engine in virtual time, with crashes, faults and late answers decided by seeds."""

import pytest

from app.kaseya import KaseyaAmbiguousError
from app.sync import creates
from simulation.house import opened
from simulation.play import Play
from simulation.script import Script
from simulation.series import play_seeds

SLICE = (1, 5, 12, 14)
"""Seeds of few calls that between them crash, pause and meet faults."""
LATE_LINE_OF_BEFORE = 285
"""A line is applied late, as the quote was before it changed and its line was sent again."""
REPLAYED = 7


async def test_a_slice_of_seeds_leaves_every_quote_in_bms_once_and_as_it_should_be(playable: str) -> None:
    reports, failures = await play_seeds(playable, [*SLICE, LATE_LINE_OF_BEFORE])
    assert [(seed, complaint) for seed, complaint, _ in failures] == []
    assert sum(sum(report.faults.values()) for report in reports) > 0
    assert sum(report.crashes for report in reports) > 0
    assert sum(report.pauses for report in reports) > 0


async def test_a_seed_plays_again_exactly_as_before(playable: str) -> None:
    stories = []
    async with opened(playable) as engine:
        for _ in range(2):
            play = Play(Script.of_seed(REPLAYED), engine)
            await play.run()
            stories.append(play.trace)
    assert stories[0] == stories[1]


async def test_an_engine_that_sends_again_without_looking_is_found_out(
    playable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creates, "NOTHING_HAPPENED", (*creates.NOTHING_HAPPENED, KaseyaAmbiguousError))
    failures: list[tuple[int, str, list[str]]] = []
    for seed in range(60):
        _, failures = await play_seeds(playable, [seed])
        if failures:
            break
    ((_, complaint, _),) = failures
    assert complaint.startswith("SimulationError: ")
