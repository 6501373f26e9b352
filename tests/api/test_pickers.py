from collections.abc import AsyncIterator

import pytest

from app.kaseya.transport.door import utc_now
from tests.fixtures.database import rows
from tests.fixtures.management import Management, managed
from tests.fixtures.sandbox import Sandbox


@pytest.fixture
async def management(clean_database: str, bms: Sandbox) -> AsyncIterator[Management]:
    """One whose clock stands still: what was found stays fresh however long a test takes on a busy machine."""
    now = utc_now()
    async with managed(clean_database, bms, clock=lambda: now) as management:
        yield management


@pytest.fixture
async def path(management: Management, bms: Sandbox) -> str:
    path = f"/v1/connections/{(await management.connect())['id']}"
    await management.get(f"{path}/lookups/warehouses")  # signs in, so that tests count what they ask for alone
    bms.forget_calls()
    return path


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("gail", {"1201"}),
        ("GADGET", {"1201", "1202", "1203"}),
        ("bert branch", {"1202"}),
        ("branch bert", {"1202"}),
        ("incorporated", {"1203"}),
        ("nobody here", set()),
    ],
)
async def test_contacts_are_found_by_first_and_last_name_and_company(
    management: Management, path: str, search: str, found: set[str]
) -> None:
    picked = await management.get(f"{path}/contacts", search=search)
    assert {each["contact_id"] for each in picked["items"]} == found


async def test_contacts_are_found_by_email_and_work_phone(management: Management, path: str, bms: Sandbox) -> None:
    contact = next(each for each in bms.state()["contacts"] if each["id"] == 1201)
    email, phone = contact["emailAddress"], contact["phone"]
    for search in (email, email.upper(), phone, phone[-4:]):
        picked = await management.get(f"{path}/contacts", search=search)
        assert "1201" in {each["contact_id"] for each in picked["items"]}, search


async def test_fifty_keystrokes_cost_at_most_five_calls(management: Management, path: str, bms: Sandbox) -> None:
    typed = "gail gadget example gadgets inc of springfield ohio"
    assert len(typed) >= 50
    for kind in ("contacts", "accounts", "items", "opportunities"):
        bms.forget_calls()
        for length in range(1, len(typed) + 1):
            await management.get(f"{path}/{kind}", search=typed[:length])
        for length in range(len(typed), 0, -1):
            await management.get(f"{path}/{kind}", search=typed[:length])
        assert 0 < len(bms.calls()) <= 5, (kind, bms.call_counts())


async def test_fifty_keystrokes_cost_at_most_five_calls_in_a_large_tenant_too(
    management: Management, path: str, bms: Sandbox
) -> None:
    for number in range(130):
        bms.create("accounts", AccountName=f"Example Widgets {number:03} of Springfield")
        bms.create("services", Name=f"Example widget care {number:03}", UnitPrice=1, UnitCost=1, IsActive=True)
        bms.create("opportunities", Subject=f"Example widgets {number:03}", AccountId=1001)
        bms.create(
            "contacts",
            FirstName=f"Example {number:03}",
            LastName="Widget",
            Emails=[{"EmailAddress": f"example.{number:03}@widgets.example", "EmailTypeId": 61, "IsDefault": True}],
            AccountId=1001,
            IsActive=True,
        )
    typed = "example widgets 129 of springfield in the far west"
    assert len(typed) == 50
    for kind in ("contacts", "accounts", "items", "opportunities"):
        bms.forget_calls()
        for length in range(1, len(typed) + 1):
            await management.get(f"{path}/{kind}", search=typed[:length])
        assert 0 < len(bms.calls()) <= 5, (kind, bms.call_counts())


async def test_a_longer_word_finds_what_a_full_page_left_out(management: Management, path: str, bms: Sandbox) -> None:
    for number in range(130):
        bms.create("accounts", AccountName=f"Gallery {number:03}")
    bms.create("accounts", AccountName="Galveston Glass")
    first = await management.get(f"{path}/accounts", search="gal")
    assert "Galveston Glass" not in {each["name"] for each in first["items"]}
    assert first["hint"]
    found = await management.get(f"{path}/accounts", search="galveston")
    assert ([each["name"] for each in found["items"]], found["hint"]) == (["Galveston Glass"], None)


async def test_narrowing_finds_the_same_as_asking(management: Management, path: str) -> None:
    await management.get(f"{path}/contacts", search="ga")
    narrowed = await management.get(f"{path}/contacts", search="gail")
    assert [each["contact_id"] for each in narrowed["items"]] == ["1201"]


async def test_a_single_letter_asks_for_more_instead_of_bms(management: Management, path: str, bms: Sandbox) -> None:
    for kind in ("contacts", "accounts", "items"):
        picked = await management.get(f"{path}/{kind}", search="g")
        assert picked["items"] == []
        assert picked["hint"]
    assert bms.calls() == []


async def test_accounts_are_found_inactive_ones_too(management: Management, path: str) -> None:
    picked = await management.get(f"{path}/accounts", search="example")
    assert {(each["account_id"], each["is_active"]) for each in picked["items"]} == {
        ("1001", True),
        ("1002", True),
        ("1003", False),
    }


