"""Apply a plan step by step: each create by intent, each result committed before the next step."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.connections.model import ItemKind
from app.db import intents, lanes, links
from app.db.tables import LinkLine
from app.kaseya import (
    AccountInput,
    AddressInput,
    ContactInput,
    EmailInput,
    KaseyaNotFoundError,
    KaseyaRejectedError,
    LocationInput,
    OpportunityInput,
    PhoneInput,
    ProductInput,
    QuotationInput,
    ServiceInput,
)
from app.quotes.model import Account
from app.sync.creates import create
from app.sync.documents import push_pdf, write_note
from app.sync.errand import Errand
from app.sync.looks import main_location
from app.sync.mapping import QuoteWarning, fold
from app.sync.plan import last_moment
from app.sync.problems import NeedsPersonError, OutdatedPlanError, Problem
from app.sync.steps import (
    AddLine,
    CreateAccount,
    CreateContact,
    CreateItem,
    CreateOpportunity,
    CreateQuotation,
    PushPdf,
    RemoveLine,
    Step,
    UpdateLine,
    UpdateOpportunity,
    UpdateQuotation,
    WriteNote,
)

MAIN_LOCATION = "Main"


async def apply(errand: Errand, step: Step) -> None:  # noqa: C901, PLR0912 - one case a step
    """Carry out one step and commit what it made; raises what the client and the intents raise."""
    match step:
        case CreateAccount(account=account):
            await _create_account(errand, account)
        case CreateContact():
            await _create_contact(errand, step)
        case CreateOpportunity():
            await _create_opportunity(errand, step)
        case UpdateOpportunity():
            await _update_opportunity(errand, step)
        case CreateQuotation():
            await _create_quotation(errand, step)
        case UpdateQuotation():
            await _update_quotation(errand, step)
        case CreateItem():
            await _create_item(errand, step)
        case AddLine():
            await _add_line(errand, step)
        case UpdateLine():
            await _update_line(errand, step)
        case RemoveLine():
            await _remove_line(errand, step)
        case PushPdf():
            await push_pdf(errand, step)
        case WriteNote():
            await write_note(errand, step)
        case _:
            raise NotImplementedError(type(step).__name__)


async def _create_account(errand: Errand, account: Account) -> None:
    rule, name = errand.settings.account, " ".join((account.name or "").split())
    body = AccountInput(
        account_name=name,
        account_type_id=rule.account_type_id or 0,
        business_type_id=rule.business_type_id or 0,
        account_manager_id=rule.account_manager_id or 0,
        website=account.website,
        locations=(LocationInput(location_name=MAIN_LOCATION, addresses=(_address(account),)),),
    )

    async def send() -> dict[str, Any]:
        made = await errand.client.accounts.create(body)
        return {"id": made.id, "location_id": main_location(made)}

    made = await create(errand, "account", fold(name), hint={"name": name}, send=send)
    if made["location_id"] is None:  # asked for when the account is safely noted: a failure here must not make another
        locations = await errand.client.locations.of(made["id"])
        best = min(locations, key=lambda each: (not each.is_main, each.id), default=None)
        await _save(errand, location_id=best.id if best else None)


def _address(account: Account) -> AddressInput:
    address = account.address
    return AddressInput(
        address1=address.line1,
        address2=address.line2,
        city=address.city,
        state=address.state,
        zip_code=address.postal_code,
        country=address.country,
        phone=account.phone,
        is_main=True,
    )


async def _create_contact(errand: Errand, step: CreateContact) -> None:
    contact, rule = step.contact, errand.settings.account
    account_id, location_id = _need(errand.link.account_id), _need(errand.link.location_id)
    phones: tuple[PhoneInput, ...] = ()
    emails: tuple[EmailInput, ...] = ()
    if contact.phone and rule.phone_type_id is not None:
        phones = (PhoneInput(phone_number=contact.phone, phone_type_id=rule.phone_type_id),)
    if contact.email and rule.email_type_id is not None:
        emails = (EmailInput(email_address=contact.email, email_type_id=rule.email_type_id),)
    body = ContactInput(
        first_name=contact.first_name,
        last_name=contact.last_name,
        account_id=account_id,
        location_id=location_id,
        phones=phones,
        emails=emails,
    )

    async def send() -> dict[str, Any]:
        return {"id": (await errand.client.contacts.create(body)).id}

    who = fold(contact.email) or f"{fold(contact.first_name)} {fold(contact.last_name)}"
    hint = {
        "account_id": account_id,
        "email": contact.email if emails else None,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
    }
    await create(errand, "contact", f"{account_id}/{who}", hint=hint, send=send)


async def _create_opportunity(errand: Errand, step: CreateOpportunity) -> None:
    link = errand.link
    fields = {
        **step.fields,
        "account_id": link.account_id,
        "account_location_id": link.location_id,
        "contact_id": link.contact_id,
    }
    body = OpportunityInput.model_validate(fields)

    async def send() -> dict[str, Any]:
        return {"id": (await errand.client.opportunities.create(body)).id}

    hint = {"account_id": link.account_id, "sent": {**step.sent, "contact_id": link.contact_id}}
    await create(errand, "opportunity", errand.quote_id, hint=hint, send=send)


async def _update_opportunity(errand: Errand, step: UpdateOpportunity) -> None:
    body, contact_id = step.body, errand.link.contact_id
    joins_contact = contact_id is not None and body.contact_id != contact_id
    if joins_contact:
        body = body.model_copy(update={"contact_id": contact_id})
    if step.changes or joins_contact:
        await errand.client.opportunities.update(step.opportunity_id, body)
    sent = {**step.sent, "contact_id": contact_id}
    await _save(errand, opportunity_id=step.opportunity_id, opportunity_sent=sent)


async def _create_quotation(errand: Errand, step: CreateQuotation) -> None:
    body = _header(errand, step.fields)
    opportunity_id, account_id = _need(errand.link.opportunity_id), _need(errand.link.account_id)

    async def send() -> dict[str, Any]:
        return {"id": (await errand.client.quotations.create(body)).id}

    hint = {"account_id": account_id, "opportunity_id": opportunity_id, "sent": dict(step.fields)}
    try:
        await create(errand, "quotation", f"{errand.quote_id}/{opportunity_id}", hint=hint, send=send)
    except KaseyaRejectedError as error:
        if not step.backdated:
            raise
        errand.warnings.append(_not_backdated(error))


async def _update_quotation(errand: Errand, step: UpdateQuotation) -> None:
    try:
        await errand.client.quotations.update(step.quotation_id, _header(errand, step.fields))
    except KaseyaRejectedError as error:
        await _check_quotation(errand)
        if not step.backdated:
            raise
        errand.warnings.append(_not_backdated(error))
    await _save(errand, quotation_sent=dict(step.fields))


def _header(errand: Errand, fields: Mapping[str, Any]) -> QuotationInput:
    link = errand.link
    return QuotationInput(
        name=fields["name"],
        opportunity_id=_need(link.opportunity_id),
        account_id=_need(link.account_id),
        location_id=_need(link.location_id),
        contact_id=link.contact_id,
        sales_representative_user_id=fields["sales_representative_user_id"],
        expiry_date=last_moment(date.fromisoformat(fields["expiry_date"])),
        warehouse_id=fields["warehouse_id"],
    )


def _not_backdated(error: KaseyaRejectedError) -> QuoteWarning:
    detail = f"The quote was won after its date, and BMS did not take its quotation: {error}"
    return QuoteWarning("quotation_not_backdated", detail)


async def _create_item(errand: Errand, step: CreateItem) -> None:
    fields = step.fields
    service = ServiceInput(
        name=fields["code"],
        description=fields["description"] or fields["name"],
        unit_price=fields["unit_price"],
        unit_cost=fields["unit_cost"],
        is_taxable=fields["taxable"],
    )

    async def send() -> dict[str, Any]:
        if step.kind is ItemKind.SERVICE:
            return {"id": (await errand.client.services.create(service)).id}
        product = ProductInput(
            product_number=fields["code"],
            product_name=fields["name"],
            product_description=fields["description"],
            sku=fields["sku"],
            unit_price=fields["unit_price"],
            unit_cost=fields["unit_cost"],
        )
        return {"id": (await errand.client.products.create(product)).product_index_id}

    prices = {name: str(fields[name]) for name in ("unit_price", "unit_cost")}
    hint = {"key": step.key, "code": fields["code"], **prices}
    await create(errand, step.kind, step.key, hint=hint, send=send)


async def _add_line(errand: Errand, step: AddLine) -> None:
    quotation_id = errand.link.quotation_id
    if quotation_id is None:
        return  # its header was refused as backdated, and a warning says so
    item_id = step.item_id if step.item_id is not None else await _created_item(errand, step)
    body = step.body.model_copy(update={"id": item_id})

    async def send() -> dict[str, Any]:
        made = await errand.client.quotations.add_line(
            quotation_id, item_type_id=step.item_type_id, distributor_type_id=step.distributor_type_id, line=body
        )
        return {"id": made.id}

    hint = {
        "quotation_id": quotation_id,
        "line_id": step.line.line_id,
        "item_kind": step.kind,
        "item_id": item_id,
        "sent": dict(step.sent),
    }
    try:
        await create(errand, "line", line_key(errand, quotation_id, step.line.line_id), hint=hint, send=send)
    except KaseyaRejectedError:
        await _check_quotation(errand)
        # The item may be gone from BMS: forget it, so that Retry matches it anew.
        async with errand.database.transaction() as session:
            await links.forget_item(session, errand.connection_id, step.kind, step.item_key)
            await intents.withdraw(session, errand.connection_id, step.kind, step.item_key)
        raise


def line_key(errand: Errand, quotation_id: int, line_id: str) -> str:
    """The key of a line's intent."""
    return f"{errand.quote_id}/{quotation_id}/{line_id}"


