"""Late looks: what BMS has applied after a create was given up, whether it was sent again or not."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import intents, issues, lanes, links
from app.db.tables import Connection, Intent, Quote
from app.house import House
from app.intake.canonical import from_canonical
from app.sync import notices
from app.sync.errand import Errand, prepare
from app.sync.looks import cannot_be_found, look
from app.sync.places import fits, linked_id, remember
from app.sync.problems import Problem
from app.sync.stops import several_found, unwanted_found

Found = Sequence[dict[str, Any]]


async def look_late(house: House, intent: Intent) -> None:
    """Look once more for a create in doubt, and see to what is found.

    A create that was sent twice may have made two: a person is told. One that the quote did not need again is put in
    its place, so that the quote's next run keeps it or takes it away as any other; where that place is taken, a person
    is told. While somebody works on the quote nothing is done, and the look stays due.
    """
    errand = await _errand(house, intent)
    found = [] if errand is None or cannot_be_found(errand, intent) else await look(errand, intent)
    async with house.database.of(intent.connection_id).transaction() as session:
        if errand is None or not found:
            await intents.audited(session, intent)
        elif intent.state == intents.DONE:
            await intents.audited(session, intent)
            await _tell_of_several(session, intent, found)
        elif await _is_at_rest(session, intent):
            await _take_in(session, errand, intent, found)


async def _errand(house: House, intent: Intent) -> Errand | None:
    async with house.database.of(intent.connection_id).transaction() as session:
        connection = await session.get(Connection, intent.connection_id)
        quote = await session.get(Quote, (intent.connection_id, intent.quote_id))
        if connection is None or quote is None or connection.settings is None:
            return None
        linked = await links.load(session, intent.connection_id, intent.quote_id)
        session.expunge_all()
    return prepare(
        house,
        connection,
        from_canonical(quote.content),
        quote_id=quote.quote_id,
        linked=linked,
        first_synced_at=quote.first_synced_at,
    )


async def _tell_of_several(session: AsyncSession, intent: Intent, found: Found) -> None:
    known = {each["id"]: each for each in (intent.result, *found) if each is not None}
    if len(known) > 1:
        await _tell(session, intent, several_found(intent, [known[each] for each in sorted(known)]))


async def _is_at_rest(session: AsyncSession, intent: Intent) -> bool:
    """Whether nobody works on the quote, nor will before this transaction ends: a run knows its links by heart."""
    idle = or_(Quote.lease_until.is_(None), Quote.lease_until <= func.clock_timestamp())
    return await session.scalar(select(Quote.quote_id).where(*_lane(intent), idle).with_for_update()) is not None


async def _take_in(session: AsyncSession, errand: Errand, intent: Intent, found: Found) -> None:
    link, lines = await links.load(session, intent.connection_id, intent.quote_id)
    errand.link, errand.lines = link, {line.line_id: line for line in lines}
    linked = await linked_id(session, errand, intent)
    others = [each for each in found if each["id"] != linked]
    if linked is not None or not fits(intent, link):
        await intents.audited(session, intent)
        if others:
            await _tell(session, intent, unwanted_found(intent, others, linked=linked))
        return
    await _adopt(session, errand, intent, found[0])
    if len(found) > 1:
        await _tell(session, intent, several_found(intent, found))


async def _adopt(session: AsyncSession, errand: Errand, intent: Intent, result: dict[str, Any]) -> None:
    """Put the record in its place, and have the quote's next run see whether it belongs there.

    An attachment gets no place: ours that are not linked are removed by the next run. A note stays, as those of
    earlier addresses do.
    """
    other = await intents.close_sending(
        session, intent.connection_id, intent.kind, intent.key, sent_at=intent.sent_at, result=result
    )
    if other is not None:
        return  # it is being sent again, and has a late look of its own
    await intents.audited(session, intent)
    if intent.kind not in {"attachment", "note"}:
        await remember(session, errand, intent.kind, intent.hint, result)
    await session.execute(update(Quote).where(*_lane(intent)).values(synced_digest=None))
    await lanes.mark_due(session, *_lane(intent))


async def _tell(session: AsyncSession, intent: Intent, problem: Problem) -> None:
    issue_id = await issues.open_issue(session, intent.connection_id, intent.quote_id, **asdict(problem))
    if issue_id is not None:
        await notices.issue_opened(session, intent.connection_id, intent.quote_id, issue_id, problem)


def _lane(intent: Intent) -> tuple[ColumnElement[bool], ...]:
    return Quote.connection_id == intent.connection_id, Quote.quote_id == intent.quote_id
