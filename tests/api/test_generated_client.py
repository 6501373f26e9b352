"""A client that is generated from openapi.yaml does a whole round: connect, a signed event, the quote's state."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.fixtures.engine import BRISK, SETTINGS, event, eventually
from tests.fixtures.management import ADMIN, SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Service, serving

DESCRIPTION = Path(__file__).parents[2] / "openapi.yaml"
PACKAGE = "generated_quotebridge_client"


@pytest.fixture
def service(clean_database: str, bms: Sandbox, tmp_path: Path) -> Iterator[Service]:
    with serving(clean_database, bms, folder=tmp_path, **BRISK) as service:
        yield service


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client's package, importable; generating it must not warn about anything in the description."""
    config = tmp_path / "generator.yaml"
    config.write_text(json.dumps({"package_name_override": PACKAGE, "post_hooks": []}))
    command = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--meta", "none"]
    command += ["--path", str(DESCRIPTION), "--config", str(config), "--output-path", str(tmp_path / PACKAGE)]
    run = subprocess.run([*command, "--fail-on-warning"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "warning" not in (run.stdout + run.stderr).lower()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def module(path: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{path}")


def model(name: str) -> Any:
    return getattr(module("models"), name)


async def test_a_generated_client_connects_sends_an_event_and_reads_the_quote(
    service: Service, bms: Sandbox, generated: None
) -> None:
    client = module("client").AuthenticatedClient(base_url=service.url, token=ADMIN, raise_on_unexpected_status=True)
    async with client as client:
        made = await _connect(client, bms)
        settings = model("ConnectionSettings").from_dict(SETTINGS)
        save = module("api.settings.save_connection_settings").asyncio
        saved = await save(made.id, client=client, body=settings)
        assert saved.status_mapping.pending == "102"
        assert (await _send(client, made)).status == "accepted"

        async def is_synced() -> Any:
            quote = await module("api.quotes.get_quote").asyncio(made.id, "q-1", client=client)
            return quote if quote.state == "synced" else None

        quote = await eventually(is_synced)
    opportunities = {str(each["id"]) for each in bms.state()["opportunities"]}
    assert quote.kaseya.opportunity_id in opportunities
    assert quote.runs[0].outcome == "synced"


async def _connect(client: Any, bms: Sandbox) -> Any:
    body = {"name": "Example", "server": "custom", "base_url": bms.url, **SANDBOX_SIGN_IN}
    request = model("ConnectionRequest").from_dict(body)
    made = await module("api.connections.create_connection").asyncio(client=client, body=request)
    assert made.state == "active"
    return made


async def _send(client: Any, made: Any) -> Any:
    """Sign what the generated model writes, and send it by the generated operation."""
    body = model("EventIn").from_dict(event())
    # httpx writes JSON like this; the signature is over the very bytes.
    raw = json.dumps(body.to_dict(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    now = datetime.now(UTC)
    signature = Webhook(made.webhook.signing_secret).sign("msg_generated", now, raw)
    return await module("api.webhooks.receive_quote_event").asyncio(
        made.id,
        client=client,
        body=body,
        webhook_id="msg_generated",
        webhook_timestamp=str(int(now.timestamp())),
        webhook_signature=signature,
    )
