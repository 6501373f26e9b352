"""Accounts and their locations (CRM)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.bms.filters import select
from sandbox.bms.json_patch import PATCH, apply_patch
from sandbox.contract import LISTED, Group, Request, bare, json_of, many, one, paged
from sandbox.errors import MissingError, RefusedError
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("Accounts")

_STAMPS = "CreatedBy int?, CreatedOn time?, ModifiedBy int?, ModifiedOn time?"
_ADDRESS = (
    "Address1 text?, Address2 text?, City text?, State text?, ZipCode text?, CountryId int?, Country text?, "
    "Phone text?, Fax text?, Latitude number?, Longitude number?, EmailAddress text?, IsMain flag, IsBilling flag, "
    "AddressTypeId int?, AddressType text?"
)
_ACCOUNT_INPUT = (
    "ParentId int?, AccountCode text?, AccountTypeId* int, AccountName* text+, Description text?, Website text?, "
    "BusinessTypeId* int, ServiceTypeId int?, CurrencyId int?, SalesTaxItemId int?, ClassId int?, "
    "AccountManagerId* int, IsActive flag?, AcquiredDate time?, CreditLimit number?, NetDays number?, "
    "RouteInvoiceToParent flag"
)
ADDRESS = shape("AccountAddress", f"Id int, {_STAMPS}, {_ADDRESS}")
LOCATION = shape(
    "AccountLocation",
    f"Id int, {_STAMPS}, LocationName text?, IsMain flag, IsActive flag, TimeZoneId int?, DateFormatId int?, "
    "TimeFormatId int?, Addresses [AccountAddress]",
    ADDRESS,
)
ACCOUNT = shape(
    "AccountSummary",
    f"Id int, {_STAMPS}, ParentId int?, AccountCode text?, AccountTypeId int?, AccountType text?, AccountName text?, "
    "BusinessTypeId int?, BusinessType text?, ServiceTypeId int?, ServiceType text?, AccountManagerId int?, "
    "AccountManagerUserName text?, CurrencyId int?, CurrencyName text?, CreditLimit number?, NetDays number?, "
    "SalesTaxItemId int?, SalesTaxItemName text?, Website text?, Description text?, ClassId int?, ClassName text?, "
    "IsActive flag, IsBilling flag, AcquiredDate time?, TenantName text?, Locations [AccountLocation]",
    LOCATION,
)
ACCOUNT_CHOICE = shape("AccountLookup", "Id int, Name text?, TenantName text?, IsActive flag")
LOCATION_CHOICE = shape("AccountLocationLookup", "Id int, Name text?, AccountId int, IsMain flag")
CONTACT_CHOICE = shape(
    "ContactLookup", "Id int, Name text?, LocationId int, LocationName text?, Phone text?, EmailAddress text?"
)
CONTACT_INFO = shape(
    "ContactSummaryInfo",
    "Id int, ContactName text?, ContactPhone text?, ContactEmailAddress text?, ClientName text?, LocationName text?, "
    "LocationId int, AccountType text?, Website text?, PhoneNumber text?, FaxNumber text?, Address1 text?, "
    "Address2 text?, City text?, State text?, ZipCode text?, Country text?, latitude number?, longitude number?, "
    "TenantId int, IsActive flag?, AccountId int",
)
ADDRESS_INPUT = shape("AccountLocationAddressInput", _ADDRESS)
LOCATION_INPUT = shape(
    "AccountLocationInput",
    "LocationName* text+, IsMain flag, IsActive flag, Addresses* [AccountLocationAddressInput]",
    ADDRESS_INPUT,
)
ACCOUNT_POST = shape("AccountPostInput", f"{_ACCOUNT_INPUT}, Locations* [AccountLocationInput]", LOCATION_INPUT)
ACCOUNT_PUT = shape("AccountPutInput", _ACCOUNT_INPUT)


@group.get(
    "/v2/crm/accounts/summary",
    paged(ACCOUNT),
    query="Filter.AccountName text, Filter.AccountCode text, Filter.AccountTypeId int, Filter.AccountTypeName text, "
    "Filter.CreatedOnFrom time, Filter.CreatedOnTo time, Filter.ModifiedOnFrom time, Filter.ModifiedOnTo time, "
    f"Filter.IsActive flag, {LISTED}",
)
def search_accounts(world: World, request: Request) -> list[Record]:
    """List accounts with their locations."""
    views = (view_account(world, record) for record in world.store.all("accounts"))
    return select(views, request.query, fields={"AccountTypeName": "AccountType"})


@group.get("/v2/crm/accounts/summary/{id}", bare(ACCOUNT))
def get_account(world: World, request: Request) -> Record:
    """Return one account."""
    return view_account(world, world.store.get("accounts", request.path["id"]))


@group.get(
    "/v2/crm/accounts/lookup",
    many(ACCOUNT_CHOICE),
    query="Filter.Ids [int], Filter.Name text, Filter.WithSecurityScope flag, Filter.WithInactiveAccounts flag, "
    f"{LISTED}",
)
def choose_account(world: World, request: Request) -> list[Record]:
    """List account names; inactive ones only on request."""
    query = dict(request.query)
    query.pop("Filter.WithSecurityScope", None)
    with_inactive = query.pop("Filter.WithInactiveAccounts", False)
    views = (view_account(world, record) for record in world.store.all("accounts"))
    return select((view for view in views if with_inactive or view["IsActive"]), query)


@group.get("/v2/crm/accounts/{accountId}/locations/lookup", many(LOCATION_CHOICE, paginated=False))
def choose_location(world: World, request: Request) -> list[Record]:
    """List an account's active locations."""
    world.store.get("accounts", request.path["accountId"])
    locations = world.store.all("locations", AccountId=request.path["accountId"], IsActive=True)
    return [location | {"Name": location["LocationName"]} for location in locations]


