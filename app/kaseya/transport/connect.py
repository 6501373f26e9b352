"""Connecting to checked addresses only: a name is resolved here, and what was checked is what is dialled."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import httpcore
import httpx

from app.kaseya.errors import KaseyaHostRefusedError
from app.kaseya.transport.guard import Hosts, is_public, names_loopback

if TYPE_CHECKING:
    import ssl

SocketOptions = Iterable[httpcore.SOCKET_OPTION]
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to the addresses they stand for, as text; raises OSError where the name has none."""


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver, without blocking the loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves, checks every address, dials a checked one. TLS still verifies the name, not the address.

    One private address among several public ones refuses the whole name: that is what a rebinding attack looks like.
    """

    def __init__(self, hosts: Hosts, *, resolve: Resolve = resolve) -> None:
        self._hosts = hosts
        self._resolve = resolve
        self._dialler = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Dial the addresses one after the other, each with an even share of the time that is left."""
        give_up_at = None if timeout is None else time.monotonic() + timeout
        addresses = await self._checked_addresses(host, port, timeout)
        for index, address in enumerate(addresses):
            left = None if give_up_at is None else max(give_up_at - time.monotonic(), 0.001)
            share = None if left is None else left / (len(addresses) - index)
            try:
                return await self._dialler.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        message = f"{host} has no address"
        raise httpcore.ConnectError(message)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: BMS is never behind a local socket."""
        del timeout, socket_options
        message = f"The local socket {path} is refused."
        raise KaseyaHostRefusedError(message)

    async def sleep(self, seconds: float) -> None:
        """Sleep; asked for by httpcore between its own connect retries, of which there are none here."""
        await asyncio.sleep(seconds)

    async def _checked_addresses(self, host: str, port: int, seconds: float | None) -> list[str]:
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(error) from error
        except OSError as error:
            message = f"the name {host} cannot be resolved"
            raise httpcore.ConnectError(message) from error
        allowed = names_loopback if self._hosts.is_loopback_entry(host, port) else is_public
        if not all(allowed(address) for address in addresses):
            message = f"{host} is refused: its name leads to an address that is not on the public internet."
            raise KaseyaHostRefusedError(message)
        return addresses


class CheckedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport over a connection pool that dials through CheckedBackend.

    httpx takes no network backend, so the pool is put in place here instead of by its constructor.
    """

    def __init__(self, backend: CheckedBackend, *, ssl_context: ssl.SSLContext, connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
            network_backend=backend,
        )
