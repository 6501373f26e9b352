"""The stage: a virtual clock, and actors of whom one moves at a time, so that a seed decides every order of events."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

_ACTOR: ContextVar["Actor | None"] = ContextVar("actor", default=None)


@dataclass(eq=False, slots=True)
class Actor:
    """One piece of work that somebody does: it stands at a place until the stage lets it move to the next."""

    name: str
    place: str = "start"
    wakes_at: datetime | None = None
    is_dead: bool = False
    turn: asyncio.Future[None] | None = None
    task: asyncio.Task[None] = field(init=False)

    @property
    def is_done(self) -> bool:
        """Whether its work came to an end."""
        return self.task.done()


@dataclass(slots=True, order=True)
class _Timer:
    at: datetime
    number: int
    ring: asyncio.Future[None] = field(compare=False)


class Stage:
    """Nothing here takes real time but work itself: when everybody waits, the clock jumps to the next due moment.

    A dead actor is cancelled where it stands, and whatever it still tries to do on its way out comes to nothing, as
    after a kill -9.
    """

    def __init__(self, started_at: datetime) -> None:
        self.now = self._started_at = started_at
        self.told_at: datetime | None = None
        """The time that PostgreSQL was told last."""
        self.actors: list[Actor] = []
        self._timers: list[_Timer] = []
        self._back: asyncio.Future[None] | None = None
        self._numbers = 0

    def clock(self) -> datetime:
        """The virtual time."""
        return self.now

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return (self.now - self._started_at).total_seconds()

    def enter(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> Actor:
        """Bring an actor on stage; it does nothing before its first turn."""
        actor = Actor(name)

        async def act() -> None:
            _ACTOR.set(actor)
            await self.stand("start")
            await work()

        self.actors.append(actor)
        actor.task = asyncio.get_running_loop().create_task(act())
        actor.task.add_done_callback(self._left)
        return actor

    async def stand(self, place: str) -> None:
        """Wait here for the next turn: called by whatever an actor can be killed, overtaken or paused at."""
        actor = _ACTOR.get()
        if actor is None:
            return
        if actor.is_dead:
            raise asyncio.CancelledError
        actor.place = place
        actor.turn = asyncio.get_running_loop().create_future()
        self._give_back()
        await actor.turn

    def check_alive(self) -> None:
        """Raise CancelledError for a dead actor: nothing that it does on its way out may be seen."""
        actor = _ACTOR.get()
        if actor is not None and actor.is_dead:
            raise asyncio.CancelledError

    @property
    def actor_name(self) -> str:
        """Who moves at present."""
        actor = _ACTOR.get()
        return actor.name if actor else "director"

    async def sleep(self, seconds: float) -> None:
        """Sleep in virtual time, as an actor."""
        actor = _ACTOR.get()
        assert actor is not None, "only actors sleep here"
        actor.wakes_at = self.now + timedelta(seconds=seconds)
        await self.stand(f"asleep for {seconds:g} s")
        actor.wakes_at = None

    async def delay(self, seconds: float) -> None:
        """Sleep in virtual time as something that nobody can kill: BMS itself."""
        timer = _Timer(self.now + timedelta(seconds=seconds), self._numbers, asyncio.get_running_loop().create_future())
        self._numbers += 1
        self._timers.append(timer)
        await timer.ring

    async def move(self, actor: Actor) -> None:
        """Let an actor go on to its next place, or to its end."""
        assert actor.turn is not None
        self._back = asyncio.get_running_loop().create_future()
        turn, actor.turn = actor.turn, None
        turn.set_result(None)
        await self._back
        self._back = None

    async def settle_in(self) -> None:
        """Let actors that just entered reach their first place."""
        while any(actor.turn is None and not actor.is_done for actor in self.actors):  # noqa: ASYNC110 - takes no time
            await asyncio.sleep(0)

    async def kill(self, actor: Actor) -> None:
        """End an actor where it stands."""
        actor.is_dead = True
        actor.task.cancel()
        await asyncio.wait([actor.task])
        self.remove(actor)

    def remove(self, actor: Actor) -> None:
        """Take an actor off the stage."""
        self.actors.remove(actor)

    def next_moment(self) -> datetime | None:
        """When BMS does next what it has put off; None when nothing is put off."""
        return min((timer.at for timer in self._timers), default=None)

    async def advance(self, until: datetime) -> None:
        """Move the clock, and let what was due until then happen on BMS's side."""
        self.now = max(self.now, until)
        due = sorted(timer for timer in self._timers if timer.at <= self.now)
        for timer in due:
            self._timers.remove(timer)
            timer.ring.set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def clear(self) -> None:
        """End everybody, and forget what was still to happen."""
        for actor in list(self.actors):
            await self.kill(actor)
        for timer in self._timers:
            timer.ring.cancel()
        self._timers.clear()
        await asyncio.sleep(0)

    def _left(self, _: "asyncio.Task[None]") -> None:
        self._give_back()

    def _give_back(self) -> None:
        if self._back is not None and not self._back.done():
            self._back.set_result(None)
