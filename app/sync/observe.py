"""Observe: read from BMS what the plan needs to know, and no more; nothing is written here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.connections.model import ItemKind
from app.db import links
from app.kaseya import Account, Capability, KaseyaNotFoundError, Opportunity, Quotation
from app.kaseya import Contact as KaseyaContact
from app.quotes.model import Contact
from app.sync.errand import Errand
from app.sync.issues import HANGS_ON_OPPORTUNITY
from app.sync.known import Known, KnownItem, SentLine
from app.sync.looks import main_location
from app.sync.mapping import Desired, DesiredLine, QuoteWarning, fold
from app.sync.match_items import match_items
from app.sync.plan import sent_fields
from app.sync.plan_quotation import is_new_line
from app.sync.problems import NeedsPersonError, Problem
from app.sync.references import References
from app.sync.stops import (
    account_inactive,
    account_mismatch,
    account_missing,
    account_not_usable,
    not_selectable,
    quotation_ambiguous,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _FoundAccount:
    """The account a quote belongs to; ids are None where it is to be created."""

    id: int | None
    location_id: int | None
    warnings: tuple[QuoteWarning, ...] = ()


async def observe(errand: Errand, desired: Desired, references: References) -> Known:
    """Match account, contact, opportunity, quotation and items; raises NeedsPersonError where a person must choose."""
    account = await _account(errand, desired)
    opportunity = await _opportunity(errand, desired, account)
    left = errand.link.opportunity_id if opportunity else None
    if left is not None:
        leave_opportunity(errand)
    contact_id = await _contact(errand, desired, account)
    quotation_id, waits_for_header = await _quotation(errand, desired, account)
    known = Known(
        account_id=account.id,
        location_id=account.location_id,
        contact_id=contact_id,
        owner_id=references.owner_id,
        probability=references.probability,
        opportunity_id=errand.link.opportunity_id or (opportunity.id if opportunity else None),
        opportunity=opportunity,
        opportunity_sent=errand.link.opportunity_sent,
        quotation_id=quotation_id,
        quotation_sent=errand.link.quotation_sent,
        items=await _items(errand, desired),
        lines=sent_lines(errand),
        attachment_id=errand.link.attachment_id,
        attachment_digest=errand.link.attachment_digest,
        noted_url=errand.link.noted_url,
        capabilities=errand.client.capabilities,
        waits_for_header=waits_for_header,
        left_opportunity_id=left,
        warnings=(*account.warnings, *references.warnings, *_about_left(left)),
    )
    if known.opportunity is None and known.opportunity_id and _opportunity_differs(desired, known):
        return await _with_live_opportunity(errand, known)
    return known


def _opportunity_differs(desired: Desired, known: Known) -> bool:
    """Whether it has to be written: by what the quote says, or since a contact is to be created that joins it."""
    contact_is_new = desired.contact is not None and known.contact_id is None
    return contact_is_new or sent_fields(desired, known) != known.opportunity_sent


async def _with_live_opportunity(errand: Errand, known: Known) -> Known:
    assert known.opportunity_id is not None
    return replace(known, opportunity=await _read_opportunity(errand, known.opportunity_id))


async def _read_opportunity(errand: Errand, opportunity_id: int) -> Opportunity:
    try:
        return await errand.client.opportunities.get(opportunity_id)
    except KaseyaNotFoundError as error:
        problem = Problem(
            code="opportunity-gone",
            title="The opportunity is not in BMS any more",
            detail=f"BMS does not have the opportunity {opportunity_id} of this quote any more. It said: {error}",
            remedy="Press Retry to have a new opportunity created, or Dismiss to leave the quote alone.",
        )
        raise NeedsPersonError(problem) from None


async def _account(errand: Errand, desired: Desired) -> _FoundAccount:
    named, link = desired.account.kaseya_account_id, errand.link
    if named is not None and named != link.account_id:
        return await _named_account(errand, named)
    if link.account_id is not None:
        location_id = link.location_id
        if location_id is None:  # the run that made the account ended before it knew
            location_id = await _location(errand, await errand.client.accounts.get(link.account_id))
        return _FoundAccount(id=link.account_id, location_id=location_id)
    found = await _accounts_called(errand, desired.account.name or "")
    active = [account for account in found if account.is_active]
    if active:
        return await _matched_account(errand, active)
    if found:
        raise NeedsPersonError(account_inactive(found))
    if not errand.settings.account.create_missing:
        raise NeedsPersonError(account_missing(desired.account.name or ""))
    return _FoundAccount(id=None, location_id=None)


async def _named_account(errand: Errand, account_id: int) -> _FoundAccount:
    try:
        account = await errand.client.accounts.get(account_id)
    except KaseyaNotFoundError:
        raise NeedsPersonError(account_not_usable(account_id, "is not in BMS (any more)")) from None
    if not account.is_active:
        raise NeedsPersonError(account_not_usable(account_id, "is inactive"))
    return _FoundAccount(id=account.id, location_id=await _location(errand, account))


async def _accounts_called(errand: Errand, name: str) -> list[Account]:
    """The accounts of this name, lowest id first.

    BMS filters by "contains", so equality is checked here: names may differ in case and spaces. Where BMS holds more
    spaces than the quote, only a single word of the name is contained; so the longest is looked for before giving up.
    """
    words = name.split()
    for text in dict.fromkeys((" ".join(words), max(words, key=len, default=""))):
        found = [each for each in await errand.client.accounts.search(text) if fold(each.account_name) == fold(name)]
        if found:
            return sorted(found, key=lambda each: each.id)
    return []


async def _matched_account(errand: Errand, active: Sequence[Account]) -> _FoundAccount:
    account, warnings = active[0], tuple[QuoteWarning, ...]()
    if len(active) > 1:
        ids = ", ".join(str(each.id) for each in active)
        detail = (
            f"BMS has {len(active)} active accounts named {account.account_name!r} ({ids}): the lowest id was taken."
        )
        warnings = (QuoteWarning("account_ambiguous", detail),)
    return _FoundAccount(id=account.id, location_id=await _location(errand, account), warnings=warnings)


async def _location(errand: Errand, account: Account) -> int:
    location_id = main_location(account)
    if location_id is not None:
        return location_id
    locations = await errand.client.locations.of(account.id)
    best = min(locations, key=lambda each: (not each.is_main, each.id), default=None)
    if best is None:
        raise NeedsPersonError(account_not_usable(account.id, "has no location, which BMS wants for opportunities"))
    return best.id


async def _contact(errand: Errand, desired: Desired, account: _FoundAccount) -> int | None:
    """The contact at this account, by e-mail or by name; what was linked at another account does not count."""
    contact = desired.contact
    linked = errand.link.contact_id if account.id == errand.link.account_id else None
    if contact is None:
        return linked
    if contact.kaseya_contact_id is not None and contact.kaseya_contact_id != linked:
        return await _named_contact(errand, contact.kaseya_contact_id, account)
    if linked is not None:
        return linked
    if account.id is None or not (contact.email or contact.first_name or contact.last_name):
        return None
    found = await errand.client.contacts.search(
        account_ids=[account.id],
        email=contact.email,
        first_name=None if contact.email else contact.first_name,
        last_name=None if contact.email else contact.last_name,
    )
    matching = [each for each in found if each.account_id == account.id and _is_person(each, contact)]
    best = min(matching, key=lambda each: (not each.is_active, each.id), default=None)
    return best.id if best else None


def _is_person(found: KaseyaContact, contact: Contact) -> bool:
    if contact.email:
        return fold(found.email_address) == fold(contact.email)
    names = fold(contact.first_name), fold(contact.last_name)
    return (fold(found.first_name), fold(found.last_name)) == names


async def _named_contact(errand: Errand, contact_id: int, account: _FoundAccount) -> int:
    try:
        contact = await errand.client.contacts.get(contact_id)
    except KaseyaNotFoundError:
        contact = None
    if contact is None or contact.account_id != account.id:
        problem = Problem(
            code="contact-not-usable",
            title="The contact that the quote names cannot be used",
            detail=f"The contact {contact_id} is not in BMS, or belongs to another account than the quote's.",
            remedy="Pick a contact of the quote's account (or none) in the quote, then press Retry.",
        )
        raise NeedsPersonError(problem)
    return contact.id


async def _opportunity(errand: Errand, desired: Desired, account: _FoundAccount) -> Opportunity | None:
    """The opportunity that the quote names, read and checked when it is to be linked; None where the link stands."""
    named, linked = desired.opportunity.named_id, errand.link.opportunity_id
    if named is None or named == linked:
        if linked is not None and account.id != errand.link.account_id:
            raise NeedsPersonError(account_mismatch(linked, errand.link.account_id, account.id))
        return None
    try:
        opportunity = await errand.client.opportunities.get(named)
    except KaseyaNotFoundError:
        raise NeedsPersonError(not_selectable(named, "is not in BMS (any more)")) from None
    if opportunity.account_id != account.id:
        raise NeedsPersonError(account_mismatch(named, opportunity.account_id, account.id))
    statuses = {each.id: each for each in await errand.client.opportunities.statuses()}
    status = statuses.get(opportunity.status_id)
    if status is None or not status.is_selectable:
        raise NeedsPersonError(not_selectable(named, "has a status that is not Open and Active"))
    return opportunity


def leave_opportunity(errand: Errand) -> None:
    """Go on as if nothing hung on the opportunity of before; that is stored when the run begins to write."""
    for name in HANGS_ON_OPPORTUNITY:
        setattr(errand.link, name, None)
    errand.lines.clear()


def _about_left(opportunity_id: int | None) -> Iterator[QuoteWarning]:
    if opportunity_id is not None:
        detail = f"The quote names another opportunity now; {opportunity_id}, where it was before, was left as it is."
        yield QuoteWarning("opportunity_changed", detail)


async def _quotation(errand: Errand, desired: Desired, account: _FoundAccount) -> tuple[int | None, bool]:
    """The linked quotation, or in adopt mode the only one of the opportunity; whether one is still waited for."""
    if desired.quotation is None or errand.link.quotation_id is not None:
        return errand.link.quotation_id, False
    if Capability.QUOTATION_CREATE in errand.client.capabilities:
        return None, False
    opportunity_id = errand.link.opportunity_id or desired.opportunity.named_id
    if opportunity_id is None or account.id is None:
        return None, True
    own = await _quotations_of(errand, account.id, opportunity_id)
    if len(own) > 1:
        raise NeedsPersonError(quotation_ambiguous(opportunity_id, [each.id for each in own]))
    return (own[0].id, False) if own else (None, True)


async def _quotations_of(errand: Errand, account_id: int, opportunity_id: int) -> list[Quotation]:
    """The opportunity's quotations: only headers tell that, so those that other quotes are linked with are not read."""
    listed = {each.id for each in await errand.client.quotations.summaries(account_id)}
    async with errand.database.transaction() as session:
        others = await links.of_other_opportunities(session, errand.connection_id, opportunity_id, listed)
    headers = [await errand.client.quotations.get(each) for each in sorted(listed - others)]
    return [each for each in headers if each.opportunity_id == opportunity_id]


async def _items(errand: Errand, desired: Desired) -> dict[str, KnownItem]:
    """The items of the lines that need one: new lines, and services whose price or cost the quote does not say."""
    if desired.quotation is None:
        return {}
    lines = [line for line in desired.quotation.lines if _needs_item(errand, line)]
    return await match_items(errand, lines) if lines else {}


def _needs_item(errand: Errand, line: DesiredLine) -> bool:
    if line.kind is ItemKind.OTHER:
        return False
    unpriced = line.kind is ItemKind.SERVICE and (line.unit_price is None or line.unit_cost is None)
    sent = errand.lines.get(line.line.line_id)
    return unpriced or is_new_line(line, sent.sent if sent else None)


def sent_lines(errand: Errand) -> dict[str, SentLine]:
    """The quotation's lines as our line map has them."""
    return {
        line_id: SentLine(
            kaseya_line_id=line.kaseya_line_id,
            item_kind=line.item_kind,
            item_id=line.item_id,
            sent=line.sent,
            removed=bool(line.removed),
        )
        for line_id, line in errand.lines.items()
    }
