"""What a row may ask for: fresh databases, rounds that are interleaved, and ratios of what they gave."""

import asyncio
import os
import random
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median as median_of
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from local.postgres import own_postgres

ROUNDS = 5
ORDER_SEED = 20
TEMPLATE = "bench_template"
PREFIX = "QUOTEBRIDGE_"


def say_nothing(_text: str) -> None:
    """Keep progress to oneself."""


@asynccontextmanager
async def open_bench(*, rounds: int = ROUNDS, say: Callable[[str], None] = say_nothing) -> "AsyncIterator[Bench]":
    """Open a bench for one row. Whatever it starts ends with it."""
    async with AsyncExitStack() as stack:
        yield Bench(rounds=rounds, say=say, stack=stack)


@dataclass(slots=True, kw_only=True)
class Bench:
    """The bench of one row.

    ``rounds`` is how often each thing is measured; five by default, so that a median means something. ``say`` tells
    whoever waits how far the row is.
    """

    rounds: int
    say: Callable[[str], None]
    stack: AsyncExitStack
    _servers: dict[bool, str] = field(default_factory=dict)

    async def postgres(self, *, durable: bool = True) -> str:
        """Make a fresh database, migrated to head, and give its URL.

        It lies in a PostgreSQL of this row's own, on a private socket; a second call makes a second database on the
        same server.

        Args:
            durable: False turns fsync and synchronous commits off, for rows that do not measure commits.
        """
        if durable not in self._servers:
            self._servers[durable] = await self._start(durable=durable)
        server, name = self._servers[durable], f"bench_{secrets.token_hex(4)}"
        await _execute(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return _with_database(server, name)

    async def interleave(self, runs: Mapping[str, Callable[[], Awaitable[float]]]) -> dict[str, list[float]]:
        """Measure each thing once in every round, and give its figures in the order of the rounds.

        The order within a round is shuffled, always in the same way: whatever else the machine does hits each of them
        alike, and nobody always comes first.
        """
        chance = random.Random(ORDER_SEED)
        figures: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(1, self.rounds + 1):
            for name in chance.sample(list(runs), len(runs)):
                figures[name].append(await runs[name]())
            self.say(f"round {number} of {self.rounds}: " + ", ".join(f"{n} {f[-1]:.4g}" for n, f in figures.items()))
        return figures

    @staticmethod
    def median(figures: Iterable[float]) -> float:
        """The median."""
        return median_of(figures)

    @staticmethod
    def ratio(ours: Sequence[float], reference: Sequence[float]) -> float:
        """The median of the ratios of each round: a round that was slow for both does not count for either.

        Raises:
            ValueError: The two were not measured in the same rounds.
        """
        return median_of(one / other for one, other in zip(ours, reference, strict=True))

    async def _start(self, *, durable: bool) -> str:
        from app.db.migrate import upgrade  # noqa: PLC0415 - a row without a database starts faster without our tables

        self.say("starting PostgreSQL")
        server = ExitStack()
        self.stack.push_async_callback(asyncio.to_thread, server.close)
        url = await asyncio.to_thread(server.enter_context, own_postgres(durable=durable))
        await _execute(url, f"CREATE DATABASE {TEMPLATE}")
        await asyncio.to_thread(upgrade, _with_database(url, TEMPLATE))
        return url


def progress_of(row: int) -> Callable[[str], None]:
    """Tell a row's progress on standard error, so that standard output keeps the result alone."""

    def say(text: str) -> None:
        print(f"  row {row}: {text}", file=sys.stderr, flush=True)

    return say


def forget_our_environment() -> None:
    """Measure with the service's own defaults, whatever the caller has set for a service of theirs."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
