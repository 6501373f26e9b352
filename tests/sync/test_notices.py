"""Notices out: signed as the frontend's own events are, sent when a quote was synced, stopped, or goes on again."""

import json
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.fixtures.engine import Engine, event, eventually, in_extended, working
from tests.fixtures.sandbox import Sandbox

Received = list[tuple[bytes, dict[str, str]]]


@pytest.fixture
async def told(clean_database: str, bms: Sandbox, contract: str) -> AsyncIterator[tuple[Engine, Received, str]]:
    """The service, and a frontend that takes its notices."""
    received: Received = []

    class Frontend(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    bms.settings(contract=contract)
    with ThreadingHTTPServer(("127.0.0.1", 0), Frontend) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        host = f"127.0.0.1:{server.server_address[1]}"
        async with working(clean_database, bms, host) as engine:
            await engine.connect()
            await engine.configure()
            changed = await engine.call("PATCH", engine.path, json={"notice_url": f"http://{host}/notices"})
            yield engine, received, changed["notice_signing_secret"]
        server.shutdown()
        thread.join()


@in_extended
async def test_a_frontend_hears_of_every_sync_and_issue_under_a_signature_it_can_check(
    told: tuple[Engine, Received, str],
) -> None:
    engine, received, secret = told
    await engine.synced(event(quote_id="q-1"))
    await engine.synced(event(quote_id="q-2", shipping="25.00"))
    stopped = event(quote_id="q-3", account={"kaseya_account_id": "1003"})
    await engine.accepted(stopped)
    assert (await engine.settled("q-3"))["state"] == "parked"
    (issue,) = await engine.issues()
    await engine.call("POST", f"{engine.path}/issues/{issue['issue_id']}/dismiss")

    async def all_four() -> list[dict[str, Any]] | None:
        notices = [json.loads(body) for body, _ in received]
        return notices if len(notices) >= 4 else None

    notices = {notice["type"]: notice["data"] for notice in await eventually(all_four)}
    assert set(notices) == {"sync.succeeded", "sync.warning", "sync.issue_opened", "sync.issue_closed"}
    assert notices["sync.succeeded"]["quote_id"] == "q-1"
    assert [each["code"] for each in notices["sync.warning"]["warnings"]] == ["shipping_not_sent"]
    assert notices["sync.issue_opened"]["code"] == "account-not-usable"
    assert notices["sync.issue_closed"]["issue_id"] == issue["issue_id"]
    for body, headers in received:
        Webhook(secret).verify(body, headers)
