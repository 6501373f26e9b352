"""Delivers notices to the connections' notice URLs: signed, retried for three days, to public https hosts only."""

import asyncio
import json
import random
from collections.abc import Callable
from datetime import timedelta

from app.connections.sealed import NOTICE_SECRET
from app.connections.secrets import SecretUnreadableError
from app.db import notices
from app.db.away import DATABASE_AWAY
from app.db.notices import DueNotice
from app.house import House
from app.intake.signature import sign
from app.kaseya import FetchError
from app.sync.outcomes import RetryRule, backoff
from app.telemetry import logger

log = logger("notices")

AT_ONCE = 10
LEASE = timedelta(minutes=2)
TIMEOUT = timedelta(seconds=10)
RULE = RetryRule(
    base=timedelta(seconds=5), cap=timedelta(hours=1), horizon=timedelta(days=3), while_down=timedelta(hours=1)
)
GOOD = range(200, 300)


class Deliverer:
    """Takes the notices that are due, of every connection; several processes share them out."""

    def __init__(self, house: House, *, jitter: Callable[[], float] = random.random) -> None:
        """``jitter`` is uniform in 0…1, and spreads retries."""
        self._house = house
        self._jitter = jitter

    async def run(self) -> None:
        """Deliver until cancelled."""
        pause = min(self._house.settings.poll_seconds, 2)
        while True:
            try:
                delivered = await self.deliver()
            except DATABASE_AWAY as error:
                log.warning("database.away", error=type(error).__name__)
                delivered = 0
            if not delivered:
                await asyncio.sleep(pause)

    async def deliver(self) -> int:
        """Deliver one batch; returns how many were due."""
        async with self._house.database.transaction() as session:
            await notices.give_up_unwanted(session)
            due = await notices.claim(session, limit=AT_ONCE, lease=LEASE)
        await asyncio.gather(*(self._deliver(notice) for notice in due))
        return len(due)

    async def _deliver(self, notice: DueNotice) -> None:
        error = await self._post(notice)
        now = self._house.clock()
        given_up = error is not None and now - notice.created_at > RULE.horizon
        due_at = None if error is None or given_up else now + backoff(notice.attempts, rule=RULE, jitter=self._jitter)
        async with self._house.database.of(notice.connection_id).transaction() as session:
            await notices.settle(session, notice, due_at=due_at, error=error)
        log.info("notice.delivered" if error is None else "notice.failed", notice_id=notice.id, type=notice.type)

    async def _post(self, notice: DueNotice) -> str | None:
        """Send one try; returns what went wrong."""
        moment = notice.created_at.isoformat().replace("+00:00", "Z")
        body = json.dumps({"type": notice.type, "timestamp": moment, "data": notice.payload}).encode()
        now = self._house.clock()
        try:
            secret = self._house.vault.open(
                notice.sealed_secret, connection_id=notice.connection_id, field=NOTICE_SECRET
            )
            headers = {
                "Content-Type": "application/json",
                "webhook-id": notice.id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": sign(secret, notice.id, now, body),
            }
            status = await self._house.wire.post(notice.url, body, headers, TIMEOUT)
        except (FetchError, SecretUnreadableError) as error:
            return str(error)
        return None if status in GOOD else f"The notice URL answered HTTP {status}."
