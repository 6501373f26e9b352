"""Replicas of the service that are killed without warning and come back, and a database whose server crashes."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

LISTENING = re.compile(r"listening on http://[^:]+:(\d+)")
START_SECONDS = 40.0
SERVE = ("-c", "from app.cli import main; main()", "serve", "--host", "127.0.0.1", "--port")


@dataclass(slots=True)
class Replica:
    """One `quotebridge serve`, which keeps its port over its lives."""

    number: int
    environment: Mapping[str, str]
    folder: Path
    port: int = 0
    lives: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it listens; while the database is away it is started again and again."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.lives += 1
            log = self.folder / f"replica-{self.number}-{self.lives}.log"
            await asyncio.to_thread(self._spawn, log)
            if await self._listens(log):
                return
        message = f"replica {self.number} did not start; see its log"
        raise TimeoutError(message)

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(self.process.wait)

    def _spawn(self, log: Path) -> None:
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *SERVE, str(self.port)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def _listens(self, log: Path) -> bool:
        assert self.process is not None
        while self.process.poll() is None:
            if found := LISTENING.search(await asyncio.to_thread(log.read_text)):
                self.port = int(found[1])
                return True
            await asyncio.sleep(0.05)
        return False


async def kill_replicas(replicas: list[Replica], chance: random.Random, *, every: tuple[float, float]) -> None:
    """Kill a random replica again and again until cancelled; the replicas count their lives."""
    while True:
        await asyncio.sleep(chance.uniform(*every))
        victim = chance.choice(replicas)
        await victim.kill()
        await victim.start()


async def crash_database(url: str, chance: random.Random, *, every: tuple[float, float], crashes: list[float]) -> None:
    """Kill one of the server's own processes, for which PostgreSQL restarts as a whole, again and again."""
    while True:
        await asyncio.sleep(chance.uniform(*every))
        try:
            connection = await asyncpg.connect(url, timeout=5)
            backend = await connection.fetchval("SELECT pg_backend_pid()")
        except (OSError, TimeoutError, asyncpg.PostgresError):
            continue
        # The process that serves our own connection: ours by any reading, and as good as any other.
        os.kill(backend, signal.SIGKILL)
        connection.terminate()
        crashes.append(time.monotonic())
