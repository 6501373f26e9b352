"""Group commit without a linger: what arrives while one batch is being committed is the next batch."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import asyncpg

from app.db import inbox
from app.intake.accept import AcceptRaceError, Debounce, accept
from app.intake.deliveries import Acceptance, Delivery
from app.telemetry import accept_seconds

BATCH = 100
RELEASE_SECONDS = 5
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, AcceptRaceError)


class DatabaseAwayError(Exception):
    """PostgreSQL could not be reached or did not commit: the delivery was not stored, and must be sent again."""


class Inbox:
    """Takes deliveries from many requests and commits them together; an answer exists only after its commit."""

    def __init__(
        self, pool: asyncpg.Pool, *, debounce: Debounce, clock: Callable[[], datetime], timeout: float = 0.9
    ) -> None:
        """``timeout`` in seconds bounds a whole commit, so that a database that is away is noticed within a second."""
        self._pool = pool
        self._debounce = debounce
        self._clock = clock
        self._timeout = timeout
        self._waiting: list[tuple[Delivery, asyncio.Future[Acceptance]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._connection: inbox.PooledConnection | None = None
        self._released: set[asyncio.Task[None]] = set()

    async def accept(self, delivery: Delivery) -> Acceptance:
        """Store one delivery, together with whatever else arrives meanwhile.

        Raises :class:`DatabaseAwayError` when nothing was committed.
        """
        future: asyncio.Future[Acceptance] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        with accept_seconds.time():
            return await future

    async def close(self) -> None:
        """Wait for the deliveries in hand."""
        while self._flusher:
            with suppress(asyncio.CancelledError):
                await self._flusher
        await asyncio.gather(*self._released)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._commit(batch)
        finally:
            self._flusher = None
            self._let_go()

    async def _commit(self, batch: list[tuple[Delivery, asyncio.Future[Acceptance]]]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                connection = await self._hold()
                deliveries = [delivery for delivery, _ in batch]
                acceptances = await accept(connection, deliveries, debounce=self._debounce, now=self._clock())
        except Exception as error:  # noqa: BLE001 - whatever went wrong, every waiting request must hear of it
            self._let_go()
            await self._give_up(batch, error)
            return
        for (_, future), acceptance in zip(batch, acceptances, strict=True):
            if not future.done():
                future.set_result(acceptance)

    async def _hold(self) -> inbox.PooledConnection:
        """The connection that all batches of a flush go by: the pool takes a round trip to take one back."""
        if self._connection is None:
            self._connection = await self._pool.acquire()
        return self._connection

    def _let_go(self) -> None:
        """Give the connection back to the pool, which throws a broken one away; nobody waits for that."""
        held, self._connection = self._connection, None
        if held is not None:
            release = asyncio.create_task(self._release(held))
            self._released.add(release)
            release.add_done_callback(self._released.discard)

    async def _release(self, held: inbox.PooledConnection) -> None:
        with suppress(*AWAY):
            await self._pool.release(held, timeout=RELEASE_SECONDS)

    async def _give_up(self, batch: list[tuple[Delivery, asyncio.Future[Acceptance]]], error: Exception) -> None:
        # One delivery that PostgreSQL cannot take must not take its neighbours down with it.
        if isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError) and len(batch) > 1:
            for pair in batch:
                await self._commit([pair])
            return
        if isinstance(error, AWAY):
            away = DatabaseAwayError("the event could not be stored; send it again")
            away.__cause__, error = error, away
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
