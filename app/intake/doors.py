"""What a connection's webhooks need to check a delivery, kept in the process for a moment."""

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
    """The doors opened lately. What is changed elsewhere is seen within ``kept_for``, or at once after a refusal."""

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

    async def find(self, connection_id: str) -> Door | None:
        """The door as it was within the last moment; None where there is no such connection."""
        kept = self._doors.get(connection_id)
        if kept and self._monotonic() < kept[0]:
            return kept[1]
        return await self.reload(connection_id)

    async def reload(self, connection_id: str) -> Door | None:
        """The door as it is now: asked for when a signature fails, since a secret may just have been rotated."""
        door = await self._load(connection_id)
        self._doors.pop(connection_id, None)
        if door:
            if len(self._doors) >= MOST_DOORS:
                self._doors.clear()
            self._doors[connection_id] = (self._monotonic() + self._kept_for, door)
        return door

    def forget(self, connection_id: str) -> None:
        """Read the door anew at the next delivery."""
        self._doors.pop(connection_id, None)
