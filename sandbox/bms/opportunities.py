"""Opportunities, their notes and their statuses (CRM)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.bms.filters import select
from sandbox.contract import LISTED, PAGED, Group, Request, json_of, many, one, paged
from sandbox.errors import MissingError, RefusedError
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("Opportunities")

_STAMPS = "CreatedBy int?, CreatedOn time?, ModifiedBy int?, ModifiedOn time?"
OPPORTUNITY = shape(
    "Opportunity",
    f"Id int, {_STAMPS}, Subject text?, StatusId int, Status text?, AccountId int, AccountName text?, "
    "AccountLocationId int, AccountLocationName text?, ContactId int?, ContactFirstName text?, ContactLastName text?, "
    "TypeId int, Type text?, Probability number, Rating text?, RatingId int?, LeadSource text?, LeadSourceId int?, "
    "SalesRepresentativeFirstName text?, SalesRepresentativeLastName text?, SalesRepresentativeUserId int, "
    "Amount number, InPipeline flag, Description text?, CustomerPO text?, CloseDate time, "
    "ProbabilityAdjustedRevenue number",
)
OPPORTUNITY_INPUT = shape(
    "OpportunityInput",
    "Subject* text+, StatusId* int, AccountId* id, AccountLocationId* id, ContactId id?, TypeId* int, "
    "Probability* number, RatingId* int, LeadSourceId int?, SalesRepresentativeUserId* id, Amount* number, "
    "Description text?, CustomerPO text?, CloseDate* time",
)
STATUS = shape(
    "OpportunityStatusLookup",
    "Id int, Name text?, Probability number, IsActive flag, IsPipeline flag, StatusActionId int, "
    "StatusActionName text?",
)
NOTE = shape("OpportunityNote", f"Id int, {_STAMPS}, Note text?, CreatedByName text?, ModifiedByName text?")
NOTE_POST = shape("OpportunityNotePostInput", "Note* text+")
NOTE_PUT = shape("OpportunityNotePutInput", "Note* text+")


@group.get(
    "/v2/crm/opportunities",
    paged(OPPORTUNITY),
    query="Filter.StatusId int, Filter.AccountId int, Filter.TypeId int, Filter.SalesRepresentativeUserId int, "
    "Filter.InPipeline flag, Filter.CreatedOnFrom time, Filter.CreatedOnTo time, Filter.ModifiedOnFrom time, "
    f"Filter.ModifiedOnTo time, {LISTED}",
)
def search_opportunities(world: World, request: Request) -> list[Record]:
    """List opportunities."""
    return select((view_opportunity(world, record) for record in world.store.all("opportunities")), request.query)


@group.get("/v2/crm/opportunities/{id}", one(OPPORTUNITY))
def get_opportunity(world: World, request: Request) -> Record:
    """Return one opportunity."""
    return view_opportunity(world, world.store.get("opportunities", request.path["id"]))


@group.post("/v2/crm/opportunities", one(OPPORTUNITY), json_of(OPPORTUNITY_INPUT))
def create_opportunity(world: World, request: Request) -> Record:
    """Create an opportunity."""
    _check_opportunity(world, request.body)
    return view_opportunity(world, world.store.add("opportunities", request.body, by=request.user_id))


@group.put("/v2/crm/opportunities/{id}", one(OPPORTUNITY), json_of(OPPORTUNITY_INPUT))
def replace_opportunity(world: World, request: Request) -> Record:
    """Replace an opportunity in full: what the body leaves out is emptied."""
    record = world.store.get("opportunities", request.path["id"])
    _check_opportunity(world, request.body)
    emptied = {each.name: None for each in OPPORTUNITY_INPUT.fields}
    values = emptied | request.body
    return view_opportunity(world, world.store.change("opportunities", record["Id"], values, by=request.user_id))


@group.get("/v2/crm/opportunities/statuses/Lookup", many(STATUS, paginated=False))
def list_statuses(world: World, _request: Request) -> list[Record]:
    """List all statuses, inactive ones too."""
    return list(world.store.all("statuses"))


@group.get("/v2/crm/opportunities/{id}/notes", paged(NOTE), query=PAGED)
def list_notes(world: World, request: Request) -> list[Record]:
    """List the notes of an opportunity."""
    world.store.get("opportunities", request.path["id"])
    return [_view_note(world, note) for note in world.store.all("opportunity_notes", OpportunityId=request.path["id"])]


@group.post("/v2/crm/opportunities/{id}/notes", one(NOTE), json_of(NOTE_POST))
def add_note(world: World, request: Request) -> Record:
    """Add a note to an opportunity."""
    world.store.get("opportunities", request.path["id"])
    values = {"OpportunityId": request.path["id"], "Note": request.body["Note"]}
    return _view_note(world, world.store.add("opportunity_notes", values, by=request.user_id))


@group.put("/v2/crm/opportunities/{opportunityId}/notes/{noteId}", one(NOTE), json_of(NOTE_PUT))
def replace_note(world: World, request: Request) -> Record:
    """Replace the text of a note."""
    note = world.store.get("opportunity_notes", request.path["noteId"])
    if note["OpportunityId"] != request.path["opportunityId"]:
        raise MissingError(f"There is no note {note['Id']} on opportunity {request.path['opportunityId']}.")
    return _view_note(world, world.store.change("opportunity_notes", note["Id"], request.body, by=request.user_id))


def view_opportunity(world: World, record: Record) -> Record:
    """Return an opportunity with the names of what it refers to."""
    representative = world.store.find("employees", record["SalesRepresentativeUserId"]) or {}
    contact = world.store.find("contacts", record["ContactId"]) or {}
    return record | {
        "Status": world.name("statuses", record["StatusId"]),
        "InPipeline": bool(world.name("statuses", record["StatusId"], "IsPipeline")),
        "AccountName": world.name("accounts", record["AccountId"], "AccountName"),
        "AccountLocationName": world.name("locations", record["AccountLocationId"], "LocationName"),
        "ContactFirstName": contact.get("FirstName"),
        "ContactLastName": contact.get("LastName"),
        "Type": world.name("lookups", record["TypeId"]),
        "Rating": world.name("lookups", record["RatingId"]),
        "LeadSource": world.name("lookups", record["LeadSourceId"]),
        "SalesRepresentativeFirstName": representative.get("FirstName"),
        "SalesRepresentativeLastName": representative.get("LastName"),
        "ProbabilityAdjustedRevenue": round(record["Amount"] * record["Probability"] / 100, 2),
    }


def _check_opportunity(world: World, values: Mapping[str, Any]) -> None:
    account_id = values["AccountId"]
    world.known("accounts", account_id, "Account")
    world.belonging("locations", values["AccountLocationId"], "Location", account_id=account_id)
    if values.get("ContactId") is not None:
        world.belonging("contacts", values["ContactId"], "Contact", account_id=account_id)
    world.known("statuses", values["StatusId"], "Opportunity status")
    world.lookup("OpportunityType", values["TypeId"], "Opportunity type")
    world.lookup("OpportunityRating", values["RatingId"], "Opportunity rating")
    if values.get("LeadSourceId") is not None:
        world.lookup("LeadSource", values["LeadSourceId"], "Lead source")
    world.active("employees", values["SalesRepresentativeUserId"], "Sales representative")
    if not values["Subject"].strip():
        raise RefusedError("The subject must not be blank.", is_violation=True)


def _view_note(world: World, note: Record) -> Record:
    return note | {
        "CreatedByName": world.name("employees", note["CreatedBy"], "Username"),
        "ModifiedByName": world.name("employees", note["ModifiedBy"], "Username"),
    }
