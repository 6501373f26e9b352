"""A ledger of the storm: at every moment each acknowledged event is stored, and in exactly one disposition."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg
import httpx

DISPOSITIONS = ("pending", "applied", "superseded", "unchanged", "rejected", "parked")
DONE = ("applied", "superseded", "unchanged")
METRIC = re.compile(r'^quotebridge_events\{disposition="(\w+)"\} ([\d.]+)$', re.MULTILINE)
EVERY_SECONDS = 1.0
SUM = """
SELECT count(*), count(*) FILTER (WHERE disposition = ANY($1)), count(*) FILTER (WHERE id = ANY($2)) FROM events
"""


@dataclass(slots=True)
class Ledger:
    """Counts again and again while everything is killed, and remembers each time that a sum did not come out."""

    database_url: str
    acknowledged: Mapping[str, str]
    samples: int = 0
    breaches: list[str] = field(default_factory=list)

    async def keep(self) -> None:
        """Take samples until cancelled; while the database is away there is nothing to count."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self._sample()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                continue

    async def _sample(self) -> None:
        known = set(self.acknowledged.values())  # before the count: what is acknowledged meanwhile may be missing
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            row = await connection.fetchrow(SUM, DISPOSITIONS, known, timeout=10)
        finally:
            connection.terminate()
        assert row is not None
        stored, placed, found = row
        self.samples += 1
        if placed != stored or found != len(known):
            self.breaches.append(
                f"{stored} stored, {placed} of them in a disposition; {len(known)} acknowledged, {found} found"
            )


async def read_metric(replica_url: str) -> Counter[str]:
    """The events by disposition, as a replica tells its monitoring."""
    async with httpx.AsyncClient(timeout=30) as client:
        text = (await client.get(f"{replica_url}/metrics")).raise_for_status().text
    return Counter({name: int(float(count)) for name, count in METRIC.findall(text)})
