"""Creates by intent: committed before the call, closed with its result, looked for when the answer is lost."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal, overload

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import intents, issues, lanes
from app.db.lanes import LeaseLostError
from app.db.tables import Intent
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
from app.sync.places import fits, remember
from app.sync.problems import AnotherMakesItError, InDoubtError, NeedsPersonError, OutdatedPlanError
from app.sync.stops import several_found, unwanted_found

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
    :class:`AnotherMakesItError` while another quote is creating the same, :class:`OutdatedPlanError` when an earlier
    sending of it was found after all, and KaseyaError when nothing was created.
    """
    declared = await _declare(errand, kind, key, hint=dict(hint))
    if isinstance(declared, Intent):
        await _look_again(errand, declared)
        declared = await _declare(errand, kind, key, hint=dict(hint), is_looked_for=True)
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
            await _allow_again(session, errand, intent)


async def _allow_again(session: AsyncSession, errand: Errand, intent: Intent) -> None:
    now = errand.clock()
    await intents.allow_again(session, intent, looked_at=now, audit_at=now + errand.audit_after)


async def _look_again(errand: Errand, intent: Intent) -> None:
    """Look once more where the last look is too long ago to send again after it.

    Raises :class:`OutdatedPlanError` where BMS has applied the create since then: the record is linked as it was sent.
    """
    found = [] if cannot_be_found(errand, intent) else await look(errand.urgently(), intent)
    if not found:
        async with errand.database.transaction() as session:
            await lanes.hold(session, errand.claim)
            await _allow_again(session, errand, intent)
        return
    if not fits(intent, errand.link):
        raise NeedsPersonError(unwanted_found(intent, found, linked=None))
    await _close(
        errand, intent.kind, intent.key, sent_at=intent.sent_at, hint=intent.hint, result=found[0], fenced=True
    )
    if len(found) > 1:
        raise NeedsPersonError(several_found(intent, found))
    raise OutdatedPlanError(f"BMS has created the {intent.kind} after all, when nobody looked any more.")


@overload
async def _declare(
    errand: Errand, kind: str, key: str, *, hint: Result, is_looked_for: Literal[True]
) -> datetime | Result: ...
@overload
async def _declare(errand: Errand, kind: str, key: str, *, hint: Result) -> datetime | Result | Intent: ...
async def _declare(
    errand: Errand, kind: str, key: str, *, hint: Result, is_looked_for: bool = False
) -> datetime | Result | Intent:
    """Commit the intent, under the fence, and return its time; or the result of an earlier create of the same.

    An earlier sending that was given up too long ago is returned as it is: it has to be looked for first. With
    ``is_looked_for`` it just was, however short the grace time is.
    """
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
        if not is_looked_for and _is_long_given_up(intent, now=now, grace=errand.grace):
            session.expunge(intent)
            return intent
        audit_at = None
        if intent.state == intents.RESEND:
            audit_at = now + errand.audit_after
            if "sent" in hint:
                hint = {**hint, "sent_before": all_sent(intent.hint)}
        return await intents.declare_again(session, intent, quote_id=errand.quote_id, hint=hint, audit_at=audit_at)


def _is_long_given_up(intent: Intent, *, now: datetime, grace: timedelta) -> bool:
    return intent.state == intents.RESEND and intent.look_at is not None and now - intent.look_at >= grace


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
            await remember(session, errand, kind, hint, result)
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
        await remember(session, errand, kind, hint, result)
