"""A key of one connection sees nothing of another: every page of the site is asked, not a list of them."""

import re

import pytest
from fastapi.routing import APIRoute

from app.connections.keys import create_key
from app.console.pages import PAGES
from tests.console.conftest import Browser, Site
from tests.fixtures.sandbox import Sandbox


def routes() -> list[tuple[str, str]]:
    return sorted(
        (method, f"/console{route.path}")
        for router in PAGES
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
        if "{connection_id}" in route.path
    )


def address(path: str, connection_id: str) -> str:
    return re.sub(r"\{(\w+)\}", "x", path.replace("{connection_id}", connection_id))


async def key_of(site: Site, connection_id: str) -> str:
    async with site.house.database.transaction() as session:
        return (await create_key(session, "its own", connection_id=connection_id)).key


async def two(operator: Browser, bms: Sandbox) -> tuple[str, str]:
    first = (await operator.connect(bms, name="First MSP")).headers["location"].rpartition("/")[2]
    second = (await operator.connect(bms, name="Second MSP")).headers["location"].rpartition("/")[2]
    return first, second


def test_there_are_pages_to_ask() -> None:
    assert len(routes()) > 20


async def test_the_key_of_one_connection_opens_no_page_of_another(site: Site, operator: Browser, bms: Sandbox) -> None:
    mine, other = await two(operator, bms)
    async with site.signed_in(await key_of(site, mine)) as browser:
        token = await browser.token()
        for method, path in routes():
            answer = await browser.client.request(method, address(path, other), data={"csrf": token})
            assert answer.status_code == 404, (method, path)
            assert "Second MSP" not in answer.text
        assert "Second MSP" not in await browser.read("/console")
        assert "First MSP" in await browser.read("/console")


@pytest.mark.parametrize("path", ["/console/connect", "/console/keys"])
async def test_what_is_for_operators_is_not_there_for_others(
    site: Site, operator: Browser, bms: Sandbox, path: str
) -> None:
    mine, _ = await two(operator, bms)
    async with site.signed_in(await key_of(site, mine)) as browser:
        assert (await browser.get(path)).status_code == 404
        assert (await browser.post(f"/console/connections/{mine}/delete", name="First MSP")).status_code == 404
        assert f'"{path}"' not in await browser.read("/console")


async def test_every_form_needs_its_token(operator: Browser, bms: Sandbox) -> None:
    mine, _ = await two(operator, bms)
    posts = [path for method, path in routes() if method == "POST"]
    for path in posts:
        answer = await operator.client.post(address(path, mine), data={"csrf": "guessed"})
        assert answer.status_code == 403, path
    assert len(posts) > 8
