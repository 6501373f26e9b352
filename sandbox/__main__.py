"""`python -m sandbox`: the sandbox as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.app import create_app
from sandbox.contract import Contract
from sandbox.errors import ConnectionDroppedError


class Server(uvicorn.Server):
    """A web server that says where it listens, and can cut a connection in the middle of a request."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the one line that others wait for."""
        await super().startup(sockets=sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            print(f"sandbox listening on http://{host}:{port}", flush=True)

    async def hang_up(self, scope: Scope) -> None:
        """Reset the connection that a request came over."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.abort()
        # The abort reaches the protocol in the loop's next turn; only then will it forgive a missing answer.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def quietly_dropped(app: ASGIApp) -> ASGIApp:
    """Wrap an application so that an ordered drop is no error of the server's."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(ConnectionDroppedError):
            await app(scope, receive, send)

    return wrapped


def serve(*, host: str, port: int, contract: Contract) -> None:
    """Serve until told to stop."""
    server: Server

    async def hang_up(scope: Scope) -> None:
        await server.hang_up(scope)

    app = quietly_dropped(create_app(contract=contract, hang_up=hang_up))
    config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = Server(config)
    with socket.create_server((host, port), backlog=2048) as listener:
        server.run(sockets=[listener])


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="sandbox", description="A local stand-in for Kaseya BMS.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=9000, help="the port to listen on (9000); 0 takes a free one")
    parser.add_argument(
        "--contract",
        type=Contract,
        choices=list(Contract),
        default=Contract.PUBLISHED,
        help="published: as Kaseya documents it (the default); extended: also quotation headers and products",
    )
    options = parser.parse_args(arguments)
    serve(host=options.host, port=options.port, contract=options.contract)


if __name__ == "__main__":
    main()
