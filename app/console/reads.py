"""What pages read of the database: connections with their health, and lists a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, defer

from app.connections.clients import company_key
from app.console.session import Visitor
from app.console.words import Tone
from app.db import budget, drifts
from app.db.events import EventFilter
from app.db.quotes import QuoteFilter
from app.db.tables import Connection, Drift, Event, Issue, Link, Pace, Quote, Run
from app.house import House
from app.settings import seconds

PAGE = 50
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Listed(Generic[RowT]):
    """One page of a list; ``older`` is what the address of the next page says, None on the last one."""

    rows: Sequence[RowT]
    older: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A connection at a glance. ``calls_left`` is of the BMS endpoint that has least left of its hourly budget."""

    connection: Connection
    open_issues: int
    last_event_at: datetime | None
    calls_left: int
    call_limit: int
    bms_is_down: bool

    @property
    def state(self) -> tuple[str, Tone, str]:
        """A word, its tone, and a sentence that says what it means or what to do."""
        connection = self.connection
        if connection.state == "credentials_rejected":
            return "Sign-in refused", "bad", "Enter the current credentials under Access; what waits goes on by itself."
        if connection.state == "paused":
            return "Paused", "off", "Events are taken in and wait until you resume."
        if connection.settings is None:
            return "Not set up yet", "wait", "Save the settings, then quotes are synced."
        if self.bms_is_down:
            return "BMS is away", "wait", "BMS does not answer. Quotes wait and go on by themselves when it is back."
        return "Working", "good", "Quotes are synced as they come in."


async def healths(house: House, visitor: Visitor, *, before: str = "") -> Listed[Health]:
    """The connections that the visitor may see, newest first."""
    query = _with_counts()
    if visitor.connection_id is not None:
        query = query.where(Connection.id == visitor.connection_id)
    if before:
        query = query.where(Connection.id < before)
    async with house.database.of(visitor.connection_id).transaction() as session:
        rows = (await session.execute(query.order_by(Connection.id.desc()).limit(PAGE + 1))).all()
        return _cut([await _health(house, session, row) for row in rows], lambda row: row.connection.id)


async def health_of(house: House, connection_id: str) -> Health | None:
    """One connection; None when it was deleted meanwhile."""
    async with house.database.of(connection_id).transaction() as session:
        row = (await session.execute(_with_counts().where(Connection.id == connection_id))).one_or_none()
        return None if row is None else await _health(house, session, row)


async def quotes(
    session: AsyncSession, connection_id: str, wanted: QuoteFilter, *, before: str = ""
) -> Listed[tuple[Quote, Link | None]]:
    """Quotes with their links, the last changed first."""
    of_quote = and_(Link.connection_id == Quote.connection_id, Link.quote_id == Quote.quote_id)
    query = select(Quote, Link).outerjoin(Link, of_quote).where(*wanted.conditions(connection_id))
    at, separator, quote_id = before.partition("|")
    if separator:
        query = query.where(tuple_(Quote.updated_at, Quote.quote_id) < tuple_(datetime.fromisoformat(at), quote_id))
    query = query.order_by(Quote.updated_at.desc(), Quote.quote_id.desc()).limit(PAGE + 1)
    rows = [(quote, link) for quote, link in (await session.execute(query)).all()]
    return _cut(rows, lambda row: f"{row[0].updated_at.isoformat()}|{row[0].quote_id}")


async def events(session: AsyncSession, connection_id: str, wanted: EventFilter, *, before: str = "") -> Listed[Event]:
    """Events without their bodies, the newest first."""
    query = select(Event).options(defer(Event.body)).where(*wanted.conditions(connection_id))
    return await _newest(session, query, Event.id, before)


async def issues(session: AsyncSession, connection_id: str, state: str, *, before: str = "") -> Listed[Issue]:
    """Open or closed issues, the newest first."""
    query = select(Issue).where(Issue.connection_id == connection_id, Issue.state == state)
    return await _newest(session, query, Issue.id, before)


