"""A leaky bucket per client address, so that keys cannot be guessed at speed; kept in this process."""

from collections import OrderedDict
from datetime import datetime, timedelta

HOLDS = 10
LEAKS_EVERY = timedelta(seconds=6)
MOST_KEPT = 10_000


class Buckets:
    """Each failed sign-in is a drop; a full bucket takes no more until one has leaked out."""

    def __init__(self, *, holds: int = HOLDS, leaks_every: timedelta = LEAKS_EVERY, most: int = MOST_KEPT) -> None:
        self._holds = holds
        self._leaks_every = leaks_every
        self._most = most
        self._levels: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def wait(self, client: str, *, now: datetime) -> timedelta | None:
        """How long this client has to wait; None when it may try now."""
        over = self._level(client, now) - (self._holds - 1)
        return over * self._leaks_every if over > 0 else None

    def add(self, client: str, *, now: datetime) -> None:
        """Count a failed sign-in."""
        self._levels[client] = (self._level(client, now) + 1, now)
        self._levels.move_to_end(client)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)

    def _level(self, client: str, now: datetime) -> float:
        level, at = self._levels.get(client, (0.0, now))
        return max(0.0, level - (now - at) / self._leaks_every)
