"""The contact: the one named, else the linked one, else that account's own by e-mail or name, else a new one."""

from tests.fixtures.engine import Engine, event, in_extended

pytestmark = in_extended


async def test_the_contact_that_the_event_names_is_taken(engine: Engine) -> None:
    quote = await engine.synced(event(contact={"kaseya_contact_id": 1202, "email": "gail@gadgets.example"}))
    assert quote["kaseya"]["contact_id"] == "1202"
    assert engine.opportunity()["contactId"] == 1202


async def test_a_named_contact_of_another_account_stops_the_quote(engine: Engine) -> None:
    issue = await engine.parked(event(contact={"kaseya_contact_id": 1203}))
    assert issue["code"] == "contact-not-usable"
    assert engine.writes() == []


async def test_a_named_contact_that_is_gone_stops_the_quote(engine: Engine) -> None:
    issue = await engine.parked(event(contact={"kaseya_contact_id": 1999}))
    assert issue["code"] == "contact-not-usable"
    assert engine.writes() == []


async def test_the_linked_contact_stays_when_the_quote_spells_the_person_otherwise(engine: Engine) -> None:
    await engine.synced(event())
    person = {"first_name": "Gail", "last_name": "Gadget", "email": "gail.gadget@gadgets.example"}
    quote = await engine.synced(event("updated", contact=person, totals={"one_time": "351.00"}))
    assert quote["kaseya"]["contact_id"] == "1201"
    assert engine.held("contacts") == []


async def test_a_contact_is_found_by_e_mail_whatever_case_and_name(engine: Engine) -> None:
    quote = await engine.synced(event(contact={"first_name": "G.", "email": "GAIL@gadgets.example"}))
    assert quote["kaseya"]["contact_id"] == "1201"
    assert engine.held("contacts") == []


async def test_a_contact_without_e_mail_is_found_by_first_and_last_name(engine: Engine) -> None:
    quote = await engine.synced(event(contact={"first_name": "bert", "last_name": "BRANCH"}))
    assert quote["kaseya"]["contact_id"] == "1202"
    assert engine.held("contacts") == []


async def test_a_contact_of_the_same_name_with_another_e_mail_is_somebody_else(engine: Engine) -> None:
    quote = await engine.synced(
        event(contact={"first_name": "Bert", "last_name": "Branch", "email": "b@other.example"})
    )
    (contact,) = engine.held("contacts")
    assert quote["kaseya"]["contact_id"] == str(contact["id"])


async def test_another_accounts_contact_is_never_taken(engine: Engine) -> None:
    person = {"first_name": "Ivy", "last_name": "Incorporated", "email": "ivy@incorporated.example"}
    quote = await engine.synced(event(contact=person))
    (contact,) = engine.held("contacts")
    assert contact["accountId"] == 1001
    assert quote["kaseya"]["contact_id"] == str(contact["id"])


async def test_a_missing_contact_is_created_at_the_accounts_main_location(engine: Engine) -> None:
    person = {"first_name": "Alex", "last_name": "Example", "email": "alex@gadgets.example", "phone": "555-0101"}
    await engine.synced(event(contact=person))
    (contact,) = engine.held("contacts")
    assert (contact["firstName"], contact["lastName"]) == ("Alex", "Example")
    assert (contact["accountId"], contact["locationId"]) == (1001, 1101)
    assert [each["emailAddress"] for each in contact["emails"]] == ["alex@gadgets.example"]
    assert engine.opportunity()["contactId"] == contact["id"]


async def test_a_contact_that_comes_with_an_update_joins_the_opportunity(engine: Engine) -> None:
    await engine.synced(event(contact=None))
    assert engine.opportunity()["contactId"] is None
    await engine.synced(event("updated", contact={"first_name": "New", "last_name": "Person", "email": "n@g.example"}))
    (contact,) = engine.held("contacts")
    assert engine.opportunity()["contactId"] == contact["id"]


async def test_a_quote_without_a_contact_gets_along_without(engine: Engine) -> None:
    quote = await engine.synced(event(contact=None))
    assert quote["kaseya"]["contact_id"] is None
    assert engine.held("contacts") == []
