"""What a client of the pretended BMS meets: sign-in, reads, writes, refusals, limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.security import one_time_code
from sandbox.seed import MFA_SECRET, MFA_USERNAME

if TYPE_CHECKING:
    import httpx

    from tests.sandbox.conftest import Bms

Body = dict[str, Any]
Form = dict[str, str]
LINES = "/v2/crm/quotes/{}/lineItems"


async def test_an_url_encoded_sign_in_with_other_letter_case_works(published: Bms) -> None:
    form = {
        "userName": "api@msp.example",
        "password": "sandbox-password",
        "tenant": "Example MSP",
        "grantType": "password",
    }
    assert (await published.http.post("/v2/security/authenticate", data=form)).json()["success"] is True


async def test_a_multipart_sign_in_works(published: Bms, credentials: Form) -> None:
    files = {name: (None, value) for name, value in credentials.items()}
    answer = await published.http.post("/v2/security/authenticate", files=files)
    assert answer.json()["result"]["accessToken"].count(".") == 2


@pytest.mark.parametrize(("refusals", "status"), [("401", 401), ("200", 200)])
async def test_a_wrong_password_is_refused(published: Bms, credentials: Form, refusals: str, status: int) -> None:
    await published.settings(sign_in_refusals=refusals)
    answer = await published.http.post("/v2/security/authenticate", data=credentials | {"Password": "wrong"})
    assert (answer.status_code, answer.json()["success"], answer.json()["error"]["code"]) == (status, False, 978001)


async def test_a_user_with_a_one_time_secret_needs_its_code(published: Bms, credentials: Form) -> None:
    form = credentials | {"UserName": MFA_USERNAME}
    without = await published.http.post("/v2/security/authenticate", data=form)
    code = one_time_code(MFA_SECRET, published.clock())
    given = await published.http.post("/v2/security/authenticate", data=form | {"MFACode": code})
    assert (without.status_code, given.status_code) == (401, 200)


def test_one_time_codes_are_those_of_the_rfc() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert one_time_code(secret, datetime.fromtimestamp(59, UTC)) == "287082"
    assert one_time_code(secret, datetime.fromtimestamp(1111111109, UTC)) == "081804"


async def test_a_refresh_replaces_both_tokens(published: Bms, credentials: Form) -> None:
    old = (await published.http.post("/v2/security/authenticate", data=credentials)).json()["result"]
    pair = {"AccessToken": old["accessToken"], "RefreshToken": old["refreshToken"]}
    first = await published.http.post("/v2/security/refreshtoken", data=pair)
    second = await published.http.post("/v2/security/refreshtoken", data=pair)
    assert first.json()["result"]["accessToken"] != old["accessToken"]
    assert second.status_code == 401


async def test_an_expired_token_is_the_security_error(published: Bms) -> None:
    published.clock.move(minutes=16)
    answer = await published.http.get("/v2/security/userinfo")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 978001)


async def test_an_expiry_without_zone_may_lie_in_the_past(published: Bms, credentials: Form) -> None:
    await published.settings(token_expiry_without_zone=True)
    result = (await published.http.post("/v2/security/authenticate", data=credentials)).json()["result"]
    assert datetime.fromisoformat(result["accessTokenExpireOn"]) < published.clock().replace(tzinfo=None)


async def test_names_are_looked_for_anywhere_and_in_any_case(published: Bms) -> None:
    found = (await published.http.get("/v2/crm/accounts/summary", params={"Filter.AccountName": "GADGETS inc"})).json()
    assert [each["id"] for each in found["result"]] == [1001, 1002]
    assert found["totalRecords"] == 2


async def test_pages_start_at_one_and_only_paged_answers_tell_a_total(published: Bms) -> None:
    page = (await published.http.get("/v2/crm/accounts/summary", params={"PageSize": 2, "PageNumber": 2})).json()
    assert ([each["id"] for each in page["result"]], page["totalRecords"]) == ([1003], 3)
    assert "totalRecords" not in (await published.http.get("/v2/crm/contacts/search")).json()


async def test_changes_since_a_time_are_found(published: Bms, opportunity: Body) -> None:
    made = (await published.http.post("/v2/crm/opportunities", json=opportunity)).json()["result"]
    since = {"Filter.ModifiedOnFrom": published.clock().isoformat()}
    found = (await published.http.get("/v2/crm/opportunities", params=since)).json()["result"]
    assert [each["id"] for each in found] == [made["id"]]


async def test_an_account_is_bare_until_it_is_switched(published: Bms) -> None:
    assert (await published.http.get("/v2/crm/accounts/summary/1001")).json()["accountName"] == "Example Gadgets Inc"
    await published.settings(enveloped_summaries=True, casing="pascal")
    assert (await published.http.get("/v2/crm/accounts/summary/1001")).json()["Result"]["Id"] == 1001


async def test_an_opportunity_is_made_read_and_replaced_in_full(published: Bms, opportunity: Body) -> None:
    made = (await published.http.post("/v2/crm/opportunities", json=opportunity | {"Description": "d"})).json()[
        "result"
    ]
    won = opportunity | {"StatusId": 103, "Probability": 100.0}
    await published.http.put(f"/v2/crm/opportunities/{made['id']}", json=won)
    now = (await published.http.get(f"/v2/crm/opportunities/{made['id']}")).json()["result"]
    assert (made["status"], made["inPipeline"], made["description"]) == ("Open", True, "d")
    assert (now["status"], now["inPipeline"], now["description"]) == ("Won", False, None)
    assert await published.violations() == []


@pytest.mark.parametrize(
    "change",
    [
        {"AccountId": 0},
        {"Subject": ""},
        {"Amount": "2815"},
        {"Amount": None},
        {"Surprise": 1},
        {"CloseDate": "tomorrow"},
        {"StatusId": True},
        {"AccountLocationId": 1103},
        {"ContactId": 1203},
        {"AccountId": 2**31},
    ],
)
async def test_a_body_off_the_contract_is_refused_and_noted(published: Bms, opportunity: Body, change: Body) -> None:
    answer = await published.http.post("/v2/crm/opportunities", json=opportunity | change)
    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert len(await published.violations()) == 1
    assert len(await published.state("opportunities")) == 2


async def test_each_required_field_of_an_opportunity_is_required(published: Bms, opportunity: Body) -> None:
    for name in opportunity:
        body = {key: value for key, value in opportunity.items() if key != name}
        answer = await published.http.post("/v2/crm/opportunities", json=body)
        assert f"{name}: is required" in answer.json()["error"]["details"]
    assert len(opportunity) == 10


async def test_what_has_vanished_is_a_refusal_but_no_violation(published: Bms, opportunity: Body) -> None:
    await published.http.delete("/_sandbox/statuses/101")
    refused = await published.http.post("/v2/crm/opportunities", json=opportunity)
    missing = await published.http.get("/v2/crm/opportunities/999")
    assert (refused.json()["success"], missing.json()["success"]) == (False, False)
    assert await published.violations() == []


async def test_refusals_can_be_problem_documents(published: Bms) -> None:
    await published.settings(refusals="problem")
    assert (await published.http.get("/v2/crm/opportunities/999")).status_code == 404
    answer = await published.http.post("/v2/crm/opportunities", json={})
    assert (answer.status_code, answer.json()["errors"]["Subject"]) == (400, ["is required"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/crm/quotes", 404),
        ("POST", "/v2/inventory/products", 404),
        ("GET", "/v2/crm/quotes/1/lineItems", 404),
        ("PUT", "/v2/crm/quotes/1", 405),
        ("DELETE", "/v2/crm/quotes/1/lineItems/1", 405),
        ("PATCH", "/v2/crm/opportunities/1301", 405),
        ("GET", "/v2/crm/nothing", 404),
    ],
)
async def test_what_is_not_published_is_not_there(published: Bms, method: str, path: str, status: int) -> None:
    assert (await published.http.request(method, path)).status_code == status
    assert len(await published.violations()) == 1


async def test_an_unknown_query_parameter_is_noted(published: Bms) -> None:
    await published.http.get("/v2/crm/accounts/summary", params={"$top": 1})
    assert len(await published.violations()) == 1


async def test_a_quotation_lives_with_its_lines(extended: Bms, quotation: Body, line: Body) -> None:
    http = extended.http
    header = (await http.post("/v2/crm/quotes", json=quotation)).json()["result"]
    lines = LINES.format(header["id"])
    made = (await http.post(f"{lines}/301/311", json=line)).json()["result"]
    await http.put(f"{lines}/{made['id']}", json=line | {"Id": made["id"], "Quantity": 2.0})
    listed = (await http.get(lines)).json()["result"]
    assert [(each["id"], each["total"]) for each in listed] == [(made["id"], 350.0)]
    await http.delete(f"{lines}/{made['id']}")
    assert (await http.get(lines)).json()["result"] == []
    assert await extended.violations() == []


@pytest.mark.parametrize("change", [{"ExpiryDate": "2026-05-31T00:00:00"}, {"LocationId": 1103}, {"AccountId": 1002}])
async def test_a_quotation_that_cannot_be_is_refused(extended: Bms, quotation: Body, change: Body) -> None:
    assert (await extended.http.post("/v2/crm/quotes", json=quotation | change)).json()["success"] is False
    assert len(await extended.violations()) == 1


@pytest.mark.parametrize(("types", "change"), [("999/311", {}), ("301/999", {}), ("303/311", {"Id": 401})])
async def test_a_line_of_an_unknown_type_is_a_violation(
    extended: Bms, quotation: Body, line: Body, types: str, change: Body
) -> None:
    header = (await extended.http.post("/v2/crm/quotes", json=quotation)).json()["result"]
    answer = await extended.http.post(f"{LINES.format(header['id'])}/{types}", json=line | change)
    assert answer.json()["success"] is False
    assert len(await extended.violations()) == 1


async def test_an_account_is_made_with_a_location_and_a_contact_at_it(published: Bms) -> None:
    account = {
        "AccountName": "Example Widgets Ltd",
        "AccountTypeId": 1,
        "BusinessTypeId": 21,
        "AccountManagerId": 12,
        "Locations": [{"LocationName": "Main", "Addresses": [{"City": "Springfield"}]}],
    }
    made = (await published.http.post("/v2/crm/accounts", json=account)).json()["result"]
    location = made["locations"][0]
    contact = {
        "FirstName": "Alex",
        "AccountId": made["id"],
        "LocationId": location["id"],
        "Emails": [{"EmailAddress": "alex@widgets.example", "EmailTypeId": 61, "IsDefault": True}],
    }
    known = (await published.http.post("/v2/crm/contacts/summary", json=contact)).json()["result"]
    found = (await published.http.get("/v2/crm/contacts/search?Filter.EmailAddress=alex@")).json()["result"]
    assert (location["isMain"], location["addresses"][0]["city"]) == (True, "Springfield")
    assert [each["id"] for each in found] == [known["id"]]
    assert await published.violations() == []


async def test_a_json_patch_changes_one_field(published: Bms) -> None:
    patch = [{"op": "replace", "path": "/website", "value": "https://new.example"}]
    answer = (await published.http.patch("/v2/crm/accounts/1001", json=patch)).json()["result"]
    assert (answer["website"], answer["accountName"]) == ("https://new.example", "Example Gadgets Inc")


async def test_a_file_goes_up_comes_down_and_away(published: Bms) -> None:
    http, place = published.http, "/v2/system/attachments/47/1301"
    files = {"formFile": ("quote.pdf", b"%PDF-1.7", "application/pdf")}
    made = (await http.post(place, files=files)).json()["result"][0]
    assert (await http.get(f"{place}/{made['id']}/download")).content == b"%PDF-1.7"
    await http.delete(f"{place}/{made['id']}")
    assert (await http.get(place)).json()["totalRecords"] == 0
    assert (await http.get("/v2/system/attachments/46/1301")).json()["success"] is False
    assert await published.violations() == []


async def test_the_limit_counts_per_verb_and_path_template_in_a_rolling_window(published: Bms) -> None:
    await published.settings(call_limit=2, call_window_seconds=60)
    answers: list[httpx.Response] = []
    for account_id in (1001, 1002, 1003):
        answers.append(await published.http.get(f"/v2/crm/accounts/summary/{account_id}"))
        published.clock.move(seconds=10)
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "40"
    assert (await published.http.get("/v2/crm/accounts/lookup")).status_code == 200
    assert len(await published.violations()) == 1
    published.clock.move(seconds=30)
    assert (await published.http.get("/v2/crm/accounts/summary/1001")).status_code == 200


async def test_calls_are_shown_without_secrets(published: Bms) -> None:
    first = (await published.http.get("/_sandbox/calls")).json()[0]
    assert (first["body"]["Password"], first["body"]["UserName"]) == ("***", "api@msp.example")
    assert (await published.http.get("/_sandbox/calls/count")).json() == {"POST /v2/security/authenticate": 1}


async def test_the_swagger_tells_the_contract(published: Bms, extended: Bms) -> None:
    less = (await published.http.get("/swagger/v2/swagger.json")).json()["paths"]
    more = (await extended.http.get("/swagger/v2/swagger.json")).json()["paths"]
    assert "post" in more["/v2/crm/quotes"]
    assert "/v2/crm/quotes" not in less


async def test_a_reset_forgets_everything(published: Bms, opportunity: Body) -> None:
    await published.settings(call_limit=5)
    await published.http.post("/v2/crm/opportunities", json=opportunity | {"Surprise": 1})
    await published.http.post("/_sandbox/accounts", json={"accountName": "Example Widgets Ltd"})
    await published.http.post("/_sandbox/reset")
    assert len(await published.state("accounts")) == 3
    assert await published.violations() == []
    assert (await published.http.get("/_sandbox/settings")).json()["call_limit"] == 1500
