"""BMS cannot backdate: a pending quote past its date is not carried over, a decided one always is."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.db.tables import Quote
from tests.fixtures.engine import Engine, codes, event, in_extended, warning

pytestmark = in_extended

YESTERDAY = (datetime.now(ZoneInfo("America/Los_Angeles")) - timedelta(days=1)).date().isoformat()


async def test_an_expired_quote_is_refused_at_the_door_and_listed_as_rejected(engine: Engine) -> None:
    answer = await engine.send(event(expires_on=YESTERDAY))
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/quote-expired"
    listed = await engine.call("GET", f"{engine.path}/quotes", params={"state": "rejected"})
    assert [quote["quote_id"] for quote in listed["items"]] == ["q-1"]
    (row,) = (await engine.call("GET", f"{engine.path}/events"))["items"]
    assert (row["disposition"], row["quote_id"]) == ("rejected", "q-1")
    assert row["reason"].startswith("quote-expired")
    assert await engine.issues() == []
    assert engine.writes() == []


async def test_an_expired_update_leaves_in_bms_what_is_there(engine: Engine) -> None:
    await engine.synced(event())
    engine.bms.forget_calls()
    answer = await engine.send(event("updated", expires_on=YESTERDAY, totals={"one_time": "1.00"}))
    assert answer.status_code == 422
    assert (await engine.quote())["state"] == "rejected"
    assert engine.bms.calls() == []
    assert engine.opportunity()["amount"] == 350.0


async def test_a_rejected_quote_goes_through_with_a_later_date(engine: Engine) -> None:
    await engine.send(event(expires_on=YESTERDAY))
    quote = await engine.synced(event("updated"))
    assert quote["kaseya"]["opportunity_id"] == str(engine.opportunity()["id"])


async def test_a_quote_that_expires_while_it_waits_is_rejected_without_an_issue(engine: Engine) -> None:
    await engine.synced(event())
    await age(engine)
    engine.bms.forget_calls()
    quote = await engine.again()
    assert quote["state"] == "rejected"
    assert YESTERDAY in quote["last_error"]
    assert await engine.issues() == []
    assert engine.bms.calls() == []


async def age(engine: Engine) -> None:
    """Let the stored quote's date pass, as time would."""
    async with engine.house.database.transaction() as session:
        row = await session.get(Quote, (engine.connection_id, "q-1"))
        assert row is not None
        row.content = {**row.content, "expires_on": YESTERDAY}


@pytest.mark.parametrize(("kind", "status_id"), [("won", 103), ("lost", 104)])
async def test_a_quote_decided_after_its_date_moves_its_opportunity_and_leaves_the_quotation(
    engine: Engine, kind: str, status_id: int
) -> None:
    await engine.synced(event())
    late = event(kind, expires_on=YESTERDAY, totals={"one_time": "700.00"}, lines=[])
    quote = await engine.synced(late)
    made = engine.opportunity()
    assert (made["statusId"], made["amount"]) == (status_id, 700.0)
    assert len(engine.lines()) == 1
    assert "quotation_skipped_expired" in codes(quote)


async def test_a_quote_first_heard_of_when_won_after_its_date_gets_an_opportunity_alone(engine: Engine) -> None:
    quote = await engine.synced(event("won", expires_on=YESTERDAY))
    assert engine.opportunity()["statusId"] == 103
    assert (quote["kaseya"]["quotation_id"], engine.held("quotations")) == (None, [])


async def test_the_quotation_of_a_quote_won_after_its_date_is_tried_where_the_settings_say_so(engine: Engine) -> None:
    engine.bms.expect_violations()
    await engine.configure(service_quotation={"expired_when_won": "try"})
    quote = await engine.synced(event("won", expires_on=YESTERDAY))
    assert engine.opportunity()["statusId"] == 103
    assert "in the past" in warning(quote, "quotation_not_backdated")["detail"]
    assert engine.held("quotations") == []


async def test_an_existing_quotation_is_tried_and_its_lines_go_through(engine: Engine) -> None:
    engine.bms.expect_violations()
    await engine.configure(service_quotation={"expired_when_won": "try"})
    await engine.synced(event())
    lines = [{**event()["data"]["lines"][0], "quantity": "3"}]
    quote = await engine.synced(event("won", expires_on=YESTERDAY, lines=lines))
    assert "quotation_not_backdated" in codes(quote)
    assert engine.lines()["Senior engineer hour"]["quantity"] == 3.0


async def test_today_is_the_day_in_the_connections_time_zone(engine: Engine) -> None:
    """Somewhere it is always another day than in Los Angeles or UTC: a quote is good until its own day is over."""
    far_east, far_west = ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")
    now = datetime.now(UTC)
    there = now.astimezone(far_west).date()
    assert there < now.astimezone(far_east).date()
    await engine.configure(opportunity={"time_zone": "Pacific/Kiritimati"})
    assert (await engine.send(event(expires_on=there.isoformat()))).status_code == 422
    await engine.configure(opportunity={"time_zone": "Pacific/Pago_Pago"})
    assert (await engine.send(event(expires_on=there.isoformat()))).status_code == 202
