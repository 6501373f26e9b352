"""The pure plan: from what is desired and what is known to the steps that make BMS so, and the warnings to tell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from app.connections.model import ConnectionSettings
from app.kaseya.records import OpportunityInput
from app.sync.known import Known
from app.sync.mapping import Desired, QuoteWarning
from app.sync.mapping.words import with_marker
from app.sync.plan_quotation import plan_quotation
from app.sync.steps import (
    Change,
    CreateAccount,
    CreateContact,
    CreateOpportunity,
    PushPdf,
    Step,
    UpdateOpportunity,
    WriteNote,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do, in order, and what it cannot do."""

    steps: tuple[Step, ...]
    warnings: tuple[QuoteWarning, ...]

    def to_json(self) -> dict[str, Any]:
        """As previewed: ``{steps, warnings}``, without the steps that find everything as it should be."""
        return {
            "steps": [step.to_json() for step in self.steps if step.changes],
            "warnings": [warning.to_json() for warning in self.warnings],
        }


def plan(desired: Desired, known: Known, settings: ConnectionSettings, *, mark: str) -> Plan:
    """Decide every step; nothing is read or sent here. ``mark`` is the quote's marker line."""
    quotation_steps, quotation_warnings = plan_quotation(desired, known)
    steps = (
        *_account(desired, known),
        *_contact(desired, known),
        *_opportunity(desired, known, settings, mark=mark),
        *quotation_steps,
        *_document(desired, known),
    )
    document_warnings = _about_document(desired)
    return Plan(steps=steps, warnings=(*known.warnings, *desired.warnings, *quotation_warnings, *document_warnings))


def created(fields: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes of a record that is new: every field that it gets."""
    return tuple(Change(name, None, value) for name, value in fields.items() if value is not None)


def _account(desired: Desired, known: Known) -> Iterator[Step]:
    if known.account_id is None:
        account = desired.account
        fields = {"account_name": account.name, "website": account.website, "phone": account.phone}
        yield CreateAccount(account=account, changes=created(fields))


def _contact(desired: Desired, known: Known) -> Iterator[Step]:
    contact = desired.contact
    if contact is None or known.contact_id is not None:
        return
    fields = {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "phone": contact.phone,
    }
    yield CreateContact(contact=contact, changes=created(fields))


def sent_fields(desired: Desired, known: Known) -> dict[str, Any]:
    """The opportunity's fields that the quote decides, as they are compared with what was last sent."""
    wanted = desired.opportunity
    fields: dict[str, Any] = {
        "status_id": wanted.status_id,
        "amount": str(wanted.amount),
        "close_date": wanted.close_date.isoformat(),
        "owner_id": known.owner_id,
        "probability": str(known.probability),
        "contact_id": known.contact_id,
    }
    if wanted.rename:
        fields["subject"] = wanted.subject
    return fields


def as_moment(day: date) -> datetime:
    """A date as BMS takes it: midnight, in UTC."""
    return datetime.combine(day, time(), UTC)


def last_moment(day: date) -> datetime:
    """The last second of a date, in UTC: BMS refuses an expiry in the past, and midnight of today is past already."""
    return datetime.combine(day, time(23, 59, 59), UTC)


def _opportunity(desired: Desired, known: Known, settings: ConnectionSettings, *, mark: str) -> Iterator[Step]:
    sent = sent_fields(desired, known)
    if known.opportunity_id is None:
        fields = _new_opportunity(desired, known, mark=mark)
        yield CreateOpportunity(fields=fields, sent=sent, changes=created(_shown(fields)))
    elif known.opportunity is not None:
        yield from _changed_opportunity(desired, known, settings, sent=sent, mark=mark)


def _new_opportunity(desired: Desired, known: Known, *, mark: str) -> dict[str, Any]:
    wanted = desired.opportunity
    return {
        "subject": wanted.subject,
        "status_id": wanted.status_id,
        "account_id": known.account_id,
        "account_location_id": known.location_id,
        "contact_id": known.contact_id,
        "type_id": wanted.type_id,
        "probability": known.probability,
        "rating_id": wanted.rating_id,
        "lead_source_id": wanted.lead_source_id,
        "sales_representative_user_id": known.owner_id,
        "amount": wanted.amount,
        "description": mark,
        "close_date": as_moment(wanted.close_date),
    }


def _changed_opportunity(
    desired: Desired, known: Known, settings: ConnectionSettings, *, sent: Mapping[str, Any], mark: str
) -> Iterator[Step]:
    """Read-modify-write: what BMS users own keeps what they typed, what the quote decides is put right."""
    live, wanted = known.opportunity, desired.opportunity
    assert live is not None
    before = {
        "subject": live.subject or wanted.subject,
        "status_id": live.status_id,
        "account_id": live.account_id,
        "account_location_id": live.account_location_id or known.location_id,
        "contact_id": live.contact_id,
        "type_id": live.type_id if live.type_id is not None else settings.opportunity.type_id,
        "probability": live.probability,
        "rating_id": live.rating_id if live.rating_id is not None else settings.opportunity.rating_id,
        "lead_source_id": live.lead_source_id,
        "sales_representative_user_id": live.sales_representative_user_id or known.owner_id,
        "amount": live.amount,
        "description": live.description,
        "customer_po": live.customer_po,
        "close_date": live.close_date,
    }
    ours = {
        "status_id": wanted.status_id,
        "probability": known.probability,
        "amount": wanted.amount,
        "sales_representative_user_id": known.owner_id,
        "description": with_marker(live.description, mark),
        "close_date": as_moment(wanted.close_date),
    }
    if known.contact_id is not None:
        ours["contact_id"] = known.contact_id
    if wanted.rename:
        ours["subject"] = wanted.subject
    changes = tuple(Change(name, before[name], value) for name, value in ours.items() if not _same(before[name], value))
    body = OpportunityInput.model_validate({**before, **ours})
    yield UpdateOpportunity(opportunity_id=live.id, body=body, sent=sent, changes=changes)


def _same(before: Any, after: Any) -> bool:  # noqa: ANN401 - any value of a BMS field
    if isinstance(before, datetime) and isinstance(after, datetime):
        return before.date() == after.date()
    if isinstance(after, Decimal) and before is not None:
        return Decimal(before) == after
    if isinstance(after, str) and isinstance(before, str):
        return before.split() == after.split()
    return bool(before == after)


def _shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.date() if isinstance(value, datetime) else value for name, value in fields.items()}


def _document(desired: Desired, known: Known) -> Iterator[Step]:
    pdf = desired.pdf
    if pdf is None:
        return
    if desired.module_id is not None:
        unchanged = pdf.digest is not None and pdf.digest == known.attachment_digest
        if not unchanged:
            name = pdf.filename or "quote.pdf"
            yield PushPdf(pdf=pdf, module_id=desired.module_id, changes=(Change("file", None, name),))
    elif desired.url and desired.url != known.noted_url:
        yield WriteNote(url=desired.url, changes=(Change("note", known.noted_url, desired.url),))


def _about_document(desired: Desired) -> Iterator[QuoteWarning]:
    if desired.pdf is None or desired.module_id is not None:
        return
    if desired.url:
        detail = "No attachment module is set, so the quote's address was written as a note instead of its PDF."
        yield QuoteWarning("pdf_sent_as_note", detail)
    else:
        detail = "No attachment module is set and the quote has no address, so its PDF was not sent."
        yield QuoteWarning("pdf_not_sent", detail)
