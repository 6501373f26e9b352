"""Runs the web application under uvicorn, and ends it so that nothing in hand is lost."""

import gc
import socket
from types import FrameType

import uvicorn

from app.main import create_app
from app.routers.health import Drain
from app.settings import Settings

FINISH_SECONDS = 30
BACKLOG = 2048


class Server(uvicorn.Server):
    """A server that is not ready any more as soon as it is asked to end, and then finishes what is in hand."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say so at /readyz first, then stop taking connections."""
        self._drain.begin()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, say where, and set aside what start-up has made: the collector need not look at it again."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        for each in sockets or []:
            host, port = each.getsockname()[:2]
            print(f"quotebridge listening on http://{host}:{port}", flush=True)  # noqa: T201 - for whoever starts it


def serve(settings: Settings, *, host: str, port: int, sync: bool) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one."""
    drain = Drain()
    config = uvicorn.Config(
        create_app(settings, sync=sync, drain=drain),
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    listening = socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
    )
    Server(config, drain).run(sockets=[listening])