async def _created_item(errand: Errand, step: AddLine) -> int:
    async with errand.database.transaction() as session:
        known = await links.items(session, errand.connection_id, step.kind, {step.item_key})
    return known[step.item_key].kaseya_id


async def _update_line(errand: Errand, step: UpdateLine) -> None:
    try:
        await errand.client.quotations.update_line(_need(errand.link.quotation_id), step.kaseya_line_id, step.body)
    except KaseyaRejectedError as error:
        if await _has_line(errand, step.kaseya_line_id):
            raise
        await _forget_line(errand, step.line_id)
        if step.removed:
            return
        message = f"The line {step.body.name!r} is not on the quotation any more: it is added anew."
        raise OutdatedPlanError(message) from error
    if step.replaced:
        await _forget_line(errand, step.line_id)
        return
    line = errand.lines[step.line_id]
    values = {"sent": dict(step.sent), "removed": step.removed}
    async with errand.database.transaction() as session:
        await lanes.hold(session, errand.claim)
        await links.save_line(
            session,
            errand.connection_id,
            errand.quote_id,
            step.line_id,
            kaseya_line_id=line.kaseya_line_id,
            item_kind=line.item_kind,
            item_id=line.item_id,
            **values,
        )
    errand.lines[step.line_id] = LinkLine(
        line_id=step.line_id,
        kaseya_line_id=line.kaseya_line_id,
        item_kind=line.item_kind,
        item_id=line.item_id,
        **values,
    )


