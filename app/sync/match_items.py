"""Match lines with BMS's services and products: our own item map first, then by code, then by name."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from app.connections.model import ItemKind
from app.db import links
from app.db.tables import Item
from app.sync.errand import Errand
from app.sync.item_shelf import open_shelf
from app.sync.known import KnownItem
from app.sync.mapping import DesiredLine
from app.sync.plan_quotation import is_new_line, item_key

Key = tuple[ItemKind, str]
"""What an item is remembered by: its kind, and its folded code."""


async def match_items(errand: Errand, lines: Sequence[DesiredLine]) -> dict[str, KnownItem]:
    """The items that lines stand for, by line id; a line that BMS has none for is left out.

    What is found in BMS is remembered in the item map. Raises KaseyaError.
    """
    mapped = await _mapped(errand, lines)
    known = {line.line.line_id: item for line in lines if (item := _known(errand, line, mapped)) is not None}
    unknown = [line for line in lines if line.line.line_id not in known]
    return known | await _found(errand, unknown) if unknown else known


async def _mapped(errand: Errand, lines: Iterable[DesiredLine]) -> dict[Key, Item]:
    """What the item map has of the lines' items."""
    keys: dict[ItemKind, set[str]] = {}
    for line in lines:
        keys.setdefault(line.kind, set()).add(item_key(line))
    mapped: dict[Key, Item] = {}
    async with errand.database.transaction() as session:
        for kind, wanted in keys.items():
            items = await links.items(session, errand.connection_id, kind, wanted)
            mapped |= {(kind, key): item for key, item in items.items()}
    return mapped


def _known(errand: Errand, line: DesiredLine, mapped: Mapping[Key, Item]) -> KnownItem | None:
    """The mapped item, unless BMS has to be asked for its price or cost again."""
    item = mapped.get((line.kind, item_key(line)))
    sent = errand.lines.get(line.line.line_id)
    if item is None or not _says_enough(line, item, is_new=is_new_line(line, sent.sent if sent else None)):
        return None
    return KnownItem(kaseya_id=item.kaseya_id, unit_price=_decimal(item.unit_price), unit_cost=_decimal(item.unit_cost))


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


async def _found(errand: Errand, lines: Sequence[DesiredLine]) -> dict[str, KnownItem]:
    """The items that BMS has for lines; several lines of one item ask once."""
    shelf = await open_shelf(errand.client, lines)
    by_key: dict[Key, KnownItem] = {}
    found: dict[str, KnownItem] = {}
    try:
        for line in lines:
            key = line.kind, item_key(line)
            item = by_key.get(key) or await shelf.find(line)
            if item is not None:
                found[line.line.line_id] = by_key[key] = item
    finally:
        await _remember(errand, by_key)  # also what was found before BMS stopped answering: it was paid for
    return found


async def _remember(errand: Errand, items: Mapping[Key, KnownItem]) -> None:
    if not items:
        return
    async with errand.database.transaction() as session:
        for (kind, key), item in items.items():
            await links.save_item(
                session,
                errand.connection_id,
                kind,
                key,
                kaseya_id=item.kaseya_id,
                unit_price=_text(item.unit_price),
                unit_cost=_text(item.unit_cost),
            )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
