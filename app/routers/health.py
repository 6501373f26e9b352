"""Whether the process lives, whether it should get work, and what it measures."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Literal

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from starlette.responses import Response

from app import telemetry
from app.db.schema import current_revision, is_usable
from app.db.session import Database
from app.db.tables import Event, Issue, Quote
from app.deps import HouseDep
from app.routers.problems import Problem, away, problem_responses
from app.routers.refusals import DATABASE_AWAY
from app.sync.loops import Loops

router = APIRouter(tags=["health"])

CHECK_WITHIN = timedelta(seconds=2)
COUNTED_FOR = timedelta(seconds=5)
STATES = ("pending", "syncing", "synced", "retrying", "parked", "rejected")
DISPOSITIONS = ("pending", "applied", "superseded", "unchanged", "rejected", "parked")


class Drain:
    """Set once the process is asked to end: what is in hand is finished, and nothing new should come."""

    def __init__(self) -> None:
        self.begun = False
        self._finishers: list[Callable[[], Awaitable[None]]] = []

    def begin(self) -> None:
        """Answer from now on that we are not ready."""
        self.begun = True

    def before_end(self, finish: Callable[[], Awaitable[None]]) -> None:
        """Have this done before the process stops listening."""
        self._finishers.append(finish)

    async def finish(self) -> None:
        """Do all that is to be done before the end; what fails of it stops nothing else."""
        await asyncio.gather(*(each() for each in self._finishers), return_exceptions=True)


class Life(BaseModel):
    """The answer of a process that lives, or is ready."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class Readiness(Life):
    """The answer of a process that should get work."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "failing": []}]})

    failing: list[str] = Field(
        default=[], description="loops of the worker that keep failing; events are stored all the same"
    )


@router.get("/livez", summary="Does the process live?")
async def livez() -> Life:
    """Answer as long as the process runs at all; the database is never asked."""
    return Life()


@router.get("/readyz", summary="Should the process get work?", responses=problem_responses("not-ready"))
async def readyz(request: Request, house: HouseDep) -> Readiness:
    """Answer 200 when the database is there with this version's schema or a newer one, and the process is not ending.

    A loop of the worker that keeps failing is named, and is no reason to take events elsewhere.
    """
    drain: Drain = request.state.drain
    if drain.begun:
        raise _not_ready("The service is shutting down.")
    try:
        async with asyncio.timeout(CHECK_WITHIN.total_seconds()), house.database.transaction() as session:
            revision = await current_revision(session)
    except DATABASE_AWAY:
        raise _not_ready("The database is away.") from None
    if not is_usable(revision):
        raise _not_ready("The database's schema is older than this version needs; run `quotebridge migrate`.")
    loops: Loops = request.state.loops
    return Readiness(failing=loops.failing())


@router.get(
    "/metrics",
    summary="Read the metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": 'quotebridge_quotes{state="synced"} 42.0\n'}}}},
)
async def metrics(request: Request) -> Response:
    """Give counters and gauges in Prometheus' text format; quotes and events are counted at most every 5 seconds."""
    census: Census = request.state.census
    await census.take()
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _not_ready(detail: str) -> Problem:
    return away(detail, name="not-ready", retry_after=5)


class Census:
    """Counts what is stored, when somebody looks and not more often than every few seconds."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._good_until = -1.0
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        """Bring the gauges up to date; while the database is away they keep their last values."""
        async with self._lock:
            if self._monotonic() < self._good_until:
                return
            try:
                async with asyncio.timeout(CHECK_WITHIN.total_seconds()), self._database.transaction() as session:
                    await _count(session, telemetry.lanes, Quote.state, STATES)
                    await _count(session, telemetry.events, Event.disposition, DISPOSITIONS)
                    waiting = select(func.count()).select_from(Issue).where(Issue.state == "open")
                    telemetry.open_issues.set(await session.scalar(waiting) or 0)
            except DATABASE_AWAY:
                return
            self._good_until = self._monotonic() + COUNTED_FOR.total_seconds()


async def _count(
    session: AsyncSession, gauge: Gauge, column: InstrumentedAttribute[str], labels: tuple[str, ...]
) -> None:
    counts: dict[str, int] = dict((await session.execute(select(column, func.count()).group_by(column))).all())
    for label in labels:
        gauge.labels(label).set(counts.get(label, 0))
