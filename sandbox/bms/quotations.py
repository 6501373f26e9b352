"""Service quotations and their lines (CRM); creating and updating a header is an extension."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sandbox.bms.filters import comma_separated, select
from sandbox.contract import LISTED, NOTHING, Group, Request, json_of, many, one, paged
from sandbox.errors import MissingError, RefusedError
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("Quotations")

_STAMPS = "CreatedBy int?, CreatedOn time?, ModifiedBy int?, ModifiedOn time?"
_TAX_RATE_PERCENT = 7.25
LISTED_QUOTATION = shape(
    "QuotationsListSummary",
    "Id int, Name text?, QuotationNumber text?, StatusId int?, StatusName text?, ExpiryDate time, CreatedOn time",
)
QUOTATION = shape(
    "Quotation",
    "Id int, QuotationNumber text?, Name text?, StatusId int?, StatusName text?, ExpiryDate time, CreatedOn time, "
    "CreatedById int, CreatedByName text?, OpportunityId int?, OpportunityTitle text?, AccountId int?, "
    "AccountName text?, LocationId int?, LocationName text?, SalesRepresentativeFirstName text?, "
    "SalesRepresentativeLastName text?, SalesRepresentativeUserId int",
)
QUOTATION_INPUT = shape(
    "QuotationInput",
    "Name* text, OpportunityId* int, AccountId* int, LocationId* int, ContactId int?, "
    "SalesRepresentativeUserId* int, ExpiryDate* time, WarehouseId* int, Description text?",
)
LINE = shape(
    "QuotationLineItem",
    f"Id int, {_STAMPS}, QuotationId int, Name text?, Description text?, OriginalUnitPrice number?, UnitPrice number, "
    "UnitCost number, Quantity number?, Discount number, TTC number?, Total number?, TaxRate number?, Taxable flag, "
    "IsDistributerItem flag, ExtDistReference text?, Margin number, MarginType int, DistributorTypeId int?, "
    "Image text?",
)
LINE_INPUT = shape(
    "QuotationLineItemInput",
    "Id int, Name text?, Description text?, ExtDistReference text?, Image text?, UnitPrice number, UnitCost number, "
    "Quantity number?, Margin number, MarginType int, Discount number, Taxable flag",
)
_ITEM_COLLECTIONS = {"service": "services", "product": "products"}


@group.get(
    "/v2/crm/quotes/summary",
    paged(LISTED_QUOTATION),
    query=f"Filter.AccountId int, Filter.StatusIds text, Filter.CreatedOnFrom time, Filter.CreatedOnTo time, {LISTED}",
)
def search_quotations(world: World, request: Request) -> list[Record]:
    """List quotations; the opportunity is only told by each header."""
    query = dict(request.query)
    if "Filter.StatusIds" in query:
        query["Filter.StatusIds"] = comma_separated(query["Filter.StatusIds"])
    return select((view_quotation(world, record) for record in world.store.all("quotations")), query)


@group.get("/v2/crm/quotes/{quotationId}", one(QUOTATION))
def get_quotation(world: World, request: Request) -> Record:
    """Return one quotation's header."""
    return view_quotation(world, world.store.get("quotations", request.path["quotationId"]))


@group.post("/v2/crm/quotes", one(QUOTATION), json_of(QUOTATION_INPUT), is_extension=True)
def create_quotation(world: World, request: Request) -> Record:
    """Create a quotation's header."""
    _check_quotation(world, request.body)
    return view_quotation(world, add_quotation(world, request.body, by=request.user_id))


@group.put("/v2/crm/quotes/{quotationId}", one(QUOTATION), json_of(QUOTATION_INPUT), is_extension=True)
def replace_quotation(world: World, request: Request) -> Record:
    """Replace a quotation's header."""
    record = world.store.get("quotations", request.path["quotationId"])
    _check_quotation(world, request.body)
    values = {"ContactId": None, "Description": None} | request.body
    return view_quotation(world, world.store.change("quotations", record["Id"], values, by=request.user_id))


@group.get("/v2/crm/quotes/{quotationId}/lineItems", many(LINE, paginated=False), is_extension=True)
def list_lines(world: World, request: Request) -> list[Record]:
    """List the lines of a quotation."""
    world.store.get("quotations", request.path["quotationId"])
    return [view_line(line) for line in world.store.all("lines", QuotationId=request.path["quotationId"])]


@group.get("/v2/crm/quotes/{quotationId}/lineItems/{lineItemId}", one(LINE))
def get_line(world: World, request: Request) -> Record:
    """Return one line."""
    return view_line(_line_of(world, request))


