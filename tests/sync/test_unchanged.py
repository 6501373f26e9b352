"""What differs in nothing that is sent makes no BMS call, and a burst makes few."""

from typing import Any

import pytest

from tests.fixtures.engine import Engine, codes, event, in_extended, line, working
from tests.fixtures.sandbox import Sandbox

pytestmark = in_extended


@pytest.fixture
async def shown(engine: Engine) -> Engine:
    """A quote that BMS shows, with the calls forgotten that it took."""
    await engine.synced(event())
    engine.bms.forget_calls()
    return engine


async def test_a_second_sync_of_an_unchanged_quote_makes_no_call(shown: Engine) -> None:
    quote = await shown.again()
    assert quote["state"] == "synced"
    assert shown.bms.calls() == []


async def test_a_new_version_with_nothing_new_makes_no_call_and_is_told_apart(shown: Engine) -> None:
    await shown.synced(event("updated"))
    assert shown.bms.calls() == []
    assert await shown.dispositions() == ["applied", "unchanged"]


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://quotes.example.com/q/1"},
        {"currency": "EUR"},
        {"issued_on": "2026-01-01"},
        {"owner": {"email": "sam@msp.example", "name": "Samuel Seller"}},
        {"account": {"name": "Example Gadgets Inc", "phone": "555-9999", "website": "https://other.example"}},
        {"contact": {"first_name": "Gail", "last_name": "Gadget-Smith", "email": "gail@gadgets.example"}},
        {"lines": [line(), line("l-2", optional=True, selected=False)]},
        {"lines": [line(recurring=True)]},
        {"taxes": [{"name": "Tax", "amount": "5.00"}], "shipping": "9.00", "discount": "1.00"},
        {"totals": {"one_time": "350.00", "recurring": "10.00", "margin": "7.00"}},
    ],
)
async def test_a_change_in_what_is_not_sent_makes_no_call(shown: Engine, changes: dict[str, Any]) -> None:
    await shown.synced(event("updated", **changes))
    assert shown.bms.calls() == []


async def test_a_change_in_what_is_not_sent_is_still_warned_of(shown: Engine) -> None:
    totals = {"one_time": "350.00", "recurring": "10.00"}
    quote = await shown.synced(event("updated", taxes=[{"name": "Tax", "amount": "5.00"}], totals=totals))
    assert codes(quote) == ["tax_not_sent", "total_differs"]
    quote = await shown.synced(event("updated"))
    assert codes(quote) == []
    assert shown.bms.calls() == []


async def test_what_bms_said_stays_a_warning_when_nothing_is_sent(engine: Engine) -> None:
    await engine.synced(event(owner={"email": "nobody@msp.example"}))
    quote = await engine.synced(event("updated", owner={"email": "nobody@msp.example"}, shipping="5.00"))
    assert codes(quote) == ["shipping_not_sent", "owner_not_found"]


async def test_only_the_amount_changes_and_only_the_opportunity_is_written(shown: Engine) -> None:
    await shown.synced(event("updated", totals={"one_time": "351.00"}))
    assert shown.writes() == ["PUT /v2/crm/opportunities/{id}"]


async def test_settings_that_say_the_same_make_no_call(shown: Engine) -> None:
    await shown.configure(opportunity={"lead_source_id": "52"})
    shown.bms.forget_calls()
    await shown.again()
    assert shown.bms.calls() == []


async def test_settings_that_say_something_else_are_applied_at_the_next_sync(shown: Engine) -> None:
    await shown.configure(status_mapping={"pending": "101"})
    await shown.again()
    assert shown.opportunity()["statusId"] == 101


async def test_a_quote_that_goes_back_after_half_a_run_is_put_right(shown: Engine) -> None:
    """The run got as far as the opportunity; what was synced before it is not what BMS shows any more."""
    shown.bms.fault("success_false", method="PUT", template="/v2/crm/quotes/{quotationId}/lineItems/{lineItemId}")
    await shown.parked(event("updated", totals={"one_time": "999.00"}, lines=[line(quantity="9")]))
    assert shown.opportunity()["amount"] == 999.0
    await shown.synced(event("updated"))
    assert shown.opportunity()["amount"] == 350.0
    assert shown.lines()["Senior engineer hour"]["quantity"] == 2.0


async def test_a_burst_of_a_hundred_updates_writes_the_opportunity_at_most_twice(
    clean_database: str, bms: Sandbox, contract: str
) -> None:
    bms.settings(contract=contract)
    async with working(clean_database, bms, debounce_quiet_seconds=2, debounce_max_seconds=15) as engine:
        await engine.connect()
        await engine.configure()
        await engine.synced(event())
        bms.forget_calls()
        for number in range(100):
            await engine.accepted(event("updated", totals={"one_time": f"{1000 + number}.00"}))
        await engine.settled()
        assert engine.opportunity()["amount"] == 1099.0
        assert engine.writes().count("PUT /v2/crm/opportunities/{id}") in (1, 2)
