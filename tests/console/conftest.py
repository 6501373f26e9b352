"""The console through ASGI, on the real database: browsers without a script, signed in or not."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.house import House
from app.main import create_app
from app.routers.health import Drain
from tests.fixtures.management import ADMIN, SANDBOX_SIGN_IN, settings_for
from tests.fixtures.sandbox import Sandbox

SETTINGS_SAVED = "Settings saved"


class Browser:
    """A browser without a script: it keeps cookies, reads forms and sends them."""

    def __init__(self, client: httpx.AsyncClient, house: House) -> None:
        self.client = client
        self.house = house

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query or None)

    async def read(self, path: str, **query: Any) -> str:
        answer = await self.get(path, **query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.headers.get('location')}"
        return unescape(answer.text)

    async def token(self) -> str:
        """The CSRF token that the pages of this session carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', (await self.get("/console")).text)
        assert found is not None
        return found[1]

    async def post(self, path: str, /, **fields: str) -> httpx.Response:
        """Send a form of a page."""
        return await self.client.post(path, data={"csrf": await self.token(), **fields})

    async def send(self, path: str, fields: Mapping[str, str]) -> httpx.Response:
        return await self.client.post(path, data={"csrf": await self.token(), **fields})

    async def follow(self, answer: httpx.Response) -> str:
        """Where a form's answer leads to."""
        assert answer.status_code == 303, unescape(answer.text)
        return await self.read(answer.headers["location"])

    async def sign_in(self, key: str) -> httpx.Response:
        return await self.client.post("/console/sign-in", data={"api_key": key})

    async def connect(self, bms: Sandbox, **changes: str) -> httpx.Response:
        form = {"name": "Example MSP", "server": "custom", "base_url": bms.url, **SANDBOX_SIGN_IN, **changes}
        return await self.send("/console/connect", form)


class Site:
    """The whole application, and browsers that look at it."""

    def __init__(self, app: ASGIApp, state: Mapping[str, Any]) -> None:
        self._app = app
        self._state = state
        self.house: House = state["house"]

    @asynccontextmanager
    async def browser(self, *, base_url: str = "http://quotebridge.test") -> AsyncIterator[Browser]:
        transport = httpx.ASGITransport(self._with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            yield Browser(client, self.house)

    @asynccontextmanager
    async def signed_in(self, key: str = ADMIN) -> AsyncIterator[Browser]:
        async with self.browser() as browser:
            assert (await browser.sign_in(key)).status_code == 303
            yield browser

    async def _with_state(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": dict(self._state)}, receive, send)


@pytest.fixture
def drain() -> Drain:
    return Drain()


@pytest.fixture
async def site(clean_database: str, bms: Sandbox, drain: Drain) -> AsyncIterator[Site]:
    app = create_app(settings_for(clean_database, bms.url.removeprefix("http://"), lookup_cache_seconds=0), drain=drain)
    async with app.router.lifespan_context(app) as state:
        yield Site(app, state or {})


@pytest.fixture
async def anyone(site: Site) -> AsyncIterator[Browser]:
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def operator(site: Site) -> AsyncIterator[Browser]:
    async with site.signed_in() as browser:
        yield browser
