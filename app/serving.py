"""Runs the web application under uvicorn, and ends it so that nothing in hand is lost."""

import asyncio
import gc
import socket
import time
from types import FrameType

import uvicorn

from app.main import create_app
from app.routers.health import Drain
from app.settings import Settings

FINISH_SECONDS = 30
BACKLOG = 2048


class Server(uvicorn.Server):
    """A server that is not ready any more as soon as it is asked to end, and then finishes what is in hand.

    It listens until its worker has finished or handed back what it holds: whoever asks /readyz meanwhile is told, and
    an event that still comes is stored for the other replicas. All of it takes 30 seconds at most.
    """

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain
        self._finishing: asyncio.Task[None] | None = None
        self._asked_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say so at /readyz first; whoever asks a second time does not wait for the worker."""
        first = not self._drain.begun
        self._drain.begin()
        super().handle_exit(sig, frame)
        self.should_exit = not first

    async def on_tick(self, counter: int) -> bool:
        """Let the worker finish once the end has begun, and stop listening when it has."""
        if self._drain.begun and self._finishing is None:
            self._asked_at = time.monotonic()
            self._finishing = asyncio.create_task(self._drain.finish())
            await asyncio.sleep(0)  # a process without a worker has nothing to wait for
        if self._finishing is not None and self._finishing.done():
            left = FINISH_SECONDS - (time.monotonic() - self._asked_at)
            self.config.timeout_graceful_shutdown = max(round(left), 1)
            self.should_exit = True
        return await super().on_tick(counter)

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
