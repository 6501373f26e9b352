"""Contacts (CRM)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.bms.accounts import view_contact
from sandbox.bms.filters import select
from sandbox.bms.json_patch import PATCH, apply_patch
from sandbox.contract import LISTED, NOTHING, Group, Request, bare, json_of, many, one, paged
from sandbox.errors import RefusedError
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("Contacts")

_STAMPS = "CreatedBy int?, CreatedOn time?, ModifiedBy int?, ModifiedOn time?"
_WHERE = "AccountId int, AccountName text?, LocationId int, LocationName text?"
EMAIL = shape(
    "ContactEmail", f"Id int, {_STAMPS}, EmailAddress text?, EmailTypeId int, EmailType text?, IsDefault flag"
)
PHONE = shape("ContactPhone", f"Id int, {_STAMPS}, Phone text?, PhoneTypeId int, PhoneType text?, IsDefault flag")
CUSTOM_FIELD = shape(
    "CustomFieldData",
    "Id int, Name text?, Data text?, SettingsId int, CustomFieldType int, CustomFieldId int",
)
FOUND_CONTACT = shape(
    "ContactsSearchSelect",
    f"Id int, {_WHERE}, FirstName text?, LastName text?, JobTitle text?, EmailAddress text?, IsPoc flag, "
    "IsActive flag, HasClientPortalAccess flag",
)
CONTACT = shape(
    "ContactsSummary",
    f"Id int, {_STAMPS}, {_WHERE}, FirstName text?, LastName text?, JobTitle text?, IsPoc flag, IsActive flag, "
    "EffectiveDate time?, IsBillable flag, Emails [ContactEmail], Phones [ContactPhone], CanRecieveInvoices flag",
    EMAIL,
    PHONE,
)
NEW_CONTACT = shape(
    "ContactSummary",
    f"Id int, FirstName text?, LastName text?, {_WHERE}, PhoneNumber text?, EmailAddress text?, "
    "CustomFieldsData [CustomFieldData]",
    CUSTOM_FIELD,
)
FULL_CONTACT = shape(
    "Contact",
    f"Id int, {_STAMPS}, {_WHERE}, FirstName text?, MiddleName text?, LastName text?, JobTitle text?, Poc flag?, "
    "IsActive flag?, BillByContact flag?, EffectiveDate time?, Phones [ContactPhone], Emails [ContactEmail], "
    "RecieveInvoices flag?, CreatedByName text?, ModifiedByName text?",
    EMAIL,
    PHONE,
)
CONTACT_INPUT = shape(
    "ContactInput",
    "FirstName text?, LastName text?, AccountId int, LocationId int, Phones [PhoneInput], Emails [EmailInput], "
    "CustomFieldsData [CustomFieldDataInput]",
    shape("PhoneInput", "PhoneNumber text?, PhoneTypeId int, IsDefault flag"),
    shape("EmailInput", "EmailAddress text?, EmailTypeId int, IsDefault flag"),
    shape("CustomFieldDataInput", "Id int, CustomFieldId int, Data text?, SettingsId int?"),
)
CONTACT_PUT = shape(
    "ContactPutInput",
    "AccountId int, LocationId int, FirstName text?, MiddleName text?, LastName text?, JobTitle text?, Poc flag, "
    "IsActive flag, ReceiveInvoices flag, BillByContact flag, EffectiveDate time?",
)


@group.get(
    "/v2/crm/contacts/search",
    many(FOUND_CONTACT),
    query="Filter.Ids [int], Filter.AccountIds [int], Filter.AccountName text, Filter.LocationId int, "
    "Filter.LocationName text, Filter.FirstName text, Filter.LastName text, Filter.EmailAddress text, "
    f"Filter.JobTitle text, Filter.IsPoc flag, Filter.HasClientPortalAccess flag, Filter.IsActive flag, {LISTED}",
)
def find_contacts(world: World, request: Request) -> list[Record]:
    """List contacts, without a total."""
    return select(_views(world), request.query)


@group.get(
    "/v2/crm/contacts/summary",
    paged(CONTACT),
    query="Filter.AccountId int, Filter.AccountName text, Filter.FirstName text, Filter.LastName text, "
    "Filter.Phone text, Filter.Email text, Filter.CreatedOnFrom time, Filter.CreatedOnTo time, "
    f"Filter.ModifiedOnFrom time, Filter.ModifiedOnTo time, Filter.IsActive flag, {LISTED}",
)
def search_contacts(world: World, request: Request) -> list[Record]:
    """List contacts with all their e-mails and phones."""
    return select(_views(world), request.query, fields={"Email": "EmailAddress"})


@group.get("/v2/crm/contacts/summary/{id}", bare(CONTACT))
def get_contact(world: World, request: Request) -> Record:
    """Return one contact."""
    return _view(world, world.store.get("contacts", request.path["id"]))


@group.post("/v2/crm/contacts/summary", one(NEW_CONTACT), json_of(CONTACT_INPUT))
def create_contact(world: World, request: Request) -> Record:
    """Create a contact at one of its account's locations."""
    values = dict(request.body)
    _check_contact(world, values)
    for phone in values.get("Phones") or []:
        phone["Phone"] = phone.pop("PhoneNumber", None)
    values["Phones"] = _numbered(world, values.get("Phones") or [], "PhoneType", request.user_id)
    values["Emails"] = _numbered(world, values.get("Emails") or [], "EmailType", request.user_id)
    values["CustomFieldsData"] = values.get("CustomFieldsData") or []
    return _view(world, world.store.add("contacts", values, by=request.user_id))


