"""The script of a play: which quotes live, when their events arrive, who works, and how rough it gets."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from simulation.quotes import Arrival, Quote, arrivals, make_quotes
from simulation.wire import ALL_KINDS, Weather


@dataclass(slots=True, kw_only=True)
class Storm:
    """How rough a play is: how likely a process crashes or pauses where it stands, and what BMS does."""

    crash: float = 0
    pause: float = 0
    weather: Weather

    def calm(self) -> None:
        """Nobody crashes or pauses any more, and BMS behaves."""
        self.crash = self.pause = 0
        self.weather.calm()


@dataclass(slots=True, kw_only=True)
class Script:
    """Everything that a play is given; ``chance`` decides the order of moves."""

    chance: random.Random
    is_extended: bool
    storm: Storm
    quotes: Sequence[Quote]
    arrivals: list[Arrival]
    workers: int = 1

    @classmethod
    def of_seed(cls, seed: int) -> Self:
        """The script that a seed stands for."""
        chance = random.Random(seed)
        is_extended = chance.random() < 0.75  # noqa: PLR2004 - three quarters
        kinds = frozenset(chance.sample(ALL_KINDS, chance.randint(1, len(ALL_KINDS))))
        weather = Weather(chance, chance.choice((0, 0.03, 0.1, 0.25)), kinds)
        storm = Storm(crash=chance.choice((0, 0.005, 0.02)), pause=chance.choice((0, 0.005)), weather=weather)
        quotes = make_quotes(chance)
        return cls(
            chance=chance,
            is_extended=is_extended,
            storm=storm,
            quotes=quotes,
            arrivals=arrivals(quotes, chance),
            workers=chance.randint(1, 3),
        )
