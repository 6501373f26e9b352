"""Services (Admin → Finance)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.bms.filters import select
from sandbox.contract import LISTED, NOTHING, Group, Request, json_of, one, paged
from sandbox.errors import RefusedError
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("Service")

_CODES = "IncomeAccountCode text?, IncomeAccountName text?, ExpenseAccountCode text?, ExpenseAccountName text?"
_MADE = "CreatedOn time, CreatedBy int, ModifiedOn time, ModifiedBy int"
_KIND = (
    "CategoryId int?, Category text?, SubCategoryId int?, SubCategory text?, UnitOfMeasureId int?, UnitOfMeasure text?"
)
LISTED_SERVICE = shape(
    "ServiceList",
    f"Id int, Name text?, Description text?, UnitCost number, UnitPrice number, {_KIND}, Margin number?, "
    f"MarginType int?, {_CODES}, IsActive flag, IsTaxable flag, {_MADE}",
)
SERVICE = shape(
    "Service",
    f"Id int, Name text?, Description text?, UnitCost number, UnitPrice number, {_KIND}, IncomeAccountId int?, "
    f"ExpenseAccountId int?, {_CODES}, IsActive flag, IsTaxable flag, {_MADE}, Margin number?, MarginType int?",
)
SERVICE_CHOICE = shape("ServiceLookup", "Id int, Name text?, Description text?")
SERVICE_INPUT = shape(
    "ServiceInput",
    "Id int, Name text?, Description text?, UnitCost number?, UnitPrice number?, CategoryId int?, SubCategoryId int?, "
    "UnitOfMeasureId int?, IncomeAccountId int?, ExpenseAccountId int?, IsActive flag, IsTaxable flag, "
    "Margin number?, MarginType int?",
)
SERVICE_SEARCH = shape(
    "ServicesListInput",
    "PageSize int, PageNumber int, Sort text?, Exclude text?, Filter ServicesListFilter",
    shape(
        "ServicesListFilter",
        "Name text?, CategoryIds [int], SubCategoryIds [int], UnitOfMeasureIds [int], IsActive int?, IsTaxable int?, "
        "Description text?, IncomeAccount text?, ExpenseAccount text?",
    ),
)


@group.post("/v2/admin/finance/services/search", paged(LISTED_SERVICE), json_of(SERVICE_SEARCH), writes=False)
def search_services(world: World, request: Request) -> list[Record]:
    """List services with price and cost. `IsActive` and `IsTaxable` are numbers here: 1 and 0."""
    asked = request.body.get("Filter") or {}
    names = {"IncomeAccount": "IncomeAccountName", "ExpenseAccount": "ExpenseAccountName"}
    given = {name: value for name, value in asked.items() if value is not None}
    return select((_view(world, record) for record in world.store.all("services")), given, fields=names)


@group.get(
    "/v2/admin/finance/services/lookup",
    paged(SERVICE_CHOICE),
    query=f"Filter.Id int, Filter.Name text, {LISTED}",
)
def choose_service(world: World, request: Request) -> list[Record]:
    """List the names of active services."""
    return select(world.store.all("services", IsActive=True), request.query)


@group.get("/v2/admin/finance/services/{serviceId}", one(SERVICE))
def get_service(world: World, request: Request) -> Record:
    """Return one service."""
    return _view(world, world.store.get("services", request.path["serviceId"]))


@group.post("/v2/admin/finance/services/services", one(SERVICE), json_of(SERVICE_INPUT))
def create_service(world: World, request: Request) -> Record:
    """Create a service."""
    values = _values(request)
    _check_name(values)
    return _view(world, world.store.add("services", values, by=request.user_id))


@group.put("/v2/admin/finance/services/{serviceId}", one(SERVICE), json_of(SERVICE_INPUT))
def replace_service(world: World, request: Request) -> Record:
    """Replace a service."""
    record = world.store.get("services", request.path["serviceId"])
    if request.body.get("Id", record["Id"]) not in (0, record["Id"]):
        raise RefusedError("Id must be the service's own.", is_violation=True)
    values = _values(request)
    _check_name(values)
    return _view(world, world.store.change("services", record["Id"], values, by=request.user_id))


@group.delete("/v2/admin/finance/services/{serviceId}", NOTHING)
def delete_service(world: World, request: Request) -> None:
    """Remove a service."""
    world.store.remove("services", request.path["serviceId"])


def _view(world: World, record: Record) -> Record:
    return record | {
        "Category": world.name("lookups", record["CategoryId"]),
        "SubCategory": world.name("lookups", record["SubCategoryId"]),
        "UnitOfMeasure": world.name("lookups", record["UnitOfMeasureId"]),
    }


def _values(request: Request) -> Record:
    values = {name: value for name, value in request.body.items() if name != "Id"}
    return values | {name: values.get(name) or 0.0 for name in ("UnitCost", "UnitPrice")}


def _check_name(values: Mapping[str, Any]) -> None:
    if not (values.get("Name") or "").strip():
        raise RefusedError("A service needs a name.", is_violation=True)
