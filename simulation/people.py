"""What people do in a simulation: connect, make empty quotations where the API cannot, and answer what issues ask."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.connections.sealed import seal_credentials
from app.connections.secrets import Vault
from app.db.tables import Connection, Intent, Issue, LinkLine, Pace
from app.kaseya import Capability, Credentials
from app.sync import issues
from sandbox import seed as planted
from sandbox.bms.quotations import add_quotation
from sandbox.world import World
from simulation.wire import BASE_URL

CONNECTION_ID = "con_simulation"
SETTINGS: Mapping[str, Any] = {
    "account": {
        "create_missing": True,
        "account_type_id": "1",
        "business_type_id": "21",
        "account_manager_id": "12",
        "phone_type_id": "71",
        "email_type_id": "61",
    },
    "opportunity": {
        "type_id": "31",
        "rating_id": "42",
        "default_sales_employee_id": "12",
        "time_zone": "America/New_York",
    },
    "status_mapping": {"pending": "102", "accepted": "103", "lost": "104"},
    "service_quotation": {
        "enabled": True,
        "default_warehouse_id": "201",
        "default_item_type": {"kind": "service", "item_type_id": "301"},
        "distributor_type_id": "311",
    },
    "item_types": {"Hardware": {"kind": "product", "item_type_id": "302"}},
    "attachment": {"push_pdf": True, "opportunity_module_id": "47"},
}
"""Settings that name the records which the sandbox starts with."""


def connect(session: AsyncSession, vault: Vault, *, is_extended: bool) -> None:
    """Store a connection to the sandbox, as signing in and saving settings would."""
    row = Connection(
        id=CONNECTION_ID,
        name="Simulated",
        server="custom",
        base_url=BASE_URL,
        state="active",
        capabilities=[capability.value for capability in Capability] if is_extended else [],
        settings=dict(SETTINGS),
        time_zone="America/New_York",
    )
    seal_credentials(vault, row, Credentials(planted.COMPANY, planted.USERNAME, planted.PASSWORD))
    session.add(row)


async def make_turn(session: AsyncSession) -> None:
    """Give the connection its place among those that are worked on."""
    session.add(Pace(connection_id=CONNECTION_ID))
    await session.flush()


def add_headers(world: World) -> None:
    """Make an empty quotation for every opportunity of ours that has none, as a user does where the API cannot."""
    for opportunity in list(world.store.all("opportunities")):
        is_ours = "[quotebridge:" in (opportunity["Description"] or "")
        if is_ours and not any(world.store.all("quotations", OpportunityId=opportunity["Id"])):
            add_quotation(
                world,
                {
                    "Name": opportunity["Subject"],
                    "OpportunityId": opportunity["Id"],
                    "AccountId": opportunity["AccountId"],
                    "LocationId": opportunity["AccountLocationId"],
                    "SalesRepresentativeUserId": 12,
                    "ExpiryDate": "2099-12-31T00:00:00",
                },
                by=12,
            )


async def answer(session: AsyncSession, world: World, issue: Issue) -> None:
    """Retry an issue, with the choice that a look at BMS suggests where one is asked for."""
    choice = await _about_line(session, world, issue) if issue.code == "line-in-doubt" else None
    await issues.retry(session, issue, choice)


async def _about_line(session: AsyncSession, world: World, issue: Issue) -> Mapping[str, Any]:
    intent = await session.get(Intent, (issue.connection_id, "line", (issue.context or {}).get("key", "")))
    if intent is None:
        return {}
    held = [
        line["Id"]
        for line in world.store.all("lines", QuotationId=intent.hint["quotation_id"])
        if line["Name"] == intent.hint["sent"]["name"] and line["Quantity"]
    ]
    known = await session.get(LinkLine, (issue.connection_id, intent.quote_id, intent.hint["line_id"]))
    free = [line_id for line_id in held if known is None or line_id != known.kaseya_line_id]
    return {"kaseya_id": str(min(free))} if free else {"send_again": True}
