import asyncio

import asyncpg
import pytest

from tests.fixtures.database import rows
from tests.fixtures.management import ADMIN, Management
from tests.fixtures.sandbox import Sandbox


async def test_connecting_signs_in_and_shows_the_signing_secret_once(management: Management) -> None:
    made = await management.connect()

    assert made["state"] == "active"
    assert made["webhook"]["url"] == f"http://quotebridge.test/webhooks/{made['id']}/quotes"
    assert made["webhook"]["quoter_url"] == f"http://quotebridge.test/webhooks/{made['id']}/quoter"
    assert made["webhook"]["signing_secret"].startswith("whsec_")
    assert made["capabilities"] == []
    assert made["notes"] == []
    again = await management.get(f"/v1/connections/{made['id']}")
    assert "signing_secret" not in again["webhook"]
    assert again == {**{k: v for k, v in made.items() if k != "notes"}, "webhook": again["webhook"]}


async def test_credentials_are_nowhere_in_clear(management: Management, clean_database: str) -> None:
    made = await management.connect()
    stored = await rows(clean_database, "SELECT c.*, s.secret FROM connections c, signing_secrets s")
    assert b"sandbox-password" not in bytes(stored[0]["password"])
    assert "sandbox-password" not in repr(dict(stored[0]))
    assert made["webhook"]["signing_secret"].encode() not in bytes(stored[0]["secret"])
    assert "sandbox-password" not in str(await management.get(f"/v1/connections/{made['id']}"))


async def test_capabilities_come_from_the_tenants_own_description(management: Management, bms: Sandbox) -> None:
    bms.settings(contract="extended")
    made = await management.connect()
    assert made["capabilities"] == [
        "product_create",
        "quotation_create",
        "quotation_line_delete",
        "quotation_lines_list",
        "quotation_update",
    ]


async def test_the_tenants_time_zone_and_attachment_limit_are_kept(management: Management, clean_database: str) -> None:
    await management.connect()
    [stored] = await rows(clean_database, "SELECT time_zone, max_attachment_bytes FROM connections")
    assert tuple(stored) == ("America/New_York", 10 * 1024 * 1024)


async def test_a_description_that_cannot_be_read_means_no_capabilities(management: Management, bms: Sandbox) -> None:
    bms.settings(contract="extended")
    bms.fault("error_before", template="/swagger/v2/swagger.json", times=3, status=500)
    made = await management.connect()
    assert made["capabilities"] == []
    assert any("API description" in note for note in made["notes"])


async def test_wrong_credentials_are_told_and_nothing_is_stored(
    management: Management, bms: Sandbox, clean_database: str
) -> None:
    answer = await management.try_to_connect(password="not-the-password")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/kaseya-credentials-rejected")
    assert "not-the-password" not in answer.text
    assert await rows(clean_database, "SELECT 1 FROM connections") == []
    assert bms.call_counts() == {"POST /v2/security/authenticate": 1}


async def test_a_missing_second_factor_is_told_apart(management: Management) -> None:
    answer = await management.try_to_connect(username="mfa@msp.example")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/kaseya-mfa-required")
    made = await management.connect(username="mfa@msp.example", mfa_secret="JBSWY3DPEHPK3PXP")
    assert made["state"] == "active"


async def test_a_bms_that_does_not_answer_is_told_apart(management: Management, bms: Sandbox) -> None:
    with bms.down():
        answer = await management.try_to_connect()
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/kaseya-unreachable")


@pytest.mark.parametrize(
    "base_url",
    ["https://evil.example", "http://api.bms.kaseya.com", "http://127.0.0.1:1", "http://169.254.169.254/latest"],
)
async def test_a_host_that_is_not_listed_is_refused(management: Management, base_url: str) -> None:
    answer = await management.try_to_connect(base_url=base_url)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/host-not-allowed")