@group.post("/v2/crm/quotes/{quotationId}/lineItems/{itemTypeId}/{distributerTypeId}", one(LINE), json_of(LINE_INPUT))
def add_line(world: World, request: Request) -> Record:
    """Add a line. `Id` is the service's id or the product's index id, as the item type says, or 0 for free text."""
    world.store.get("quotations", request.path["quotationId"])
    item_type = world.known("item_types", request.path["itemTypeId"], "Item type", is_violation=True)
    world.known("distributor_types", request.path["distributerTypeId"], "Distributor type", is_violation=True)
    values = dict(request.body)
    item_id = values.pop("Id", 0)
    if item_id:
        collection = _ITEM_COLLECTIONS.get(item_type["Kind"])
        if collection is None:
            raise RefusedError(f"An item of type {item_type['Name']} is free text: Id must be 0.", is_violation=True)
        world.known(collection, item_id, item_type["Name"])
    links = {
        "QuotationId": request.path["quotationId"],
        "ItemTypeId": item_type["Id"],
        "DistributorTypeId": request.path["distributerTypeId"],
        "ItemId": item_id,
        "OriginalUnitPrice": values.get("UnitPrice", 0.0),
    }
    return view_line(world.store.add("lines", values | links, by=request.user_id))


@group.put("/v2/crm/quotes/{quotationId}/lineItems/{lineItemId}", one(LINE), json_of(LINE_INPUT))
def replace_line(world: World, request: Request) -> Record:
    """Replace a line; `Id` is the line's own."""
    line = _line_of(world, request)
    values = dict(request.body)
    if values.pop("Id", 0) != line["Id"]:
        raise RefusedError(f"Id must be the line's own: {line['Id']}.", is_violation=True)
    return view_line(world.store.change("lines", line["Id"], values, by=request.user_id))


@group.delete("/v2/crm/quotes/{quotationId}/lineItems/{lineItemId}", NOTHING, is_extension=True)
def delete_line(world: World, request: Request) -> None:
    """Remove a line."""
    world.store.remove("lines", _line_of(world, request)["Id"])


def add_quotation(world: World, values: Mapping[str, Any], *, by: int | None = None) -> Record:
    """Store a quotation and number it."""
    record = world.store.add("quotations", values, by=by)
    if record["QuotationNumber"] is None:
        record["QuotationNumber"] = f"Q-{record['Id']}"
    return record


def view_quotation(world: World, record: Record) -> Record:
    """Return a quotation with the names of what it refers to."""
    representative = world.store.find("employees", record["SalesRepresentativeUserId"]) or {}
    return record | {
        "CreatedById": record["CreatedBy"] or record["SalesRepresentativeUserId"],
        "CreatedByName": world.name("employees", record["CreatedBy"], "Username"),
        "OpportunityTitle": world.name("opportunities", record["OpportunityId"], "Subject"),
        "AccountName": world.name("accounts", record["AccountId"], "AccountName"),
        "LocationName": world.name("locations", record["LocationId"], "LocationName"),
        "SalesRepresentativeFirstName": representative.get("FirstName"),
        "SalesRepresentativeLastName": representative.get("LastName"),
    }


def view_line(record: Record) -> Record:
    """Return a line with what BMS works out: total, tax rate, price with tax."""
    rate = _TAX_RATE_PERCENT if record["Taxable"] else 0.0
    return record | {
        "TTC": round(record["UnitPrice"] * (1 + rate / 100), 2),
        "Total": round(record["UnitPrice"] * (record["Quantity"] or 0) - record["Discount"], 2),
        "TaxRate": rate,
        "IsDistributerItem": False,
    }


def _line_of(world: World, request: Request) -> Record:
    world.store.get("quotations", request.path["quotationId"])
    line = world.store.get("lines", request.path["lineItemId"])
    if line["QuotationId"] != request.path["quotationId"]:
        raise MissingError(f"There is no line {line['Id']} on quotation {request.path['quotationId']}.")
    return line


def _check_quotation(world: World, values: Mapping[str, Any]) -> None:
    account_id = values["AccountId"]
    world.known("accounts", account_id, "Account")
    world.belonging("locations", values["LocationId"], "Location", account_id=account_id)
    if values.get("ContactId") is not None:
        world.belonging("contacts", values["ContactId"], "Contact", account_id=account_id)
    opportunity = world.known("opportunities", values["OpportunityId"], "Opportunity")
    if opportunity["AccountId"] != account_id:
        raise RefusedError("The opportunity belongs to another account.", is_violation=True)
    world.active("employees", values["SalesRepresentativeUserId"], "Sales representative")
    world.known("warehouses", values["WarehouseId"], "Warehouse")
    if date.fromisoformat(values["ExpiryDate"][:10]) < world.today():
        raise RefusedError("The expiry date lies in the past: a quotation cannot be backdated.", is_violation=True)
