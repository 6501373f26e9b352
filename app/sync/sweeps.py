"""Sweeps: late looks at creates in doubt, and old budget slots that no window can reach any more."""

import asyncio
from datetime import timedelta

from app.db import budget, intents
from app.db.away import DATABASE_AWAY
from app.house import House
from app.settings import seconds
from app.sync.late_looks import look_late
from app.telemetry import logger

log = logger("sweeps")

AUDITS_AT_ONCE = 10
LOOK_AGAIN = timedelta(minutes=5)


class Sweeper:
    """What has to be looked after beside the lanes; every worker does it, and claims share it out."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._pause = min(house.settings.audit_after_seconds / 3, 60) or 1

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(self._pause)
            try:
                await self.sweep()
            except DATABASE_AWAY as error:
                log.warning("database.away", error=type(error).__name__)

    async def sweep(self) -> None:
        """One round."""
        async with self._house.database.transaction() as session:
            due = await intents.due_audits(session, limit=AUDITS_AT_ONCE, again_after=LOOK_AGAIN)
            session.expunge_all()
            await budget.forget_old_slots(session, window=seconds(self._house.settings.kaseya_call_window_seconds))
        for intent in due:
            try:
                await look_late(self._house, intent)
            except Exception as error:  # noqa: BLE001 - one record that cannot be looked for must not stop the others
                log.warning("audit.postponed", kind=intent.kind, error=type(error).__name__)
