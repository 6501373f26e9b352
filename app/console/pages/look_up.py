"""Looking up contacts, accounts, opportunities and items in BMS, as the quoting frontend's pickers see them."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.console import reads
from app.console.bms import NotAskedError, Trouble, asking
from app.console.deps import ConnectionDep
from app.console.render import page
from app.db.tables import Connection
from app.deps import HouseDep
from app.directory import pickers
from app.directory.recent import Found
from app.house import House
from app.kaseya import Account, Contact, KaseyaClient, Opportunity, Product, Service

router = APIRouter(prefix="/connections/{connection_id}/look-up")

KINDS = {"items": "Items", "accounts": "Accounts", "contacts": "Contacts", "opportunities": "Open opportunities"}
MOST_SHOWN = 50
Row = tuple[str, str, str]
"""A record as it is listed: its name, what tells it apart, and what matters about it."""

SERVICE_UNPRICED = "No unit price in BMS (0 means that none is set): the quote has to bring it."
SERVICE_UNCOSTED = "no unit cost in BMS: the quote has to bring it"
PRODUCT_UNPRICED = "BMS lists products without prices; the quote's own price is used."


@router.get("")
async def look_up(
    request: Request,
    connection: ConnectionDep,
    house: HouseDep,
    kind: str = "items",
    search: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """What BMS finds; at each keystroke where scripts run."""
    shown, found, trouble = (kind if kind in KINDS else "items"), None, None
    if pickers.says_enough(search) and "\0" not in search:
        try:
            found = await _find(house, connection, shown, search)
        except NotAskedError as error:
            trouble = error.trouble
    return _page(request, await reads.health_of(house, connection.id), shown, search, found, trouble)


def _page(
    request: Request,
    health: reads.Health | None,
    kind: str,
    search: str,
    found: Found[Any] | None,
    trouble: Trouble | None,
) -> Response:
    rows = [_row(row) for row in found.rows[:MOST_SHOWN]] if found else []
    complete = bool(found and found.complete and len(found.rows) <= MOST_SHOWN)
    return page(
        request,
        "look_up.html",
        health=health,
        kinds=KINDS,
        kind=kind,
        search=search,
        rows=rows,
        asked=found is not None,
        complete=complete,
        trouble=trouble,
    )


async def _find(house: House, connection: Connection, kind: str, search: str) -> Found[Any]:
    finders: dict[str, Callable[[KaseyaClient], Awaitable[Found[Any]]]] = {
        "items": lambda client: pickers.find_items(house.directory, connection, client, search),
        "accounts": lambda client: pickers.find_accounts(house.directory, connection, client, search),
        "contacts": lambda client: pickers.find_contacts(house.directory, connection, client, search),
        "opportunities": lambda client: pickers.find_opportunities(house.directory, connection, client, search=search),
    }
    async with asking(house, connection) as client:
        return await finders[kind](client)


def _row(row: Service | Product | Account | Contact | Opportunity) -> Row:
    match row:
        case Service():
            return row.name or "", f"Service {row.id}", _service_price(row)
        case Product():
            return row.product_name or "", f"Product {row.product_number or row.product_index_id}", PRODUCT_UNPRICED
        case Account():
            code = f", {row.account_code}" if row.account_code else ""
            return row.account_name or "", f"Account {row.id}{code}", "" if row.is_active else "Inactive"
        case Contact():
            name = f"{row.first_name or ''} {row.last_name or ''}".strip()
            reach = " · ".join(each for each in (row.email_address, row.phone_number) if each)
            return name, f"Contact {row.id}" + (f", {row.account_name}" if row.account_name else ""), reach
        case Opportunity():
            return row.subject or "", f"Opportunity {row.id}", row.account_name or ""


def _service_price(row: Service) -> str:
    price, cost = row.unit_price or Decimal(0), row.unit_cost or Decimal(0)
    if not price:
        return SERVICE_UNPRICED
    return f"{price:,.2f} each, " + (f"cost {cost:,.2f}" if cost else SERVICE_UNCOSTED)
