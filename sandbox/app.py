"""The sandbox as an ASGI application."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Scope

from sandbox import seed
from sandbox.bms import OPERATIONS
from sandbox.contract import Contract
from sandbox.control import Control
from sandbox.door import Door, HangUp, Sleep
from sandbox.settings import Settings
from sandbox.world import World

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_CHANCE_SEED = 20260105


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


async def nobody_to_hang_up(_scope: Scope) -> None:
    """Drop no connection: in-process there is none, and the caller sees `ConnectionDroppedError`."""


def create_app(
    *,
    contract: Contract | str = Contract.PUBLISHED,
    clock: Callable[[], datetime] = utc_now,
    sleep: Sleep = asyncio.sleep,
    hang_up: HangUp = nobody_to_hang_up,
) -> Starlette:
    """Build a sandbox with its seeded MSP. `clock` tells aware times; `hang_up` cuts a request's connection."""
    # Faults with a probability fall the same way in every run: nothing secret hangs on it.
    world = World(clock, Settings(contract=Contract(contract)), random.Random(_CHANCE_SEED))  # noqa: S311
    seed.plant(world)
    door = Door(world, OPERATIONS, hang_up=hang_up, sleep=sleep)
    control = Control(world, forget_late=door.forget_late)

    async def answer(request: Request) -> Response:
        return await door.answer(request)

    app = Starlette(
        routes=[Mount("/_sandbox", routes=control.routes()), Route("/{path:path}", answer, methods=_METHODS)]
    )
    app.state.world = world
    return app
