import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.console.live import Pulses
from app.db.issues import open_issue
from app.db.tables import Issue, Quote
from app.intake.deliveries import Delivery, Source
from app.intake.standard import parse
from app.sync.worker import Worker
from tests.console.conftest import Browser
from tests.console.test_settings import connect, fields_of
from tests.fixtures.sandbox import Sandbox


def event(quote_id: str = "q-1", **data: Any) -> bytes:
    return json.dumps(
        {
            "type": "quote.created",
            "timestamp": "2026-11-22T17:00:00Z",
            "data": {
                "quote_id": quote_id,
                "number": "1042",
                "name": "Firewall <refresh>",
                "status": "pending",
                "currency": "USD",
                "account": {"name": "Example Widgets"},
                "totals": {"one_time": "10.00"},
                "taxes": [{"name": "VAT", "amount": "1.00"}],
                "lines": [
                    {"line_id": "l-1", "name": "Thing", "quantity": "1", "unit_price": "10.00", "category": "Hardware"}
                ],
                **data,
            },
        }
    ).encode()


@pytest.fixture
async def address(operator: Browser, bms: Sandbox) -> str:
    """A connection whose settings are saved."""
    address, fields = await connect(operator, bms)
    await operator.follow(await operator.send(f"{address}/settings", fields))
    return address


async def accept(operator: Browser, address: str, body: bytes, *, webhook_id: str = "msg_1") -> None:
    delivery = Delivery(
        connection_id=address.rpartition("/")[2],
        source=Source.STANDARD,
        webhook_id=webhook_id,
        body=body,
        digest=webhook_id.encode(),
        event=parse(body),
    )
    await operator.house.inbox.accept(delivery)


async def sync(operator: Browser, state: str) -> None:
    """Let a worker run until the quote is in this state."""
    worker = Worker(operator.house)
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(30):
            while await _state(operator) != state:  # noqa: ASYNC110 - the state is in the database
                await asyncio.sleep(0.05)
    finally:
        await worker.stop()
        await running


async def _state(operator: Browser) -> str | None:
    async with operator.house.database.transaction() as session:
        return await session.scalar(select(Quote.state))


async def test_a_quote_shows_what_it_became_and_every_call(operator: Browser, bms: Sandbox, address: str) -> None:
    await accept(operator, address, event())
    assert "Waiting" in await operator.read(f"{address}/quotes")
    await operator.follow(await operator.post(f"{address}/quotes/q-1/sync"))
    await sync(operator, "synced")

    page = await operator.read(f"{address}/quotes/q-1")

    made = max(each["id"] for each in bms.state()["opportunities"])
    assert f">{made}<" in page
    assert "Taxes are not sent" in page
    assert "/v2/crm/opportunities" in page
    assert "Create opportunity" in page
    assert "Firewall &lt;refresh&gt;" in (await operator.get(f"{address}/quotes/q-1")).text


async def test_quotes_are_found_by_text_and_state(operator: Browser, address: str) -> None:
    await accept(operator, address, event())

    assert "q-1" in await operator.read(f"{address}/quotes", search="firewall", state="pending")
    assert "No quote fits" in await operator.read(f"{address}/quotes", search="switch")
    assert "No quote fits" in await operator.read(f"{address}/quotes", state="synced")


async def test_the_preview_shows_before_and_after_and_sends_nothing(
    operator: Browser, bms: Sandbox, address: str
) -> None:
    await accept(operator, address, event())
    bms.forget_calls()

    page = await operator.read(f"{address}/quotes/q-1/preview")

    assert "Create opportunity" in page
    assert "<ins>10.00</ins>" in page
    assert len(bms.state()["opportunities"]) == 2


async def test_events_are_listed_with_what_became_of_them(operator: Browser, address: str) -> None:
    await accept(operator, address, event())

    page = await operator.read(f"{address}/events", type="quote.created", disposition="pending")
    assert "msg_1" in page
    assert "No event fits" in await operator.read(f"{address}/events", disposition="rejected")
    event_id = page.partition(f"{address}/events/")[2].partition('"')[0]
    assert '"category": "Hardware"' in await operator.read(f"{address}/events/{event_id}")


async def test_a_warehouse_gone_from_bms_is_an_issue_that_links_to_the_setting(
    operator: Browser, bms: Sandbox, address: str
) -> None:
    bms.settings(contract="extended")
    await operator.follow(await operator.post(f"{address}/test"))
    fields = fields_of((await operator.get(f"{address}/settings")).text)
    item_type = {"kind": "product", "item_type_id": "302"}
    more = {f"/service_quotation/default_item_type/{name}": value for name, value in item_type.items()}
    await operator.follow(
        await operator.send(f"{address}/settings", {**fields, **more, "/service_quotation/enabled": "on"})
    )
    bms.delete("warehouses", 201)
    await accept(operator, address, event())
    await operator.follow(await operator.post(f"{address}/quotes/q-1/sync"))
    await sync(operator, "parked")

    page = await operator.read(f"{address}/issues")

    assert f"{address}/settings#s-service_quotation-default_warehouse_id" in page
    assert 'id="s-service_quotation-default_warehouse_id"' in await operator.read(f"{address}/settings")


