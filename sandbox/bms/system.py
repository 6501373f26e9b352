"""Settings and look-up tables (System)."""

from __future__ import annotations

from sandbox.contract import Group, Request, json_of, many, one
from sandbox.errors import RefusedError
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("System")

MAXIMUM_ATTACHMENT_MEGABYTES = 10
_TEXT_KIND = {"tableName": "text"}.items()
SETTINGS = shape(
    "Settings",
    "DefaultPageSize int, WorkforcePlannerDefaultPageSize int, DefaultSideBarPageSize int, "
    "CustomFieldsMaxShownItems int, DefaultAttachmentTicketsPageSize int, MaximumAttachmentFileSizeinMb int, "
    "DashboardWidgetTimeout int, DashboardWidgetMaxColumns int, DashboardWidgetMinColumns int, "
    "DashboardTicketByIssueTypeWidgetMaxColumns int, DashboardWidgetPageSize int, BrandName text?, ProductName text?, "
    "FullCalendarLicenseKey text?, AddOpportunityUrl text?, AddActivityUrl text?, PendingQuotationsUrl text?, "
    "AmountDueUrl text?, AmountSentUrl text?, ExternalLinks object?, FeatureFlags object?",
)
ACCOUNT_TYPE = shape("AccountTypeLookup", "Id int, Name text?, IsActive flag, IsClient flag, IsVendor flag")
LOOKUP = shape("Lookup", "Id int, Name text?, IsDefault flag, IsActive flag")
TENANT_LOOKUP = shape("TenantLookup", "Id int, Name text?, IsActive flag, IsDefault flag")
TENANT_LOOKUP_INPUT = shape("TenantLookupInput", "Name text?, Description text?, IsActive flag")


@group.get("/v2/system/settings", one(SETTINGS))
def get_settings(_world: World, _request: Request) -> Record:
    """Return the tenant's settings."""
    return {
        "DefaultPageSize": 25,
        "WorkforcePlannerDefaultPageSize": 25,
        "DefaultSideBarPageSize": 25,
        "CustomFieldsMaxShownItems": 10,
        "DefaultAttachmentTicketsPageSize": 25,
        "MaximumAttachmentFileSizeinMb": MAXIMUM_ATTACHMENT_MEGABYTES,
        "DashboardWidgetTimeout": 60,
        "DashboardWidgetMaxColumns": 4,
        "DashboardWidgetMinColumns": 1,
        "DashboardTicketByIssueTypeWidgetMaxColumns": 4,
        "DashboardWidgetPageSize": 10,
        "BrandName": "BMS",
        "ProductName": "BMS",
        "AddOpportunityUrl": "/crm/opportunities/new",
        "ExternalLinks": {},
        "FeatureFlags": {},
    }


@group.get("/v2/system/accounttypes/lookup", many(ACCOUNT_TYPE, paginated=False))
def choose_account_type(world: World, _request: Request) -> list[Record]:
    """List account types."""
    return list(world.store.all("account_types"))


@group.get("/v2/system/lookup/{tableName}", many(LOOKUP, paginated=False), path_kinds=tuple(_TEXT_KIND))
def list_lookup(world: World, request: Request) -> list[Record]:
    """List a look-up table. Raises RefusedError for a table that there is not."""
    return _table(world, request.path["tableName"])


@group.get("/v2/system/tenantlookup/{tableName}", many(TENANT_LOOKUP, paginated=False), path_kinds=tuple(_TEXT_KIND))
def list_tenant_lookup(world: World, request: Request) -> list[Record]:
    """List a look-up table that the tenant may add to."""
    return _table(world, request.path["tableName"])


@group.post(
    "/v2/system/tenantlookup/{tableName}",
    many(TENANT_LOOKUP, paginated=False),
    json_of(TENANT_LOOKUP_INPUT),
    path_kinds=tuple(_TEXT_KIND),
)
def add_tenant_lookup(world: World, request: Request) -> list[Record]:
    """Add a row to a look-up table and return the whole table."""
    table = _table(world, request.path["tableName"])
    world.store.add("lookups", {"Table": table[0]["Table"]} | request.body, by=request.user_id)
    return _table(world, request.path["tableName"])


def _table(world: World, name: str) -> list[Record]:
    rows = [row for row in world.store.all("lookups") if row["Table"].lower() == name.lower()]
    if not rows:
        raise RefusedError(f"There is no look-up table {name}.")
    return rows
