"""Sends a load of events to a server and tells what came of it."""

import asyncio
import json
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass

from benchmarks.inbox.client import Order
from benchmarks.inbox.quotes import Load
from benchmarks.inbox.servers import ROOT, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one round saw; latencies in seconds."""

    rate: float
    latencies: list[float]

    def quantile(self, share: float) -> float:
        """The latency that this share of the answers was not slower than."""
        return sorted(self.latencies)[min(int(share * len(self.latencies)), len(self.latencies) - 1)]

    @property
    def median(self) -> float:
        """Half of the answers took no longer."""
        return statistics.median(self.latencies)


class RefusedError(Exception):
    """A server did not accept an event, so its figures mean nothing."""


async def send(
    target: Target,
    *,
    name: str,
    count: int,
    connections: int,
    rate: float = 0.0,
    quotes: int = 1000,
    lines: int = 16,
    first_version: int = 1,
) -> Answers:
    """Send ``count`` events; ``name`` must be new for the server, or ``first_version`` beyond what it has seen.

    Quotes have up to ``lines`` lines.

    Raises:
        RefusedError: An event was not accepted.
    """
    load = Load(
        name=name,
        connection_id=target.connection_id,
        secret=target.secret,
        quotes=quotes,
        lines=lines,
        first_version=first_version,
    )
    order = Order(host="127.0.0.1", port=target.port, load=load, count=count, connections=connections, rate=rate)
    async with _client(order) as start:
        seen = json.loads(await start())
    if seen["refused"]:
        raise RefusedError(f"not every event was accepted: {seen['refused'][0]}")
    return Answers(rate=count / seen["seconds"], latencies=seen["latencies"])


@asynccontextmanager
async def _client(order: Order) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """A client process that has its requests ready; calling what is yielded lets it go and reads what it saw."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.inbox.client", stdin=PIPE, stdout=PIPE, cwd=ROOT, limit=2**26
    )
    assert process.stdin
    assert process.stdout
    reader, writer = process.stdout, process.stdin
    try:
        writer.write(json.dumps(asdict(order)).encode() + b"\n")
        if await reader.readline() != b"ready\n":
            raise RuntimeError("the client could not make its requests; what it complains about is above")

        async def start() -> bytes:
            writer.write(b"\n")
            return await reader.readline()

        yield start
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
