"""Services, products and warehouses. Filters by text mean "contains"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.kaseya.capabilities import Capability, require
from app.kaseya.records import PricingLevel, Product, ProductInput, Service, ServiceInput, Warehouse
from app.kaseya.resource import Resource

if TYPE_CHECKING:
    from app.kaseya.transport import Transport


class Services(Resource):
    """What the MSP sells as work."""

    async def search(self, name: str, *, max_pages: int | None = None) -> list[Service]:
        """List services whose name contains the text, with price and cost, at most `max_pages` pages of 100."""
        template, body = "/v2/admin/finance/services/search", {"Filter": {"Name": name}} if name else {}
        return await self._list_paged(Service, "POST", template, json=body, max_pages=max_pages)

    async def get(self, service_id: int) -> Service:
        """Read a service; KaseyaNotFoundError where it is gone."""
        template = "/v2/admin/finance/services/{serviceId}"
        return await self._one(Service, "GET", template, path={"serviceId": service_id})

    async def create(self, service: ServiceInput) -> Service:
        """Create a service; the doubled word in the path is the vendor's."""
        template = "/v2/admin/finance/services/services"
        return await self._one(Service, "POST", template, json=service.to_wire(), creates=True)


class Products(Resource):
    """What the MSP sells as goods."""

    def __init__(self, transport: Transport, capabilities: frozenset[Capability]) -> None:
        super().__init__(transport)
        self.capabilities = capabilities

    async def search(
        self,
        *,
        number: str | None = None,
        sku: str | None = None,
        name: str | None = None,
        max_pages: int | None = None,
    ) -> list[Product]:
        """List products that match all that is given, at most `max_pages` pages of 100.

        They come without prices; the SKU is asked for but never told.
        """
        template = "/v2/inventory/products/searchselect"
        query = {"Filter.ProductNumber": number, "Filter.SKU": sku, "Filter.ProductName": name}
        return await self._list_paged(Product, "GET", template, query=query, max_pages=max_pages)

    async def create(self, product: ProductInput) -> Product:
        """Create a product. Needs `product_create`, else CapabilityMissingError, unsent."""
        method, template = require(self.capabilities, Capability.PRODUCT_CREATE)
        return await self._one(Product, method, template, json=product.to_wire(), creates=True)

    async def pricing_levels(self, product_index_id: int) -> list[PricingLevel]:
        """List a product's prices."""
        template = "/v2/inventory/products/{productIndexId}/pricingLevels"
        return await self._list(PricingLevel, "GET", template, path={"productIndexId": product_index_id})


class Warehouses(Resource):
    """Where products lie."""

    async def list(self) -> list[Warehouse]:
        """List the warehouses."""
        return await self._list(Warehouse, "GET", "/v2/inventory/warehouses/lookup")
