"""Where scenes are played: a frontend that signs and sends, the service's API, and the sandbox's control surface."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from demo.quotes import Quote

BMS_SIGN_IN = {"company": "Example MSP", "username": "api@msp.example", "password": "sandbox-password"}
ITEM_TYPES = {
    "Hardware": {"kind": "product", "item_type_id": "302"},
    "Labor": {"kind": "service", "item_type_id": "301"},
}
SETTLED = ("synced", "parked", "rejected")
PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.05


class StageError(Exception):
    """The play cannot go on; the message says what was asked and what came instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How the webhook answered a delivery: the HTTP status, and its word for what became of it."""

    status: int
    word: str

    def __str__(self) -> str:
        return f"{self.status} {self.word}"

    @property
    def is_accepted(self) -> bool:
        """Whether the event is taken, now or by an earlier delivery."""
        return self.status == httpx.codes.ACCEPTED


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` of Standard Webhooks: HMAC-SHA256 over id, timestamp and raw body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class Stage:
    """One connection, connected through the API as anybody would, and the three parties around it."""

    def __init__(self, service_url: str, operator_key: str, bms_url: str) -> None:
        """Connect to what is running; nothing is sent before :meth:`connect`."""
        authorization = {"Authorization": f"Bearer {operator_key}"}
        self.service_url = service_url
        self._api = httpx.Client(base_url=f"{service_url}/v1", headers=authorization, timeout=60, trust_env=False)
        self._bms = httpx.Client(base_url=f"{bms_url}/_sandbox", timeout=60, trust_env=False)
        self._bms_url = bms_url
        self._settings: dict[str, Any] = {}
        self._sent: dict[str, bytes] = {}
        self.connection_id = ""
        self.signing_secret = ""

    def close(self) -> None:
        """Let the connections go."""
        self._api.close()
        self._bms.close()

    def connect(self) -> list[str]:
        """Connect the sandbox's company, save settings, and return what its BMS offers beyond the published API."""
        wanted = {"name": "Demo MSP", "server": "custom", "base_url": self._bms_url, **BMS_SIGN_IN}
        made = self.api("POST", "/connections", wanted)
        self.connection_id, self.signing_secret = made["id"], made["webhook"]["signing_secret"]
        self._settings = self.of_connection("GET", "/settings/proposed")["settings"]
        quotation = {"enabled": True, "default_item_type": {"kind": "other", "item_type_id": "303"}}
        self._settings["service_quotation"] |= quotation | {"distributor_type_id": "311"}
        self._settings |= {"item_types": ITEM_TYPES}
        self._settings["attachment"]["opportunity_module_id"] = "47"
        self.of_connection("PUT", "/settings", self._settings)
        capabilities: list[str] = made["capabilities"]
        return capabilities

    def save_warehouse(self, warehouse_id: int) -> None:
        """Choose another default warehouse and save the settings."""
        self._settings["service_quotation"]["default_warehouse_id"] = str(warehouse_id)
        self.of_connection("PUT", "/settings", self._settings)

    def deliver(self, kind: str, quote: Quote, *, webhook_id: str | None = None) -> Answer:
        """Send an event about a quote, signed; a ``webhook_id`` of before sends the same bytes again."""
        webhook_id = webhook_id or f"msg_{quote.number}_{quote.version}_{kind}"
        event = quote.to_event(kind, now=datetime.now(UTC))
        body = self._sent.setdefault(webhook_id, json.dumps(event).encode())
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self.signing_secret, webhook_id, timestamp, body),
        }
        url = f"{self.service_url}/webhooks/{self.connection_id}/quotes"
        answer = self._api.post(url, content=body, headers=headers)
        said = answer.json()
        return Answer(answer.status_code, said.get("type", "").rpartition("/")[2] or said["status"])

    def settle(self, quote: Quote) -> dict[str, Any]:
        """Wait until nothing is owed to the quote any more, and return it as the API shows it."""

        def settled() -> dict[str, Any] | None:
            shown = self.quote(quote)
            up_to_date = shown["synced_generation"] == shown["generation"]
            return shown if shown["state"] in SETTLED and (up_to_date or shown["state"] != "synced") else None

        return self._wait(settled, f"quote {quote.number} to be synced")

    def quote(self, quote: Quote) -> dict[str, Any]:
        """The quote as the API shows it now."""
        shown: dict[str, Any] = self.of_connection("GET", f"/quotes/{quote.quote_id}")
        return shown

    def open_issues(self) -> list[dict[str, Any]]:
        """The issues that wait for a person."""
        issues: list[dict[str, Any]] = self.of_connection("GET", "/issues?state=open")["items"]
        return issues

    def of_connection(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - a JSON answer
        """Call the API about this connection."""
        return self.api(method, f"/connections/{self.connection_id}{path}", body)

    def api(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - a JSON answer
        """Call the management API; raises StageError for anything but success."""
        return _expect_success(self._api.request(method, path, json=body))

    def bms(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - a JSON answer
        """Look at the sandbox, or meddle with it as BMS's people and networks do."""
        return _expect_success(self._bms.request(method, path, json=body))

    def _wait(self, look: Callable[[], dict[str, Any] | None], what: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(LOOK_SECONDS)
        raise StageError(f"Waited {PATIENCE_SECONDS:.0f} s for {what}, in vain.")


def _expect_success(answer: httpx.Response) -> Any:  # noqa: ANN401 - a JSON answer
    if not answer.is_success:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise StageError(f"{asked} was answered with {answer.status_code}: {answer.text[:500]}")
    return answer.json() if answer.content else None