@group.get("/v2/crm/accounts/{accountId}/locations/{locationId}", one(LOCATION))
def get_location(world: World, request: Request) -> Record:
    """Return one location of an account."""
    return _within_account(world, "locations", request.path["locationId"], request.path["accountId"])


@group.get(
    "/v2/crm/accounts/{accountId}/contacts/lookup",
    many(CONTACT_CHOICE),
    query=f"Filter.Name text, Filter.LocationId int, {LISTED}",
)
def choose_contact(world: World, request: Request) -> list[Record]:
    """List an account's active contacts."""
    world.store.get("accounts", request.path["accountId"])
    contacts = world.store.all("contacts", AccountId=request.path["accountId"], IsActive=True)
    return select((view_contact(world, contact) for contact in contacts), request.query)


@group.get("/v2/crm/accounts/{accountId}/contacts/{contactId}/summaryinfo", one(CONTACT_INFO))
def get_contact_of_account(world: World, request: Request) -> Record:
    """Return a contact with the address of its location."""
    contact = _within_account(world, "contacts", request.path["contactId"], request.path["accountId"])
    account = view_account(world, world.store.get("accounts", contact["AccountId"]))
    location = world.store.find("locations", contact["LocationId"]) or {}
    address: Record = next(iter(location.get("Addresses") or []), {})
    view = view_contact(world, contact)
    return address | {
        "Id": view["Id"],
        "ContactName": view["Name"],
        "ContactPhone": view["Phone"],
        "ContactEmailAddress": view["EmailAddress"],
        "ClientName": view["AccountName"],
        "LocationName": view["LocationName"],
        "LocationId": view["LocationId"],
        "AccountType": account["AccountType"],
        "Website": account["Website"],
        "PhoneNumber": address.get("Phone"),
        "FaxNumber": address.get("Fax"),
        "latitude": address.get("Latitude"),
        "longitude": address.get("Longitude"),
        "TenantId": 1,
        "IsActive": view["IsActive"],
        "AccountId": view["AccountId"],
    }


