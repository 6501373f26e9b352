"""What a row of the table came to."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a row's plot; its unit is the verdict's."""

    label: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A row that was measured.

    ``bound`` is one sentence: what bounds the figure, or, where it misses its target, what was tried and what stands in
    the way. The first of ``bars`` is ours, and stands out in the plot; the others are what it is compared with.
    """

    row: int
    what: str
    target: str
    measured: str
    ok: bool
    bound: str
    bars: Sequence[Bar] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmeasured:
    """A row that came to no figure; ``crashed`` where it broke, and not merely took too long."""

    row: int
    what: str
    reason: str
    crashed: bool


Outcome = Verdict | Unmeasured
