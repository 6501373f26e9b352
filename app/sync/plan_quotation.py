"""The quotation's part of the plan: its header, the items its lines stand for, and the lines themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.connections.model import ItemKind
from app.kaseya.capabilities import Capability
from app.kaseya.records import LineItemInput
from app.quotes.model import Line
from app.quotes.money import to_cents, unit_price_after_discount
from app.sync.known import Known, KnownItem, SentLine
from app.sync.mapping import Desired, DesiredLine, QuoteWarning, fold
from app.sync.mapping.desired import DesiredQuotation
from app.sync.mapping.warnings import product_not_created, service_unpriced, total_differs
from app.sync.steps import AddLine, Change, CreateItem, CreateQuotation, RemoveLine, Step, UpdateLine, UpdateQuotation


@dataclass(slots=True)
class _Draft:
    """Steps and warnings as they come together."""

    steps: list[Step] = field(default_factory=list)
    warnings: list[QuoteWarning] = field(default_factory=list)
    item_names: set[str] = field(default_factory=set)


def plan_quotation(desired: Desired, known: Known) -> tuple[tuple[Step, ...], tuple[QuoteWarning, ...]]:
    """Header, items and lines; nothing where no quotation is wanted or its header is still awaited."""
    quotation, draft = desired.quotation, _Draft()
    if quotation is None:
        return (), ()
    _header(draft, quotation, known)
    lines = [(line, priced) for line in quotation.lines if (priced := _priced(draft, line, known)) is not None]
    total = sum((price * line.line.quantity for line, (price, _) in lines), Decimal(0))
    draft.warnings += about_total(total, desired)
    if known.waits_for_header:
        return (), tuple(draft.warnings)
    for line, priced in lines:
        _line(draft, quotation, line, priced, known)
    _gone(draft, known, kept={line.line.line_id for line, _ in lines})
    return tuple(draft.steps), tuple(draft.warnings)


def is_new_line(line: DesiredLine, sent: Mapping[str, Any] | None) -> bool:
    """Whether a line has to be added: BMS decides a line's item when it is added, so another item is another line."""
    return sent is None or sent.get("item", _item_name(line)) != _item_name(line)


def _item_name(line: DesiredLine) -> str:
    return f"{line.kind}:{item_key(line)}"


def about_total(on_quotation: Decimal, desired: Desired) -> list[QuoteWarning]:
    """A warning where the lines on the quotation do not come to the quote's own total."""
    if desired.quotation is None or to_cents(on_quotation) == to_cents(desired.quoted_total):
        return []
    return [total_differs(on_quotation, desired.quoted_total)]


def sent_total(lines: Iterable[SentLine]) -> Decimal:
    """What the lines on the quotation come to, as they were sent."""
    shown = (line.sent for line in lines if not line.removed)
    return sum((Decimal(each["unit_price"]) * Decimal(each["quantity"]) for each in shown), Decimal(0))


def header_fields(quotation: DesiredQuotation, known: Known) -> dict[str, Any]:
    """The header's fields that the quote decides, as they are compared with what was last sent."""
    return {
        "name": quotation.name,
        "expiry_date": quotation.expires_on.isoformat(),
        "sales_representative_user_id": known.owner_id,
        "warehouse_id": quotation.warehouse_id,
    }


def item_code(line: DesiredLine) -> str:
    """What an item is called where it has to be created: by its code, a product else by its SKU, else by its name."""
    source = line.line
    sku = source.sku if line.kind is ItemKind.PRODUCT else None
    return " ".join((source.item_code or sku or source.name).split())


def item_key(line: DesiredLine) -> str:
    """What an item is found by again: its code, folded."""
    return fold(item_code(line))


def _header(draft: _Draft, quotation: DesiredQuotation, known: Known) -> None:
    fields = header_fields(quotation, known)
    if known.waits_for_header:
        detail = "This BMS has no API to create quotations: create an empty one for the opportunity, and it is filled."
        draft.warnings.append(QuoteWarning("quotation_waiting_for_header", detail))
    elif known.quotation_id is None:
        changes = tuple(Change(name, None, value) for name, value in fields.items())
        draft.steps.append(CreateQuotation(fields=fields, backdated=quotation.backdated, changes=changes))
    else:
        _changed_header(draft, known.quotation_id, fields, quotation, known)


def _changed_header(
    draft: _Draft, quotation_id: int, fields: Mapping[str, Any], quotation: DesiredQuotation, known: Known
) -> None:
    sent = known.quotation_sent or {}
    changes = tuple(
        Change(name, sent[name], value) for name, value in fields.items() if name in sent and sent[name] != value
    )
    if not changes:
        return
    if known.can(Capability.QUOTATION_UPDATE):
        step = UpdateQuotation(quotation_id=quotation_id, fields=fields, backdated=quotation.backdated, changes=changes)
        draft.steps.append(step)
    else:
        names = ", ".join(change.field for change in changes)
        detail = f"This tenant's API cannot change a quotation's header: {names} stayed as they are in BMS."
        draft.warnings.append(QuoteWarning("quotation_header_not_updated", detail))


def _priced(draft: _Draft, line: DesiredLine, known: Known) -> tuple[Decimal, Decimal] | None:
    """Unit price and unit cost; None, and a warning, for a service that lacks one of them."""
    item = known.items.get(line.line.line_id)
    price, cost = line.unit_price, line.unit_cost
    if line.kind is not ItemKind.SERVICE:
        return price or Decimal(0), cost or Decimal(0)
    if price is None and item and item.unit_price:
        price = to_cents(unit_price_after_discount(line.line, unit_price=item.unit_price))
    if cost is None and item and item.unit_cost:
        cost = to_cents(item.unit_cost)
    if price is not None and cost is not None:
        return price, cost
    missing = " and ".join(name for name, value in (("unit price", price), ("unit cost", cost)) if value is None)
    draft.warnings.append(service_unpriced(line.line, missing=missing))
    return None


