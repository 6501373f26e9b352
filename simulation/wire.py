"""The wire between engine and BMS: hands requests to the sandbox's application, and plays the faults of a seed."""

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import httpx
from starlette.applications import Starlette

from app.kaseya import Hosts, Wire
from app.kaseya.transport.wire import OverdueError, UnansweredError, UnsentError, WireAnswer
from sandbox.errors import ConnectionDroppedError
from sandbox.faults import Fault, FaultKind
from sandbox.world import World
from simulation.stage import Stage

HOST = "127.0.0.1:9"
BASE_URL = f"http://{HOST}"
SIGN_IN = "/v2/security/"
LATE = (0.5, 5, 40, 70, 130, 300, 700)
"""Seconds until a late create is applied: before the first look, between the looks, and after both."""
STALE = (20, 90, 150)
STATUSES = (500, 502, 503, 504)

ANY = (
    "unsent",
    "drop_before",
    "error_before",
    "throttle",
    "expired_token",
    "drop_after",
    "error_after",
    "truncated_body",
)
READ = (*ANY, "stale_list", "stale_list", "timeout")
WRITE = (*ANY, "drop_after", "timeout", "success_false")
CREATE = (*WRITE, "missing_id", "late_apply", "late_apply", "drop_after")


@dataclass(slots=True)
class Weather:
    """How often calls go wrong in a play, and of which kinds."""

    chance: random.Random
    probability: float
    kinds: frozenset[str]
    met: Counter[str] = field(default_factory=Counter)

    def fault(self, method: str, path: str) -> str | None:
        """What goes wrong with this call."""
        if self.chance.random() >= self.probability:
            return None
        if path.startswith(SIGN_IN):
            fitting: list[str] = [
                kind for kind in ("unsent", "drop_before", "drop_after", "error_before") if kind in self.kinds
            ]
        else:
            kinds = READ if method == "GET" or path.endswith("/search") else CREATE if method == "POST" else WRITE
            fitting = [kind for kind in kinds if kind in self.kinds]
        return self.chance.choice(fitting) if fitting else None

    def seconds(self, kind: str) -> float:
        """How late a create is applied, how much a list is behind, or how long BMS throttles."""
        return self.chance.choice(LATE if kind == "late_apply" else STALE if kind == "stale_list" else (1, 30))

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.probability = 0


@dataclass(frozen=True, slots=True)
class Odd:
    """A call that was late or behind: ``seconds`` is by how much."""

    at: datetime
    path: str
    seconds: float


ALL_KINDS = tuple(sorted({*READ, *CREATE}))


class VirtualWire(Wire):
    """Takes virtual time for every exchange; its actor can be killed before the request and before the answer."""

    def __init__(
        self, stage: Stage, bms: Starlette, weather: Weather, tell: Callable[[str], None]
    ) -> None:  # no client is opened
        self.hosts = Hosts(frozenset({HOST}))
        self._stage = stage
        self._bms = bms
        self._world: World = bms.state.world
        self._weather = weather
        self._tell = tell
        self.late: list[Odd] = []
        """Creates that BMS applies late."""
        self.stale: list[Odd] = []
        """Lists that were behind."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        timeout: timedelta,  # noqa: ASYNC109 - the wire's own
        max_bytes: int = 0,
        not_after: float | None = None,
        **parts: Any,  # noqa: ANN401 - httpx's
    ) -> WireAnswer:
        """Exchange one request; raises what the real wire raises."""
        del max_bytes
        self._stage.check_alive()
        chance, path = self._weather.chance, unquote(urlsplit(url).path)
        fault = self._weather.fault(method, path)
        self._stage.now += timedelta(milliseconds=chance.randint(1, 40))
        await self._stage.stand(f"sends {method} {path}")
        if not_after is not None and self._stage.monotonic() >= not_after:
            raise OverdueError("the time it was allowed had run out before it could be sent")
        self._say(method, path, fault)
        if fault is not None:
            self._weather.met[fault] += 1
            self._order(fault, path)
        if fault == "unsent":
            raise UnsentError("no connection came about")
        answer = await self._hand_over(method, path, parts)
        if fault == "timeout":
            await self._stage.sleep(timeout.total_seconds())
        else:
            await self._stage.stand(f"is answered to {method} {path}")
        if answer is None or fault == "timeout":
            raise UnansweredError("the connection broke before the answer was complete")
        return answer

    def _say(self, method: str, path: str, fault: str | None) -> None:
        self._tell(f"{method} {path}" + (f"  << {fault}" if fault else ""))

    def _order(self, fault: str, path: str) -> None:
        """Have the sandbox play its part of the fault on the one call that follows."""
        if fault not in set(FaultKind):
            return
        seconds = self._weather.seconds(fault)
        if fault in ("late_apply", "stale_list"):
            (self.late if fault == "late_apply" else self.stale).append(Odd(self._stage.now, path, seconds))
        status = self._weather.chance.choice(STATUSES)
        self._world.faults.waiting[:] = [Fault(FaultKind(fault), status=status, seconds=seconds)]

    async def _hand_over(self, method: str, path: str, parts: Mapping[str, Any]) -> WireAnswer | None:
        scope, body = _request(method, path, parts)
        told: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            told.append(message)

        try:
            await self._bms(scope, receive, send)  # type: ignore[arg-type] # ASGI's mappings, read only here
        except ConnectionDroppedError:
            return None
        finally:
            self._world.faults.waiting.clear()
        headers = {name.decode().lower(): value.decode() for name, value in told[0]["headers"]}
        return WireAnswer(told[0]["status"], headers, b"".join(message.get("body", b"") for message in told[1:]))


def _request(method: str, path: str, parts: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The request as ASGI takes it."""
    headers = dict(parts.get("headers") or {})
    if "json" in parts:
        body = json.dumps(parts["json"]).encode()
        headers["content-type"] = "application/json"
    elif "files" in parts or "data" in parts:
        form = httpx.Request(method, BASE_URL, files=parts.get("files"), data=parts.get("data"))
        body = form.read()
        headers["content-type"] = form.headers["content-type"]
    else:
        body = b""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(parts.get("params") or []).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 9),
    }
    return scope, body
