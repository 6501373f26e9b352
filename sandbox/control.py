"""The control surface under `/_sandbox`: what tests, demos and people use to look and to meddle.

It is no part of BMS: never counted, never limited, without sign-in.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import seed
from sandbox.bms.accounts import add_location, view_account, view_contact
from sandbox.bms.attachments import add_file
from sandbox.bms.inventory import view_product
from sandbox.bms.opportunities import view_opportunity
from sandbox.bms.quotations import add_quotation, view_line, view_quotation
from sandbox.errors import MissingError, RefusedError
from sandbox.faults import Fault
from sandbox.rendering import cased
from sandbox.shapes import Record, UploadedFile
from sandbox.store import BLANK, STAMPS
from sandbox.world import World

_VIEWS: dict[str, Callable[[World, Record], Record]] = {
    "accounts": view_account,
    "contacts": view_contact,
    "opportunities": view_opportunity,
    "quotations": view_quotation,
    "lines": lambda _world, record: view_line(record),
    "products": lambda world, record: view_product(world, record) | {"Id": record["Id"]},
    "attachments": lambda _world, record: {name: value for name, value in record.items() if name != "Content"},
}
_DEFAULT_QUOTATION_DAYS = 30


class Control:
    """Answers the control surface of one world."""

    def __init__(self, world: World, *, forget_late: Callable[[], None]) -> None:
        self._world = world
        self._forget_late = forget_late

    def routes(self) -> list[Route]:
        """Return the routes, the fixed names before the collections."""
        return [
            Route("/state", self.state, methods=["GET"]),
            Route("/calls", self.calls, methods=["GET"]),
            Route("/calls", self.forget_calls, methods=["DELETE"]),
            Route("/calls/count", self.count, methods=["GET"]),
            Route("/violations", self.violations, methods=["GET"]),
            Route("/violations", self.forget_violations, methods=["DELETE"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/faults", self.faults, methods=["GET"]),
            Route("/faults", self.order_fault, methods=["POST"]),
            Route("/faults", self.forget_faults, methods=["DELETE"]),
            Route("/settings", self.settings, methods=["GET"]),
            Route("/settings", self.change_settings, methods=["POST"]),
            Route("/down", self.go_down, methods=["POST"]),
            Route("/down", self.come_up, methods=["DELETE"]),
            Route("/{collection}", self.create, methods=["POST"]),
            Route("/{collection}/{record_id:int}", self.change, methods=["PATCH"]),
            Route("/{collection}/{record_id:int}", self.remove, methods=["DELETE"]),
        ]

    async def state(self, _http: HttpRequest) -> Response:
        """Show everything held, by collection."""
        return JSONResponse(
            {name: [self._shown(name, record) for record in self._world.store.all(name)] for name in BLANK}
        )

    async def calls(self, _http: HttpRequest) -> Response:
        """Show the calls that arrived, oldest first."""
        shown = [asdict(call) | {"at": cased(call.at)} for call in self._world.calls]
        return JSONResponse(shown)

    async def forget_calls(self, _http: HttpRequest) -> Response:
        """Forget the calls that arrived."""
        self._world.forget_calls()
        return Response(status_code=204)

    async def count(self, _http: HttpRequest) -> Response:
        """Show how many calls arrived, by method and path template."""
        return JSONResponse(dict(sorted(self._world.counts.items())))

    async def violations(self, _http: HttpRequest) -> Response:
        """Show what the client did that the contract does not allow."""
        return JSONResponse([violation | {"at": cased(violation["at"])} for violation in self._world.violations])

    async def forget_violations(self, _http: HttpRequest) -> Response:
        """Forget the violations."""
        self._world.violations.clear()
        return Response(status_code=204)

    async def reset(self, _http: HttpRequest) -> Response:
        """Start again with the seeded MSP and the settings of the start."""
        self._forget_late()
        self._world.clear()
        seed.plant(self._world)
        return Response(status_code=204)

    async def faults(self, _http: HttpRequest) -> Response:
        """Show the faults that wait for their call."""
        return JSONResponse([fault.as_record() for fault in self._world.faults.waiting])

    async def order_fault(self, http: HttpRequest) -> Response:
        """Order a fault."""
        try:
            fault = Fault.read(await http.json())
        except ValueError as error:
            return _refused(str(error))
        self._world.faults.waiting.append(fault)
        return JSONResponse(fault.as_record(), status_code=201)

    async def forget_faults(self, _http: HttpRequest) -> Response:
        """Take all faults away, late applications included."""
        self._world.faults.waiting.clear()
        self._forget_late()
        return Response(status_code=204)

    async def settings(self, _http: HttpRequest) -> Response:
        """Show the settings."""
        return JSONResponse(self._world.settings.as_record())

    async def change_settings(self, http: HttpRequest) -> Response:
        """Change some settings."""
        try:
            self._world.settings = self._world.settings.changed(await http.json())
        except ValueError as error:
            return _refused(str(error))
        return JSONResponse(self._world.settings.as_record())

    async def go_down(self, http: HttpRequest) -> Response:
        """Drop all connections to BMS from now on."""
        body = await http.json() if await http.body() else {}
        self._world.go_down(body.get("seconds"))
        return Response(status_code=204)

    async def come_up(self, _http: HttpRequest) -> Response:
        """Answer again."""
        self._world.come_up()
        return Response(status_code=204)

    async def create(self, http: HttpRequest) -> Response:
        """Create a record, as a user of BMS would."""
        collection = http.path_params["collection"]
        try:
            record = self._create(collection, _canonical(collection, await http.json()))
        except (ValueError, RefusedError) as error:
            return _refused(str(error))
        return JSONResponse(self._shown(collection, record), status_code=201)

    async def change(self, http: HttpRequest) -> Response:
        """Change fields of a record, as a user of BMS would."""
        collection, record_id = http.path_params["collection"], http.path_params["record_id"]
        try:
            values = _canonical(collection, await http.json())
            record = self._world.store.change(collection, record_id, values)
        except (ValueError, MissingError) as error:
            return _refused(str(error))
        return JSONResponse(self._shown(collection, record))

    async def remove(self, http: HttpRequest) -> Response:
        """Let a record vanish."""
        collection, record_id = http.path_params["collection"], http.path_params["record_id"]
        try:
            _canonical(collection, {})
            self._world.store.remove(collection, record_id)
        except (ValueError, MissingError) as error:
            return _refused(str(error))
        return Response(status_code=204)

    def _create(self, collection: str, values: Record) -> Record:
        match collection:
            case "accounts":
                return self._create_account(values)
            case "contacts":
                return self._world.store.add(collection, self._with_location(values))
            case "opportunities":
                return self._world.store.add(
                    collection, _OPPORTUNITY | self._with_location(values, "AccountLocationId")
                )
            case "quotations":
                return self._create_quotation(values)
            case "attachments":
                return self._create_attachment(values)
            case _:
                return self._world.store.add(collection, values)

    def _create_account(self, values: Record) -> Record:
        defaults = {"AccountTypeId": 1, "BusinessTypeId": 21, "AccountManagerId": 12}
        account = self._world.store.add("accounts", defaults | values)
        add_location(self._world, account["Id"], {"LocationName": "Main", "IsMain": True})
        return account

    def _create_quotation(self, values: Record) -> Record:
        opportunity = self._world.store.find("opportunities", values.get("OpportunityId")) or {}
        expiry = self._world.today() + timedelta(days=_DEFAULT_QUOTATION_DAYS)
        derived = {
            "Name": opportunity.get("Subject"),
            "AccountId": opportunity.get("AccountId"),
            "LocationId": opportunity.get("AccountLocationId"),
            "SalesRepresentativeUserId": opportunity.get("SalesRepresentativeUserId", 12),
            "ExpiryDate": f"{expiry}T00:00:00",
        }
        return add_quotation(self._world, derived | values, by=12)

    def _create_attachment(self, values: Record) -> Record:
        content = base64.b64decode(values.pop("Content", "") or base64.b64encode(b"sample"))
        name = values.pop("OriginalFileName", None) or "file.txt"
        file = UploadedFile(name, values.pop("FileType", None) or "application/octet-stream", content)
        return add_file(self._world, file, {"ModuleId": seed.OPPORTUNITY_MODULE_ID} | values, by=12)

    def _with_location(self, values: Record, name: str = "LocationId") -> Record:
        locations = self._world.store.all("locations", AccountId=values.get("AccountId"), IsMain=True)
        main = next(locations, None)
        return ({name: main["Id"]} if main else {}) | values

    def _shown(self, collection: str, record: Record) -> Any:  # noqa: ANN401 - a JSON value
        view = _VIEWS.get(collection)
        return cased(view(self._world, record) if view else record)


_OPPORTUNITY = {
    "Subject": "Opportunity",
    "StatusId": 101,
    "TypeId": 31,
    "RatingId": 42,
    "Probability": 10.0,
    "SalesRepresentativeUserId": 12,
    "CloseDate": "2026-12-31T00:00:00",
}


def _canonical(collection: str, values: Record) -> Record:
    if collection not in BLANK:
        raise ValueError(f"There is no collection {collection}. There are: {', '.join(sorted(BLANK))}.")
    known = {name.lower(): name for name in (*BLANK[collection], *STAMPS)}
    unknown = sorted(name for name in values if name.lower() not in known)
    if unknown:
        raise ValueError(f"{collection} have no {', '.join(unknown)}. Their fields: {', '.join(BLANK[collection])}.")
    return {known[name.lower()]: value for name, value in values.items()}


def _refused(message: str) -> Response:
    return JSONResponse({"title": message, "status": 422}, status_code=422)