def _line(
    draft: _Draft, quotation: DesiredQuotation, line: DesiredLine, priced: tuple[Decimal, Decimal], known: Known
) -> None:
    sent = known.lines.get(line.line.line_id)
    body = _body(line.line, priced)
    fields = _sent(body)
    stored = {**fields, "item": _item_name(line)}
    if is_new_line(line, sent.sent if sent else None):
        if sent is not None:
            _remove(draft, line.line.line_id, sent, known, is_replaced=True)
        kind, item = _item(draft, line, priced, known)
        changes = tuple(Change(name, None, value) for name, value in fields.items() if value is not None)
        step = AddLine(
            line=line.line,
            kind=kind,
            item_type_id=line.item_type_id,
            distributor_type_id=quotation.distributor_type_id,
            item_id=item.kaseya_id if item else None,
            item_key=item_key(line),
            body=body,
            sent=stored,
            changes=changes,
        )
        draft.steps.append(step)
    elif sent and (changes := _changes(sent, fields)):
        update = UpdateLine(
            line_id=line.line.line_id, kaseya_line_id=sent.kaseya_line_id, body=body, sent=stored, changes=changes
        )
        draft.steps.append(update)


def _item(
    draft: _Draft, line: DesiredLine, priced: tuple[Decimal, Decimal], known: Known
) -> tuple[ItemKind, KnownItem | None]:
    """The item a line stands for, with a step that creates it where it is missing; free text is item 0."""
    if line.kind is ItemKind.OTHER:
        return ItemKind.OTHER, KnownItem(kaseya_id=0)
    item = known.items.get(line.line.line_id)
    if item is not None:
        return line.kind, item
    if line.kind is ItemKind.PRODUCT and not known.can(Capability.PRODUCT_CREATE):
        draft.warnings.append(product_not_created(line.line))
        return ItemKind.OTHER, KnownItem(kaseya_id=0)
    if _item_name(line) not in draft.item_names:
        draft.item_names.add(_item_name(line))
        draft.steps.append(_create_item(line, priced))
    return line.kind, None


def _create_item(line: DesiredLine, priced: tuple[Decimal, Decimal]) -> CreateItem:
    price, cost = priced
    source = line.line
    # The item is for every quote: this quote's discount is not part of its price.
    if source.unit_price is not None:
        price = to_cents(source.unit_price)
    fields = {
        "code": item_code(line),
        "name": " ".join(source.name.split()),
        "description": source.description,
        "sku": source.sku,
        "unit_price": price,
        "unit_cost": cost,
        "taxable": source.taxable,
    }
    changes = tuple(Change(name, None, value) for name, value in fields.items() if value is not None)
    return CreateItem(kind=line.kind, key=item_key(line), fields=fields, changes=changes)


def _body(line: Line, priced: tuple[Decimal, Decimal]) -> LineItemInput:
    price, cost = priced
    return LineItemInput(
        name=line.name,
        description=line.description,
        unit_price=price,
        unit_cost=cost,
        quantity=line.quantity,
        taxable=line.taxable,
    )


def _sent(body: LineItemInput) -> dict[str, Any]:
    return {
        "name": body.name,
        "description": body.description,
        "quantity": str(body.quantity.normalize()),
        "unit_price": str(to_cents(body.unit_price)),
        "unit_cost": str(to_cents(body.unit_cost)),
        "taxable": body.taxable,
    }


def _changes(sent: SentLine, fields: Mapping[str, Any]) -> tuple[Change, ...]:
    before = {**sent.sent, "quantity": "0"} if sent.removed else sent.sent
    return tuple(Change(name, before.get(name), value) for name, value in fields.items() if before.get(name) != value)


def _gone(draft: _Draft, known: Known, *, kept: set[str]) -> None:
    """Take what is not on the quote any more off the quotation."""
    for line_id, sent in known.lines.items():
        if line_id not in kept:
            _remove(draft, line_id, sent, known)


def _remove(draft: _Draft, line_id: str, sent: SentLine, known: Known, *, is_replaced: bool = False) -> None:
    """Delete a line; where the tenant's API cannot, its quantity goes to zero, once, and that is told."""
    quantity = Change("quantity", sent.sent.get("quantity"), "0")
    if known.can(Capability.QUOTATION_LINE_DELETE):
        draft.steps.append(RemoveLine(line_id=line_id, kaseya_line_id=sent.kaseya_line_id, changes=(quantity,)))
        return
    name = sent.sent.get("name")
    detail = f"This tenant's API cannot delete lines: the quantity of {name!r} was set to 0 instead."
    draft.warnings.append(QuoteWarning("quotation_line_zeroed", detail, line_id))
    if is_replaced or not sent.removed:
        draft.steps.append(_zero(line_id, sent, quantity, is_replaced=is_replaced))


def _zero(line_id: str, sent: SentLine, quantity: Change, *, is_replaced: bool) -> UpdateLine:
    fields = sent.sent
    body = LineItemInput(
        name=fields.get("name"),
        description=fields.get("description"),
        unit_price=Decimal(fields["unit_price"]),
        unit_cost=Decimal(fields["unit_cost"]),
        quantity=Decimal(0),
        taxable=bool(fields.get("taxable")),
    )
    return UpdateLine(
        line_id=line_id,
        kaseya_line_id=sent.kaseya_line_id,
        body=body,
        sent=fields,
        removed=True,
        replaced=is_replaced,
        changes=(quantity,),
    )
