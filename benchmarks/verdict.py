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

    @property
    def cells(self) -> tuple[str, str, str]:
        """What the table says of it: what, target, measured."""
        return self.what, self.target, self.measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmeasured:
    """A row that came to no figure; ``crashed`` where it broke, and not merely took too long."""

    row: int
    what: str
    reason: str
    crashed: bool

    @property
    def ok(self) -> bool:
        """It has not reached its target."""
        return False

    @property
    def cells(self) -> tuple[str, str, str]:
        """What the table says of it: what, no target, and why there is no figure."""
        return self.what, "", self.reason


Outcome = Verdict | Unmeasured
