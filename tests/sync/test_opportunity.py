"""The opportunity: the one named, else the linked one, else a new one; what BMS users typed into it stays theirs."""

from typing import Any

import pytest

from tests.fixtures.engine import Engine, codes, event, in_extended, warning

pytestmark = in_extended


def naming(opportunity_id: int, kind: str = "created", **data: Any) -> dict[str, Any]:
    return event(kind, opportunity={"kaseya_opportunity_id": opportunity_id}, **data)


async def test_an_opportunity_is_created_with_everything_the_quote_says(engine: Engine) -> None:
    quote = await engine.synced(event())
    made = engine.opportunity()
    assert quote["kaseya"]["opportunity_id"] == str(made["id"])
    assert made["subject"] == "1042 Firewall refresh"
    assert (made["accountId"], made["accountLocationId"], made["contactId"]) == (1001, 1101, 1201)
    assert (made["statusId"], made["probability"], made["amount"]) == (102, 50.0, 350.0)
    assert (made["typeId"], made["ratingId"], made["leadSourceId"]) == (31, 42, 51)
    assert made["closeDate"].startswith("2099-12-22")


async def test_the_opportunity_that_the_event_names_is_taken(engine: Engine) -> None:
    quote = await engine.synced(naming(1301))
    assert quote["kaseya"]["opportunity_id"] == "1301"
    assert engine.held("opportunities") == []
    (taken,) = [row for row in engine.bms.state()["opportunities"] if row["id"] == 1301]
    assert (taken["statusId"], taken["amount"], taken["subject"]) == (102, 350.0, "Office move")


async def test_an_opportunity_of_another_account_stops_the_quote(engine: Engine) -> None:
    issue = await engine.parked(naming(1301, account={"kaseya_account_id": 1002}, contact=None))
    assert issue["code"] == "opportunity-account-mismatch"
    assert engine.writes() == []


async def test_an_opportunity_that_is_not_open_stops_the_quote(engine: Engine) -> None:
    issue = await engine.parked(naming(1302))
    assert issue["code"] == "opportunity-not-selectable"
    assert engine.writes() == []


async def test_an_opportunity_whose_status_is_inactive_stops_the_quote(engine: Engine) -> None:
    engine.bms.change("opportunities", 1301, statusId=105)
    issue = await engine.parked(naming(1301))
    assert issue["code"] == "opportunity-not-selectable"


async def test_a_named_opportunity_that_is_gone_stops_the_quote(engine: Engine) -> None:
    issue = await engine.parked(naming(1399))
    assert issue["code"] == "opportunity-not-selectable"
    assert "1399" in issue["detail"]


async def test_a_linked_opportunity_need_not_be_open_any_more(engine: Engine) -> None:
    await engine.synced(naming(1301))
    quote = await engine.synced(naming(1301, "won"))
    quote = await engine.synced(naming(1301, "updated", totals={"one_time": "400.00"}))
    assert quote["kaseya"]["opportunity_id"] == "1301"


async def test_a_quote_moves_to_the_opportunity_that_a_later_event_names(engine: Engine) -> None:
    before = (await engine.synced(event()))["kaseya"]
    quote = await engine.synced(naming(1301, "updated"))
    assert quote["kaseya"]["opportunity_id"] == "1301"
    assert before["opportunity_id"] in warning(quote, "opportunity_changed")["detail"]
    (quotation,) = [row for row in engine.held("quotations") if row["opportunityId"] == 1301]
    assert quote["kaseya"]["quotation_id"] == str(quotation["id"]) != before["quotation_id"]
    assert [row["quotationId"] for row in engine.held("lines")].count(quotation["id"]) == 1


async def test_an_update_keeps_what_bms_users_typed(engine: Engine) -> None:
    await engine.synced(event())
    made = engine.opportunity()
    mark = made["description"]
    typed = {
        "subject": "Our own subject",
        "description": f"Call Gail first.\n\n{mark}\n\nAnd Bert second.",
        "customerPO": "PO-77",
        "leadSourceId": 52,
        "ratingId": 41,
        "typeId": 32,
        "accountLocationId": 1102,
    }
    engine.bms.change("opportunities", made["id"], **typed)
    await engine.synced(event("updated", totals={"one_time": "999.00"}))
    now = engine.opportunity()
    kept = {name: now[name] for name in typed if name != "description"}
    assert kept == {name: value for name, value in typed.items() if name != "description"}
    assert now["amount"] == 999.0
    assert now["description"].split("\n\n") == ["Call Gail first.", "And Bert second.", mark]


