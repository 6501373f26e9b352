"""The drift sweep: reads what changed in BMS since the last one; what differs from the quotes is told or restored."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from app.connections.model import ConnectionSettings, DriftFound
from app.connections.refusal import count_refusal, may_sign_in
from app.connections.secrets import SecretUnreadableError
from app.db import drifts
from app.db.away import DATABASE_AWAY
from app.db.drifts import Difference, Sent
from app.db.tables import Connection
from app.house import House
from app.kaseya import KaseyaCredentialsError, KaseyaError, Opportunity
from app.telemetry import logger

log = logger("drift")

LEASE = timedelta(minutes=10)
"""A sweep that did not get through, whatever the reason, is tried again after this long."""

MARGIN = timedelta(hours=15)
"""BMS keeps times without a zone, and no zone is further than 14 hours from UTC; clocks differ a little, too."""


class DriftSweeper:
    """Takes the connections whose sweep is due, one at a time; several processes share them out.

    Its calls leave the reserve of the budget alone, so that quotes always go first.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                swept = await self.sweep()
            except DATABASE_AWAY as error:
                log.warning("database.away", error=type(error).__name__)
                swept = False
            if not swept:
                await asyncio.sleep(self._house.settings.poll_seconds)

    async def sweep(self) -> bool:
        """Look at one connection whose turn it is; returns whether there was one."""
        async with self._house.database.transaction() as session:
            connection = await drifts.claim(session, lease=LEASE)
        if connection is None:
            return False
        started_at = self._house.clock()
        settings = ConnectionSettings.model_validate(connection.settings)
        changed = await self._changed(connection)
        if changed is None:
            return True
        async with self._house.database.of(connection.id).transaction() as session:
            sent = await drifts.sent(session, connection.id, changed.keys(), before=started_at)
            differences = list(_differences(sent, changed))
            found = {each.quote_id for each in differences}
            restores = settings.drift.found is DriftFound.RESTORE
            await drifts.keep(session, connection.id, [each.quote_id for each in sent], [] if restores else differences)
            if restores and found:
                await drifts.restore(session, connection.id, found)
            every = settings.drift.sweep.every
            due_at = None if every is None else started_at + every
            await drifts.settle(session, connection, checked_at=started_at, due_at=due_at)
        log.info("drift.swept", connection_id=connection.id, differing=len(found), restoring=restores)
        return True

    async def _changed(self, connection: Connection) -> Mapping[int, Opportunity] | None:
        """The opportunities that changed since the last sweep; None where BMS cannot be asked now."""
        if not may_sign_in(connection):
            return None
        since = (connection.drift_checked_at or connection.created_at) - MARGIN
        try:
            client = self._house.clients.client(connection)
            return {each.id: each for each in await client.opportunities.search(modified_from=since)}
        except KaseyaCredentialsError as error:
            async with self._house.database.of(connection.id).transaction() as session:
                await count_refusal(session, connection.id, reason=error.message, now=self._house.clock())
        except (KaseyaError, SecretUnreadableError) as error:
            log.warning("drift.postponed", connection_id=connection.id, error=type(error).__name__)
        return None


def _differences(sent: Iterable[Sent], live: Mapping[int, Opportunity]) -> Iterator[Difference]:
    for each in sent:
        for field, ours, theirs in _compared(each.fields, live[each.opportunity_id]):
            if ours is not None and ours != theirs:
                yield Difference(quote_id=each.quote_id, field=field, ours=ours, theirs=theirs)


def _compared(sent: Mapping[str, Any], live: Opportunity) -> Iterator[tuple[str, str | None, str | None]]:
    """The fields that the quote decides and people change: ours and theirs, each as one text."""
    yield "amount", _money(sent.get("amount")), _money(live.amount)
    yield "status_id", _text(sent.get("status_id")), _text(live.status_id)
    yield "close_date", _text(sent.get("close_date")), _day(live.close_date)
    yield "sales_representative_user_id", _text(sent.get("owner_id")), _text(live.sales_representative_user_id)


def _money(amount: str | Decimal | None) -> str | None:
    return None if amount is None else f"{Decimal(amount):.2f}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()