@group.put("/v2/crm/contacts/{id}", one(FULL_CONTACT), json_of(CONTACT_PUT))
def replace_contact(world: World, request: Request) -> Record:
    """Replace a contact's own fields; e-mails and phones stay."""
    return _change(world, request, dict(request.body))


@group.patch("/v2/crm/contacts/{id}", one(FULL_CONTACT), PATCH)
def patch_contact(world: World, request: Request) -> Record:
    """Change some of a contact's own fields."""
    record = world.store.get("contacts", request.path["id"])
    return _change(world, request, apply_patch(request.body, record | {"Poc": record["IsPoc"]}, CONTACT_PUT))


@group.delete("/v2/crm/contacts/{Id}", NOTHING)
def delete_contact(world: World, request: Request) -> None:
    """Remove a contact."""
    world.store.remove("contacts", request.path["Id"])


def _views(world: World) -> Iterable[Record]:
    return (_view(world, record) for record in world.store.all("contacts"))


def _view(world: World, record: Record) -> Record:
    view = view_contact(world, record)
    return view | {
        "Poc": record["IsPoc"],
        "PhoneNumber": view["Phone"],
        "CanRecieveInvoices": record["ReceiveInvoices"],
        "RecieveInvoices": record["ReceiveInvoices"],
        "CreatedByName": world.name("employees", record["CreatedBy"], "Username"),
        "ModifiedByName": world.name("employees", record["ModifiedBy"], "Username"),
    }


def _change(world: World, request: Request, values: Record) -> Record:
    record = world.store.get("contacts", request.path["id"])
    _check_contact(world, values)
    if "Poc" in values:
        values["IsPoc"] = values.pop("Poc")
    return _view(world, world.store.change("contacts", record["Id"], values, by=request.user_id))


def _check_contact(world: World, values: Mapping[str, Any]) -> None:
    for name in ("AccountId", "LocationId"):
        if (values.get(name) or 0) < 1:
            raise RefusedError(f"{name} must be the id of a record.", is_violation=True)
    world.known("accounts", values["AccountId"], "Account")
    world.belonging("locations", values["LocationId"], "Location", account_id=values["AccountId"])


def _numbered(world: World, entries: list[Record], table: str, by: int | None) -> list[Record]:
    numbered = []
    for position, entry in enumerate(entries, start=1):
        row = world.lookup(table, entry.get(f"{table}Id"), table)
        stamps = {"CreatedBy": by, "CreatedOn": world.now(), "ModifiedBy": by, "ModifiedOn": world.now()}
        numbered.append({"Id": position, "IsDefault": position == 1} | stamps | entry | {table: row["Name"]})
    return numbered
