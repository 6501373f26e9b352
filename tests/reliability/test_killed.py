"""The service is killed (SIGKILL) after every write to BMS, and started again: nothing is lost, nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx

from app.intake.signature import sign
from tests.fixtures.engine import BRISK, SETTINGS, Json
from tests.fixtures.management import ADMIN, SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox
from tests.reliability.conftest import EAGER, made, whole

QUICK = {**BRISK, **EAGER, "lease_seconds": 0.6, "log_level": "error"}
DEADLINE = 30.0
READS = ("/security/authenticate", "/services/search")
ONE_OF_EACH = {
    "accounts": 1,
    "contacts": 1,
    "opportunities": 1,
    "services": 1,
    "products": 1,
    "quotations": 1,
    "lines": 2,
    "attachments": 1,
}


@contextmanager
def serving(database_url: str, bms: Sandbox) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real `quotebridge serve`; ended by its own pid at the latest when the block is left."""
    environ = {
        **os.environ,
        "QUOTEBRIDGE_DATABASE_URL": database_url,
        "QUOTEBRIDGE_SECRET_KEYS": "A" * 43 + "=",
        "QUOTEBRIDGE_ADMIN_TOKEN": ADMIN,
        "QUOTEBRIDGE_ALLOWED_KASEYA_HOSTS": bms.url.removeprefix("http://"),
        **{f"QUOTEBRIDGE_{name.upper()}": str(value) for name, value in QUICK.items()},
    }
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            assert "listening on" in said, said
            yield process, said.split()[-1]
        finally:
            if process.poll() is None:
                process.kill()


def writes(bms: Sandbox) -> int:
    """How many calls have changed BMS."""
    calls = (call for call in bms.calls() if call["applied"] and call["method"] != "GET")
    return sum(not call["template"].endswith(READS) for call in calls)


def connect(api: httpx.Client, bms: Sandbox) -> tuple[str, str]:
    body = {"name": "Example", "server": "custom", "base_url": bms.url, **SANDBOX_SIGN_IN}
    connection: Json = api.post("/v1/connections", json=body).raise_for_status().json()
    api.put(f"/v1/connections/{connection['id']}/settings", json=SETTINGS).raise_for_status()
    return connection["id"], connection["webhook"]["signing_secret"]


def post(api: httpx.Client, connection_id: str, secret: str, event: Json) -> None:
    body, now = json.dumps(event).encode(), datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(secret, "msg_1", now, body),
    }
    answer = api.post(f"/webhooks/{connection_id}/quotes", content=body, headers=headers)
    assert answer.status_code == 202, answer.text


def state_of(api: httpx.Client, connection_id: str) -> Json:
    quote: Json = api.get(f"/v1/connections/{connection_id}/quotes/q-1").raise_for_status().json()
    return quote


def test_a_service_killed_after_every_write_makes_one_of_each(clean_database: str, bms: Sandbox) -> None:
    bms.settings(contract="extended")
    headers = {"Authorization": f"Bearer {ADMIN}"}
    connection_id, secret, seen, kills = "", "", 0, 0
    until = time.monotonic() + 10 * DEADLINE
    quote: Json = {}
    while time.monotonic() < until and quote.get("state") != "synced":
        with (
            serving(clean_database, bms) as (process, url),
            httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False) as api,
        ):
            if not connection_id:
                connection_id, secret = connect(api, bms)
                post(api, connection_id, secret, whole())
            while writes(bms) == seen and (quote := state_of(api, connection_id))["state"] != "synced":
                assert quote["state"] != "parked", quote
                assert time.monotonic() < until, quote
                time.sleep(0.002)
            if quote.get("state") != "synced":
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
        seen = writes(bms)
    assert quote["state"] == "synced", quote
    assert made(bms) == ONE_OF_EACH
    assert kills > len(ONE_OF_EACH) / 2, (
        "two writes may come too soon after each other to be told apart, not all of them"
    )
