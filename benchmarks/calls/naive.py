"""A naive integration, as it is often written: for each event it signs in, looks everything up, and sends all anew.

It remembers nothing but what it cannot find again: the ids of the lines that it has put on a quotation. It does what
the rules ask for (accounts by name, contacts by e-mail, items by code and name, status by the mapping, the PDF), it
asks with the same filters as ours, and it never fails or repeats anything. Events come one after the other.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette

from benchmarks.calls.bms import Clerk
from benchmarks.calls.floor import Terms
from benchmarks.calls.workload import Event, Line, Quote, State
from sandbox import seed
from sandbox.world import World

Json = dict[str, Any]
HEADER = "/v2/crm/quotes/{}"
STATUS_IDS = {"pending": 102, "accepted": 103, "lost": 104}
WAREHOUSE, ITEM_TYPES, DISTRIBUTOR = 201, {"service": 301, "product": 302}, 311
MODULE, TYPE, RATING = seed.OPPORTUNITY_MODULE_ID, 31, 42
EXPIRY = "2099-12-31T23:59:59Z"


@dataclass(slots=True)
class Naive:
    """Carries events over to one BMS."""

    bms: Starlette
    terms: Terms
    _lines: dict[str, list[int]] = field(default_factory=dict)
    _token: str = ""

    @property
    def calls(self) -> Counter[str]:
        """What BMS was asked so far, by method and path template."""
        return Counter(self._world.counts)

    @property
    def _world(self) -> World:
        world: World = self.bms.state.world
        return world

    async def play(self, quotes: Sequence[Quote]) -> None:
        """Carry over every event of some quotes."""
        clerk = None if self.terms.is_extended else Clerk(self._world)
        transport = httpx.ASGITransport(self.bms)
        async with httpx.AsyncClient(transport=transport, base_url="http://bms.test") as client:
            for quote in quotes:
                for event in quote.events:
                    await _Visit(client, self.terms, quote, event, self._lines, clerk).carry_over()


@dataclass(slots=True)
class _Visit:
    """One event."""

    client: httpx.AsyncClient
    terms: Terms
    quote: Quote
    event: Event
    lines: dict[str, list[int]]
    clerk: Clerk | None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """The quote as the event tells it."""
        return self.event.state

    async def carry_over(self) -> None:
        """Everything, from the sign-in to the PDF."""
        form = {"GrantType": "password", "UserName": seed.USERNAME, "Password": seed.PASSWORD, "Tenant": seed.COMPANY}
        token = await self._ask("POST", "/v2/security/authenticate", files={k: (None, v) for k, v in form.items()})
        self.headers = {"Authorization": f"Bearer {token['accessToken']}"}
        statuses = await self._ask("GET", "/v2/crm/opportunities/statuses/Lookup")
        status = next(each for each in statuses if each["id"] == STATUS_IDS[self.state.status])
        employees = await self._ask("GET", "/v2/hr/employees/searchselect")
        owner_id = next(each["id"] for each in employees if each["emailAddress"] == "sam@msp.example")
        account_id, location_id = await self._account()
        contact_id = await self._contact(account_id, location_id)
        people = {"account_id": account_id, "location_id": location_id, "contact_id": contact_id}
        opportunity_id = await self._opportunity(people, status, owner_id)
        if self.clerk:
            self.clerk.work()
        if self.terms.with_lines:
            await self._quotation(people, opportunity_id, owner_id)
        await self._pdf(opportunity_id)

    async def _account(self) -> tuple[int, int]:
        name = self.quote.customer.name
        found = await self._ask("GET", "/v2/crm/accounts/summary", params={"Filter.AccountName": name})
        account = next((each for each in found if each["accountName"] == name), None)
        if account is None:
            body = {
                "AccountName": name,
                "AccountTypeId": 1,
                "BusinessTypeId": 21,
                "AccountManagerId": 12,
                "Locations": [{"LocationName": "Main", "Addresses": [{"IsMain": True}]}],
            }
            account = await self._ask("POST", "/v2/crm/accounts", json=body)
        locations = await self._ask("GET", f"/v2/crm/accounts/{account['id']}/locations/lookup")
        return account["id"], next(each["id"] for each in locations if each["isMain"])

    async def _contact(self, account_id: int, location_id: int) -> int:
        customer = self.quote.customer
        asked = {"Filter.AccountIds": account_id, "Filter.EmailAddress": customer.email}
        found = await self._ask("GET", "/v2/crm/contacts/search", params=asked)
        if found:
            return int(found[0]["id"])
        body = {
            "FirstName": customer.first_name,
            "LastName": customer.last_name,
            "AccountId": account_id,
            "LocationId": location_id,
            "Emails": [{"EmailAddress": customer.email, "EmailTypeId": 61}],
        }
        return int((await self._ask("POST", "/v2/crm/contacts/summary", json=body))["id"])

    async def _opportunity(self, people: Mapping[str, int], status: Json, owner_id: int) -> int:
        subject = f"Project {self.quote.quote_id}"
        asked = {"Filter.AccountId": people["account_id"], "PageSize": 100}
        found = await self._ask("GET", "/v2/crm/opportunities", params=asked)
        body = {
            "Subject": subject,
            "StatusId": status["id"],
            "Probability": status["probability"],
            "AccountId": people["account_id"],
            "AccountLocationId": people["location_id"],
            "ContactId": people["contact_id"],
            "TypeId": TYPE,
            "RatingId": RATING,
            "SalesRepresentativeUserId": owner_id,
            "Amount": float(self.state.total),
            "CloseDate": EXPIRY,
        }
        known = next((each["id"] for each in found if each["subject"] == subject), None)
        if known is None:
            return int((await self._ask("POST", "/v2/crm/opportunities", json=body))["id"])
        live = await self._ask("GET", f"/v2/crm/opportunities/{known}")
        kept = {"Description": live["description"], "CustomerPO": live["customerPO"]}
        await self._ask("PUT", f"/v2/crm/opportunities/{known}", json=kept | body)
        return int(known)

    async def _quotation(self, people: Mapping[str, int], opportunity_id: int, owner_id: int) -> None:
        warehouses = await self._ask("GET", "/v2/inventory/warehouses/lookup")
        assert any(each["id"] == WAREHOUSE for each in warehouses)
        quotation_id = await self._found_quotation(people["account_id"], opportunity_id)
        body = {
            "Name": f"Project {self.quote.quote_id}",
            "OpportunityId": opportunity_id,
            "AccountId": people["account_id"],
            "LocationId": people["location_id"],
            "ContactId": people["contact_id"],
            "SalesRepresentativeUserId": owner_id,
            "ExpiryDate": EXPIRY,
            "WarehouseId": WAREHOUSE,
        }
        if quotation_id is None and self.terms.is_extended:
            quotation_id = (await self._ask("POST", "/v2/crm/quotes", json=body))["id"]
        elif quotation_id is not None and self.terms.is_extended:
            await self._ask("PUT", HEADER.format(quotation_id), json=body)
        if quotation_id is not None:
            await self._send_lines(quotation_id)

    async def _found_quotation(self, account_id: int, opportunity_id: int) -> int | None:
        asked = {"Filter.AccountId": account_id, "PageSize": 100}
        for each in await self._ask("GET", "/v2/crm/quotes/summary", params=asked):
            header = await self._ask("GET", HEADER.format(each["id"]))
            if header["opportunityId"] == opportunity_id:
                return int(header["id"])
        return None

    async def _send_lines(self, quotation_id: int) -> None:
        """Take all lines off, and put all on again; where none can be deleted, the old ones are set to nothing."""
        header = HEADER.format(quotation_id)
        for line_id in self.lines.pop(self.quote.quote_id, []):
            if self.terms.is_extended:
                await self._ask("DELETE", f"{header}/lineItems/{line_id}")
            else:
                nothing = {"Id": line_id, "Name": "-", "UnitPrice": 0.0, "UnitCost": 0.0, "Quantity": 0.0}
                await self._ask("PUT", f"{header}/lineItems/{line_id}", json=nothing)
        sent = self.lines[self.quote.quote_id] = []
        for line in self.state.lines:
            item_id = await self._item(line)
            body = {
                "Id": item_id,
                "Name": line.item.name,
                "UnitPrice": float(line.item.price),
                "UnitCost": float(line.item.price / 2),
                "Quantity": float(line.quantity),
            }
            item_type = ITEM_TYPES[line.item.kind] if item_id else 303
            made = await self._ask("POST", f"{header}/lineItems/{item_type}/{DISTRIBUTOR}", json=body)
            sent.append(made["id"])

    async def _item(self, line: Line) -> int:
        item = line.item
        if item.kind == "service":
            for name in (item.code, item.name):
                asked = {"PageSize": 100, "PageNumber": 1, "Filter": {"Name": name}}
                if found := await self._ask("POST", "/v2/admin/finance/services/search", json=asked):
                    return int(found[0]["id"])
            body = {"Name": item.code, "UnitPrice": float(item.price), "UnitCost": float(item.price / 2)}
            return int((await self._ask("POST", "/v2/admin/finance/services/services", json=body))["id"])
        for query in ({"Filter.ProductNumber": item.code}, {"Filter.ProductName": item.name}):
            if found := await self._ask("GET", "/v2/inventory/products/searchselect", params=query):
                return int(found[0]["productIndexId"])
        if not self.terms.is_extended:
            return 0
        body = {"ProductNumber": item.code, "ProductName": item.name, "UnitPrice": float(item.price), "UnitCost": 0.0}
        return int((await self._ask("POST", "/v2/inventory/products", json=body))["productIndexId"])

    async def _pdf(self, opportunity_id: int) -> None:
        """Upload the new one, then remove the old ones."""
        place = f"/v2/system/attachments/{MODULE}/{opportunity_id}"
        old = await self._ask("GET", place)
        content = f"%PDF-1.7 {self.state.document}".encode()
        await self._ask("POST", place, files={"formFile": ("Quote.pdf", content, "application/pdf")})
        for each in old:
            await self._ask("DELETE", f"{place}/{each['id']}")

    async def _ask(self, method: str, path: str, **parts: Any) -> Any:  # noqa: ANN401 - JSON
        answer = await self.client.request(method, path, headers=self.headers, **parts)
        told = answer.json() if answer.content else {}
        if not answer.is_success or not told.get("success", True):
            message = f"BMS did not take {method} {path}: {answer.text}"
            raise ValueError(message)
        return told.get("result", told)
