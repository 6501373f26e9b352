"""Products, their prices, and warehouses (Inventory); creating a product is an extension."""

from __future__ import annotations

from sandbox.bms.filters import comma_separated, select
from sandbox.contract import LISTED, PAGED, Group, Request, json_of, many, one, paged
from sandbox.errors import RefusedError
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("Products")
warehouses = Group("Warehouse")

_STAMPS = "CreatedBy int?, CreatedOn time?, ModifiedBy int?, ModifiedOn time?"
PRODUCT = shape(
    "ProductsListSearchSelect",
    "Id text?, ProductIndexId int, ProductNumber text?, ProductName text?, ProductDescription text?, UPC text?, "
    "Warehouse text?, WarehouseId int?, QTYInStock number?, QTYAvailable number?, QTYCommitted number?, "
    "QTYOnOrder number?, Color text?, WeightedLandedCost number?, SerialNumber text?, IsSerialized flag?, "
    "StockByLocationId int?",
)
PRODUCT_INPUT = shape(
    "ProductInput",
    "ProductNumber* text, ProductName* text, ProductDescription text?, SKU text?, UnitPrice number, UnitCost number, "
    "CategoryId int?",
)
PRICING_LEVEL = shape(
    "PricingLevelLookup", "Id int, Name text?, Price number, Margin number, IsActive flag, IsDefault flag"
)
DEFAULT_COST = shape("DefaultCost", "Id int, DefaultCost number")
CHOICE = shape("SupplierLookup", "Id int, Name text?")
CATEGORY = shape("ProductCategories", f"Id int, {_STAMPS}, Name text?, Description text?, IsActive flag")
CATEGORY_CHOICE = shape("ProductCategoryLookup", "Id int, Name text?, Description text?, IsActive flag")
CATEGORY_INPUT = shape("ProductCategoriesInput", "Name* text+, Description text?, IsActive* flag")
WAREHOUSE = shape("Warehouse", "Id int, Name text?")


@group.get(
    "/v2/inventory/products/searchselect",
    paged(PRODUCT),
    query="Filter.ProductNumber text, Filter.ProductName text, Filter.ProductDescription text, Filter.SKU text, "
    "Filter.UPC text, Filter.Color text, Filter.ProductTypeIds text, Filter.Category text, Filter.Brand text, "
    "Filter.ProductManufacturer text, Filter.SerialNumber text, Filter.WarehouseIds text, Filter.ExcludedId int, "
    f"{LISTED}",
)
def search_products(world: World, request: Request) -> list[Record]:
    """List products; neither price nor SKU is told."""
    query = dict(request.query)
    excluded = query.pop("Filter.ExcludedId", None)
    query.pop("Filter.ProductTypeIds", None)
    if "Filter.WarehouseIds" in query:
        query["Filter.WarehouseIds"] = comma_separated(query["Filter.WarehouseIds"])
    records = (record for record in world.store.all("products", IsActive=True) if record["Id"] != excluded)
    return select((view_product(world, record) for record in records), query)


@group.post("/v2/inventory/products", one(PRODUCT), json_of(PRODUCT_INPUT), is_extension=True)
def create_product(world: World, request: Request) -> Record:
    """Create a product."""
    if request.body.get("CategoryId") is not None:
        world.known("product_categories", request.body["CategoryId"], "Product category")
    for name in ("ProductNumber", "ProductName"):
        if not request.body[name].strip():
            raise RefusedError(f"{name} must not be blank.", is_violation=True)
    return view_product(world, world.store.add("products", request.body, by=request.user_id))


@group.get("/v2/inventory/products/{productIndexId}/pricingLevels", many(PRICING_LEVEL, paginated=False))
def list_pricing_levels(world: World, request: Request) -> list[Record]:
    """List a product's prices: one level, the default."""
    product = world.store.get("products", request.path["productIndexId"])
    price, cost = product["UnitPrice"], product["UnitCost"]
    margin = round((price - cost) / price * 100, 2) if price else 0.0
    level = {"Id": 1, "Name": "Standard", "Price": price, "Margin": margin, "IsActive": True, "IsDefault": True}
    return [level]


@group.get("/v2/inventory/products/{productIndexId}/defaultcost", one(DEFAULT_COST))
def get_default_cost(world: World, request: Request) -> Record:
    """Return what a product costs by default."""
    product = world.store.get("products", request.path["productIndexId"])
    return {"Id": product["Id"], "DefaultCost": product["UnitCost"]}


@group.get("/v2/inventory/products/{productIndexId}/suppliers/lookup", many(CHOICE, paginated=False))
def choose_supplier(world: World, request: Request) -> list[Record]:
    """List a product's suppliers: none."""
    world.store.get("products", request.path["productIndexId"])
    return []


@group.get(
    "/v2/inventory/products/categories/lookup",
    paged(CATEGORY_CHOICE),
    query=f"Filter.Name text, Filter.IsActive flag, {PAGED}",
)
def choose_category(world: World, request: Request) -> list[Record]:
    """List product categories."""
    return select(world.store.all("product_categories"), request.query)


@group.post("/v2/inventory/products/categories", one(CATEGORY), json_of(CATEGORY_INPUT))
def create_category(world: World, request: Request) -> Record:
    """Create a product category."""
    return world.store.add("product_categories", request.body, by=request.user_id)


@warehouses.get("/v2/inventory/warehouses/lookup", many(WAREHOUSE, paginated=False))
def choose_warehouse(world: World, _request: Request) -> list[Record]:
    """List warehouses."""
    return list(world.store.all("warehouses"))


def view_product(world: World, record: Record) -> Record:
    """Return a product as a list shows it."""
    warehouse: Record = next(world.store.all("warehouses"), {})
    return record | {
        "Id": str(record["Id"]),
        "ProductIndexId": record["Id"],
        "Warehouse": warehouse.get("Name"),
        "WarehouseId": warehouse.get("Id"),
        "QTYAvailable": record["QTYInStock"],
        "QTYCommitted": 0.0,
        "QTYOnOrder": 0.0,
        "WeightedLandedCost": record["UnitCost"],
        "IsSerialized": record["SerialNumber"] is not None,
        "Category": world.name("product_categories", record["CategoryId"]),
    }
