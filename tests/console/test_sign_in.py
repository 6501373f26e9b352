import asyncio
import re
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, update

from app.connections.keys import create_key
from app.console.throttle import Buckets, Throttle, ThrottledError
from app.db.tables import ApiKey
from app.kaseya.transport.door import utc_now
from tests.console.conftest import Browser, Site
from tests.fixtures.management import ADMIN

NOW = utc_now()
HOLDS, HOLDS_OVER_ALL = 10, 100
PAGES = ["/console", "/console/connect", "/console/keys", "/console/live", "/console/connections/con_x/quotes"]


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_sees_a_page_without_signing_in(anyone: Browser, path: str) -> None:
    answer = await anyone.get(path)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/sign-in")


@pytest.mark.parametrize("path", ["/console", "/console/sign-in", "/console/nowhere", "/console/connect"])
async def test_every_answer_has_the_strict_headers(anyone: Browser, operator: Browser, path: str) -> None:
    for browser in (anyone, operator):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


async def test_signing_in_leads_back_to_where_one_wanted_to_go(anyone: Browser) -> None:
    asked = await anyone.get("/console/connect", a="b")
    form = await anyone.read(asked.headers["location"])
    wanted = re.search(r'name="next" value="([^"]+)"', form)

    assert wanted is not None
    answer = await anyone.client.post("/console/sign-in", data={"api_key": ADMIN, "next": wanted[1]})
    assert answer.headers["location"] == "/console/connect?a=b"


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/console/../v1", "/console/\\evil"])
async def test_signing_in_leads_nowhere_else(anyone: Browser, wanted: str) -> None:
    answer = await anyone.client.post("/console/sign-in", data={"api_key": ADMIN, "next": wanted})

    assert answer.headers["location"] == "/console"


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    for base_url, is_secure in (("http://quotebridge.test", False), ("https://quotebridge.test", True)):
        async with site.browser(base_url=base_url) as browser:
            cookie = (await browser.sign_in(ADMIN)).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/console" in cookie
        assert ("Secure" in cookie) is is_secure
        assert ADMIN not in cookie


async def test_a_wrong_key_is_told_and_opens_nothing(anyone: Browser) -> None:
    answer = await anyone.sign_in("qb_wrong")

    assert answer.status_code == 401
    assert "This key opens nothing" in answer.text
    assert (await anyone.get("/console")).status_code == 303


async def test_a_changed_cookie_opens_nothing(operator: Browser) -> None:
    sealed = operator.client.cookies["quotebridge_session"]
    operator.client.cookies.clear()
    operator.client.cookies.set("quotebridge_session", sealed[:-8] + "AAAAAAA=")

    assert (await operator.get("/console")).status_code == 303


async def test_a_revoked_key_ends_its_session(site: Site) -> None:
    async with site.house.database.transaction() as session:
        made = await create_key(session, "short-lived")
    async with site.signed_in(made.key) as browser:
        assert (await browser.get("/console")).status_code == 200
        async with site.house.database.transaction() as session:
            await session.execute(update(ApiKey).values(revoked_at=func.now()))

        assert (await browser.get("/console")).status_code == 303


async def test_a_form_without_the_token_does_nothing(operator: Browser) -> None:
    for fields in ({}, {"csrf": "guessed"}):
        answer = await operator.client.post("/console/sign-out", data=fields)
        assert answer.status_code == 403
        assert "Nothing was done" in answer.text
    assert (await operator.get("/console")).status_code == 200


async def test_a_form_of_another_site_does_nothing(operator: Browser) -> None:
    token = await operator.token()

    answer = await operator.client.post(
        "/console/sign-out", data={"csrf": token}, headers={"sec-fetch-site": "cross-site"}
    )

    assert answer.status_code == 403


async def test_signing_out_ends_the_session_in_this_browser(operator: Browser) -> None:
    answer = await operator.post("/console/sign-out")

    assert answer.headers["location"] == "/console/sign-in"
    assert (await operator.get("/console")).status_code == 303


async def test_too_many_wrong_keys_have_to_wait(anyone: Browser) -> None:
    answers = await asyncio.gather(*(anyone.sign_in(f"qb_{number:09}") for number in range(3 * HOLDS)))
    assert Counter(answer.status_code for answer in answers) == {401: HOLDS, 429: 2 * HOLDS}

    answer = await anyone.sign_in(ADMIN)

    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 6
    assert "Too many tries" in answer.text


async def test_good_keys_are_not_counted(anyone: Browser) -> None:
    for _ in range(2 * HOLDS):
        assert (await anyone.sign_in(ADMIN)).status_code == 303


def test_a_bucket_leaks_a_drop_at_a_time_and_clients_do_not_share_it() -> None:
    buckets, now = Buckets(holds=2, leaks_every=timedelta(seconds=6)), utc_now()
    buckets.add("a", now=now)
    buckets.add("a", now=now)

    assert buckets.wait("a", now=now) == timedelta(seconds=6)
    assert buckets.wait("b", now=now) == timedelta()
    assert buckets.wait("a", now=now + timedelta(seconds=6)) == timedelta()


def test_a_drop_that_is_taken_back_late_takes_nothing_else_along() -> None:
    buckets, now = Buckets(holds=2, leaks_every=timedelta(seconds=6)), utc_now()
    for after in (0, 3):
        buckets.add("a", now=now + timedelta(seconds=after))
    buckets.take_back("a", now=now)

    assert buckets.wait("a", now=now + timedelta(seconds=3)) == timedelta()
    buckets.add("a", now=now + timedelta(seconds=3))
    assert buckets.wait("a", now=now + timedelta(seconds=3)) == timedelta(seconds=3)


def fail(throttle: Throttle, client: str, key: str) -> None:
    with throttle.trying(client, key, now=NOW) as tried:
        tried.failed = True


def test_many_addresses_cannot_share_the_guessing_of_one_key() -> None:
    throttle = Throttle()
    for number in range(HOLDS):
        fail(throttle, f"10.0.0.{number}", f"qb_abcde{number}")

    with pytest.raises(ThrottledError):
        fail(throttle, "10.0.1.1", "qb_abcdeZ")
    fail(throttle, "10.0.1.1", "qb_other")


def test_many_addresses_cannot_guess_at_many_keys_either() -> None:
    throttle = Throttle()
    for number in range(HOLDS_OVER_ALL):
        fail(throttle, f"10.0.0.{number}", f"qb_{number:05}")

    with pytest.raises(ThrottledError) as refused:
        fail(throttle, "10.0.1.1", "qb_other")
    assert refused.value.wait == timedelta(seconds=1)


def test_a_try_that_could_not_be_looked_at_is_not_counted() -> None:
    throttle = Throttle()
    for _ in range(2 * HOLDS):
        with pytest.raises(OSError, match="away"), throttle.trying("10.0.0.1", "qb_key", now=NOW):
            raise OSError("the database is away")