@pytest.mark.parametrize(("server", "base_url"), [("custom", None), ("us", "https://api.bms.kaseya.com")])
async def test_an_address_goes_with_a_custom_server_and_only_there(
    management: Management, server: str, base_url: str | None
) -> None:
    answer = await management.try_to_connect(server=server, base_url=base_url)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/base_url"


async def test_two_connections_to_one_company_are_listed_newest_first(management: Management) -> None:
    first, second = await management.connect(name="first"), await management.connect(name="second")
    page = await management.get("/v1/connections", limit=1)
    assert [each["id"] for each in page["items"]] == [second["id"]]
    page = await management.get("/v1/connections", limit=1, cursor=page["next_cursor"])
    assert [each["id"] for each in page["items"]] == [first["id"]]
    assert page["next_cursor"] is None


async def test_a_connections_key_sees_its_own_connection_only(management: Management) -> None:
    own, other = await management.connect(), await management.connect()
    key = await management.key_of(own["id"])

    listed = (await management.api.get("/v1/connections", headers=key)).json()
    assert [each["id"] for each in listed["items"]] == [own["id"]]
    path = f"/v1/connections/{other['id']}"
    for answer in (
        await management.api.get(path, headers=key),
        await management.api.patch(path, headers=key, json={"name": "mine now"}),
        await management.api.post(f"{path}/test", headers=key),
        await management.api.get(f"{path}/settings", headers=key),
        await management.api.get(f"{path}/contacts", headers=key),
        await management.api.post(f"{path}/signing-secrets", headers=key),
        await management.api.delete(path, headers=key),
        await management.api.delete(f"/v1/connections/{own['id']}", headers=key),
        await management.api.post("/v1/connections", headers=key, json={}),
    ):
        assert answer.status_code == 404
    renamed = await management.api.patch(f"/v1/connections/{own['id']}", headers=key, json={"name": "renamed"})
    assert renamed.json()["name"] == "renamed"


async def test_new_credentials_that_sign_in_resume_a_connection_paused_for_them(
    management: Management, clean_database: str
) -> None:
    made = await management.connect()
    await rows(clean_database, "UPDATE connections SET state = 'credentials_rejected', refused_sign_ins = 2")
    await rows(clean_database, "UPDATE paces SET failures = 9, open_until = now() + interval '1 hour'")
    woken = asyncio.Event()
    listener = await asyncpg.connect(clean_database)
    await listener.add_listener("quotebridge_lanes", lambda *_: woken.set())
    try:
        changed = await management.api.patch(
            f"/v1/connections/{made['id']}", json={"username": "mfa@msp.example", "mfa_secret": "JBSWY3DPEHPK3PXP"}
        )
        assert changed.status_code == 200, changed.text
        assert changed.json()["state"] == "active"
        await asyncio.wait_for(woken.wait(), 5)
    finally:
        await listener.close()
    [pace] = await rows(clean_database, "SELECT failures, open_until FROM paces")
    assert tuple(pace) == (0, None)


async def test_new_credentials_that_do_not_sign_in_change_nothing(management: Management, clean_database: str) -> None:
    made = await management.connect()
    before = await rows(clean_database, "SELECT * FROM connections")
    answer = await management.api.patch(
        f"/v1/connections/{made['id']}", json={"name": "changed", "password": "not-the-password"}
    )
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/kaseya-credentials-rejected")
    assert await rows(clean_database, "SELECT * FROM connections") == before


async def test_null_clears_what_is_optional_and_nothing_else(management: Management) -> None:
    path = f"/v1/connections/{(await management.connect())['id']}"
    changed = await management.api.patch(
        path, json={"quoter_hash_key": "hash-key", "notice_url": "https://frontend.example/notices"}
    )
    assert changed.json()["quoter_enabled"] is True
    assert changed.json()["notice_url"] == "https://frontend.example/notices"
    assert changed.json()["notice_signing_secret"].startswith("whsec_")
    cleared = await management.api.patch(path, json={"quoter_hash_key": None, "notice_url": None})
    assert (cleared.json()["quoter_enabled"], cleared.json()["notice_url"]) == (False, None)
    for field in ("name", "company", "username", "password", "form_encoding"):
        refused = await management.api.patch(path, json={field: None})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-request")


