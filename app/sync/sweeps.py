"""Sweeps: late looks at re-sent creates, and old budget slots that no window can reach any more."""

import asyncio
from dataclasses import asdict
from datetime import timedelta

from app.db import budget, intents, issues, links
from app.db.away import DATABASE_AWAY
from app.db.tables import Connection, Intent, Quote
from app.house import House
from app.intake.canonical import from_canonical
from app.settings import seconds
from app.sync import notices
from app.sync.creates import several_found
from app.sync.errand import Errand, prepare
from app.sync.looks import cannot_be_found, look
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
                await self._audit(intent)
            except Exception as error:  # noqa: BLE001 - one record that cannot be looked for must not stop the others
                log.warning("audit.postponed", kind=intent.kind, error=type(error).__name__)

    async def _audit(self, intent: Intent) -> None:
        """Look once more for a create that was sent twice: BMS may have applied the first one very late."""
        errand = await self._errand(intent)
        found = [] if errand is None or cannot_be_found(errand, intent) else await look(errand, intent)
        known = {each["id"]: each for each in (intent.result, *found) if each is not None}
        async with self._house.database.of(intent.connection_id).transaction() as session:
            await intents.audited(session, intent)
            if len(known) > 1:
                problem = several_found(intent, [known[each] for each in sorted(known)])
                issue_id = await issues.open_issue(session, intent.connection_id, intent.quote_id, **asdict(problem))
                if issue_id is not None:
                    await notices.issue_opened(session, intent.connection_id, intent.quote_id, issue_id, problem)

    async def _errand(self, intent: Intent) -> Errand | None:
        async with self._house.database.of(intent.connection_id).transaction() as session:
            connection = await session.get(Connection, intent.connection_id)
            quote = await session.get(Quote, (intent.connection_id, intent.quote_id))
            if connection is None or quote is None or connection.settings is None:
                return None
            linked = await links.load(session, intent.connection_id, intent.quote_id)
            session.expunge_all()
        return prepare(
            self._house,
            connection,
            from_canonical(quote.content),
            quote_id=quote.quote_id,
            linked=linked,
            first_synced_at=quote.first_synced_at,
        )