async def _remove_line(errand: Errand, step: RemoveLine) -> None:
    try:
        await errand.client.quotations.delete_line(_need(errand.link.quotation_id), step.kaseya_line_id)
    except KaseyaRejectedError:
        if await _has_line(errand, step.kaseya_line_id):
            raise
    await _forget_line(errand, step.line_id)


async def _has_line(errand: Errand, kaseya_line_id: int) -> bool:
    """Whether the line is still there, asked when BMS refused to write it: a refusal does not tell."""
    try:
        await errand.client.quotations.line(_need(errand.link.quotation_id), kaseya_line_id)
    except KaseyaNotFoundError:
        await _check_quotation(errand)
        return False
    return True


async def _check_quotation(errand: Errand) -> None:
    """Raise NeedsPersonError where the whole quotation is gone, which explains a refusal."""
    quotation_id = _need(errand.link.quotation_id)
    try:
        await errand.client.quotations.get(quotation_id)
    except KaseyaNotFoundError as error:
        raise NeedsPersonError(_quotation_gone(quotation_id, error)) from None


def _quotation_gone(quotation_id: int, error: KaseyaNotFoundError) -> Problem:
    return Problem(
        code="quotation-gone",
        title="The quotation is not in BMS any more",
        detail=f"BMS does not have the quotation {quotation_id} of this quote any more. It said: {error}",
        remedy="Press Retry to start a new quotation, or Dismiss to leave the quote alone.",
    )


async def _forget_line(errand: Errand, line_id: str) -> None:
    key = line_key(errand, _need(errand.link.quotation_id), line_id)
    async with errand.database.transaction() as session:
        await lanes.hold(session, errand.claim)
        await links.forget_line(session, errand.connection_id, errand.quote_id, line_id)
        await intents.withdraw(session, errand.connection_id, "line", key)
    errand.lines.pop(line_id, None)


async def _save(errand: Errand, **values: Any) -> None:  # noqa: ANN401 - columns of the link
    async with errand.database.transaction() as session:
        await lanes.hold(session, errand.claim)
        await links.save(session, errand.connection_id, errand.quote_id, **values)
    for name, value in values.items():
        setattr(errand.link, name, value)


def _need(kaseya_id: int | None) -> int:
    """An id that an earlier step of the plan has filled in."""
    assert kaseya_id is not None
    return kaseya_id
