"""The service quotation: its header through what the tenant offers, its lines by our own line map."""

import pytest

from tests.fixtures.engine import Engine, codes, event, in_extended, in_published, line, warning

HOUR, WORK = "Senior engineer hour", "On-site work"


def two_lines() -> list[dict[str, object]]:
    return [line(), line("l-2", name=WORK, item_code="WORK", unit_price="100.00", unit_cost="40.00")]


@pytest.fixture
async def ready(engine: Engine, contract: str) -> Engine:
    """A quote of two lines on a quotation, which a BMS user had to create where the API cannot."""
    first = await engine.synced(event(lines=two_lines(), totals={"one_time": "550.00"}))
    if contract == "published":
        assert first["kaseya"]["quotation_id"] is None
        engine.bms.create("quotations", opportunityId=engine.opportunity()["id"])
        await engine.again()
    engine.bms.forget_calls()
    return engine


async def test_the_lines_of_the_quote_are_on_the_quotation(ready: Engine) -> None:
    lines = ready.lines()
    assert {name: (row["quantity"], row["unitPrice"], row["unitCost"]) for name, row in lines.items()} == {
        HOUR: (2.0, 175.0, 70.0),
        WORK: (2.0, 100.0, 40.0),
    }
    (quotation,) = ready.held("quotations")
    assert {row["quotationId"] for row in lines.values()} == {quotation["id"]}
    assert (await ready.quote())["kaseya"]["quotation_id"] == str(quotation["id"])


@in_extended
async def test_the_header_carries_owner_date_and_the_one_warehouse(ready: Engine) -> None:
    (quotation,) = ready.held("quotations")
    assert quotation["name"] == "1042 Firewall refresh"
    assert quotation["opportunityId"] == ready.opportunity()["id"]
    assert (quotation["accountId"], quotation["locationId"], quotation["contactId"]) == (1001, 1101, 1201)
    assert (quotation["salesRepresentativeUserId"], quotation["warehouseId"]) == (11, 201)
    assert quotation["expiryDate"].startswith("2099-12-22")


async def test_an_unchanged_line_costs_no_call_and_a_changed_one_a_single_write(ready: Engine) -> None:
    lines = two_lines()
    lines[1]["quantity"] = "5"
    await ready.synced(event("updated", lines=lines, totals={"one_time": "550.00"}))
    assert ready.writes() == ["PUT /v2/crm/quotes/{quotationId}/lineItems/{lineItemId}"]
    assert ready.lines()[WORK]["quantity"] == 5.0


async def test_a_new_line_is_added(ready: Engine) -> None:
    lines = [*two_lines(), line("l-3", name="Third", item_code="THIRD", category="Text")]
    await ready.synced(event("updated", lines=lines))
    assert sorted(ready.lines()) == [WORK, HOUR, "Third"]


@in_extended
async def test_a_line_that_is_gone_is_removed(ready: Engine) -> None:
    await ready.synced(event("updated", lines=two_lines()[:1]))
    assert list(ready.lines()) == [HOUR]


@in_published
async def test_a_line_that_is_gone_is_set_to_zero_where_the_api_cannot_delete(ready: Engine) -> None:
    quote = await ready.synced(event("updated", lines=two_lines()[:1]))
    assert ready.lines()[WORK]["quantity"] == 0.0
    assert warning(quote, "quotation_line_zeroed")["line_id"] == "l-2"


async def test_a_line_that_comes_back_is_there_once(ready: Engine) -> None:
    await ready.synced(event("updated", lines=two_lines()[:1]))
    quote = await ready.synced(event("updated", lines=two_lines()))
    assert ready.lines()[WORK]["quantity"] == 2.0
    assert "quotation_line_zeroed" not in codes(quote)


async def test_a_line_whose_item_changed_is_replaced(ready: Engine, contract: str) -> None:
    """A line's item is decided when it is added; under its old item it would be another thing to BMS."""
    lines = [line(name="Security assessment", unit_price="360.00"), two_lines()[1]]
    await ready.synced(event("updated", lines=lines))
    held = {row["itemId"]: row for row in ready.bms.state()["lines"]}
    assert held[402]["quantity"] == 2.0
    if contract == "extended":
        assert 401 not in held
    else:
        assert held[401]["quantity"] == 0.0