async def test_a_notice_address_on_a_private_network_is_refused(management: Management) -> None:
    path = f"/v1/connections/{(await management.connect())['id']}"
    answer = await management.api.patch(path, json={"notice_url": "https://10.0.0.1/notices"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/host-not-allowed")


async def test_a_test_signs_in_anew_and_reads_the_capabilities_again(management: Management, bms: Sandbox) -> None:
    path = f"/v1/connections/{(await management.connect())['id']}"
    bms.settings(contract="extended")
    tested = (await management.api.post(f"{path}/test")).json()
    assert tested["ok"] is True
    assert "quotation_create" in tested["capabilities"]
    assert (await management.get(path))["capabilities"] == tested["capabilities"]
    with bms.down():
        tested = (await management.api.post(f"{path}/test")).json()
    assert tested["ok"] is False
    assert tested["problems"][0]["type"] == "/problems/kaseya-unreachable"


async def test_a_connection_is_paused_and_resumed(management: Management) -> None:
    path = f"/v1/connections/{(await management.connect())['id']}"
    assert (await management.api.post(f"{path}/pause")).json()["state"] == "paused"
    assert (await management.get(path))["state"] == "paused"
    assert (await management.api.post(f"{path}/resume")).json()["state"] == "active"


async def test_deleting_a_connection_deletes_its_rows(management: Management, clean_database: str) -> None:
    path = f"/v1/connections/{(await management.connect())['id']}"
    assert (await management.api.delete(path)).status_code == 204
    assert (await management.api.get(path)).status_code == 404
    assert (await management.api.delete(path)).status_code == 404
    for table in ("connections", "paces", "signing_secrets", "lookups"):
        assert await rows(clean_database, f"SELECT 1 FROM {table}") == []  # noqa: S608 - the names are above


async def test_rotating_leaves_the_older_secret_good_for_the_overlap(
    management: Management, clean_database: str
) -> None:
    made = await management.connect()
    path = f"/v1/connections/{made['id']}/signing-secrets"
    rotated = await management.api.post(path)
    assert rotated.status_code == 201
    assert rotated.json()["signing_secret"] != made["webhook"]["signing_secret"]
    newest, older = (await management.get(path))["items"]
    assert (newest["id"], newest["expires_at"]) == (rotated.json()["id"], None)
    assert "signing_secret" not in newest
    [hours] = await rows(
        clean_database,
        "SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM signing_secrets WHERE id = $1",
        older["id"],
    )
    assert hours[0] == 24


async def test_no_overlap_retires_the_older_secret_at_once(management: Management) -> None:
    path = f"/v1/connections/{(await management.connect())['id']}/signing-secrets"
    rotated = (await management.api.post(path, json={"overlap_hours": 0})).json()
    assert [each["id"] for each in (await management.get(path))["items"]] == [rotated["id"]]


async def test_the_last_live_secret_cannot_be_retired(management: Management) -> None:
    path = f"/v1/connections/{(await management.connect())['id']}/signing-secrets"
    [first] = (await management.get(path))["items"]
    refused = await management.api.delete(f"{path}/{first['id']}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/last-signing-secret")
    second = (await management.api.post(path)).json()
    assert (await management.api.delete(f"{path}/{first['id']}")).status_code == 204
    assert (await management.api.delete(f"{path}/{first['id']}")).status_code == 404
    assert [each["id"] for each in (await management.get(path))["items"]] == [second["id"]]


async def test_ten_secrets_are_live_at_most(management: Management) -> None:
    path = f"/v1/connections/{(await management.connect())['id']}/signing-secrets"
    for _ in range(9):
        assert (await management.api.post(path)).status_code == 201
    refused = await management.api.post(path)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/too-many-signing-secrets")


async def test_an_operators_token_is_never_part_of_an_answer(management: Management) -> None:
    await management.connect()
    assert ADMIN not in str(await management.get("/v1/connections"))
