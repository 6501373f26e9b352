"""Serves one reference on a free port of the loopback: `python -m benchmarks.references d_bare_insert`."""

import importlib
import socket
import sys

import uvicorn


class Server(uvicorn.Server):
    """A server that says where it listens once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say where."""
        await super().startup(sockets)
        for each in sockets or []:
            print(f"listening on http://127.0.0.1:{each.getsockname()[1]}", flush=True)


app = importlib.import_module(f"benchmarks.references.{sys.argv[1]}").app
config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning", lifespan="on")
Server(config).run(sockets=[socket.create_server(("127.0.0.1", 0), backlog=2048)])
