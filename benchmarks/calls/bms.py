"""The BMS of the call rows: the sandbox in this process, holding what the workload's MSP has from the start."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from itertools import islice

from starlette.applications import Starlette

from benchmarks.calls.workload import Customer, Item, Workload
from sandbox.app import create_app
from sandbox.bms.accounts import add_location
from sandbox.bms.quotations import add_quotation
from sandbox.world import World

QUOTED_BY = 12
MARKED = "[quotebridge:"


def open_bms(
    workload: Workload,
    *,
    contract: str,
    clock: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]],
) -> Starlette:
    """A sandbox with the workload's known items and customers. Its calls are in ``app.state.world``."""
    bms = create_app(contract=contract, clock=clock, sleep=sleep)
    for item in workload.items:
        if item.is_known:
            add_item(bms.state.world, item)
    _plant_customers(bms.state.world, workload.customers)
    return bms


def add_item(world: World, item: Item) -> None:
    """Have BMS hold an item: a service by the name of its code, since it has no other field for that."""
    price = {"UnitPrice": float(item.price), "UnitCost": float(item.price / 2)}
    if item.kind == "service":
        world.store.add("services", {"Name": item.code, **price})
    else:
        world.store.add("products", {"ProductNumber": item.code, "ProductName": item.name, **price})


def _plant_customers(world: World, customers: Iterable[Customer]) -> None:
    for customer in customers:
        if not customer.is_known:
            continue
        kind = {"AccountTypeId": 1, "BusinessTypeId": 21, "AccountManagerId": QUOTED_BY}
        account = world.store.add("accounts", {"AccountName": customer.name, **kind})
        location = add_location(world, account["Id"], {"LocationName": "Main", "IsMain": True})
        email = {"Id": 1, "EmailAddress": customer.email, "EmailTypeId": 61, "IsDefault": True}
        world.store.add(
            "contacts",
            {
                "AccountId": account["Id"],
                "LocationId": location["Id"],
                "FirstName": customer.first_name,
                "LastName": customer.last_name,
                "Emails": [email],
            },
        )


class Clerk:
    """Whoever makes an empty quotation for every new opportunity at once, where the API cannot."""

    def __init__(self, world: World) -> None:
        """Leave alone what is there already."""
        self._world = world
        self._seen = sum(1 for _ in world.store.all("opportunities"))

    def work(self) -> None:
        """Make the headers of the opportunities since the last time."""
        for row in list(islice(self._world.store.all("opportunities"), self._seen, None)):
            self._seen += 1
            header = {name: row[name] for name in ("AccountId", "SalesRepresentativeUserId")}
            fields = {"Name": row["Subject"], "OpportunityId": row["Id"], "LocationId": row["AccountLocationId"]}
            add_quotation(self._world, {**header, **fields, "ExpiryDate": "2099-12-31T00:00:00"}, by=QUOTED_BY)
