"""The sandbox inside the test's own process, with a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.app import create_app
from sandbox.seed import COMPANY, PASSWORD, USERNAME

CREDENTIALS = {"UserName": USERNAME, "Password": PASSWORD, "Tenant": COMPANY, "GrantType": "password"}
OPPORTUNITY = {
    "Subject": "Firewall refresh",
    "StatusId": 101,
    "AccountId": 1001,
    "AccountLocationId": 1101,
    "TypeId": 31,
    "Probability": 10.0,
    "RatingId": 42,
    "SalesRepresentativeUserId": 11,
    "Amount": 2815.0,
    "CloseDate": "2026-12-22T00:00:00",
}
QUOTATION = {
    "Name": "Firewall refresh",
    "OpportunityId": 1301,
    "AccountId": 1001,
    "LocationId": 1101,
    "SalesRepresentativeUserId": 11,
    "ExpiryDate": "2026-06-02T00:00:00",
    "WarehouseId": 201,
}
LINE = {"Id": 401, "Name": "Senior engineer hour", "UnitPrice": 175.0, "UnitCost": 70.0, "Quantity": 8.0}


class Clock:
    """A clock that stands until it is moved; who sleeps by it sleeps until woken."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 16, tzinfo=UTC)
        self.wake = asyncio.Event()

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, _seconds: float) -> None:
        await self.wake.wait()

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


class Bms:
    """A client of the sandbox and of its control surface."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        self.http = http
        self.clock = clock

    async def sign_in(self) -> None:
        answer = await self.http.post("/v2/security/authenticate", data=CREDENTIALS)
        self.http.headers["Authorization"] = f"Bearer {answer.json()['result']['accessToken']}"

    async def violations(self) -> list[str]:
        return [each["message"] for each in (await self.http.get("/_sandbox/violations")).json()]

    async def state(self, collection: str) -> list[dict[str, Any]]:
        return list((await self.http.get("/_sandbox/state")).json()[collection])

    async def settings(self, **changes: object) -> None:
        answer = await self.http.post("/_sandbox/settings", json=changes)
        assert answer.status_code == 200, answer.text

    async def fault(self, kind: str, **more: object) -> None:
        answer = await self.http.post("/_sandbox/faults", json={"kind": kind, **more})
        assert answer.status_code == 201, answer.text


@pytest.fixture
def credentials() -> dict[str, str]:
    return dict(CREDENTIALS)


@pytest.fixture
def opportunity() -> dict[str, Any]:
    return dict(OPPORTUNITY)


@pytest.fixture
def quotation() -> dict[str, Any]:
    return dict(QUOTATION)


@pytest.fixture
def line() -> dict[str, Any]:
    return dict(LINE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def _connected(clock: Clock, contract: str) -> AsyncIterator[Bms]:
    transport = httpx.ASGITransport(app=create_app(contract=contract, clock=clock, sleep=clock.sleep))
    async with httpx.AsyncClient(transport=transport, base_url="http://bms.test") as http:
        bms = Bms(http, clock)
        await bms.sign_in()
        yield bms


@pytest.fixture
async def published(clock: Clock) -> AsyncIterator[Bms]:
    async for bms in _connected(clock, "published"):
        yield bms


@pytest.fixture
async def extended(clock: Clock) -> AsyncIterator[Bms]:
    async for bms in _connected(clock, "extended"):
        yield bms
