"""Group commit of settlements: what comes while one group is being committed is the next group."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar

from app.db.away import DATABASE_AWAY, is_away
from app.db.lanes import Key, LeaseLostError
from app.db.session import Database
from app.db.settlements import Settlement, settle
from app.telemetry import logger, runs

log = logger("settling")

Result = TypeVar("Result")
_Waiting: TypeAlias = "tuple[Settlement, asyncio.Future[None]]"

GROUP = 500
PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)
"""Seconds between the tries of a settlement while the database is away: what a run did is not done again for that."""


async def settle_alone(database: Database, settlement: Settlement) -> None:
    """Commit one settlement in a transaction of its connection; raises LeaseLostError when the lane is not ours."""
    async with database.of(settlement.claim.connection_id).transaction() as session:
        if await settle(session, [settlement]):
            raise LeaseLostError(settlement.claim.quote_id)
    _follow(settlement)


class Settling:
    """Takes the settlements of many runs and commits them together; whoever waits hears after the commit.

    Settlements that bring work of their own (``beside``) are committed alone: they touch rows that lanes share.
    """

    def __init__(self, database: Database, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """``sleep`` waits for some seconds."""
        self._database = database
        self._sleep = sleep
        self._waiting: list[_Waiting] = []
        self._flusher: asyncio.Task[None] | None = None

    async def settle(self, settlement: Settlement) -> None:
        """Commit one settlement, together with those that come meanwhile.

        Raises LeaseLostError when the lane is not ours any more: then nothing was written. Raises what the database
        raises when it stays away: then the lane falls due with its lease.
        """
        if settlement.beside is not None:
            return await self._alone(settlement)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((settlement, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        return await future

    async def close(self) -> None:
        """Give up what is not committed yet; its lanes stay ours until they are handed back or their leases run out."""
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
                await self._commit(group)
        finally:
            self._flusher = None

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            left_out = await self._while_away(lambda: self._together([settlement for settlement, _ in group]))
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
            if is_away(error):
                return _fail(group, error)
            # One that cannot be written at all must not take its neighbours with it.
            log.warning("group.not_settled", lanes=len(group), error=type(error).__name__)
            left_out = {settlement.claim.key for settlement, _ in group}
        for settlement, future in group:
            if left_out and settlement.claim.key in left_out:
                await self._after_the_group(settlement, future)
            else:
                _tell(settlement, future)
        return None

    async def _together(self, settlements: Sequence[Settlement]) -> set[Key]:
        async with self._database.transaction() as session:
            return await settle(session, settlements)

    async def _after_the_group(self, settlement: Settlement, future: "asyncio.Future[None]") -> None:
        """One that the group left out: its lease is lost, its row was just being written, or it is to blame."""
        try:
            await self._alone(settlement)
        except Exception as error:  # noqa: BLE001 - as above
            _fail([(settlement, future)], error)
        else:
            if not future.done():
                future.set_result(None)

    async def _alone(self, settlement: Settlement) -> None:
        await self._while_away(lambda: settle_alone(self._database, settlement))

    async def _while_away(self, commit: Callable[[], Awaitable[Result]]) -> Result:
        for pause in PAUSES:
            try:
                return await commit()
            except DATABASE_AWAY as error:
                if not is_away(error):
                    raise
            await self._sleep(pause)
        return await commit()


def _follow(settlement: Settlement) -> None:
    if settlement.run:
        runs.labels(settlement.run["outcome"]).inc()
    if settlement.afterwards:
        settlement.afterwards()


def _tell(settlement: Settlement, future: "asyncio.Future[None]") -> None:
    _follow(settlement)
    if not future.done():
        future.set_result(None)


def _fail(group: Iterable[_Waiting], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
