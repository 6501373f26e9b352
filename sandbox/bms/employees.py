"""Employees and assignees (HR)."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.bms.filters import comma_separated, select
from sandbox.contract import LISTED, Group, Request, many, paged
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("Employees")
assignees = Group("Assignees")

FOUND_EMPLOYEE = shape(
    "EmployeesListSearchSelect",
    "Id int, FirstName text?, LastName text?, EmailAddress text?, Username text?, JobTitle text?, IsActive flag?",
)
EMPLOYEE_CHOICE = shape("EmployeeLookup", "Id int, Name text?")
ASSIGNEE = shape(
    "Assignee",
    "Id int, FirstName text?, LastName text?, Name text?, EmailAddress text?, PictureName text?, PictureUrl text?",
)
ASSIGNEE_CHOICE = shape(
    "AssigneeLookup",
    "Id int, Name text?, Url text?, EmailAddress text?, JobTitle text?, PictureName text?, PictureURL text?",
)


@group.get(
    "/v2/hr/employees/searchselect",
    paged(FOUND_EMPLOYEE),
    query=f"Filter.Ids [int], Filter.Filter_Text text, Filter.IsActive flag, {LISTED}",
)
def search_employees(world: World, request: Request) -> list[Record]:
    """List employees with e-mail and user name; the text is looked for in name, e-mail and user name."""
    return select(_views(world), request.query, fields={"Filter_Text": "Text"})


@group.get("/v2/hr/employees/lookup", many(EMPLOYEE_CHOICE), query=f"Filter.Ids [int], Filter.Name text, {LISTED}")
def choose_employee(world: World, request: Request) -> list[Record]:
    """List the names of active employees."""
    return select(_active(world), request.query)


@assignees.get("/v2/hr/assignees", many(ASSIGNEE), query=f"Name text, Ids [int], EmployeesOnly flag, {LISTED}")
def list_assignees(world: World, request: Request) -> list[Record]:
    """List who can be given work: active employees."""
    query = {name: value for name, value in request.query.items() if name != "EmployeesOnly"}
    return select(_active(world), query)


@assignees.get(
    "/v2/hr/assignees/lookup",
    many(ASSIGNEE_CHOICE),
    query=f"Filter.Ids [int], Filter.Name text, Filter.ExcludedIds text, Filter.AccountId int, {LISTED}",
)
def choose_assignee(world: World, request: Request) -> list[Record]:
    """List who can be given work, with e-mail."""
    query = dict(request.query)
    query.pop("Filter.AccountId", None)
    excluded = comma_separated(query.pop("Filter.ExcludedIds", ""))
    return select((view for view in _active(world) if view["Id"] not in excluded), query)


def _active(world: World) -> Iterator[Record]:
    return (view for view in _views(world) if view["IsActive"])


def _views(world: World) -> Iterator[Record]:
    for record in world.store.all("employees"):
        name = " ".join(filter(None, (record["FirstName"], record["LastName"])))
        yield record | {"Name": name, "Text": f"{name} {record['EmailAddress']} {record['Username']}"}
