"""The worker: claims due lanes, works on a few at a time, renews their leases, and hands back what it cannot finish."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import asyncpg

from app.db import lanes
from app.db.away import DATABASE_AWAY
from app.db.inbox import LANES_CHANNEL
from app.db.lanes import Claim
from app.house import House
from app.settings import seconds
from app.sync.drift import DriftSweeper
from app.sync.notice_delivery import Deliverer
from app.sync.run import LaneRun
from app.sync.sweeps import Sweeper
from app.telemetry import logger

log = logger("worker")

HEARTBEATS_PER_LEASE = 3
FINISH = timedelta(seconds=25)
SHORTEST_WAIT = timedelta(milliseconds=20)


class Worker:
    """One process's share of the work. Any number of workers may run on one database."""

    def __init__(self, house: House) -> None:
        """Take the house; nothing is claimed before :meth:`run`."""
        self._house = house
        self._slots = house.settings.run_slots
        self._lease = seconds(house.settings.lease_seconds)
        self._held: dict[asyncio.Task[None], Claim] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Work until :meth:`stop`; the database may come and go meanwhile."""
        helpers = [
            asyncio.create_task(each)
            for each in (
                self._listen(),
                self._heartbeat(),
                Sweeper(self._house).run(),
                Deliverer(self._house).run(),
                DriftSweeper(self._house).run(),
            )
        ]
        try:
            while not self._stopping:
                await self._turn()
            await self._finish()
        finally:
            await _cancel(*helpers, *self._held)

    async def stop(self) -> None:
        """Claim nothing more; :meth:`run` ends when what is in hand is finished, or handed back after 25 seconds."""
        self._stopping = True
        self._wake.set()

    async def _turn(self) -> None:
        """Claim what fits, or wait until something falls due, a slot is free or somebody wakes us."""
        self._wake.clear()
        wait = seconds(self._house.settings.poll_seconds)
        try:
            claimed = await self._claim()
            if not claimed and (due := await self._next_due()) is not None:
                wait = min(wait, due)
        except DATABASE_AWAY as error:
            log.warning("database.away", error=type(error).__name__)
            claimed = 0
        if not claimed or len(self._held) >= self._slots:
            await self._sleep(max(wait, SHORTEST_WAIT))

    async def _claim(self) -> int:
        free = self._slots - len(self._held)
        if free <= 0:
            return 0
        async with self._house.database.transaction() as session:
            claims = await lanes.claim(session, slots=free, lease=self._lease, probe=self._lease)
        for claim in claims:
            task = asyncio.create_task(LaneRun(self._house, claim).work())
            self._held[task] = claim
            task.add_done_callback(self._release)
        return len(claims)

    def _release(self, task: asyncio.Task[None]) -> None:
        claim = self._held.pop(task)
        if not task.cancelled() and (error := task.exception()):
            # The lane stays leased, and falls due by itself when the lease has run out.
            log.error("lane.not_settled", quote_id=claim.quote_id, error=type(error).__name__, exc_info=error)
        self._wake.set()

    async def _next_due(self) -> timedelta | None:
        if len(self._held) >= self._slots:
            return None
        async with self._house.database.transaction() as session:
            return await lanes.next_due(session)

    async def _sleep(self, wait: timedelta) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait.total_seconds()):
                await self._wake.wait()

    async def _listen(self) -> None:
        """Be woken by every event that is accepted anywhere; the poll stands behind it."""
        while True:
            with suppress(*DATABASE_AWAY):
                await self._listen_once()
            await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._house.settings.dsn, timeout=5)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(LANES_CHANNEL, lambda *_: self._wake.set())
            self._wake.set()
            await lost.wait()
        finally:
            connection.terminate()  # a listener has nothing to finish, and must not wait for a slow goodbye

    async def _heartbeat(self) -> None:
        """Renew the leases of what is in hand; a lane that is not ours any more is let go at once."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / HEARTBEATS_PER_LEASE)
            held = dict(self._held)
            try:
                async with self._house.database.transaction() as session:
                    ours = await lanes.renew(session, list(held.values()), lease=self._lease)
            except DATABASE_AWAY:
                continue  # the gate lets nothing out without a valid lease
            for task, claim in held.items():
                if (claim.connection_id, claim.quote_id) not in ours and not task.done():
                    task.cancel()

    async def _finish(self) -> None:
        if self._held:
            await asyncio.wait(self._held, timeout=FINISH.total_seconds())
        unfinished = list(self._held.values())
        await _cancel(*self._held)
        with suppress(*DATABASE_AWAY):
            async with self._house.database.transaction() as session:
                await lanes.hand_back(session, unfinished)


async def _cancel(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
