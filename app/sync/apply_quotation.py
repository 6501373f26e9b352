"""The quotation's steps: its header, the items its lines stand for, and the lines themselves."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.connections.model import ItemKind
from app.db import intents, lanes, links
from app.db.tables import LinkLine
from app.kaseya import KaseyaNotFoundError, KaseyaRejectedError, ProductInput, QuotationInput, ServiceInput
from app.sync.creates import create
from app.sync.errand import Errand
from app.sync.linking import need, save
from app.sync.mapping import QuoteWarning
from app.sync.plan import last_moment
from app.sync.problems import NeedsPersonError, OutdatedPlanError, Problem
from app.sync.steps import AddLine, CreateItem, CreateQuotation, RemoveLine, UpdateLine, UpdateQuotation


async def create_quotation(errand: Errand, step: CreateQuotation) -> None:
    """Create the header; a backdated one that BMS refuses is a warning."""
    body = _header(errand, step.fields)
    opportunity_id, account_id = need(errand.link.opportunity_id), need(errand.link.account_id)

    async def send() -> dict[str, Any]:
        return {"id": (await errand.client.quotations.create(body)).id}

    hint = {"account_id": account_id, "opportunity_id": opportunity_id, "sent": dict(step.fields)}
    try:
        await create(errand, "quotation", f"{errand.quote_id}/{opportunity_id}", hint=hint, send=send)
    except KaseyaRejectedError as error:
        if not step.backdated:
            raise
        errand.warnings.append(_not_backdated(error))


async def update_quotation(errand: Errand, step: UpdateQuotation) -> None:
    """Write the header back; a backdated one that BMS refuses is a warning."""
    try:
        await errand.client.quotations.update(step.quotation_id, _header(errand, step.fields))
    except KaseyaRejectedError as error:
        await _check_quotation(errand)
        if not step.backdated:
            raise
        errand.warnings.append(_not_backdated(error))
    await save(errand, quotation_sent=dict(step.fields))


def _header(errand: Errand, fields: Mapping[str, Any]) -> QuotationInput:
    link = errand.link
    return QuotationInput(
        name=fields["name"],
        opportunity_id=need(link.opportunity_id),
        account_id=need(link.account_id),
        location_id=need(link.location_id),
        contact_id=link.contact_id,
        sales_representative_user_id=fields["sales_representative_user_id"],
        expiry_date=last_moment(date.fromisoformat(fields["expiry_date"])),
        warehouse_id=fields["warehouse_id"],
    )


def _not_backdated(error: KaseyaRejectedError) -> QuoteWarning:
    detail = f"The quote was won after its date, and BMS did not take its quotation: {error}"
    return QuoteWarning("quotation_not_backdated", detail)


async def create_item(errand: Errand, step: CreateItem) -> None:
    """Create the service or product, once for all quotes that need it."""
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


async def add_line(errand: Errand, step: AddLine) -> None:
    """Add a line with the item it stands for."""
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


async def update_line(errand: Errand, step: UpdateLine) -> None:
    """Write a line back; one that a BMS user removed is forgotten, so that it is added anew."""
    try:
        await errand.client.quotations.update_line(need(errand.link.quotation_id), step.kaseya_line_id, step.body)
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


async def remove_line(errand: Errand, step: RemoveLine) -> None:
    """Delete a line; one that is gone already is what was wanted."""
    try:
        await errand.client.quotations.delete_line(need(errand.link.quotation_id), step.kaseya_line_id)
    except KaseyaRejectedError:
        if await _has_line(errand, step.kaseya_line_id):
            raise
    await _forget_line(errand, step.line_id)


async def _has_line(errand: Errand, kaseya_line_id: int) -> bool:
    """Whether the line is still there, asked when BMS refused to write it: a refusal does not tell."""
    try:
        await errand.client.quotations.line(need(errand.link.quotation_id), kaseya_line_id)
    except KaseyaNotFoundError:
        await _check_quotation(errand)
        return False
    return True


async def _check_quotation(errand: Errand) -> None:
    """Raise NeedsPersonError where the whole quotation is gone, which explains a refusal."""
    quotation_id = need(errand.link.quotation_id)
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
    key = line_key(errand, need(errand.link.quotation_id), line_id)
    async with errand.database.transaction() as session:
        await lanes.hold(session, errand.claim)
        await links.forget_line(session, errand.connection_id, errand.quote_id, line_id)
        await intents.withdraw(session, errand.connection_id, "line", key)
    errand.lines.pop(line_id, None)
