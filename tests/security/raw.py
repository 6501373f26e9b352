"""HTTP by the byte: what no well-behaved client sends."""

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from app.intake.signature import sign
from tests.fixtures.management import ADMIN, SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Service

PATIENCE = 30.0
"""Seconds after which a test gives up; nothing is expected to take long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the body as JSON where it is JSON, and whether the server then closed the connection."""

    status: int
    body: Any
    closed: bool

    def problem(self) -> str:
        """The last part of the problem's type."""
        return str(self.body["type"]).removeprefix("/problems/")


class Line:
    """One TCP connection to the service."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> bool:
        """Send; False when the other side has hung up."""
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def hang_up_sending(self) -> None:
        """Say that nothing more comes; answers can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self) -> Answer | None:
        """The next answer; None when the connection ended without one."""
        while b"\r\n\r\n" not in self._received:
            if not self._read():
                return None
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(self._received) < length and self._read():
            pass
        body, self._received = self._received[:length], self._received[length:]
        is_json = "json" in headers.get("content-type", "")
        closes = headers.get("connection", "").lower() == "close"
        return Answer(int(status.split()[1]), json.loads(body) if is_json else body, closes)

    def _read(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except ConnectionError:
            return False
        self._received += data
        return bool(data)


def head(method: str, path: str, *headers: tuple[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: quotebridge", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def exchange(url: str, data: bytes) -> Answer:
    """Send these bytes on a connection of their own, and give back what is answered."""
    with Line(url) as line:
        line.send(data)
        answer = line.answer()
    assert answer is not None, "the connection ended without an answer"
    return answer


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)


@dataclass(slots=True)
class Target:
    """A running service with one connection, and a sender that signs what it wants."""

    service: Service
    connection_id: str
    secret: str
    sent: int = 0

    @property
    def url(self) -> str:
        return self.service.url

    @property
    def path(self) -> str:
        return f"/webhooks/{self.connection_id}/quotes"

    def signed(self, body: bytes) -> list[tuple[str, str]]:
        """The headers of a well signed delivery, without its length."""
        self.sent += 1
        webhook_id, now = f"msg_{self.sent}", datetime.now(UTC)
        return [
            ("content-type", "application/json"),
            ("webhook-id", webhook_id),
            ("webhook-timestamp", str(int(now.timestamp()))),
            ("webhook-signature", sign(self.secret, webhook_id, now, body)),
        ]

    def deliver(self, body: bytes, *more: tuple[str, str]) -> Answer:
        """Post a well signed body of honest length."""
        headers = [*self.signed(body), ("content-length", str(len(body))), *more]
        return exchange(self.url, head("POST", self.path, *headers) + body)

    def failures(self) -> list[str]:
        """What the service's log says went wrong inside."""
        return [line for line in self.service.log.read_text().splitlines() if "request.failed" in line]


@contextmanager
def targeting(service: Service, bms: Sandbox) -> Iterator[Target]:
    """Connect the service to the sandbox."""
    body = {"name": "Example", "server": "custom", "base_url": bms.url, **SANDBOX_SIGN_IN}
    headers = {"authorization": f"Bearer {ADMIN}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=PATIENCE, trust_env=False) as api:
        made = api.post("/v1/connections", json=body)
        assert made.status_code == 201, made.text
        connected = made.json()
        yield Target(service, connected["id"], connected["webhook"]["signing_secret"])
        with suppress(httpx.HTTPError):
            api.delete(f"/v1/connections/{connected['id']}")
