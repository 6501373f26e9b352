"""Live pickers for the quoting frontend: contacts, accounts, opportunities and items of a connection's BMS."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.connections.model import INT32_MAX
from app.deps import HouseDep
from app.directory import pickers
from app.directory.pickers import Item
from app.directory.recent import Found
from app.kaseya import Account, Contact, Opportunity, Product, Service
from app.routers.asking import asking
from app.routers.fields import Search
from app.routers.kaseya_problems import READ_PROBLEMS
from app.routers.problems import problem_responses
from app.routers.security import ConnectionDep

router = APIRouter(prefix="/v1/connections/{connection_id}", tags=["pickers"])

SearchText = Annotated[Search, Query(description="what a person typed; every word has to be found")]
RecordId = Annotated[int | None, Query(ge=1, le=INT32_MAX)]

TYPE_MORE = f"Type at least {pickers.SHORTEST} characters."
NOT_ALL = "BMS has more than can be listed at once; type more to narrow it."
SERVICE_UNPRICED = "BMS has no unit price for this service; a price of 0 there means that none is set."
PRODUCT_UNPRICED = "BMS lists products without prices; the quote's own price is used."


class Picked(BaseModel):
    """What was found; ``hint`` says what to do when it is not what one looks for."""

    next_cursor: None = Field(default=None, description="always null: type more instead of paging")
    hint: str | None


class AccountChoice(BaseModel):
    """An account to choose."""

    account_id: str
    name: str
    code: str | None
    is_active: bool


class ContactChoice(BaseModel):
    """A contact to choose."""

    contact_id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    account_id: str | None
    account_name: str | None


class OpportunityChoice(BaseModel):
    """An opportunity to choose."""

    opportunity_id: str
    name: str
    status_id: str
    status: str | None
    account_id: str
    account_name: str | None
    contact_id: str | None
    amount: str


class ItemChoice(BaseModel):
    """A service or product to choose."""

    kind: Literal["service", "product"]
    kaseya_id: str
    code: str | None
    name: str
    unit_price: str | None
    unit_cost: str | None
    price_reason: str | None = Field(description="why there is no price")


def _example(item: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [{"items": [item], "next_cursor": None, "hint": None}]})


class PickedAccounts(Picked):
    """Accounts that were found."""

    model_config = _example({"account_id": "31", "name": "Example Gadgets Inc", "code": None, "is_active": True})
    items: list[AccountChoice]


class PickedContacts(Picked):
    """Contacts that were found."""

    model_config = _example(
        {
            "contact_id": "51",
            "first_name": "Jane",
            "last_name": "Doe",
            "email": "jane@gadgets.example",
            "phone": "+1 555 0100",
            "account_id": "31",
            "account_name": "Example Gadgets Inc",
        }
    )
    items: list[ContactChoice]


class PickedOpportunities(Picked):
    """Opportunities that were found."""

    model_config = _example(
        {
            "opportunity_id": "4711",
            "name": "1001 Firewall replacement",
            "status_id": "2",
            "status": "Quoted",
            "account_id": "31",
            "account_name": "Example Gadgets Inc",
            "contact_id": "51",
            "amount": "1440.00",
        }
    )
    items: list[OpportunityChoice]


class PickedItems(Picked):
    """Items that were found."""

    model_config = _example(
        {
            "kind": "service",
            "kaseya_id": "7",
            "code": None,
            "name": "Senior engineer hour",
            "unit_price": "360.00",
            "unit_cost": "120.00",
            "price_reason": None,
        }
    )
    items: list[ItemChoice]


@router.get("/contacts", summary="Find contacts", responses=problem_responses(*READ_PROBLEMS, "invalid-request"))
async def find_contacts(connection: ConnectionDep, house: HouseDep, search: SearchText = "") -> PickedContacts:
    """Find active contacts by first or last name, e-mail address, telephone number or company.

    Made to be called at each keystroke: BMS is asked for the first letters, a longer text narrows its answer.
    """
    if not pickers.says_enough(search):
        return PickedContacts(items=[], hint=TYPE_MORE)
    async with asking(house, connection) as client:
        found = await pickers.find_contacts(house.directory, connection, client, search)
    return PickedContacts(items=[_contact(row) for row in found.rows], hint=_hint(found))


@router.get("/accounts", summary="Find accounts", responses=problem_responses(*READ_PROBLEMS, "invalid-request"))
async def find_accounts(connection: ConnectionDep, house: HouseDep, search: SearchText = "") -> PickedAccounts:
    """Find accounts by name or code, inactive ones too. Made to be called at each keystroke, as for contacts."""
    if not pickers.says_enough(search):
        return PickedAccounts(items=[], hint=TYPE_MORE)
    async with asking(house, connection) as client:
        found = await pickers.find_accounts(house.directory, connection, client, search)
    return PickedAccounts(items=[_account(row) for row in found.rows], hint=_hint(found))


@router.get(
    "/opportunities",
    summary="Find opportunities",
    responses=problem_responses(*READ_PROBLEMS, "kaseya-record-not-found", "invalid-request"),
)
async def find_opportunities(
    connection: ConnectionDep,
    house: HouseDep,
    account_id: RecordId = None,
    contact_id: RecordId = None,
    search: SearchText = "",
) -> PickedOpportunities:
    """Find opportunities that a quote may be linked to: those whose status has Base Status Open and is active.

    Narrow them by account, by contact, or by text in name, account or contact.
    """
    async with asking(house, connection) as client:
        found = await pickers.find_opportunities(
            house.directory, connection, client, search=search, account_id=account_id, contact_id=contact_id
        )
    return PickedOpportunities(items=[_opportunity(row) for row in found.rows], hint=_hint(found))


@router.get("/items", summary="Find items", responses=problem_responses(*READ_PROBLEMS, "invalid-request"))
async def find_items(connection: ConnectionDep, house: HouseDep, search: SearchText = "") -> PickedItems:
    """Find services by name, with price and cost, and products by name or number, without: BMS lists none for them.

    `price_reason` says why an item has no price. Made to be called at each keystroke, as for contacts.
    """
    if not pickers.says_enough(search):
        return PickedItems(items=[], hint=TYPE_MORE)
    async with asking(house, connection) as client:
        found = await pickers.find_items(house.directory, connection, client, search)
    return PickedItems(items=[_item(row) for row in found.rows], hint=_hint(found))


def _hint(found: Found[Any]) -> str | None:
    return None if found.complete else NOT_ALL


def _account(row: Account) -> AccountChoice:
    return AccountChoice(
        account_id=str(row.id), name=row.account_name or "", code=row.account_code, is_active=row.is_active
    )


def _contact(row: Contact) -> ContactChoice:
    return ContactChoice(
        contact_id=str(row.id),
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email_address,
        phone=row.phone_number,
        account_id=_text(row.account_id),
        account_name=row.account_name,
    )


def _opportunity(row: Opportunity) -> OpportunityChoice:
    return OpportunityChoice(
        opportunity_id=str(row.id),
        name=row.subject or "",
        status_id=str(row.status_id),
        status=row.status,
        account_id=str(row.account_id),
        account_name=row.account_name,
        contact_id=_text(row.contact_id),
        amount=f"{row.amount:.2f}",
    )


def _item(row: Item) -> ItemChoice:
    match row:
        case Service():
            price, cost = _set(row.unit_price), _set(row.unit_cost)
            return ItemChoice(
                kind="service",
                kaseya_id=str(row.id),
                code=None,
                name=row.name or "",
                unit_price=price,
                unit_cost=cost,
                price_reason=SERVICE_UNPRICED if price is None else None,
            )
        case Product():
            return ItemChoice(
                kind="product",
                kaseya_id=str(row.product_index_id),
                code=row.product_number,
                name=row.product_name or "",
                unit_price=None,
                unit_cost=None,
                price_reason=PRODUCT_UNPRICED,
            )


def _set(amount: Decimal | None) -> str | None:
    """An amount that somebody has set: 0 means unset in BMS."""
    return f"{amount:.2f}" if amount else None


def _text(record_id: int | None) -> str | None:
    return None if record_id is None else str(record_id)
