import copy
from typing import Any

import pytest

from tests.fixtures.database import rows
from tests.fixtures.management import Management
from tests.fixtures.sandbox import Sandbox

SETTINGS: dict[str, Any] = {
    "account": {"account_type_id": "1", "business_type_id": "21", "account_manager_id": "12"},
    "opportunity": {"type_id": "31", "rating_id": "42", "default_sales_employee_id": "12"},
    "status_mapping": {"pending": "102", "accepted": "103", "lost": "104"},
    "service_quotation": {
        "enabled": True,
        "default_warehouse_id": "201",
        "default_item_type": {"kind": "service", "item_type_id": "301"},
        "distributor_type_id": "311",
    },
}


@pytest.fixture
async def path(management: Management) -> str:
    return f"/v1/connections/{(await management.connect())['id']}"


def changed(pointer: str, value: object) -> dict[str, Any]:
    """The settings with one of them changed."""
    settings = copy.deepcopy(SETTINGS)
    group, name = pointer.strip("/").split("/")
    settings[group][name] = value
    return settings


async def test_before_they_are_saved_there_are_no_settings(management: Management, path: str) -> None:
    answer = await management.api.get(f"{path}/settings")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/settings-not-saved")
    assert "settings/proposed" in answer.json()["detail"]


async def test_saved_settings_are_read_as_they_were_saved(management: Management, path: str) -> None:
    saved = await management.api.put(f"{path}/settings", json=SETTINGS)
    assert saved.status_code == 200, saved.text
    assert await management.get(f"{path}/settings") == saved.json()
    assert saved.json()["status_mapping"] == {**SETTINGS["status_mapping"], "ordered": None, "fulfilled": None}
    assert saved.json()["opportunity"]["name_template"] == "{number} {name}"
    assert (await management.get(path))["settings_saved"] is True


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/status_mapping/pending", "999"),
        ("/status_mapping/accepted", "105"),  # there, but inactive
        ("/status_mapping/ordered", "998"),
        ("/service_quotation/default_warehouse_id", "202"),
        ("/account/account_type_id", "9"),
        ("/account/account_manager_id", "13"),  # there, but inactive
        ("/opportunity/default_sales_employee_id", "99"),
    ],
)
async def test_what_bms_positively_lacks_is_refused_by_its_pointer(
    management: Management, path: str, pointer: str, value: str
) -> None:
    answer = await management.api.put(f"{path}/settings", json=changed(pointer, value))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-reference")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert value in answer.json()["errors"][0]["message"]
    assert (await management.api.get(f"{path}/settings")).status_code == 404


async def test_what_cannot_be_looked_up_is_accepted(management: Management, path: str) -> None:
    answer = await management.api.put(f"{path}/settings", json=changed("/opportunity/type_id", "777"))
    assert answer.status_code == 200


async def test_service_quotations_need_a_default_warehouse(management: Management, path: str, bms: Sandbox) -> None:
    bms.forget_calls()
    settings = changed("/service_quotation/default_warehouse_id", None)
    answer = await management.api.put(f"{path}/settings", json=settings)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/default-warehouse-required")
    assert answer.json()["errors"][0]["pointer"] == "/service_quotation/default_warehouse_id"
    assert bms.calls() == []
    settings["service_quotation"]["enabled"] = False
    assert (await management.api.put(f"{path}/settings", json=settings)).status_code == 200


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/status_mapping/pending", None),
        ("/status_mapping/lost", "two"),
        ("/opportunity/value_basis", "gross"),
        ("/opportunity/time_zone", "Mars/Olympus"),
        ("/service_quotation/warehouse", "201"),
    ],
)
async def test_what_is_no_setting_is_refused_by_its_pointer(
    management: Management, path: str, pointer: str, value: object
) -> None:
    answer = await management.api.put(f"{path}/settings", json=changed(pointer, value))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-settings")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert answer.json()["errors"][0]["message"].endswith(".")


