"""Bars for inline SVG: from counts per hour to rectangles. Pure; colours are classes, since styles are not allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 180, 34, 22, 8
GAP = 0.22
"""The part of a bar's place that stays empty."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle, in the units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at a place: of a line across, or below a bar."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of stacked bars."""

    bars: tuple[Bar, ...]
    lines: tuple[Mark, ...]
    labels: tuple[Mark, ...]
    legend: tuple[tuple[str, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    base: int = HEIGHT - BOTTOM

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return not self.bars


def stacked(
    columns: Sequence[tuple[str, Mapping[str, int]]], tones: Mapping[str, tuple[str, str]], *, label_every: int = 3
) -> Chart:
    """A column per label, stacked by kind in the order of ``tones`` (kind → its name and tone)."""
    highest = _round_up(max((sum(counts.values()) for _, counts in columns), default=0))
    place = (WIDTH - LEFT) / max(1, len(columns))
    scale = (HEIGHT - BOTTOM - TOP) / highest
    bars = []
    for index, (label, counts) in enumerate(columns):
        y = float(HEIGHT - BOTTOM)
        for kind, (name, tone) in tones.items():
            if count := counts.get(kind, 0):
                height = count * scale
                y -= height
                x = LEFT + place * (index + GAP / 2)
                bars.append(Bar(x, y, place * (1 - GAP), height, tone, f"{label}: {count:,} {name.lower()}"))
    present = {kind for _, counts in columns for kind, count in counts.items() if count}
    return Chart(
        bars=tuple(bars),
        lines=tuple(Mark(HEIGHT - BOTTOM - value * scale, f"{value:,}") for value in _ticks(highest)),
        labels=tuple(
            Mark(LEFT + place * (index + 0.5), label)
            for index, (label, _) in enumerate(columns)
            if index % label_every == 0
        ),
        legend=tuple(said for kind, said in tones.items() if kind in present),
    )


def _ticks(highest: int) -> list[int]:
    return sorted({0, highest // 2, highest})


def _round_up(highest: int) -> int:
    """The next of 2, 4, 10, 20, 40, 100 …, so that the lines stand at whole, readable numbers."""
    unit = 1
    while True:
        for factor in (2, 4, 10):
            if highest <= factor * unit:
                return factor * unit
        unit *= 10
