"""Match a line with a BMS service or product: our own item map first, then by code, then by name."""

from decimal import Decimal

from app.connections.model import ItemKind
from app.db import links
from app.db.tables import Item
from app.kaseya import Product, Service
from app.sync.errand import Errand
from app.sync.known import KnownItem
from app.sync.mapping import DesiredLine, fold
from app.sync.plan_quotation import is_new_line, item_key


async def match_item(errand: Errand, line: DesiredLine) -> KnownItem | None:
    """The item that a line stands for, or None where BMS has none; what is found is remembered in the item map."""
    key = item_key(line)
    async with errand.database.transaction() as session:
        mapped = (await links.items(session, errand.connection_id, line.kind, {key})).get(key)
    sent = errand.lines.get(line.line.line_id)
    is_new = is_new_line(line, sent.sent if sent else None)
    if mapped is not None and _says_enough(line, mapped, is_new=is_new):
        return KnownItem(
            kaseya_id=mapped.kaseya_id, unit_price=_decimal(mapped.unit_price), unit_cost=_decimal(mapped.unit_cost)
        )
    found = await (_service(errand, line) if line.kind is ItemKind.SERVICE else _product(errand, line))
    if found is not None:
        async with errand.database.transaction() as session:
            await links.save_item(
                session,
                errand.connection_id,
                line.kind,
                key,
                kaseya_id=found.kaseya_id,
                unit_price=_text(found.unit_price),
                unit_cost=_text(found.unit_cost),
            )
    return found


def _says_enough(line: DesiredLine, mapped: Item, *, is_new: bool) -> bool:
    """BMS is asked again where its price or cost is needed, and is not known or may have changed since.

    A line that is on the quotation already keeps the price it was sent with: asking for it would cost a call a run.
    """
    if line.kind is not ItemKind.SERVICE:
        return True
    needed = [
        kept for own, kept in ((line.unit_price, mapped.unit_price), (line.unit_cost, mapped.unit_cost)) if own is None
    ]
    return all(kept is not None for kept in needed) and not (is_new and needed)


async def _service(errand: Errand, line: DesiredLine) -> KnownItem | None:
    """A service named as the line's code, else as its name; of 0, price and cost are unset."""
    for wanted in _distinct(line.line.item_code, line.line.name):
        found = await errand.client.services.search(wanted)
        service = _best_service([each for each in found if fold(each.name) == fold(wanted)])
        if service:
            return KnownItem(
                kaseya_id=service.id, unit_price=service.unit_price or None, unit_cost=service.unit_cost or None
            )
    return None


async def _product(errand: Errand, line: DesiredLine) -> KnownItem | None:
    """Number equal to the code, SKU to the SKU, then name to name."""
    source, products = line.line, errand.client.products
    if source.item_code:
        found = await products.search(number=source.item_code.strip())
        if product := _best_product([each for each in found if fold(each.product_number) == fold(source.item_code)]):
            return KnownItem(kaseya_id=product.product_index_id)
    if source.sku:
        # BMS filters by SKU but never tells it, so only a single product is certain to be the one.
        ids = {each.product_index_id for each in await products.search(sku=source.sku.strip())}
        if len(ids) == 1:
            return KnownItem(kaseya_id=ids.pop())
    found = await products.search(name=" ".join(source.name.split()))
    product = _best_product([each for each in found if fold(each.product_name) == fold(source.name)])
    return KnownItem(kaseya_id=product.product_index_id) if product else None


def _best_service(found: list[Service]) -> Service | None:
    return min(found, key=lambda each: (not each.is_active, each.id), default=None)


def _best_product(found: list[Product]) -> Product | None:
    return min(found, key=lambda each: each.product_index_id, default=None)


def _distinct(*names: str | None) -> list[str]:
    cleaned = [" ".join(name.split()) for name in names if name and name.strip()]
    return list({fold(name): name for name in cleaned}.values())


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
