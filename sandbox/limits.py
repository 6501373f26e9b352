"""The hourly limit: so many calls per verb and path template in any rolling window."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime, timedelta


class CallLimits:
    """Counts what was let through per key; what was refused does not count."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._passed: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def clear(self) -> None:
        """Forget all calls."""
        self._passed.clear()

    def admit(self, key: str, *, limit: int, window: timedelta) -> int | None:
        """Let a call through and return None, or return after how many whole seconds the next one may come."""
        now = self._now()
        passed = self._passed[key]
        while passed and passed[0] <= now - window:
            passed.popleft()
        if len(passed) < limit:
            passed.append(now)
            return None
        oldest = passed[0] if passed else now
        return max(1, math.ceil((oldest + window - now).total_seconds()))