async def drift(session: AsyncSession, connection_id: str, *, before: str = "") -> Listed[tuple[Drift, int | None]]:
    """Where BMS differs from the quotes, each with its opportunity, the last found first; ValueError for no place."""
    columns = Drift.found_at, Drift.quote_id, Drift.field
    query = drifts.listed(connection_id)
    if before:
        at, quote_id, field = before.split("|", 2)
        query = query.where(tuple_(*columns) < tuple_(datetime.fromisoformat(at), quote_id, field))
    query = query.order_by(*(column.desc() for column in columns)).limit(PAGE + 1)
    rows = [(row, opportunity_id) for row, opportunity_id in (await session.execute(query)).all()]
    return _cut(rows, lambda row: f"{row[0].found_at.isoformat()}|{row[0].quote_id}|{row[0].field}")


async def state_counts(session: AsyncSession, connection_id: str) -> dict[str, int]:
    """How many quotes are in each state."""
    query = select(Quote.state, func.count()).where(Quote.connection_id == connection_id).group_by(Quote.state)
    counted: dict[str, int] = dict((await session.execute(query)).all())
    return counted


async def _newest(
    session: AsyncSession, query: Select[RowT], key: InstrumentedAttribute[str], before: str
) -> Listed[RowT]:
    if before:
        query = query.where(key < before)
    rows: Sequence[Any] = (await session.scalars(query.order_by(key.desc()).limit(PAGE + 1))).all()
    return _cut(rows, lambda row: str(getattr(row, key.key)))


def _cut(rows: Sequence[RowT], key: Any) -> Listed[RowT]:  # noqa: ANN401 - a function of a row
    shown = rows[:PAGE]
    return Listed(shown, key(shown[-1]) if len(rows) > PAGE else None)


def _with_counts() -> Select[Any]:
    open_issues = select(func.count()).where(Issue.connection_id == Connection.id, Issue.state == "open")
    # Ids sort by time, so the last event is found by the primary key instead of by reading them all.
    last_event = select(Event.received_at).where(Event.connection_id == Connection.id).order_by(Event.id.desc())
    down = select(Pace.opened_at.is_not(None)).where(Pace.connection_id == Connection.id)
    return select(
        Connection,
        open_issues.correlate(Connection).scalar_subquery(),
        last_event.limit(1).correlate(Connection).scalar_subquery(),
        down.correlate(Connection).scalar_subquery(),
    )


async def _health(house: House, session: AsyncSession, row: Sequence[Any]) -> Health:
    connection, open_issues, last_event_at, bms_is_down = row
    settings = house.settings
    spent = await budget.spent(
        session,
        company=company_key(connection.base_url, connection.company),
        window=seconds(settings.kaseya_call_window_seconds),
    )
    limit = settings.kaseya_call_limit
    return Health(
        connection=connection,
        open_issues=open_issues,
        last_event_at=last_event_at,
        calls_left=max(0, limit - max(spent.values(), default=0)),
        call_limit=limit,
        bms_is_down=bool(bms_is_down),
    )


async def quote_events(session: AsyncSession, quote: Quote, *, most: int = PAGE) -> Sequence[Event]:
    """The events about one quote, newest first, without their bodies."""
    of_quote = (
        select(Event)
        .options(defer(Event.body))
        .where(Event.connection_id == quote.connection_id, Event.quote_id == quote.quote_id)
    )
    return (await session.scalars(of_quote.order_by(Event.id.desc()).limit(most))).all()


async def open_issues_of(session: AsyncSession, quote: Quote) -> Sequence[Issue]:
    """What keeps one quote from BMS."""
    query = select(Issue).where(
        Issue.connection_id == quote.connection_id, Issue.quote_id == quote.quote_id, Issue.state == "open"
    )
    return (await session.scalars(query.order_by(Issue.id.desc()))).all()


async def newest_runs(session: AsyncSession, connection_id: str, *, most: int) -> Sequence[Run]:
    """The connection's last runs, newest first."""
    query = select(Run).where(Run.connection_id == connection_id).order_by(Run.id.desc()).limit(most)
    return (await session.scalars(query)).all()