async def test_a_line_that_a_user_removed_in_bms_is_added_again_with_its_next_change(ready: Engine) -> None:
    ready.bms.delete("lines", ready.lines()[WORK]["id"])
    lines = two_lines()
    lines[1]["quantity"] = "5"
    await ready.synced(event("updated", lines=lines))
    assert ready.lines()[WORK]["quantity"] == 5.0


async def test_a_quotation_that_a_user_removed_in_bms_stops_the_quote_until_a_person_wants_a_new_one(
    ready: Engine, contract: str
) -> None:
    (quotation,) = ready.held("quotations")
    for row in ready.held("lines"):
        ready.bms.delete("lines", row["id"])
    ready.bms.delete("quotations", quotation["id"])
    lines = two_lines()
    lines[1]["quantity"] = "5"
    issue = await ready.parked(event("updated", lines=lines))
    assert issue["code"] == "quotation-gone"
    if contract == "published":
        ready.bms.create("quotations", opportunityId=ready.opportunity()["id"])
    quote = await ready.retry(issue)
    assert quote["state"] == "synced"
    assert quote["kaseya"]["quotation_id"] != str(quotation["id"])
    assert sorted(ready.lines()) == [WORK, HOUR]


@in_extended
async def test_a_changed_date_is_written_into_the_header(ready: Engine) -> None:
    await ready.synced(event("updated", lines=two_lines(), totals={"one_time": "550.00"}, expires_on="2099-12-30"))
    (quotation,) = ready.held("quotations")
    assert quotation["expiryDate"].startswith("2099-12-30")
    assert len(ready.lines()) == 2


@in_published
async def test_until_somebody_creates_the_quotation_everything_else_is_synced(engine: Engine) -> None:
    quote = await engine.synced(event())
    assert "quotation_waiting_for_header" in codes(quote)
    assert quote["due_at"] is not None
    assert engine.opportunity()["amount"] == 350.0
    assert engine.held("lines") == []


@in_published
async def test_the_quotation_that_a_user_created_is_adopted_and_its_header_left_alone(engine: Engine) -> None:
    await engine.synced(event())
    made = engine.bms.create("quotations", opportunityId=engine.opportunity()["id"], name="Made by hand")
    quote = await engine.again()
    assert quote["kaseya"]["quotation_id"] == str(made["id"])
    assert engine.held("quotations")[0]["name"] == "Made by hand"
    assert list(engine.lines()) == [HOUR]
    assert codes(quote) == []


@in_published
async def test_another_opportunitys_quotation_is_not_adopted(engine: Engine) -> None:
    engine.bms.create("quotations", opportunityId=1301)
    quote = await engine.synced(event())
    assert quote["kaseya"]["quotation_id"] is None


@in_published
async def test_several_quotations_on_the_opportunity_wait_for_a_persons_choice(engine: Engine) -> None:
    await engine.synced(event())
    ids = [engine.bms.create("quotations", opportunityId=engine.opportunity()["id"])["id"] for _ in range(2)]
    quote = await engine.again()
    assert quote["state"] == "parked"
    issue = await engine.issue()
    assert issue["code"] == "quotation-ambiguous"
    assert [each["kaseya_id"] for each in issue["candidates"]] == [str(each) for each in ids]
    quote = await engine.retry(issue, kaseya_id=str(ids[1]))
    assert (quote["state"], quote["kaseya"]["quotation_id"]) == ("synced", str(ids[1]))
    assert engine.lines()[HOUR]["quotationId"] == ids[1]


@in_extended
async def test_no_quotation_is_made_where_the_settings_do_not_want_one(engine: Engine) -> None:
    await engine.configure(service_quotation={"enabled": False})
    quote = await engine.synced(event())
    assert quote["kaseya"]["quotation_id"] is None
    assert engine.held("quotations") == []
