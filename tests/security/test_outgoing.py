"""Where the service may be sent by what people and senders type: nowhere inside, no further, and not for ever."""

import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from app.db.tables import Notice
from app.house import House
from app.kaseya import FetchRefusedError
from tests.api.conftest import Link
from tests.fixtures.engine import Engine, codes, event, eventually, warning, working
from tests.fixtures.management import SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox
from tests.kaseya.test_guard import REFUSED

SECOND = timedelta(seconds=1)
PIECE = b"x" * 1_048_576

_dialled: list[Any] | None = None


def _note(name: str, arguments: tuple[Any, ...]) -> None:
    if _dialled is None:
        return
    if name == "socket.connect" and isinstance(arguments[1], tuple):
        _dialled.append(arguments[1][:2])
    elif name == "socket.getaddrinfo":
        _dialled.append(arguments[:2])


# Python has no way to take a hook away again; without a list to fill it does nothing.
sys.addaudithook(_note)


@pytest.fixture
def dialled(database_url: str) -> Iterator[list[Any]]:
    """Whom this process has asked a name server for or tried to reach by TCP."""
    global _dialled  # noqa: PLW0603 - the hook outlives every test
    _dialled = []
    yield _dialled
    _dialled = None


def _beyond(dialled: list[Any], database_url: str) -> list[Any]:
    ours = urlsplit(database_url)
    return [(host, port) for host, port in dialled if (host, port) != (ours.hostname, ours.port)]


def test_there_are_more_than_sixty_spellings() -> None:
    assert len(set(REFUSED)) >= 60


async def test_no_spelling_passes_as_a_notice_url_or_base_url(
    link: Link, operator: httpx.AsyncClient, dialled: list[Any], clean_database: str
) -> None:
    taken = []
    for url in REFUSED:
        body = {"name": "A connection", "server": "custom", "base_url": url, **SANDBOX_SIGN_IN}
        made = await operator.post("/v1/connections", json=body)
        changed = await operator.patch(link.path, json={"notice_url": url})
        if (made.status_code, changed.status_code) != (422, 422):
            taken.append((url, made.status_code, changed.status_code))
    assert taken == []
    assert (await operator.get(link.path)).json()["notice_url"] is None
    assert _beyond(dialled, clean_database) == []


async def test_no_spelling_passes_as_the_address_of_a_pdf_or_a_notice(
    house: House, dialled: list[Any], clean_database: str
) -> None:
    taken = []
    for url in REFUSED:
        for going in (
            house.wire.fetch(url, max_bytes=100, timeout=SECOND),
            house.wire.post(url, b"{}", {}, SECOND),
        ):
            try:
                await going
            except FetchRefusedError:
                continue
            taken.append(url)
    assert taken == []
    assert _beyond(dialled, clean_database) == []


class Elsewhere:
    """A server of somebody else's: redirects inside from /away, and never ends what it answers at /endless."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.asked: list[str] = []
        self.sent = 0


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            if self.path == "/away":
                self.send_response(302)
                self.send_header("location", f"{served.url}/inside")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(512):
                    self.wfile.write(PIECE)
                    served.sent += 1
            except OSError:
                return

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Elsewhere(server)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture
async def engine(clean_database: str, bms: Sandbox, elsewhere: Elsewhere) -> AsyncIterator[Engine]:
    bms.settings(contract="extended")
    async with working(clean_database, bms, elsewhere.url.removeprefix("http://")) as engine:
        await engine.connect()
        await engine.configure()
        yield engine


async def test_a_notice_follows_no_redirect(engine: Engine, elsewhere: Elsewhere) -> None:
    notice = await _tried_notice(engine, f"{elsewhere.url}/away")
    assert notice.last_error == "The notice URL answered HTTP 302."
    assert set(elsewhere.asked) == {"/away"}


async def test_an_endless_answer_to_a_notice_is_cut_off(engine: Engine, elsewhere: Elsewhere) -> None:
    notice = await _tried_notice(engine, f"{elsewhere.url}/endless")
    assert notice.last_error is not None
    assert "larger than 65536 bytes" in notice.last_error
    assert elsewhere.sent < 64


async def _tried_notice(engine: Engine, url: str) -> Notice:
    await engine.call("PATCH", engine.path, json={"notice_url": url})
    await engine.synced(event())

    async def look() -> Notice | None:
        async with engine.house.database.transaction() as session:
            return (await session.scalars(select(Notice).where(Notice.last_error.is_not(None)))).first()

    notice: Notice = await eventually(look)
    return notice


async def test_a_pdf_that_redirects_or_never_ends_is_refused(engine: Engine, elsewhere: Elsewhere) -> None:
    away = await engine.synced(event(quote_id="q-1", pdf={"url": f"{elsewhere.url}/away"}))
    assert "a redirect, which is not followed" in warning(away, "pdf_refused")["detail"]
    endless = await engine.synced(event(quote_id="q-2", pdf={"url": f"{elsewhere.url}/endless"}))
    assert codes(endless) == ["pdf_refused"]
    assert set(elsewhere.asked) == {"/away", "/endless"}
    assert elsewhere.sent < 64


async def test_the_trap_sees_what_is_dialled(dialled: list[Any], elsewhere: Elsewhere) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"{elsewhere.url}/away")
    parts = urlsplit(elsewhere.url)
    assert (parts.hostname, parts.port) in dialled
