"""Keeps loops going as long as the process lives: an error that nobody foresaw is told, and never ends one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from app.telemetry import logger, loop_errors

log = logger("loops")

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)
KEEPS_FAILING = 3
WELL_AGAIN = timedelta(minutes=5)
"""A loop that has gone on for so long is taken to be well; every loop's round is shorter."""


@dataclass(slots=True)
class _Trouble:
    errors: int
    last_at: float


class Loops:
    """The loops of one process, and which of them keep failing."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``monotonic`` gives seconds that never run backwards, ``sleep`` waits for some of them."""
        self._monotonic = monotonic
        self._sleep = sleep
        self._troubles: dict[str, _Trouble] = {}

    async def keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run ``loop``, and run it again whenever it fails, after a pause that grows; over when it ends by itself."""
        while True:
            try:
                return await loop()
            except Exception as error:  # a process that goes on without its loop does half of its work, unnoticed
                errors = self._count(name)
                log.exception("loop.failed", loop=name, errors=errors, error=type(error).__name__)
                await self._sleep(min(SHORTEST_PAUSE * 2 ** min(errors - 1, 10), LONGEST_PAUSE).total_seconds())

    def failing(self) -> list[str]:
        """The loops that failed three times or more, the last time within five minutes."""
        return sorted(
            name
            for name, trouble in self._troubles.items()
            if trouble.errors >= KEEPS_FAILING and self._is_new(trouble)
        )

    def _count(self, name: str) -> int:
        loop_errors.labels(name).inc()
        trouble = self._troubles.get(name)
        errors = trouble.errors + 1 if trouble and self._is_new(trouble) else 1
        self._troubles[name] = _Trouble(errors, self._monotonic())
        return errors

    def _is_new(self, trouble: _Trouble) -> bool:
        return self._monotonic() - trouble.last_at < WELL_AGAIN.total_seconds()
