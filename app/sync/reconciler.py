"""One run: make BMS equal to the newest quote; settles doubts first, then observes, plans and applies."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import lanes, links
from app.db.tables import Quote
from app.directory import Directory
from app.kaseya import KaseyaError, KaseyaRejectedError
from app.quotes.expiry import is_expired, today_in
from app.sync.apply import apply
from app.sync.creates import resolve
from app.sync.documents import remove_former
from app.sync.errand import Errand
from app.sync.issues import unlink_opportunity
from app.sync.known import Known
from app.sync.mapping import Desired, QuoteWarning, desire
from app.sync.observe import observe, sent_lines
from app.sync.plan import Plan, plan
from app.sync.plan_quotation import about_total, sent_total
from app.sync.problems import ExpiredError
from app.sync.references import check_references


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a finished run came to. ``digest`` is None while something of the quote is still to follow.

    Of an unchanged quote the ``warnings`` are those that the quote alone decides: BMS was not asked.
    """

    unchanged: bool
    digest: bytes | None
    steps: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[QuoteWarning, ...] = ()
    waits_for_header: bool = False


async def reconcile(errand: Errand, directory: Directory, *, synced_digest: bytes | None) -> Result:
    """Bring BMS to what the quote wants; nothing that already is so costs a call.

    Raises whatever stopped it; everything applied until then is committed, and the next run goes on from there.
    """
    desired = desire_now(errand)
    if desired.digest == synced_digest:
        return Result(unchanged=True, digest=desired.digest, warnings=_about_unchanged(errand, desired))
    await resolve(errand)
    await remove_former(errand)
    references = await check_references(errand, desired, directory, sparing=True)
    known = await observe(errand, desired, references)
    planned = plan(desired, known, errand.settings, mark=errand.mark)
    await begin(errand, known, planned)
    try:
        for step in planned.steps:
            await apply(errand, step)
    except KaseyaRejectedError:
        # Under load the lists may be of a while ago: where a setting's record has gone since, that is what to tell.
        with suppress(KaseyaError):
            await check_references(errand, desired, directory)
        raise
    return _result(errand, desired, known, planned)


def desire_now(errand: Errand) -> Desired:
    """What the quote wants of BMS today; raises ExpiredError where its date has passed while it waited."""
    today = today_in(errand.zone.key, errand.clock())
    if is_expired(errand.quote, today=today):
        message = (
            f"The quote expired on {errand.quote.expires_on} and BMS cannot backdate; what is in BMS stays as it is."
        )
        raise ExpiredError(message)
    first = errand.first_synced_at
    return desire(
        errand.quote,
        errand.settings,
        today=today,
        first_synced_on=None if first is None else first.astimezone(errand.zone).date(),
        capabilities=errand.client.capabilities,
    )


def _about_unchanged(errand: Errand, desired: Desired) -> tuple[QuoteWarning, ...]:
    total = sent_total(sent_lines(errand).values())
    return (*desired.warnings, *about_total(total, desired))


async def begin(errand: Errand, known: Known, planned: Plan) -> None:
    """Link the records that were matched, before anything is written that depends on them.

    From the first write on BMS no longer shows what was synced last: a run that stops half way must not let the quote
    count as unchanged when it goes back to what it was.
    """
    found = _found(errand, known)
    if not (found or planned.steps):
        return
    async with errand.database.transaction() as session:
        await lanes.guard(session, errand.claim)
        if known.left_opportunity_id is not None:
            await unlink_opportunity(session, errand.connection_id, errand.quote_id)
        if planned.steps:
            await _forget_digest(session, errand)
        if found:
            await links.save(session, errand.connection_id, errand.quote_id, **found)
    for name, value in found.items():
        setattr(errand.link, name, value)


def _found(errand: Errand, known: Known) -> dict[str, int | None]:
    """What differs from the link. A contact that belongs to the account of before is none."""
    link = errand.link
    found = {
        "account_id": known.account_id,
        "location_id": known.location_id,
        "contact_id": known.contact_id,
        "opportunity_id": known.opportunity_id,
        "quotation_id": known.quotation_id,
    }
    differs: dict[str, int | None] = {
        name: value for name, value in found.items() if value is not None and value != getattr(link, name)
    }
    if known.account_id != link.account_id and link.contact_id is not None:
        differs["contact_id"] = known.contact_id
    return differs


async def _forget_digest(session: AsyncSession, errand: Errand) -> None:
    this = (Quote.connection_id == errand.connection_id, Quote.quote_id == errand.quote_id)
    await session.execute(update(Quote).where(*this).values(synced_digest=None))


def _result(errand: Errand, desired: Desired, known: Known, planned: Plan) -> Result:
    unfinished = known.waits_for_header or errand.follow_up_at is not None
    return Result(
        unchanged=False,
        digest=None if unfinished else desired.digest,
        steps=tuple(step.to_json() for step in planned.steps),
        warnings=(*planned.warnings, *errand.warnings),
        waits_for_header=known.waits_for_header,
    )
