"""The wire against real sockets on this machine, and fetching as respx answers it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx

from app.kaseya import FetchFailedError, FetchRefusedError, Hosts, Wire
from app.kaseya.transport.wire import OverdueError, OversizedError, UnansweredError, UnsentError

SOON = timedelta(seconds=10)
PDF = "https://files.example/q.pdf"


@asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve these bytes to every connection, then close it."""
    seen: list[bytes] = []
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        seen.append(await reader.read(65536))
        writer.write(answer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}", seen
    await asyncio.gather(*served)


async def test_a_truncated_answer_is_unanswered() -> None:
    async with (
        server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{") as (place, _),
        Wire(Hosts(frozenset({place}))) as wire,
    ):
        with pytest.raises(UnansweredError):
            await wire.send("GET", f"http://{place}/", timeout=SOON)


async def test_an_answer_is_cut_while_it_streams() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
    async with server(answer) as (place, _), Wire(Hosts(frozenset({place}))) as wire:
        with pytest.raises(OversizedError):
            await wire.send("GET", f"http://{place}/", timeout=SOON, max_bytes=99)


async def test_a_request_past_its_last_moment_leaves_no_byte_on_the_wire() -> None:
    async with server(b"") as (place, seen), Wire(Hosts(frozenset({place})), monotonic=lambda: 5.0) as wire:
        with pytest.raises(OverdueError):
            await wire.send("POST", f"http://{place}/", timeout=SOON, not_after=5.0, content=b"body")
    assert seen in ([], [b""])


async def test_a_refused_connection_is_unsent() -> None:
    async with server(b"") as (place, _):
        pass
    async with Wire(Hosts(frozenset({place}))) as wire:
        with pytest.raises(UnsentError):
            await wire.send("GET", f"http://{place}/", timeout=SOON)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(302, headers={"Location": "https://x.example"}), FetchRefusedError),
        (httpx.Response(404), FetchRefusedError),
        (httpx.Response(200, content=b"x" * 11), FetchRefusedError),
        (httpx.Response(429), FetchFailedError),
        (httpx.Response(500), FetchFailedError),
        (httpx.ReadTimeout, FetchFailedError),
        (httpx.ConnectError, FetchFailedError),
    ],
)
async def test_a_file_that_cannot_be_fetched_says_whether_to_try_again(
    wire: Wire, answer: Any, error: type[Exception]
) -> None:
    with respx.mock() as router:
        router.get(PDF).mock(**{"return_value" if isinstance(answer, httpx.Response) else "side_effect": answer})
        with pytest.raises(error):
            await wire.fetch(PDF, max_bytes=10, timeout=SOON)


async def test_a_file_comes_with_its_plain_content_type(wire: Wire) -> None:
    with respx.mock() as router:
        router.get(PDF).respond(content=b"%PDF", headers={"Content-Type": "Application/PDF; charset=x"})
        fetched = await wire.fetch(PDF, max_bytes=10, timeout=SOON)
    assert (fetched.content, fetched.content_type) == (b"%PDF", "application/pdf")


async def test_a_private_address_is_never_fetched(wire: Wire) -> None:
    with pytest.raises(FetchRefusedError):
        await wire.fetch("https://169.254.169.254/latest", max_bytes=10, timeout=SOON)
