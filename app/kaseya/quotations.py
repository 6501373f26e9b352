"""The port to service quotations: a tenant whose BMS has other paths for them needs this file changed and no other."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from app.kaseya.capabilities import Capability, Operation, require
from app.kaseya.records import LineItem, LineItemInput, Quotation, QuotationInput, QuotationSummary
from app.kaseya.resource import Resource

if TYPE_CHECKING:
    from app.kaseya.transport import Transport

_SUMMARIES = "/v2/crm/quotes/summary"
_QUOTATION = "/v2/crm/quotes/{quotationId}"
_LINE = "/v2/crm/quotes/{quotationId}/lineItems/{lineItemId}"
_NEW_LINE = "/v2/crm/quotes/{quotationId}/lineItems/{itemTypeId}/{distributerTypeId}"


class Quotations(Resource):
    """Service quotations and their lines; a method without its capability raises CapabilityMissingError, unsent."""

    def __init__(self, transport: Transport, capabilities: frozenset[Capability]) -> None:
        super().__init__(transport)
        self.capabilities = capabilities

    async def summaries(self, account_id: int, created_from: datetime | None = None) -> list[QuotationSummary]:
        """List an account's quotations; their opportunity is told by `get` only."""
        query = {"Filter.AccountId": account_id, "Filter.CreatedOnFrom": created_from}
        return await self._list_paged(QuotationSummary, "GET", _SUMMARIES, query=query)

    async def get(self, quotation_id: int) -> Quotation:
        """Read a header; KaseyaNotFoundError where it is gone."""
        return await self._one(Quotation, "GET", _QUOTATION, path={"quotationId": quotation_id})

    async def create(self, quotation: QuotationInput) -> Quotation:
        """Create a header without lines. Needs `quotation_create`."""
        method, template = self._operation(Capability.QUOTATION_CREATE)
        return await self._one(Quotation, method, template, json=quotation.to_wire(), creates=True)

    async def update(self, quotation_id: int, quotation: QuotationInput) -> Quotation:
        """Replace a header. Needs `quotation_update`."""
        method, template = self._operation(Capability.QUOTATION_UPDATE)
        return await self._one(
            Quotation, method, template, path={"quotationId": quotation_id}, json=quotation.to_wire()
        )

    async def lines(self, quotation_id: int) -> list[LineItem]:
        """List all lines. Needs `quotation_lines_list`."""
        method, template = self._operation(Capability.QUOTATION_LINES_LIST)
        return await self._list(LineItem, method, template, path={"quotationId": quotation_id})

    async def line(self, quotation_id: int, line_id: int) -> LineItem:
        """Read one line; KaseyaNotFoundError where it is gone."""
        return await self._one(LineItem, "GET", _LINE, path=_line_path(quotation_id, line_id))

    async def add_line(
        self, quotation_id: int, *, item_type_id: int, distributor_type_id: int, line: LineItemInput
    ) -> LineItem:
        """Add a line; `line.id` is the item's: a service's id, a product's index id, 0 for free text."""
        path = {"quotationId": quotation_id, "itemTypeId": item_type_id, "distributerTypeId": distributor_type_id}
        return await self._one(LineItem, "POST", _NEW_LINE, path=path, json=line.to_wire(), creates=True)

    async def update_line(self, quotation_id: int, line_id: int, line: LineItemInput) -> LineItem:
        """Replace a line; the id in the body is made the line's own."""
        body = {**line.to_wire(), "Id": line_id}
        return await self._one(LineItem, "PUT", _LINE, path=_line_path(quotation_id, line_id), json=body)

    async def delete_line(self, quotation_id: int, line_id: int) -> None:
        """Remove a line. Needs `quotation_line_delete`."""
        method, template = self._operation(Capability.QUOTATION_LINE_DELETE)
        await self._transport.request(method, template, path=_line_path(quotation_id, line_id))

    def _operation(self, capability: Capability) -> Operation:
        return require(self.capabilities, capability)


def _line_path(quotation_id: int, line_id: int) -> dict[str, object]:
    return {"quotationId": quotation_id, "lineItemId": line_id}
