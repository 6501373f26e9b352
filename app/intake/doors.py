"""What a connection's webhooks need to check a delivery, kept in the process for a moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

KEPT_FOR = timedelta(seconds=1)
MOST_DOORS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One connection's way in: its live signing secrets, Quoter's hash key, and the zone of its dates."""

    connection_id: str
    secrets: tuple[str, ...] = field(repr=False)
    quoter_hash_key: str | None = field(default=None, repr=False)
    zone: str = "UTC"


class Doors:
    """The doors opened lately. What is changed elsewhere is seen within ``kept_for``, or at once after a refusal.

    A door in use is read anew when half of that has passed, beside the requests, so that they need not wait for it; and
    once for all who do wait.
    """

    def __init__(
        self,
        load: Callable[[str], Awaitable[Door | None]],
        *,
        kept_for: timedelta = KEPT_FOR,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``load`` reads a connection's door, or None where there is no such connection."""
        self._load = load
        self._kept_for = kept_for.total_seconds()
        self._monotonic = monotonic
        self._doors: dict[str, tuple[float, Door]] = {}
        self._loading: dict[str, asyncio.Task[Door | None]] = {}

    async def find(self, connection_id: str) -> Door | None:
        """The door as it was within the last moment; None where there is no such connection."""
        kept = self._doors.get(connection_id)
        left = kept[0] - self._monotonic() if kept else 0.0
        if kept and left > 0:
            if left < self._kept_for / 2:
                self._load_once(connection_id)
            return kept[1]
        return await asyncio.shield(self._load_once(connection_id))

    async def reload(self, connection_id: str) -> Door | None:
        """The door as it is now: asked for when a signature fails, since a secret may just have been rotated."""
        self.forget(connection_id)
        door = await self._load(connection_id)
        self._keep(connection_id, door)
        return door

    def _load_once(self, connection_id: str) -> asyncio.Task[Door | None]:
        if connection_id not in self._loading:
            loading = asyncio.create_task(self._load_and_keep(connection_id))
            loading.add_done_callback(_heard)
            self._loading[connection_id] = loading
        return self._loading[connection_id]

    async def _load_and_keep(self, connection_id: str) -> Door | None:
        this = asyncio.current_task()
        try:
            door = await self._load(connection_id)
            if self._loading.get(connection_id) is this:  # else forgotten meanwhile, and perhaps read before that
                self._keep(connection_id, door)
            return door
        finally:
            if self._loading.get(connection_id) is this:
                del self._loading[connection_id]

    def _keep(self, connection_id: str, door: Door | None) -> None:
        self._doors.pop(connection_id, None)
        if door:
            if len(self._doors) >= MOST_DOORS:
                self._doors.clear()
            self._doors[connection_id] = (self._monotonic() + self._kept_for, door)

    def forget(self, connection_id: str) -> None:
        """Read the door anew at the next delivery."""
        self._doors.pop(connection_id, None)
        self._loading.pop(connection_id, None)


def _heard(loading: asyncio.Task[Door | None]) -> None:
    """Whoever waits for a door hears of its error; one that was read beside the requests is read again when needed."""
    if not loading.cancelled():
        loading.exception()
