"""SIGTERM, as a deployment sends it: not ready at once, what is in hand finished or handed back, nothing lost."""

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.intake.signature import sign
from app.sync import worker
from tests.fixtures.engine import BRISK, SETTINGS, Engine, event, working
from tests.fixtures.management import ADMIN, SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import serving

OPPORTUNITIES = "/v2/crm/opportunities"
PATIENCE = 30.0


def _soon(look: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)
    return found


def _deliver(api: httpx.Client, connection: dict[str, Any], quote_id: str) -> int:
    body, now = json.dumps(event(quote_id=quote_id)).encode(), datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": f"msg_{quote_id}",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(connection["webhook"]["signing_secret"], f"msg_{quote_id}", now, body),
    }
    return api.post(f"/webhooks/{connection['id']}/quotes", content=body, headers=headers).status_code


def _connect(api: httpx.Client, bms: Sandbox) -> dict[str, Any]:
    wanted = {"name": "Example", "server": "custom", "base_url": bms.url, **SANDBOX_SIGN_IN}
    made: dict[str, Any] = api.post("/v1/connections", json=wanted).raise_for_status().json()
    api.put(f"/v1/connections/{made['id']}/settings", json=SETTINGS).raise_for_status()
    return made


def _client(url: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {ADMIN}"}
    return httpx.Client(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False)


def test_sigterm_is_said_at_readyz_at_once_while_what_is_in_hand_is_finished(
    clean_database: str, bms: Sandbox, tmp_path: Path
) -> None:
    with serving(clean_database, bms, folder=tmp_path, **BRISK) as service, _client(service.url) as api:
        connection = _connect(api, bms)
        assert api.get("/readyz").status_code == 200
        bms.fault("slow", method="POST", template=OPPORTUNITIES, seconds=3)
        assert _deliver(api, connection, "q-1") == 202
        quote = f"/v1/connections/{connection['id']}/quotes/q-1"
        _soon(lambda: _is_syncing(api, quote))
        os.kill(service.pid, signal.SIGTERM)
        said = _soon(lambda: [answer for answer in [api.get("/readyz")] if answer.status_code == 503])[0]
        assert said.json()["detail"] == "The service is shutting down."
        assert _deliver(api, connection, "q-2") == 202  # another replica's work, or the next process's
        _soon(lambda: _is_gone(service.url))
    with serving(clean_database, bms, folder=tmp_path, **BRISK) as service, _client(service.url) as api:
        for quote_id in ("q-1", "q-2"):
            quote = f"/v1/connections/{connection['id']}/quotes/{quote_id}"
            _soon(lambda quote=quote: api.get(quote).json()["state"] == "synced")  # type: ignore[misc]
        runs = api.get(f"/v1/connections/{connection['id']}/quotes/q-1").json()["runs"]
    assert [run["outcome"] for run in runs] == ["synced"]  # finished by the process that was asked to end
    made = [row for row in bms.state()["opportunities"] if row["id"] > 1302]
    assert len(made) == 2


def _is_syncing(api: httpx.Client, quote: str) -> bool:
    answer = api.get(quote)
    return answer.status_code == 200 and answer.json()["state"] == "syncing"


def _is_gone(url: str) -> bool:
    try:
        httpx.get(f"{url}/livez", timeout=PATIENCE, trust_env=False)
    except httpx.TransportError:
        return True
    return False


async def test_what_cannot_be_finished_in_time_is_handed_back_and_still_made_once(
    clean_database: str, bms: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FINISH", timedelta(milliseconds=50))
    async with working(clean_database, bms) as engine:
        await engine.connect()
        await engine.configure()
        bms.fault("slow", method="POST", template=OPPORTUNITIES, seconds=2)
        await engine.accepted(event())
        await engine.in_state("syncing")
    async with working(clean_database, bms) as again:
        quote = await _taken_up(again, engine)
        assert quote["state"] == "synced"
    assert len([row for row in bms.state()["opportunities"] if row["id"] > 1302]) == 1


async def _taken_up(again: Engine, before: Engine) -> dict[str, Any]:
    again.connection_id, again.secret = before.connection_id, before.secret
    return await again.settled()