async def opened(operator: Browser, address: str, code: str, **more: Any) -> str:
    said = {"code": code, "title": "It stopped", "detail": "For this reason.", "remedy": "Mend it.", **more}
    async with operator.house.database.transaction() as session:
        issue_id = await open_issue(session, address.rpartition("/")[2], "q-1", **said)
    assert issue_id is not None
    return issue_id


async def state_of(operator: Browser, issue_id: str) -> tuple[str, str | None]:
    async with operator.house.database.transaction() as session:
        row = (await session.execute(select(Issue.state, Issue.closed_by).where(Issue.id == issue_id))).one()
    return row[0], row[1]


async def test_an_issue_is_retried_or_dismissed_with_one_click(operator: Browser, address: str) -> None:
    await accept(operator, address, event())
    retried = await opened(operator, address, "kaseya-rejected")
    page = await operator.follow(await operator.post(f"{address}/issues/{retried}/retry"))
    assert "Trying again now" in page
    assert await state_of(operator, retried) == ("closed", "retry")
    dismissed = await opened(operator, address, "kaseya-rejected")
    await operator.follow(await operator.post(f"{address}/issues/{dismissed}/dismiss"))
    assert await state_of(operator, dismissed) == ("closed", "dismiss")
    assert "Nothing waits for you" in await operator.read(f"{address}/issues")


async def test_an_issue_that_needs_a_choice_is_not_retried_without_one(operator: Browser, address: str) -> None:
    await accept(operator, address, event())
    candidates = [{"kaseya_id": "71"}, {"kaseya_id": "72"}]
    issue = await opened(operator, address, "quotation-ambiguous", candidates=candidates)
    assert 'value="71"' in await operator.read(f"{address}/issues")

    page = await operator.follow(await operator.post(f"{address}/issues/{issue}/retry"))
    assert "Say first what you found" in page
    assert (await state_of(operator, issue))[0] == "open"
    await operator.follow(await operator.post(f"{address}/issues/{issue}/retry", kaseya_id="72"))
    assert await state_of(operator, issue) == ("closed", "retry")


async def test_items_are_looked_up_with_the_reason_why_one_has_no_price(operator: Browser, address: str) -> None:
    assert "BMS lists products without prices" in await operator.read(f"{address}/look-up", search="switch")
    assert "175.00 each, cost 70.00" in await operator.read(f"{address}/look-up", search="engineer")
    assert "Type at least two letters" in await operator.read(f"{address}/look-up", search="s")
    assert "Gail Gadget" in await operator.read(f"{address}/look-up", kind="contacts", search="gail")


async def test_a_new_signing_secret_is_shown_once_and_the_older_one_ends_later(operator: Browser, address: str) -> None:
    made = await operator.post(f"{address}/access/rotate", overlap="24")

    assert "secret='whsec_" in await operator.follow(made)
    assert "secret='whsec_" not in await operator.read(address)
    assert (await operator.read(f"{address}/access")).count("Retire") >= 2


async def test_a_key_is_shown_once_and_opens_until_it_is_revoked(operator: Browser, address: str) -> None:
    page = await operator.follow(await operator.post("/console/keys", name="Ann", connection_id=""))
    key = page.partition('id="new-key">')[2].partition("<")[0]
    assert (await operator.sign_in(key)).status_code == 303
    listed = await operator.read("/console/keys")
    assert key not in listed


async def test_new_credentials_are_tried_before_they_are_kept(operator: Browser, address: str) -> None:
    same = {"name": "Example MSP", "company": "Example MSP", "username": "api@msp.example", "notice_url": ""}
    refused = await operator.send(f"{address}/access/credentials", {**same, "password": "wrong"})
    renamed = await operator.send(f"{address}/access/credentials", {**same, "name": "Another name"})

    assert refused.status_code == 422
    assert "BMS refused the sign-in" in refused.text
    assert "Another name" in await operator.follow(renamed)


async def test_a_change_is_told_to_whoever_watches(operator: Browser, address: str) -> None:
    pulses = Pulses(look_every=timedelta(milliseconds=20), alive_every=timedelta(seconds=30))
    ending = False
    told = pulses.changes(operator.house.database, address.rpartition("/")[2], is_ending=lambda: ending)

    assert (await anext(told)).startswith("retry")
    waiting = asyncio.create_task(_next(told))
    while not pulses.has_looked(address.rpartition("/")[2]):  # noqa: ASYNC110 - it looks at the database
        await asyncio.sleep(0.01)
    await accept(operator, address, event())
    assert "event: changed" in await waiting
    ending = True
    with pytest.raises(StopAsyncIteration):
        await anext(told)
    assert not pulses.watched


async def _next(told: AsyncIterator[str]) -> str:
    return await anext(told)


async def test_the_last_day_is_drawn_and_said_in_figures(operator: Browser, address: str) -> None:
    await accept(operator, address, event())
    await operator.post(f"{address}/quotes/q-1/sync")
    await sync(operator, "synced")

    page = await operator.read(f"{address}/activity")

    assert "1 in bms" in page
    assert "Half of the quotes were in BMS within" in page
    assert "POST /v2/crm/opportunities" in page