@group.post("/v2/crm/accounts", one(ACCOUNT), json_of(ACCOUNT_POST))
def create_account(world: World, request: Request) -> Record:
    """Create an account together with its locations."""
    values = dict(request.body)
    locations = values.pop("Locations")
    if not locations:
        raise RefusedError("An account needs at least one location.", is_violation=True)
    _check_account(world, values)
    account = world.store.add("accounts", _given(values), by=request.user_id)
    for position, location in enumerate(locations):
        is_main = bool(location.get("IsMain")) or (position == 0 and not any(each.get("IsMain") for each in locations))
        add_location(world, account["Id"], {"IsActive": True} | location | {"IsMain": is_main}, by=request.user_id)
    return view_account(world, account)


@group.put("/v2/crm/accounts/{id}", one(ACCOUNT), json_of(ACCOUNT_PUT))
def replace_account(world: World, request: Request) -> Record:
    """Replace an account's own fields."""
    world.store.get("accounts", request.path["id"])
    _check_account(world, request.body)
    return view_account(
        world, world.store.change("accounts", request.path["id"], _given(request.body), by=request.user_id)
    )


@group.patch("/v2/crm/accounts/{id}", one(ACCOUNT), PATCH)
def patch_account(world: World, request: Request) -> Record:
    """Change some of an account's own fields."""
    record = world.store.get("accounts", request.path["id"])
    values = apply_patch(request.body, record, ACCOUNT_PUT)
    _check_account(world, values)
    return view_account(world, world.store.change("accounts", record["Id"], _given(values), by=request.user_id))


def add_location(
    world: World, account_id: int, values: Mapping[str, Any], *, by: int | None = None, record_id: int | None = None
) -> Record:
    """Store a location; its addresses get ids of their own."""
    addresses = [
        {"Id": position, "CreatedBy": by, "CreatedOn": world.now(), "IsMain": False, "IsBilling": False} | address
        for position, address in enumerate(values.get("Addresses") or [], start=1)
    ]
    stored = {**values, "AccountId": account_id, "Addresses": addresses}
    return world.store.add("locations", stored, by=by, record_id=record_id)


def view_account(world: World, record: Record) -> Record:
    """Return an account with the names of what it refers to, and its locations."""
    return record | {
        "Name": record["AccountName"],
        "AccountType": world.name("account_types", record["AccountTypeId"]),
        "BusinessType": world.name("lookups", record["BusinessTypeId"]),
        "ServiceType": world.name("lookups", record["ServiceTypeId"]),
        "CurrencyName": world.name("lookups", record["CurrencyId"]),
        "AccountManagerUserName": world.name("employees", record["AccountManagerId"], "Username"),
        "TenantName": world.security.company,
        "Locations": list(world.store.all("locations", AccountId=record["Id"])),
    }


def view_contact(world: World, record: Record) -> Record:
    """Return a contact with the names of what it refers to, and its default e-mail and phone."""
    return record | {
        "Name": " ".join(filter(None, (record["FirstName"], record["LastName"]))),
        "AccountName": world.name("accounts", record["AccountId"], "AccountName"),
        "LocationName": world.name("locations", record["LocationId"], "LocationName"),
        "EmailAddress": _default(record["Emails"], "EmailAddress"),
        "Phone": _default(record["Phones"], "Phone"),
    }


def _default(entries: list[Record], name: str) -> Any:  # noqa: ANN401 - a record's field
    ranked = sorted(entries, key=lambda entry: not entry.get("IsDefault"))
    return ranked[0].get(name) if ranked else None


def _within_account(world: World, collection: str, record_id: int, account_id: int) -> Record:
    record = world.store.get(collection, record_id)
    if record["AccountId"] != account_id:
        raise MissingError(f"There is no record {record_id} in {collection} of account {account_id}.")
    return record


def _check_account(world: World, values: Mapping[str, Any]) -> None:
    world.active("account_types", values["AccountTypeId"], "Account type")
    world.lookup("BusinessType", values["BusinessTypeId"], "Business type")
    world.active("employees", values["AccountManagerId"], "Account manager")
    if values.get("ParentId") is not None:
        world.known("accounts", values["ParentId"], "Parent account")


def _given(values: Mapping[str, Any]) -> Record:
    return {name: value for name, value in values.items() if not (name == "IsActive" and value is None)}