async def test_the_description_ends_in_the_marker_line(engine: Engine) -> None:
    engine.bms.change("opportunities", 1301, description="Typed by a person.")
    await engine.synced(naming(1301))
    (taken,) = [row for row in engine.bms.state()["opportunities"] if row["id"] == 1301]
    typed, mark = taken["description"].split("\n\n")
    assert typed == "Typed by a person."
    assert mark.startswith("[quotebridge:")
    assert mark.endswith("]")


async def test_two_quotes_on_one_opportunity_both_stay_marked(engine: Engine) -> None:
    await engine.synced(naming(1301, quote_id="q-1"))
    await engine.synced(naming(1301, quote_id="q-2"))
    (taken,) = [row for row in engine.bms.state()["opportunities"] if row["id"] == 1301]
    assert taken["description"].count("[quotebridge:") == 2


async def test_a_user_who_changed_the_amount_in_bms_is_corrected_with_the_next_change(engine: Engine) -> None:
    await engine.synced(event())
    engine.bms.change("opportunities", engine.opportunity()["id"], amount=1.0)
    await engine.synced(event("updated", expires_on="2099-12-23"))
    assert engine.opportunity()["amount"] == 350.0
    assert engine.opportunity()["closeDate"].startswith("2099-12-23")


async def test_a_renamed_quote_leaves_the_subject_alone(engine: Engine) -> None:
    await engine.synced(event())
    await engine.synced(event("updated", name="Another name", totals={"one_time": "351.00"}))
    assert engine.opportunity()["subject"] == "1042 Firewall refresh"


async def test_a_renamed_quote_renames_the_opportunity_where_the_settings_say_so(engine: Engine) -> None:
    await engine.configure(opportunity={"rename_on_update": True})
    await engine.synced(event())
    await engine.synced(event("updated", name="Another name"))
    assert engine.opportunity()["subject"] == "1042 Another name"


@pytest.mark.parametrize(
    ("basis", "amount"),
    [
        ({"value_basis": "one_time"}, 1000.0),
        ({"value_basis": "one_time_plus_recurring", "recurring_periods": 12}, 1600.0),
        ({"value_basis": "margin"}, 300.01),
    ],
)
async def test_the_amount_follows_the_value_basis(engine: Engine, basis: dict[str, Any], amount: float) -> None:
    await engine.configure(opportunity=basis)
    totals = {"one_time": "1000.00", "recurring": "50.00", "recurring_period": "month", "margin": "300.005"}
    await engine.synced(event(totals=totals))
    assert engine.opportunity()["amount"] == amount


async def test_a_quote_without_the_margin_that_is_asked_for_says_so(engine: Engine) -> None:
    await engine.configure(opportunity={"value_basis": "margin"})
    quote = await engine.synced(event())
    assert engine.opportunity()["amount"] == 350.0
    assert "margin_missing" in codes(quote)


async def test_the_close_date_can_be_counted_from_the_day_of_issue(engine: Engine) -> None:
    await engine.configure(opportunity={"close_date": "days", "close_after_days": 45})
    await engine.synced(event(issued_on="2099-01-01"))
    assert engine.opportunity()["closeDate"].startswith("2099-02-15")


async def test_an_opportunity_that_was_removed_in_bms_stops_the_quote_until_a_person_wants_a_new_one(
    engine: Engine,
) -> None:
    first = (await engine.synced(event()))["kaseya"]
    engine.bms.delete("opportunities", int(first["opportunity_id"]))
    issue = await engine.parked(event("updated", totals={"one_time": "351.00"}))
    assert issue["code"] == "opportunity-gone"
    quote = await engine.retry(issue)
    assert quote["state"] == "synced"
    assert quote["kaseya"]["opportunity_id"] == str(engine.opportunity()["id"]) != first["opportunity_id"]
    assert quote["kaseya"]["quotation_id"] != first["quotation_id"]


async def test_one_opportunity_is_made_of_all_revisions_of_a_quote(engine: Engine) -> None:
    await engine.synced(event(quote_id="q-1"))
    await engine.accepted(event("updated", "q-2", parent_quote_id="q-1", revision=1, totals={"one_time": "500.00"}))
    quote = await engine.settled("q-1")
    assert (quote["state"], quote["revision"]) == ("synced", 1)
    assert engine.opportunity()["amount"] == 500.0
