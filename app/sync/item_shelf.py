"""BMS's services and products as a run looks through them: listed whole where that is cheaper, else asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.connections.model import ItemKind
from app.kaseya import Capability, KaseyaClient, Product, Service
from app.sync.known import KnownItem
from app.sync.mapping import DesiredLine, fold
from app.sync.plan_quotation import item_key

PAGE = 100
MOST_PAGES = 5
"""A list of more than five hundred is not read whole: it would cost more than asking for what a quote needs."""

RowT = TypeVar("RowT")


async def open_shelf(client: KaseyaClient, lines: Iterable[DesiredLine]) -> "Shelf":
    """Read a whole kind of items where the lines need several of it. Raises KaseyaError.

    To ask for an item costs one call where it is found by its code, and up to three where it is not. So a list may
    take as many calls as there are items to ask for, and what has to be asked for after all costs twice at most.
    """
    wanted = {(line.kind, item_key(line)) for line in lines}
    services, products = (
        min(sum(kind is each for each, _ in wanted), MOST_PAGES) for kind in (ItemKind.SERVICE, ItemKind.PRODUCT)
    )
    return Shelf(
        client=client,
        services=_whole(await client.services.search("", max_pages=services), services) if services > 1 else None,
        products=_whole(await client.products.search(max_pages=products), products) if products > 1 else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where a line's item is looked for. ``services`` and ``products`` are all that BMS has, None where unread."""

    client: KaseyaClient
    services: Sequence[Service] | None
    products: Sequence[Product] | None

    async def find(self, line: DesiredLine) -> KnownItem | None:
        """The item that a line stands for, None where BMS has none. Raises KaseyaError.

        A list of several pages may skip a record while others come and go. So what is to be created for being missing
        from one is asked for once more.
        """
        found = await self._look(line)
        if found is None and self._may_have_skipped(line.kind):
            return await Shelf(client=self.client, services=None, products=None).find(line)
        return found

    def _may_have_skipped(self, kind: ItemKind) -> bool:
        if kind is ItemKind.SERVICE:
            return len(self.services or ()) >= PAGE
        return len(self.products or ()) >= PAGE and Capability.PRODUCT_CREATE in self.client.capabilities

    async def _look(self, line: DesiredLine) -> KnownItem | None:
        return await (self._service(line) if line.kind is ItemKind.SERVICE else self._product(line))

    async def _service(self, line: DesiredLine) -> KnownItem | None:
        """A service named as the line's code, else as its name; of 0, price and cost are unset."""
        for wanted in _distinct(line.line.item_code, line.line.name):
            listed = await self.client.services.search(wanted) if self.services is None else self.services
            named = [each for each in listed if fold(each.name) == fold(wanted)]
            if service := min(named, key=lambda each: (not each.is_active, each.id), default=None):
                price, cost = service.unit_price or None, service.unit_cost or None
                return KnownItem(kaseya_id=service.id, unit_price=price, unit_cost=cost)
        return None

    async def _product(self, line: DesiredLine) -> KnownItem | None:
        """Number equal to the code, SKU to the SKU, then name to name."""
        source = line.line
        found: set[int] = set()
        if source.item_code:
            found = await self._products_numbered(source.item_code.strip())
        if not found and source.sku:
            # BMS filters by SKU but never tells it, so only a single product is certain to be the one.
            found = {each.product_index_id for each in await self.client.products.search(sku=source.sku.strip())}
            found = found if len(found) == 1 else set()
        if not found:
            found = await self._products_named(" ".join(source.name.split()))
        return KnownItem(kaseya_id=min(found)) if found else None

    async def _products_numbered(self, number: str) -> set[int]:
        listed = await self.client.products.search(number=number) if self.products is None else self.products
        return {each.product_index_id for each in listed if fold(each.product_number) == fold(number)}

    async def _products_named(self, name: str) -> set[int]:
        listed = await self.client.products.search(name=name) if self.products is None else self.products
        return {each.product_index_id for each in listed if fold(each.product_name) == fold(name)}


def _whole(listed: Sequence[RowT], pages: int) -> Sequence[RowT] | None:
    """A list, if it came to its end within these pages."""
    return listed if len(listed) < pages * PAGE else None


def _distinct(*names: str | None) -> list[str]:
    cleaned = [" ".join(name.split()) for name in names if name and name.strip()]
    return list({fold(name): name for name in cleaned}.values())
