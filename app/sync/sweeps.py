"""Sweeps: late looks at re-sent creates, and old budget slots that no window can reach any more."""

import asyncio
from dataclasses import asdict
from datetime import timedelta

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from app.db import budget, intents, issues, links
from app.db.tables import Connection, Intent, Quote
from app.house import House
from app.intake.canonical import from_canonical
from app.kaseya import KaseyaError
from app.settings import seconds
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
            except (OSError, TimeoutError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("database.away", error=type(error).__name__)

    async def sweep(self) -> None:
        """One round."""
        async with self._house.database.transaction() as session:
            due = await intents.due_audits(session, limit=AUDITS_AT_ONCE)
            session.expunge_all()
            await budget.forget_old_slots(session, window=seconds(self._house.settings.kaseya_call_window_seconds))
        for intent in due:
            await self._audit(intent)

    async def _audit(self, intent: Intent) -> None:
        """Look once more for a create that was sent twice: BMS may have applied the first one very late."""
        errand = await self._errand(intent)
        if errand is None or cannot_be_found(errand, intent):
            return
        try:
            found = await look(errand, intent)
        except KaseyaError as error:
            log.warning("audit.postponed", kind=intent.kind, error=str(error))
            async with self._house.database.transaction() as session:
                await intents.audit_later(session, intent, audit_at=self._house.clock() + LOOK_AGAIN)
            return
        if len(found) > 1:
            said = asdict(several_found(intent, found))
            async with self._house.database.transaction() as session:
                await issues.open_issue(session, intent.connection_id, intent.quote_id, **said)

    async def _errand(self, intent: Intent) -> Errand | None:
        async with self._house.database.transaction() as session:
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
