"""Bytes out, bytes in: one long-lived HTTP client per process, which follows nothing and trusts nothing around it."""

# ruff: noqa: ASYNC109 - a timeout here belongs to the exchange, whose phases it divides; the caller cannot do that

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import httpx

from app.kaseya.envelope import Json
from app.kaseya.errors import KaseyaHostRefusedError
from app.kaseya.transport.connect import CheckedBackend, CheckedTransport, Resolve, resolve

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from types import TracebackType

    from app.kaseya.transport.guard import Hosts

MAX_ANSWER_BYTES = 32 * 1024 * 1024
CONNECTIONS = 64
_TRY_LATER = (408, 425, 429)


class WireError(Exception):
    """The exchange came to no answer; `str()` is a clause, as in "BMS cannot be reached: <clause>"."""


class UnsentError(WireError):
    """No byte of the request went out."""


class OverdueError(UnsentError):
    """The connection stood too late: the time the request was allowed had run out, so it was not sent."""


class UnansweredError(WireError):
    """Some of the request went out, and no complete answer came back."""


class OversizedError(WireError):
    """The answer is larger than allowed; reading it was stopped."""


class FetchError(Exception):
    """A file that was not fetched, or a notice that was not delivered; `str()` is a sentence."""


class FetchRefusedError(FetchError):
    """It will never work as it is: a refused address, a redirect, too large, or a 4xx answer."""


class FetchFailedError(FetchError):
    """It did not work this time: unreachable, too slow, or a 5xx answer."""


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """A complete HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file as it came; `content_type` is what its server called it, in lower case, without parameters."""

    content: bytes
    content_type: str


class Wire:
    """The process's HTTP client. Whoever makes it closes it: `async with Wire(hosts) as wire`.

    Redirects, cookies and the environment's proxies are off; every connection goes to an address that was
    checked at that moment.
    """

    def __init__(
        self,
        hosts: Hosts,
        *,
        resolve: Resolve = resolve,
        ssl_context: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hosts = hosts
        self._monotonic = monotonic
        self._client = httpx.AsyncClient(
            transport=CheckedTransport(
                CheckedBackend(hosts, resolve=resolve),
                ssl_context=ssl_context or httpx.create_ssl_context(trust_env=False),
                connections=CONNECTIONS,
            ),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": "quotebridge", "Accept-Encoding": "gzip"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; the wire cannot be used afterwards."""
        await self._client.aclose()

    async def send(
        self,
        method: str,
        url: str,
        *,
        timeout: timedelta,
        max_bytes: int = MAX_ANSWER_BYTES,
        not_after: float | None = None,
        **parts: Json,
    ) -> WireAnswer:
        """Exchange one request, of httpx's own `parts`, for a complete answer of any status.

        `timeout` covers the whole exchange. With `not_after`, a moment of the monotonic clock, the request goes out
        before it or not at all, however long connecting took. Raises WireError, or KaseyaHostRefusedError.
        """
        if not_after is not None:
            parts["extensions"] = {"trace": self._departure(not_after)}
        async with self._exchange(method, url, timeout, parts) as response:
            chunks, size = [], 0
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > max_bytes:
                    message = f"the answer is larger than {max_bytes} bytes"
                    raise OversizedError(message)
                chunks.append(chunk)
            return WireAnswer(response.status_code, dict(response.headers.items()), b"".join(chunks))

    async def fetch(self, url: str, *, max_bytes: int, timeout: timedelta) -> Fetched:
        """Fetch a file from any public https address; raises FetchRefusedError or FetchFailedError."""
        # Compressed files are not asked for: a small one could unpack to more than memory holds.
        headers = {"Accept-Encoding": "identity"}
        answer = await self._beyond_bms("GET", url, timeout=timeout, max_bytes=max_bytes, headers=headers)
        status, where = answer.status, _shown(url)
        if status >= 500 or status in _TRY_LATER:  # noqa: PLR2004 - HTTP's own classes
            message = f"{where} answered HTTP {status}."
            raise FetchFailedError(message)
        if status != 200:  # noqa: PLR2004 - HTTP's own classes
            reason = "a redirect, which is not followed" if 300 <= status < 400 else f"HTTP {status}"  # noqa: PLR2004
            message = f"{where} answered with {reason}."
            raise FetchRefusedError(message)
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Fetched(answer.body, kind)

    async def post(self, url: str, content: bytes, headers: Mapping[str, str], timeout: timedelta) -> int:
        """Post to any public https address and return the status; raises FetchRefusedError or FetchFailedError."""
        # An answer to a notice says nothing beyond its status, so little of it is read.
        answer = await self._beyond_bms(
            "POST", url, timeout=timeout, max_bytes=64 * 1024, content=content, headers=dict(headers)
        )
        return answer.status

    async def _beyond_bms(self, method: str, url: str, *, timeout: timedelta, **parts: Json) -> WireAnswer:
        try:
            return await self.send(method, self.hosts.check_public_url(url), timeout=timeout, **parts)
        except KaseyaHostRefusedError as error:
            raise FetchRefusedError(error.message) from None
        except OversizedError as error:
            message = f"{_shown(url)} was not read: {error}."
            raise FetchRefusedError(message) from None
        except WireError as error:
            message = f"{_shown(url)} cannot be reached: {error}."
            raise FetchFailedError(message) from None

    @asynccontextmanager
    async def _exchange(
        self, method: str, url: str, timeout: timedelta, parts: dict[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        seconds = timeout.total_seconds()
        # Waiting for a connection, dialling and TLS get a quarter each, so that when the whole time
        # runs out the request has gone out for certain, and "unsent" is never said of a sent one.
        limits = httpx.Timeout(seconds, connect=seconds / 4, pool=seconds / 4)
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream(method, url, timeout=limits, **parts) as response,
            ):
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise UnsentError(_reason(error)) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
            raise UnsentError(_reason(error)) from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise UnansweredError(_reason(error)) from error

    def _departure(self, not_after: float) -> Callable[[str, dict[str, Any]], Awaitable[None]]:
        async def watch(event: str, details: dict[str, Any]) -> None:
            del details
            if event.endswith("send_request_headers.started") and self._monotonic() >= not_after:
                message = "the time it was allowed had run out before it could be sent"
                raise OverdueError(message)

        return watch


def _reason(error: Exception) -> str:
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return "no connection came about in time"
        case httpx.ConnectError():
            return f"no connection came about ({error})" if str(error) else "no connection came about"
        case httpx.TimeoutException() | TimeoutError():
            return "the answer did not come in time"
        case httpx.DecodingError():
            return "the answer could not be unpacked"
        case _:
            return "the connection broke before the answer was complete"


def _shown(url: str) -> str:
    """Name the place without the query, which may hold a secret."""
    return url.partition("?")[0]
