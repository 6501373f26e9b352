"""Why a run stopped short, said in a way that decides what happens next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a person is told about a quote that stopped: what, why, and how to mend it."""

    code: str
    title: str
    detail: str
    remedy: str
    setting: str | None = None
    candidates: Sequence[Mapping[str, Any]] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


class NeedsPersonError(Exception):
    """The run cannot go on without a person: it becomes an issue."""

    def __init__(self, problem: Problem) -> None:
        """``problem`` is what the issue will say."""
        super().__init__(problem.detail)
        self.problem = problem


class InDoubtError(Exception):
    """A create was sent and its answer is missing: wait until ``look_at``, then look whether BMS has applied it."""

    def __init__(self, look_at: datetime, what: str) -> None:
        """``what`` names the record that is in doubt."""
        super().__init__(f"BMS may or may not have created the {what}; looking again at {look_at:%H:%M:%S} UTC")
        self.look_at = look_at


class AnotherMakesItError(Exception):
    """Another quote is creating the same record right now: wait for it and take what it made."""


class OutdatedPlanError(Exception):
    """BMS was not as our links said; they are put right, so the run starts again at once with a new plan."""


class DatabaseAwayError(Exception):
    """Our own database was away in the middle of the run; what was committed until then stands."""


class ExpiredError(Exception):
    """The quote's date passed while it waited, and BMS cannot backdate: what is in BMS stays as it is."""


def setting_gone(setting: str, what: str, kaseya_id: int) -> NeedsPersonError:
    """A record that a setting names has gone from BMS."""
    return NeedsPersonError(
        Problem(
            code="setting-reference-gone",
            title=f"A setting names a {what} that is not in BMS any more",
            detail=f"The setting {setting} names the {what} {kaseya_id}, which BMS does not have (any more).",
            remedy=f"Choose another {what} for {setting} in the settings; saving them tries this quote again.",
            setting=setting,
        )
    )
