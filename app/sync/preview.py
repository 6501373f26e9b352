"""The dry run: observe and plan as a run would, and send no write."""

from app.db import links
from app.db.tables import Connection, Quote
from app.house import House
from app.quotes import model
from app.sync.errand import prepare
from app.sync.mapping import QuoteWarning
from app.sync.observe import observe
from app.sync.plan import Plan, plan
from app.sync.problems import ExpiredError, NeedsPersonError
from app.sync.reconciler import desire_now
from app.sync.references import check_references

__all__ = ["preview"]


async def preview(house: House, connection: Connection, quote: model.Quote, *, lane_id: str) -> Plan:
    """What a sync of this quote would do now. What would stop it is told as a warning of the issue's code.

    Raises KaseyaError where BMS cannot be read.
    """
    async with house.database.of(connection.id).transaction() as session:
        linked = await links.load(session, connection.id, lane_id)
        row = await session.get(Quote, (connection.id, lane_id))
        session.expunge_all()
    first_synced_at = row.first_synced_at if row else None
    try:
        errand = prepare(house, connection, quote, quote_id=lane_id, linked=linked, first_synced_at=first_synced_at)
        desired = desire_now(errand)
        if row is not None and desired.digest == row.synced_digest:
            return Plan(steps=(), warnings=desired.warnings)
        references = await check_references(errand, desired, house.directory)
        known = await observe(errand, desired, references)
    except NeedsPersonError as error:
        return _stopped(error.problem.code, error.problem.detail)
    except ExpiredError as error:
        return _stopped("quote-expired", str(error))
    return plan(desired, known, errand.settings, mark=errand.mark)


def _stopped(code: str, detail: str) -> Plan:
    return Plan(steps=(), warnings=(QuoteWarning(code, detail),))
