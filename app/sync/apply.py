"""Apply a plan step by step: each create by intent, each result committed before the next step."""

from typing import Any

from app.kaseya import (
    AccountInput,
    AddressInput,
    ContactInput,
    EmailInput,
    LocationInput,
    OpportunityInput,
    PhoneInput,
)
from app.quotes.model import Account
from app.sync.apply_quotation import (
    add_line,
    create_item,
    create_quotation,
    remove_line,
    update_line,
    update_quotation,
)
from app.sync.creates import create
from app.sync.documents import push_pdf, write_note
from app.sync.errand import Errand
from app.sync.linking import need, save
from app.sync.looks import main_location
from app.sync.mapping import fold
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
            await create_quotation(errand, step)
        case UpdateQuotation():
            await update_quotation(errand, step)
        case CreateItem():
            await create_item(errand, step)
        case AddLine():
            await add_line(errand, step)
        case UpdateLine():
            await update_line(errand, step)
        case RemoveLine():
            await remove_line(errand, step)
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
        await save(errand, location_id=best.id if best else None)


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
    account_id, location_id = need(errand.link.account_id), need(errand.link.location_id)
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
    await save(errand, opportunity_id=step.opportunity_id, opportunity_sent=sent)
