"""Creates by intent: committed before the call, closed with its result, looked for when the answer is lost."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import intents, issues, lanes, links
from app.db.lanes import LeaseLostError
from app.db.tables import Intent, LinkLine
from app.kaseya import (
    CapabilityMissingError,
    KaseyaAmbiguousError,
    KaseyaCredentialsError,
    KaseyaHostRefusedError,
    KaseyaRejectedError,
    KaseyaThrottledError,
    KaseyaTransientError,
)
from app.sync.errand import Errand
from app.sync.looks import SHARED, all_sent, cannot_be_found, look
from app.sync.problems import AnotherMakesItError, InDoubtError, NeedsPersonError, Problem

LOOKS = 2
TRUSTED_FOR = timedelta(hours=1)
"""What another quote created this recently is taken even where BMS does not list it yet; later, BMS's list is right."""

NOTHING_HAPPENED = (
    KaseyaTransientError,
    KaseyaThrottledError,
    KaseyaRejectedError,
    KaseyaCredentialsError,
    CapabilityMissingError,
    KaseyaHostRefusedError,
    LeaseLostError,
)
"""BMS has certainly not applied the create: it said no, or the call never went out."""

Result = dict[str, Any]
Send = Callable[[], Awaitable[Result]]


async def create(errand: Errand, kind: str, key: str, *, hint: Mapping[str, Any], send: Send) -> Result:
    """Create one record at most once, and remember it in the quote's link.

    ``hint`` is what finds the record again. Raises :class:`InDoubtError` when the answer is lost,
    :class:`AnotherMakesItError` while another quote is creating the same, and KaseyaError when nothing was created.
    """
    declared = await _declare(errand, kind, key, hint=dict(hint))
    if isinstance(declared, dict):
        await _take_over_result(errand, kind, hint=hint, result=declared)
        return declared
    try:
        result = await send()
    except NOTHING_HAPPENED:
        async with errand.database.transaction() as session:
            await intents.take_back(session, errand.connection_id, kind, key, sent_at=declared)
        raise
    except KaseyaAmbiguousError as error:
        raise await _doubt(errand, kind, key, sent_at=declared, asked=error.retry_after) from error
    return await _close(errand, kind, key, sent_at=declared, hint=hint, result=result)


async def resolve(errand: Errand) -> None:
    """Settle every create of this quote that is in doubt, before anything else is sent.

    Raises :class:`InDoubtError` while it is too early to look or to send again, and :class:`NeedsPersonError` where
    several records were found or none can be.
    """
    async with errand.database.transaction() as session:
        doubted = await intents.open_of(session, errand.connection_id, errand.quote_id)
    for intent in doubted:
        await _resolve(errand, intent)


async def _resolve(errand: Errand, intent: Intent) -> None:
    look_at = intent.look_at or intent.sent_at + errand.grace
    if errand.clock() < look_at:
        raise InDoubtError(look_at, intent.kind)
    if problem := cannot_be_found(errand, intent):
        raise NeedsPersonError(problem)
    found = await look(errand.urgently(), intent)
    if found:
        await _close(
            errand, intent.kind, intent.key, sent_at=intent.sent_at, hint=intent.hint, result=found[0], fenced=True
        )
        if len(found) > 1:
            raise NeedsPersonError(several_found(intent, found))
    elif intent.looks + 1 < LOOKS:
        raise await _doubt(errand, intent.kind, intent.key, sent_at=intent.sent_at, looks=intent.looks + 1)
    else:
        async with errand.database.transaction() as session:
            await lanes.hold(session, errand.claim)
            await intents.allow_again(session, intent, audit_at=errand.clock() + errand.audit_after)


def several_found(intent: Intent, found: list[Result]) -> Problem:
    """BMS holds more than one record of what was to be created once."""
    ids = ", ".join(str(each["id"]) for each in found)
    return Problem(
        code="duplicate-found",
        title=f"BMS holds this quote's {intent.kind} more than once",
        detail=f"An answer of BMS was lost, and looking for the {intent.kind} found {len(found)} of them: {ids}. "
        f"The quote is linked with {found[0]['id']}.",
        remedy="Remove the others in BMS (or close them), then press Retry.",
        candidates=[{"kaseya_id": str(each["id"])} for each in found],
    )


async def _declare(errand: Errand, kind: str, key: str, *, hint: Result) -> datetime | Result:
    """Commit the intent, under the fence, and return its time; or the result of an earlier create of the same."""
    async with errand.database.transaction() as session:
        await lanes.hold(session, errand.claim)
        intent = await intents.declare(session, errand.connection_id, kind, key, quote_id=errand.quote_id, hint=hint)
        if isinstance(intent, datetime):
            return intent
        now = errand.clock()
        if intent.state == intents.DONE and intent.result is not None and _is_trusted(intent, now=now):
            return intent.result
        if intent.state == intents.OPEN:
            await _wait_or_take_over(session, errand, intent)
        audit_at = None
        if intent.state == intents.RESEND:
            audit_at = now + errand.audit_after
            if "sent" in hint:
                hint = {**hint, "sent_before": all_sent(intent.hint)}
        return await intents.declare_again(session, intent, quote_id=errand.quote_id, hint=hint, audit_at=audit_at)


