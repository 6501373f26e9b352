"""The account: the one named, else the linked one, else one of this exact name, else a new one."""

from tests.fixtures.engine import Engine, event, in_extended, warning

pytestmark = in_extended


async def test_the_account_that_the_event_names_is_taken_whatever_the_name(engine: Engine) -> None:
    account = {"kaseya_account_id": 1002, "name": "Example Gadgets Inc"}
    quote = await engine.synced(event(account=account, contact=None))
    assert quote["kaseya"]["account_id"] == "1002"
    assert engine.opportunity()["accountId"] == 1002
    assert engine.opportunity()["accountLocationId"] == 1103
    assert engine.held("accounts") == []


async def test_a_named_account_that_is_gone_stops_the_quote(engine: Engine) -> None:
    issue = await engine.parked(event(account={"kaseya_account_id": 1999}))
    assert issue["code"] == "account-not-usable"
    assert "1999" in issue["detail"]
    assert engine.writes() == []


async def test_a_named_account_that_is_inactive_stops_the_quote(engine: Engine) -> None:
    issue = await engine.parked(event(account={"kaseya_account_id": 1003}))
    assert issue["code"] == "account-not-usable"
    assert "inactive" in issue["detail"]
    assert engine.writes() == []


async def test_the_linked_account_stays_when_the_quote_is_renamed(engine: Engine) -> None:
    await engine.synced(event())
    quote = await engine.synced(event("updated", account={"name": "A new name"}, totals={"one_time": "351.00"}))
    assert quote["kaseya"]["account_id"] == "1001"
    assert engine.held("accounts") == []


async def test_an_account_is_found_by_its_name_whatever_case_and_spaces(engine: Engine) -> None:
    quote = await engine.synced(event(account={"name": "  example   GADGETS inc "}))
    assert quote["kaseya"]["account_id"] == "1001"
    assert quote["kaseya"]["location_id"] == "1101"


async def test_a_name_that_is_only_contained_is_not_the_account(engine: Engine) -> None:
    quote = await engine.synced(event(account={"name": "Example Gadgets"}, contact=None))
    (account,) = engine.held("accounts")
    assert quote["kaseya"]["account_id"] == str(account["id"])
    assert account["accountName"] == "Example Gadgets"


async def test_of_several_accounts_of_one_name_the_active_one_with_the_lowest_id_is_taken(engine: Engine) -> None:
    for name, active in (("Twin LLC", False), ("twin llc", True), ("Twin LLC", True)):
        engine.bms.create("accounts", accountName=name, isActive=active)
    inactive, lowest, other = sorted(row["id"] for row in engine.held("accounts"))
    quote = await engine.synced(event(account={"name": "Twin LLC"}, contact=None))
    assert quote["kaseya"]["account_id"] == str(lowest)
    detail = warning(quote, "account_ambiguous")["detail"]
    assert str(lowest) in detail
    assert str(other) in detail
    assert str(inactive) not in detail


async def test_an_account_that_is_only_there_inactive_stops_the_quote(engine: Engine) -> None:
    issue = await engine.parked(event(account={"name": "Dormant Example LLC"}))
    assert issue["code"] == "account-inactive"
    assert issue["candidates"] == [{"kaseya_id": "1003", "name": "Dormant Example LLC"}]
    assert engine.writes() == []


async def test_a_quote_goes_through_when_its_inactive_account_was_activated(engine: Engine) -> None:
    issue = await engine.parked(event(account={"name": "Dormant Example LLC"}, contact=None))
    engine.bms.change("accounts", 1003, isActive=True)
    quote = await engine.retry(issue)
    assert (quote["state"], quote["kaseya"]["account_id"]) == ("synced", "1003")
    assert await engine.issues() == []


async def test_a_missing_account_is_created_with_the_quotes_address_as_its_main_location(engine: Engine) -> None:
    address = {"line1": "1 Example St", "city": "Springfield", "state": "CA", "postal_code": "90000"}
    account = {"name": "New  Customer", "website": "https://new.example", "phone": "555-0100", "address": address}
    quote = await engine.synced(event(account=account, contact=None))
    (made,) = engine.held("accounts")
    assert (made["accountName"], made["accountTypeId"]) == ("New Customer", 1)
    assert quote["kaseya"]["account_id"] == str(made["id"])
    (location,) = [row for row in engine.bms.state()["locations"] if row["accountId"] == made["id"]]
    assert location["isMain"]
    assert quote["kaseya"]["location_id"] == str(location["id"]) == str(engine.opportunity()["accountLocationId"])
    (stored,) = location["addresses"]
    assert (stored["address1"], stored["city"], stored["zipCode"]) == ("1 Example St", "Springfield", "90000")


async def test_a_missing_account_stops_the_quote_where_none_may_be_created(engine: Engine) -> None:
    await engine.configure(account={"create_missing": False})
    issue = await engine.parked(event(account={"name": "New Customer"}))
    assert issue["code"] == "account-not-found"
    assert engine.held("accounts") == []
    await engine.configure()
    assert (await engine.settled())["state"] == "synced"


async def test_a_named_account_replaces_the_one_that_was_matched_before(engine: Engine) -> None:
    """Its contact goes with it: a contact never belongs to another account than the opportunity."""
    engine.bms.fault("success_false", method="POST", template="/v2/crm/opportunities")
    issue = await engine.parked(event())
    assert issue["code"] == "kaseya-rejected"
    quote = await engine.synced(event("updated", account={"kaseya_account_id": 1002}))
    assert quote["kaseya"]["account_id"] == "1002"
    (contact,) = engine.held("contacts")
    assert (contact["accountId"], quote["kaseya"]["contact_id"]) == (1002, str(contact["id"]))


async def test_an_account_that_changes_under_a_linked_opportunity_stops_the_quote(engine: Engine) -> None:
    await engine.synced(event())
    issue = await engine.parked(event("updated", account={"kaseya_account_id": 1002}))
    assert issue["code"] == "opportunity-account-mismatch"
    assert engine.opportunity()["accountId"] == 1001


async def test_an_account_with_more_spaces_in_bms_is_found_all_the_same(engine: Engine) -> None:
    account = engine.bms.create("accounts", accountName="Twin   Partners  LLC")
    quote = await engine.synced(event(account={"name": "Twin Partners LLC"}, contact=None))
    assert quote["kaseya"]["account_id"] == str(account["id"])