async def test_settings_that_are_not_json_are_an_invalid_request(management: Management, path: str) -> None:
    answer = await management.api.put(f"{path}/settings", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


async def test_settings_that_cannot_be_checked_are_not_saved(management: Management, path: str, bms: Sandbox) -> None:
    with bms.down():
        answer = await management.api.put(f"{path}/settings", json=SETTINGS)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/kaseya-unreachable")
    assert int(answer.headers["Retry-After"]) > 0
    assert (await management.api.get(f"{path}/settings")).status_code == 404


async def test_a_warehouse_that_vanished_is_noticed_although_it_was_just_listed(
    management: Management, path: str, bms: Sandbox
) -> None:
    assert len((await management.get(f"{path}/lookups/warehouses"))["items"]) == 1
    bms.delete("warehouses", 201)
    answer = await management.api.put(f"{path}/settings", json=SETTINGS)
    assert answer.json()["type"] == "/problems/unknown-reference"


async def test_saving_retries_the_open_issues_that_name_a_setting(
    management: Management, path: str, clean_database: str
) -> None:
    connection_id = path.rpartition("/")[2]
    for quote_id, setting in (("q-setting", "/service_quotation/default_warehouse_id"), ("q-other", None)):
        await rows(
            clean_database,
            """INSERT INTO quotes
                   (connection_id, quote_id, name, status, revision, happened_at, content, body_digest, state)
               VALUES ($1, $2, 'n', 'pending', 1, now(), '{}', '', 'parked')""",
            connection_id,
            quote_id,
        )
        await rows(
            clean_database,
            """INSERT INTO issues (connection_id, id, quote_id, code, title, detail, remedy, setting)
               VALUES ($1, 'iss_' || $2, $2, 'code', 't', 'd', 'r', $3)""",
            connection_id,
            quote_id,
            setting,
        )
    assert (await management.api.put(f"{path}/settings", json=SETTINGS)).status_code == 200
    found = await rows(
        clean_database,
        """SELECT q.quote_id, i.state, q.state, q.due_at <= now()
           FROM quotes q JOIN issues i USING (connection_id, quote_id) ORDER BY quote_id""",
    )
    assert [tuple(row) for row in found] == [
        ("q-other", "open", "parked", None),
        ("q-setting", "closed", "pending", True),
    ]


async def test_the_proposal_is_what_the_tenant_has_and_can_be_saved(management: Management, path: str) -> None:
    proposed = await management.get(f"{path}/settings/proposed")
    settings = proposed["settings"]
    assert proposed["missing"] == []
    assert settings["status_mapping"] == {
        "pending": "102",
        "accepted": "103",
        "ordered": None,
        "fulfilled": None,
        "lost": "104",
    }
    assert settings["service_quotation"]["default_warehouse_id"] == "201"
    assert settings["opportunity"]["default_sales_employee_id"] == "14"
    assert (await management.api.put(f"{path}/settings", json=settings)).json() == settings


async def test_the_proposal_names_what_a_person_must_add(management: Management, path: str, bms: Sandbox) -> None:
    for opportunity in bms.state()["opportunities"]:
        bms.delete("opportunities", opportunity["id"])
    bms.create("warehouses", Name="Second warehouse")
    proposed = await management.get(f"{path}/settings/proposed")
    assert proposed["missing"] == ["/opportunity/type_id", "/opportunity/rating_id"]
    assert proposed["settings"]["service_quotation"]["default_warehouse_id"] is None
    refused = await management.api.put(f"{path}/settings", json=proposed["settings"])
    assert [error["pointer"] for error in refused.json()["errors"]] == proposed["missing"]


async def test_the_probe_finds_the_module_that_shows_the_file(management: Management, path: str, bms: Sandbox) -> None:
    nothing = await management.api.post(f"{path}/attachment-module-probe", json={"opportunity_id": "1301"})
    assert nothing.json() == {"module_id": None, "asked": 100}
    bms.create("attachments", ModuleId=47, ObjectId=1301, OriginalFileName="found.txt")
    found = await management.api.post(f"{path}/attachment-module-probe", json={"opportunity_id": "1301"})
    assert found.json() == {"module_id": "47", "asked": 47}