def _is_trusted(intent: Intent, *, now: datetime) -> bool:
    return intent.kind not in SHARED or now - intent.sent_at < TRUSTED_FOR


async def _wait_or_take_over(session: AsyncSession, errand: Errand, intent: Intent) -> None:
    """Another quote's create is under way: wait; if its answer has been missing for long, look for it ourselves."""
    look_at = intent.look_at or intent.sent_at + errand.grace
    if errand.clock() < look_at + errand.grace:
        raise AnotherMakesItError
    await intents.take_over(session, intent, quote_id=errand.quote_id)
    await session.commit()
    raise InDoubtError(errand.clock(), intent.kind)


async def _doubt(
    errand: Errand, kind: str, key: str, *, sent_at: datetime, looks: int = 0, asked: timedelta | None = None
) -> InDoubtError:
    """Note that nobody knows what became of a create; BMS is not looked at sooner than it ``asked`` for."""
    look_at = errand.clock() + max(errand.grace, asked or errand.grace)
    async with errand.database.transaction() as session:
        await intents.doubt(session, errand.connection_id, kind, key, sent_at=sent_at, look_at=look_at, looks=looks)
    return InDoubtError(look_at, kind)


async def _close(
    errand: Errand,
    kind: str,
    key: str,
    *,
    sent_at: datetime,
    hint: Mapping[str, Any],
    result: Result,
    fenced: bool = False,
) -> Result:
    """Commit the result and the link together.

    What BMS has made must be remembered even by a worker that lost its lease meanwhile, so a sending's own result
    needs no fence. But where the next worker has sent again since then, its result stays, and a person hears of two.
    """
    async with errand.database.transaction() as session:
        if fenced:
            await lanes.hold(session, errand.claim)
        other = await intents.close_sending(session, errand.connection_id, kind, key, sent_at=sent_at, result=result)
        if other is None:
            await _remember(session, errand, kind, hint, result)
        elif other.result is not None and other.result["id"] != result["id"]:
            said = asdict(several_found(other, [other.result, result]))
            await issues.open_issue(session, errand.connection_id, errand.quote_id, **said)
    if other is not None:
        raise AnotherMakesItError if kind in SHARED else LeaseLostError(errand.quote_id)
    return result


async def _take_over_result(errand: Errand, kind: str, *, hint: Mapping[str, Any], result: Result) -> None:
    """Link what an earlier create of the same has made, this quote's or another's."""
    async with errand.database.transaction() as session:
        await lanes.hold(session, errand.claim)
        await _remember(session, errand, kind, hint, result)


async def _remember(session: AsyncSession, errand: Errand, kind: str, hint: Mapping[str, Any], result: Result) -> None:
    """Write what was made into the quote's link, or into the item map."""
    connection_id, quote_id, made = errand.connection_id, errand.quote_id, result["id"]
    match kind:
        case "service" | "product":
            priced = {"unit_price": hint.get("unit_price"), "unit_cost": hint.get("unit_cost")}
            await links.save_item(session, connection_id, kind, hint["key"], kaseya_id=made, **priced)
        case "line":
            values = {name: hint[name] for name in ("item_kind", "item_id")} | {
                "sent": result.get("sent", hint["sent"])
            }
            await links.save_line(
                session, connection_id, quote_id, hint["line_id"], kaseya_line_id=made, removed=False, **values
            )
            errand.lines[hint["line_id"]] = LinkLine(line_id=hint["line_id"], kaseya_line_id=made, **values)
        case _:
            values = link_values(kind, hint, result)
            await links.save(session, connection_id, quote_id, **values)
            for name, value in values.items():
                setattr(errand.link, name, value)


def link_values(kind: str, hint: Mapping[str, Any], result: Result) -> dict[str, Any]:
    """The link's columns that a created record fills."""
    match kind:
        case "account":
            return {"account_id": result["id"], "location_id": result["location_id"]}
        case "contact":
            return {"contact_id": result["id"]}
        case "opportunity":
            return {"opportunity_id": result["id"], "opportunity_sent": hint["sent"]}
        case "quotation":
            return {"quotation_id": result["id"], "quotation_sent": result.get("sent", hint["sent"])}
        case "note":
            return {"noted_url": hint["url"]}
        case _:
            return {
                "attachment_id": result["id"],
                "attachment_digest": hint["digest"],
                "attachment_name": hint["name"],
            }
