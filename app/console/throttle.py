"""Counts of failed sign-ins, so that keys cannot be guessed at speed, wherever they are sent from; in this process."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.connections.keys import digest_of

MOST_KEPT = 10_000
PREFIX_LETTERS = 8
"""So much of a key is `qb_` and five letters: enough to tell keys apart, far too little to be one."""


class ThrottledError(Exception):
    """There were too many failed sign-ins; ``wait`` is after how long the next one is looked at."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"There were too many failed sign-ins; wait {wait}.")
        self.wait = wait


class Buckets:
    """Leaky buckets by name: each failed sign-in is a drop; a full one takes no more until a drop has leaked out."""

    def __init__(self, *, holds: int, leaks_every: timedelta, most: int = MOST_KEPT) -> None:
        self._holds = holds
        self._leaks_every = leaks_every
        self._most = most
        self._levels: OrderedDict[object, tuple[float, datetime]] = OrderedDict()

    def wait(self, name: object, *, now: datetime) -> timedelta:
        """How long until this bucket takes another drop; nothing when it takes one now."""
        over = self._level(name, now) - (self._holds - 1)
        return max(over, 0.0) * self._leaks_every

    def add(self, name: object, *, now: datetime) -> None:
        """Let a drop fall in."""
        self._keep(name, self._level(name, now) + 1, now)

    def take_back(self, name: object, *, now: datetime) -> None:
        """Take a drop out again."""
        self._keep(name, max(0.0, self._level(name, now) - 1), now)

    def _keep(self, name: object, level: float, now: datetime) -> None:
        _, at = self._levels.get(name, (0.0, now))
        self._levels[name] = (level, max(at, now))
        self._levels.move_to_end(name)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)

    def _level(self, name: object, now: datetime) -> float:
        level, at = self._levels.get(name, (0.0, now))
        return max(0.0, level - max(now - at, timedelta()) / self._leaks_every)


def _of_one() -> Buckets:
    return Buckets(holds=10, leaks_every=timedelta(seconds=6))


def _of_all() -> Buckets:
    return Buckets(holds=100, leaks_every=timedelta(seconds=1), most=1)


@dataclass(slots=True)
class Tried:
    """A try whose outcome is told by whoever makes it."""

    failed: bool = False


@dataclass(frozen=True, slots=True)
class Throttle:
    """Counts failed sign-ins three times: by address, by how the key begins, and all of them.

    So many addresses together cannot guess faster, neither at one key nor at any. Whoever is signed in stays signed in
    meanwhile, and the API goes on: its keys have 256 random bits, and an admin token has 32 characters or more.
    """

    by_client: Buckets = field(default_factory=_of_one)
    by_prefix: Buckets = field(default_factory=_of_one)
    over_all: Buckets = field(default_factory=_of_all)

    @contextmanager
    def trying(self, client: str, key: str, *, now: datetime) -> Iterator[Tried]:
        """Count a try as failed while it is made, so that many at once are counted, too; a good one is not kept.

        Raises:
            ThrottledError: One of the buckets is full.
        """
        counts = (self.by_client, client), (self.by_prefix, digest_of(key[:PREFIX_LETTERS])), (self.over_all, None)
        wait = max(buckets.wait(name, now=now) for buckets, name in counts)
        if wait:
            raise ThrottledError(wait)
        for buckets, name in counts:
            buckets.add(name, now=now)
        tried = Tried()
        try:
            yield tried
        finally:
            if not tried.failed:  # it was good, or could not be looked at
                for buckets, name in counts:
                    buckets.take_back(name, now=now)
