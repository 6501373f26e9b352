"""What stands before every HTTP try: a gate that may refuse it, and hears how it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP try. `number` counts the tries of one Transport from 1, sign-in and refresh included."""

    method: str
    template: str
    path: str
    is_write: bool
    number: int

    @property
    def endpoint(self) -> str:
        """The budget's key: method and the vendor's own path template."""
        return f"{self.method} {self.template}"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try went. `status` is None where none came; `outcome` is "ok" or the error class's own word."""

    status: int | None
    outcome: str
    duration: timedelta
    error: str | None = None


class CallGate(Protocol):
    """Budget, breaker, lease and record of calls, from the outside."""

    async def admit(self, call: Call) -> float | None:
        """Let the try pass, or raise to refuse it; what is raised reaches the caller untouched.

        A number is the last moment, in seconds of the Transport's `monotonic` clock, at which it may go out.
        """

    async def answered(self, call: Call, answer: Answer) -> None:
        """Hear how an admitted try went; called exactly once for each, failed and unsent ones too."""


class OpenGate:
    """Lets everything pass."""

    async def admit(self, call: Call) -> float | None:
        """Admit at any time."""
        del call
        return None

    async def answered(self, call: Call, answer: Answer) -> None:
        """Take no note."""
