"""Tells open pages that something changed: one cheap look at the database for all who watch the same thing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db.session import Database

LOOK_EVERY = timedelta(seconds=2)
ALIVE_EVERY = timedelta(seconds=15)
ENDS_AFTER = timedelta(minutes=10)

# Whatever a list shows moves one of these: a new event, a settled run, an opened or closed issue, a lane that falls
# due or is claimed, a changed connection, a look for drift. Every part is answered from an index.
_MARK = text(
    """
    SELECT md5(string_agg(concat_ws('|', c.id, c.state, c.updated_at, c.drift_checked_at,
        (SELECT max(e.id) FROM events e WHERE e.connection_id = c.id),
        (SELECT max(r.id) FROM runs r WHERE r.connection_id = c.id),
        (SELECT concat(max(i.id), count(*)) FROM issues i WHERE i.connection_id = c.id AND i.state = 'open'),
        (SELECT concat(count(*), max(q.due_at), min(q.due_at)) FROM quotes q
         WHERE q.connection_id = c.id AND q.due_at IS NOT NULL)), ',' ORDER BY c.id))
    FROM connections c
    WHERE CAST(:connection_id AS text) IS NULL OR c.id = :connection_id
    """
)
EVENT = "event: changed\ndata: {}\n\n"
ALIVE = ": alive\n\n"


@dataclass(slots=True)
class _Watch:
    """What is watched by how many; ``changed`` is replaced by a new one whenever it was set."""

    watchers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    looking: asyncio.Task[None] | None = None
    has_looked: bool = False


class Pulses:
    """One look every two seconds per connection (None: all of them) as long as anybody watches it."""

    def __init__(self, *, look_every: timedelta = LOOK_EVERY, alive_every: timedelta = ALIVE_EVERY) -> None:
        self._look_every = look_every
        self._alive_every = alive_every
        self._watches: dict[str | None, _Watch] = {}

    @property
    def watched(self) -> frozenset[str | None]:
        """What is watched at present."""
        return frozenset(self._watches)

    def has_looked(self, connection_id: str | None) -> bool:
        """Whether a change from now on would be noticed."""
        return connection_id in self._watches and self._watches[connection_id].has_looked

    async def changes(
        self, database: Database, connection_id: str | None, *, is_ending: Callable[[], bool]
    ) -> AsyncIterator[str]:
        """Server-sent events: one for each change, and a comment now and then so that nothing in between gives up.

        Ends after ten minutes, and when the process ends; the browser comes back by itself, with its session checked.
        """
        watch = self._watches.setdefault(connection_id, _Watch())
        watch.watchers += 1
        if watch.looking is None:
            watch.looking = asyncio.create_task(self._look(database, connection_id, watch, is_ending))
        clock = asyncio.get_running_loop().time
        ends_at = clock() + ENDS_AFTER.total_seconds()
        try:
            yield "retry: 2000\n\n"
            while clock() < ends_at and not is_ending():
                yield EVENT if await self._changed(watch) else ALIVE
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                watch.looking.cancel()
                self._watches.pop(connection_id, None)

    async def _changed(self, watch: _Watch) -> bool:
        try:
            async with asyncio.timeout(self._alive_every.total_seconds()):
                await watch.changed.wait()
        except TimeoutError:
            return False
        return True

    async def _look(
        self, database: Database, connection_id: str | None, watch: _Watch, is_ending: Callable[[], bool]
    ) -> None:
        mark = await _mark(database, connection_id)
        watch.has_looked = True
        while True:
            await asyncio.sleep(self._look_every.total_seconds())
            seen = await _mark(database, connection_id)
            if is_ending() or (seen is not None and seen != mark):
                mark = seen
                watch.changed.set()
                watch.changed = asyncio.Event()


async def _mark(database: Database, connection_id: str | None) -> str | None:
    """A text that differs when anything shown has changed; None while the database is away."""
    try:
        async with database.of(connection_id).transaction() as session:
            mark: str | None = await session.scalar(_MARK, {"connection_id": connection_id})
    except (SQLAlchemyError, OSError):
        return None
    return mark or ""
