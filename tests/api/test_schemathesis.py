"""Schemathesis, all its checks, against the running service: what it makes up from the description finds nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fixtures.engine import SETTINGS
from tests.fixtures.management import ADMIN, SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Service, serving

SEED = "20261122"
EXAMPLES_PER_OPERATION = "5"

# In these a rule that JSON Schema cannot say stands behind a 422: whose cursor it is, what BMS has and whom it lets
# sign in, members that exclude each other.
RULES_BEYOND_A_SCHEMA = (
    "GET /v1/api-keys",
    "GET /v1/connections",
    "GET /v1/connections/{connection_id}/drift",
    "GET /v1/connections/{connection_id}/events",
    "GET /v1/connections/{connection_id}/issues",
    "GET /v1/connections/{connection_id}/quotes",
    "PATCH /v1/connections/{connection_id}",
    "POST /v1/api-keys",
    "POST /v1/connections",
    "POST /v1/connections/{connection_id}/attachment-module-probe",
    "POST /v1/connections/{connection_id}/issues/{issue_id}/retry",
    "POST /v1/connections/{connection_id}/preview",
    "POST /v1/connections/{connection_id}/replay",
    "PUT /v1/connections/{connection_id}/settings",
)
CONFIG = """
[parameters]
"path.connection_id" = "{connection_id}"
"path.quote_id" = "q-1"

[[operations]]
include-name = "DELETE /v1/connections/{{connection_id}}"
parameters = {{ "path.connection_id" = "{other_id}" }}

[[operations]]
include-name = {rules}
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "404", "409", "422", "502", "503"]
"""


@pytest.fixture
def service(clean_database: str, bms: Sandbox, tmp_path: Path) -> Iterator[Service]:
    with serving(clean_database, bms, folder=tmp_path, kaseya_call_limit=1_000_000) as service:
        yield service


def connect(service: Service, bms: Sandbox) -> str:
    body = {"name": "Example", "server": "custom", "base_url": bms.url, **SANDBOX_SIGN_IN}
    made = httpx.post(f"{service.url}/v1/connections", json=body, headers={"Authorization": f"Bearer {ADMIN}"})
    assert made.status_code == 201, made.text
    connection_id: str = made.json()["id"]
    return connection_id


def test_schemathesis_finds_nothing(service: Service, bms: Sandbox, tmp_path: Path) -> None:
    bms.expect_violations()  # BMS is asked for what Schemathesis makes up, ids of no record among it
    connection_id, other_id = connect(service, bms), connect(service, bms)
    path = f"{service.url}/v1/connections/{connection_id}/settings"
    saved = httpx.put(path, json=SETTINGS, headers={"Authorization": f"Bearer {ADMIN}"})
    assert saved.status_code == 200, saved.text
    config = tmp_path / "schemathesis.toml"
    rules = list(RULES_BEYOND_A_SCHEMA)
    config.write_text(CONFIG.format(connection_id=connection_id, other_id=other_id, rules=rules))
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"]
    command += [f"{service.url}/openapi.json", "--header", f"Authorization: Bearer {ADMIN}"]
    command += ["--checks", "all", "--phases", "examples,fuzzing", "--max-examples", EXAMPLES_PER_OPERATION]
    command += ["--seed", SEED, "--generation-deterministic", "--continue-on-failure", "--warnings", "off"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No issues found" in run.stdout
