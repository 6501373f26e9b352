"""The engine of lanes: claims them, has each worked on under its lease, and settles what the work came to.

What the work is, it is told. Longer than others, so that the life of a lane in one process is read in one place.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import lanes
from app.db.away import DATABASE_AWAY
from app.db.claimant import Claimant
from app.db.lanes import Claim, Key, LeaseLostError
from app.db.session import Database
from app.db.settlements import Settlement
from app.sync.settling import Settling
from app.telemetry import logger, runs

log = logger("worker")

Work: TypeAlias = Callable[[Claim], Awaitable[Settlement | None]]
"""Works on a claimed lane; None where there is nothing left to settle."""

HEARTBEATS_PER_LEASE = 3
SHORTEST_WAIT = timedelta(milliseconds=20)
WHILE_AWAY = timedelta(seconds=1)
AFTER_NOTHING = timedelta(milliseconds=10)
"""A claim that found nothing is not repeated sooner: many events a second must not become as many claims."""
AHEAD = timedelta(milliseconds=100)
"""Lanes are claimed ahead, as many as at the present rate will be begun within this time: no slot waits for a claim,
and of runs that take seconds none is."""
MOST_UNSETTLED = 1000
"""Nothing more is claimed while so many lanes wait for their commit."""
RATE_OVER = timedelta(milliseconds=20)


@dataclass(slots=True, eq=False)
class _Held:
    """A claim in hand; it has a slot until its work is done."""

    claim: Claim
    has_slot: bool = True


class Engine:
    """One process's share of the lanes. Any number of engines may run on one database."""

    def __init__(
        self,
        database: Database,
        claimant: Callable[[Callable[[], None]], Claimant],
        work: Work,
        *,
        slots: int,
        lease: timedelta,
        poll: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Work on up to ``slots`` lanes at a time, and look for due ones at least every ``poll``.

        One lane more is worked on where all slots are taken and it is of a connection that has none of them: so that
        one connection's flood does not hold up what another sends.
        ``claimant`` makes the claiming connection, and is told what to call when lanes may have fallen due.
        """
        self._database = database
        self._heard, self._stirred = asyncio.Event(), asyncio.Event()
        self._claimant = claimant(self._hear)
        self._work = work
        self._slots = slots
        self._lease = lease
        self._poll = poll
        self._monotonic = monotonic
        self._settling = Settling(database)
        self._held: dict[asyncio.Task[None], _Held] = {}
        self._free = slots
        self._newcomer: _Held | None = None
        self._ahead: deque[Claim] = deque()
        self._rate = Rate(monotonic)
        self._looked_in_vain_at = 0.0
        self._ended_since_beat = 0
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Claim and work until :meth:`stop`; the database may come and go meanwhile."""
        while not self._stopped.is_set():
            await self._turn()

    def stop(self) -> None:
        """Claim nothing more; :meth:`run` ends."""
        self._stopped.set()
        self._heard.set()
        self._stirred.set()

    def _hear(self) -> None:
        """Lanes may have fallen due."""
        self._heard.set()
        self._stirred.set()

    async def finish(self, *, within: timedelta) -> None:
        """Wait for what is in hand, and hand back what is not settled within this time."""
        waiting = list(self._ahead)
        self._ahead.clear()
        await self._hand_back(waiting)
        if self._held:
            await asyncio.wait(self._held, timeout=within.total_seconds())
        unfinished = [held.claim for held in self._held.values()]
        await self.let_go()
        await self._hand_back(unfinished)

    async def let_go(self) -> None:
        """End what is in hand at once; it falls due again with its lease."""
        tasks = list(self._held)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._settling.close()
        self._claimant.close()

    async def _turn(self) -> None:
        """Claim what there is room for; wait for room, or until something falls due or somebody tells of it.

        With all slots taken there is still room for one newcomer: a lane of a connection that has no slot here.
        """
        self._stirred.clear()
        wanted = self._wanted()
        if wanted <= 0 and (self._newcomer or self._free > 0):
            await _wait(self._stirred, self._poll)
            return
        await asyncio.sleep(max(self._looked_in_vain_at + AFTER_NOTHING.total_seconds() - self._monotonic(), 0))
        self._heard.clear()
        but, until = ([], self._heard) if wanted > 0 else (list(self._in_hand()), self._stirred)
        try:
            if not await self._claim(max(wanted, 1), but=but) and not self._stopped.is_set():
                self._looked_in_vain_at = self._monotonic()
                await _wait(until, await self._until_due(but=but))
        except DATABASE_AWAY as error:
            log.warning("database.away", error=type(error).__name__)
            await _wait(self._stopped, min(self._poll, WHILE_AWAY))

    def _wanted(self) -> int:
        """How many lanes to claim now: none until half of those claimed ahead have been begun."""
        self._rate.look()
        ahead = int(self._rate.per_second * AHEAD.total_seconds())
        if self._free <= 0 and len(self._ahead) * 2 >= ahead:
            return 0
        room = self._slots + MOST_UNSETTLED - len(self._held)
        return min(self._free + ahead - len(self._ahead), room)

    def _in_hand(self) -> set[str]:
        """The connections whose lanes are worked on here, or wait for a slot."""
        waiting = {claim.connection_id for claim in self._ahead}
        return waiting | {held.claim.connection_id for held in self._held.values() if held.has_slot}

    async def _claim(self, wanted: int, *, but: Sequence[str]) -> int:
        """Claim so many lanes, none of the connections named; whose connection has none in hand goes first."""
        claims = await self._claimant.claim(slots=wanted, lease=self._lease, probe=self._lease, but=but)
        in_hand = self._in_hand()
        self._ahead.extendleft(claim for claim in claims if claim.connection_id not in in_hand)
        self._ahead.extend(claim for claim in claims if claim.connection_id in in_hand)
        if but and claims and self._free <= 0 and not self._stopped.is_set():
            self._newcomer = self._start(self._ahead.popleft())
        self._begin()
        return len(claims)

    async def _until_due(self, *, but: Sequence[str]) -> timedelta:
        due = await self._claimant.next_due(but=but)
        return self._poll if due is None else max(min(self._poll, due), SHORTEST_WAIT)

    def _begin(self) -> None:
        """Put the slots to work that are free."""
        while self._ahead and self._free > 0 and not self._stopped.is_set():
            self._start(self._ahead.popleft())
            self._free -= 1

    def _start(self, claim: Claim) -> _Held:
        held = _Held(claim)
        task = asyncio.create_task(self._carry(held))
        self._held[task] = held
        task.add_done_callback(self._release)
        return held

    async def _carry(self, held: _Held) -> None:
        """From claim to settlement. The slot is free for another lane once the work is done."""
        settlement = await self._work(held.claim)
        self._give_up_slot(held)
        if settlement is not None:
            await self._settling.settle(settlement)

    def _give_up_slot(self, held: _Held) -> None:
        if held.has_slot:
            held.has_slot = False
            if self._newcomer is None:
                self._free += 1
            self._newcomer = None  # it is done, or has a slot of its own from now on
            self._rate.count()
            self._ended_since_beat += 1
            self._stirred.set()
            self._begin()

    def _release(self, task: "asyncio.Task[None]") -> None:
        held = self._held.pop(task)
        claim = held.claim
        self._give_up_slot(held)
        self._stirred.set()  # for as many as wait for their commit
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, LeaseLostError):
            runs.labels("lease_lost").inc()
            log.warning("lane.lease_lost", connection_id=claim.connection_id, quote_id=claim.quote_id)
        else:
            # The lane stays leased, and falls due by itself when the lease has run out.
            log.error("lane.not_settled", quote_id=claim.quote_id, error=type(error).__name__, exc_info=error)

    async def beat(self) -> None:
        """Renew leases for ever, a few times per lease; a lane that is not ours any more is let go at once."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / HEARTBEATS_PER_LEASE)
            with suppress(*DATABASE_AWAY):  # the gate lets nothing out without a valid lease
                await self._renew()

    async def _renew(self) -> None:
        if not self._ended_since_beat:  # somebody else may have a free slot for what waits here
            waiting = list(self._ahead)
            self._ahead.clear()
            await self._hand_back(waiting)
        self._ended_since_beat = 0
        held, waiting = {task: each.claim for task, each in self._held.items()}, list(self._ahead)
        if not held and not waiting:
            return
        ours = await self._each_once(
            [*held.values(), *waiting], lambda session, some: lanes.renew(session, some, lease=self._lease)
        )
        for task, claim in held.items():
            if claim.key not in ours and not task.done():
                task.cancel()
        for claim in waiting:
            if claim.key not in ours and claim in self._ahead:
                self._ahead.remove(claim)

    async def _hand_back(self, claims: Sequence[Claim]) -> None:
        if claims:
            with suppress(*DATABASE_AWAY):  # then they fall due with their leases
                await self._each_once(claims, lanes.hand_back)

    async def _each_once(
        self, claims: Sequence[Claim], do: Callable[[AsyncSession, Sequence[Claim]], Awaitable[set[Key]]]
    ) -> set[Key]:
        """Do it to all together, and alone to each that was left out then."""
        async with self._database.transaction() as session:
            done = await do(session, claims)
        left_out = [claim for claim in claims if claim.key not in done]
        for claim in left_out if len(claims) > 1 else ():
            async with self._database.transaction() as session:
                done |= await do(session, [claim])
        return done


class Rate:
    """How many runs end in a second, of late."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ended = 0
        self._looked_at = monotonic()
        self.per_second = 0.0

    def count(self) -> None:
        """One run has ended."""
        self._ended += 1

    def look(self) -> None:
        """Bring the rate up to date, if a while has passed."""
        now = self._monotonic()
        passed = now - self._looked_at
        if passed >= RATE_OVER.total_seconds():
            self.per_second, self._ended, self._looked_at = self._ended / passed, 0, now


async def _wait(event: asyncio.Event, at_most: timedelta) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most.total_seconds()):
            await event.wait()
