"""The worker: the engine of lanes with the sync of quotes as its work, and the loops that go beside it."""

import asyncio
from datetime import timedelta

from app.db.claimant import Claimant
from app.db.lanes import Claim
from app.db.settlements import Settlement
from app.house import House
from app.settings import seconds
from app.sync.drift import DriftSweeper
from app.sync.engine import Engine, Work
from app.sync.loops import Loops
from app.sync.notice_delivery import Deliverer
from app.sync.run import LaneRun
from app.sync.sweeps import Sweeper

FINISH = timedelta(seconds=25)


class Worker:
    """One process's share of the work. Any number of workers may run on one database."""

    def __init__(self, house: House, *, work: Work | None = None, loops: Loops | None = None) -> None:
        """Take the house; nothing is claimed before :meth:`run`.

        ``work`` is what is done with each lane, its sync if nothing else is said. ``loops`` hears of loops that fail.
        """
        self._house = house
        self._loops = loops or Loops()
        settings = house.settings
        self._engine = Engine(
            house.database,
            lambda heard: Claimant(settings.dsn, heard=heard),
            work or self._sync,
            slots=settings.run_slots,
            lease=seconds(settings.lease_seconds),
            poll=seconds(settings.poll_seconds),
        )

    async def run(self) -> None:
        """Work until :meth:`stop`; the database may come and go meanwhile, and no error ends it."""
        beside = {
            "heartbeat": self._engine.beat,
            "sweeps": Sweeper(self._house).run,
            "notices": Deliverer(self._house).run,
            "drift": DriftSweeper(self._house).run,
        }
        keep = self._loops.keep
        helpers = [asyncio.create_task(keep(name, loop)) for name, loop in beside.items()]
        try:
            await keep("claims", self._engine.run)
            await self._engine.finish(within=FINISH)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, self._engine.let_go(), return_exceptions=True)

    async def stop(self) -> None:
        """Claim nothing more; :meth:`run` ends when what is in hand is finished, or handed back after 25 seconds."""
        self._engine.stop()

    async def _sync(self, claim: Claim) -> Settlement | None:
        return await LaneRun(self._house, claim).work()
