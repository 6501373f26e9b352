"""The application: routers, the layers around them, and the house that they share."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr

from app.console.site import Console
from app.house import Clock, House, open_house
from app.kaseya.transport.door import utc_now
from app.openapi import add_description, to_yaml
from app.routers import (
    connections,
    drift,
    events,
    health,
    issues,
    keys,
    lookups,
    pickers,
    problem_pages,
    quotes,
    settings,
    signing_secrets,
    webhooks,
)
from app.routers.body_limit import BodyLimit
from app.routers.boundary import Boundary
from app.routers.health import Census, Drain
from app.routers.refusals import add_refusals
from app.settings import Settings
from app.sync.loops import Loops

ROUTERS = (
    keys.router,
    connections.router,
    settings.router,
    signing_secrets.router,
    lookups.router,
    pickers.router,
    quotes.router,
    events.router,
    issues.router,
    drift.router,
    health.router,
    problem_pages.router,
)


def create_app(
    settings: Settings, *, sync: bool = False, drain: Drain | None = None, clock: Clock = utc_now
) -> FastAPI:
    """The web application; with ``sync`` a worker runs in the same process and ends with it."""
    app = FastAPI(
        title="Quotebridge",
        version=version("quotebridge"),
        lifespan=_lifespan(settings, sync=sync, drain=drain or Drain(), clock=clock),
        generate_unique_id_function=_operation_id,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,  # generated clients know one class for what is saved and what is read
    )
    app.router.routes[:0] = webhooks.routes
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.append(Console())
    add_refusals(app)
    add_description(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(Boundary)
    return app


def described() -> str:
    """openapi.yaml: the same whatever the settings are."""
    return to_yaml(create_app(Settings(database_url=SecretStr("postgresql:///"), secret_keys=SecretStr("A" * 43))))


def _operation_id(route: APIRoute) -> str:
    return route.name


def _lifespan(settings: Settings, *, sync: bool, drain: Drain, clock: Clock) -> Any:  # noqa: ANN401 - Starlette's union
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, object]]:
        async with AsyncExitStack() as stack:
            house = await stack.enter_async_context(open_house(settings, clock=clock))
            loops = Loops()
            if sync:
                await stack.enter_async_context(_worker(house, drain, loops))
            yield {"house": house, "drain": drain, "loops": loops, "census": Census(house.database)}

    return lifespan


def _worker(house: House, drain: Drain, loops: Loops) -> AbstractAsyncContextManager[None]:
    from app.sync.worker import Worker  # noqa: PLC0415 - a process without a worker does not load the engine

    @asynccontextmanager
    async def working() -> AsyncIterator[None]:
        worker = Worker(house, loops=loops)
        running = asyncio.create_task(worker.run())

        async def finish() -> None:
            await worker.stop()
            await running

        drain.before_end(finish)
        try:
            yield
        finally:
            await finish()

    return working()
