"""What a connection did in the last day: events, syncs, BMS calls against the budget, and how long quotes took."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.connections.clients import company_key
from app.console import reads
from app.console.charts import Chart, stacked
from app.console.deps import ConnectionDep
from app.console.render import page
from app.console.session import PATH
from app.console.words import DISPOSITIONS, OUTCOMES
from app.db import budget
from app.db.tables import Connection
from app.deps import HouseDep, SessionDep
from app.settings import seconds

router = APIRouter(prefix="/connections/{connection_id}/activity")

HOURS = 24
NEWEST = 20_000
"""So many rows are looked at, the newest by id: an index gives them, however long the history is."""

_EVENTS = text(
    """
    SELECT date_trunc('hour', received_at, 'UTC') AS hour, disposition, count(*)
    FROM (SELECT received_at, disposition FROM events WHERE connection_id = :connection_id
          ORDER BY id DESC LIMIT :newest) newest
    WHERE received_at >= :since GROUP BY 1, 2
    """
)
_RUNS = text(
    """
    SELECT date_trunc('hour', finished_at, 'UTC') AS hour, outcome, count(*)
    FROM (SELECT finished_at, outcome FROM runs WHERE connection_id = :connection_id
          ORDER BY id DESC LIMIT :newest) newest
    WHERE finished_at >= :since GROUP BY 1, 2
    """
)
_WAITS = text(
    """
    SELECT extract(epoch FROM settled_at - received_at) AS seconds
    FROM (SELECT settled_at, received_at, disposition FROM events WHERE connection_id = :connection_id
          ORDER BY id DESC LIMIT :newest) newest
    WHERE received_at >= :since AND disposition = 'applied' AND settled_at IS NOT NULL ORDER BY 1
    """
)
_BUCKETS = (("under 5 s", 5), ("5 to 15 s", 15), ("15 s to 1 min", 60), ("1 to 5 min", 300), ("5 min to 1 h", 3600))
_LONGER = "over 1 h"


@router.get("")
async def show_activity(request: Request, connection: ConnectionDep, house: HouseDep, session: SessionDep) -> Response:
    """The last day in charts, each with its figures in words."""
    now = house.clock()
    settings = house.settings
    company = company_key(connection.base_url, connection.company)
    spent = await budget.spent(session, company=company, window=seconds(settings.kaseya_call_window_seconds))
    waits = await _waits(session, connection, now)
    return page(
        request,
        "activity.html",
        health=await reads.health_of(house, connection.id),
        events=await _by_hour(session, _EVENTS, connection, now, DISPOSITIONS),
        runs=await _by_hour(session, _RUNS, connection, now, OUTCOMES),
        spent=sorted(spent.items(), key=lambda each: (-each[1], each[0])),
        limit=settings.kaseya_call_limit,
        waits=_bucketed(waits),
        median=_quantile(waits, 0.5),
        slowest=_quantile(waits, 0.95),
        live=f"{PATH}/live/{connection.id}",
    )


async def _by_hour(
    session: AsyncSession,
    query: TextClause,
    connection: Connection,
    now: datetime,
    tones: Mapping[str, tuple[str, str]],
) -> Chart:
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    first = this_hour - timedelta(hours=HOURS - 1)
    counts: defaultdict[datetime, dict[str, int]] = defaultdict(dict)
    for hour, kind, number in await session.execute(query, _of(connection, first)):
        counts[hour][kind] = number
    hours = [first + timedelta(hours=index) for index in range(HOURS)]
    return stacked([(f"{hour:%H}:00", counts.get(hour, {})) for hour in hours], tones)


async def _waits(session: AsyncSession, connection: Connection, now: datetime) -> list[float]:
    query = _of(connection, now - timedelta(hours=HOURS))
    return [float(each) for each in await session.scalars(_WAITS, query)]


def _of(connection: Connection, since: datetime) -> dict[str, Any]:
    return {"connection_id": connection.id, "since": since, "newest": NEWEST}


def _bucketed(waits: list[float]) -> list[tuple[str, int]]:
    counts = dict.fromkeys((*(label for label, _ in _BUCKETS), _LONGER), 0)
    for wait in waits:
        counts[next((label for label, limit in _BUCKETS if wait < limit), _LONGER)] += 1
    return list(counts.items())


def _quantile(ordered: list[float], part: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None