@pytest.mark.parametrize(
    "query", [{}, {"account_id": "1001"}, {"search": "office"}, {"account_id": "1001", "search": "MOVE office"}]
)
async def test_opportunities_are_those_whose_status_is_open_and_active(
    management: Management, path: str, query: dict[str, str]
) -> None:
    picked = await management.get(f"{path}/opportunities", **query)
    assert [each["opportunity_id"] for each in picked["items"]] == ["1301"]


async def test_an_opportunity_in_an_inactive_open_status_is_not_offered(
    management: Management, path: str, bms: Sandbox
) -> None:
    bms.change("opportunities", 1301, StatusId=105)
    assert (await management.get(f"{path}/opportunities", account_id="1001"))["items"] == []


async def test_opportunities_are_narrowed_to_a_contact(management: Management, path: str, bms: Sandbox) -> None:
    bms.change("opportunities", 1301, ContactId=1201)
    ours = await management.get(f"{path}/opportunities", contact_id="1201")
    assert [each["opportunity_id"] for each in ours["items"]] == ["1301"]
    assert (await management.get(f"{path}/opportunities", contact_id="1202"))["items"] == []


@pytest.mark.parametrize("refusals", ["envelope", "problem"])
async def test_opportunities_of_a_contact_that_is_gone_are_refused_in_bms_words(
    management: Management, path: str, bms: Sandbox, refusals: str
) -> None:
    bms.settings(refusals=refusals)
    gone = await management.api.get(f"{path}/opportunities", params={"contact_id": "99999"})
    assert (gone.status_code, gone.json()["type"]) == (404, "/problems/kaseya-record-not-found")
    assert "99999" in gone.json()["detail"]


async def test_services_have_a_price_and_products_a_reason_why_not(management: Management, path: str) -> None:
    [service] = (await management.get(f"{path}/items", search="senior"))["items"]
    assert service == {
        "kind": "service",
        "kaseya_id": "401",
        "code": None,
        "name": "Senior engineer hour",
        "unit_price": "175.00",
        "unit_cost": "70.00",
        "price_reason": None,
    }
    [product] = (await management.get(f"{path}/items", search="sw-24"))["items"]
    assert (product["kind"], product["code"], product["unit_price"]) == ("product", "SW-24", None)
    assert "without prices" in product["price_reason"]


async def test_a_price_of_nothing_is_told_as_unset(management: Management, path: str) -> None:
    [service] = (await management.get(f"{path}/items", search="security"))["items"]
    assert (service["unit_price"], service["unit_cost"]) == ("360.00", None)


async def test_lookups_are_read_once_and_shared(management: Management, path: str, bms: Sandbox) -> None:
    url = f"{path}/lookups/opportunity-statuses"
    statuses, again = [(await management.get(url))["items"] for _ in range(2)]
    assert again == statuses
    assert {"id": "102", "name": "Quoted", "is_active": True, "base_status": "Open", "probability": "50"} in statuses
    assert bms.call_counts() == {"GET /v2/crm/opportunities/statuses/Lookup": 1}


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("opportunity-types", {"31", "32"}),
        ("warehouses", {"201"}),
        ("account-types", {"1", "2", "3"}),
        ("employees", {"11", "12", "13", "14", "15"}),
        ("item-types", set()),
    ],
)
async def test_each_lookup_offers_what_bms_has(management: Management, path: str, kind: str, ids: set[str]) -> None:
    offered = await management.get(f"{path}/lookups/{kind}")
    assert {each["id"] for each in offered["items"]} <= ids
    assert bool(offered["items"]) == bool(ids)
    assert (offered["note"] is None) == (kind in {"warehouses", "account-types", "employees"})


@pytest.mark.parametrize(
    "kind",
    ["opportunity-ratings", "lead-sources", "business-types", "phone-types", "email-types", "service-categories"],
)
async def test_choices_without_a_lookup_are_gathered_from_their_use(
    management: Management, path: str, kind: str
) -> None:
    assert (await management.api.get(f"{path}/lookups/{kind}")).status_code == 200


async def test_an_unknown_lookup_is_an_invalid_request(management: Management, path: str) -> None:
    answer = await management.api.get(f"{path}/lookups/colours")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


async def test_bms_errors_are_problems_that_say_when_to_come_back(
    management: Management, path: str, bms: Sandbox
) -> None:
    with bms.down():
        answer = await management.api.get(f"{path}/contacts", params={"search": "gail"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/kaseya-unreachable")
    bms.fault("throttle", template="/v2/crm/accounts/summary")
    answer = await management.api.get(f"{path}/accounts", params={"search": "example"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/kaseya-throttled")
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_paused_connection_can_still_be_read(management: Management, path: str) -> None:
    await management.api.post(f"{path}/pause")
    assert (await management.get(f"{path}/accounts", search="gadgets"))["items"]


async def test_typing_with_refused_credentials_signs_in_twice_at_most(
    management: Management, path: str, bms: Sandbox, clean_database: str
) -> None:
    await rows(clean_database, "UPDATE connections SET username = 'nobody@msp.example', token = NULL")
    bms.forget_calls()
    for length in range(2, 10):
        answer = await management.api.get(f"{path}/contacts", params={"search": "gail gadget"[:length]})
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/kaseya-credentials-rejected")
    assert bms.call_counts() == {"POST /v2/security/authenticate": 2}
    shown = await management.get(path)
    assert shown["state"] == "credentials_rejected"
    assert shown["state_reason"]
