"""Reads of quotes: the lane behind a quote id, what it became in BMS, and what was tried; and the replay of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, ColumnElement, Select, Text, case, exists, func, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.inbox import LANES_CHANNEL
from app.db.tables import Event, Link, Quote, QuoteAlias, Run

RUNS_SHOWN = 20
# Two quotes a second, each of about a dozen calls in three kinds, would use up the hour's budget of one endpoint in
# twelve minutes; live events go first, and lanes that find no budget wait for it.
REPLAY_EVERY = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteFilter:
    """Which quotes of a connection are meant; what is None does not restrict."""

    state: str | None = None
    status: str | None = None
    search: str | None = None
    quote_ids: Sequence[str] | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None

    def conditions(self, connection_id: str) -> list[ColumnElement[bool]]:
        """The filter as conditions on ``quotes``."""
        wanted: list[ColumnElement[bool]] = [Quote.connection_id == connection_id]
        if self.state:
            wanted.append(Quote.state == self.state)
        if self.status:
            wanted.append(Quote.status == self.status)
        if self.search:
            wanted.append(_matches(self.search))
        if self.quote_ids is not None:
            wanted.append(Quote.quote_id.in_(_lanes_of(connection_id, self.quote_ids)))
        if self.received_after or self.received_before:
            wanted.append(_received_between(self.received_after, self.received_before))
        return wanted


def _matches(search: str) -> ColumnElement[bool]:
    columns = (Quote.number, Quote.name, Quote.quote_id)
    return or_(*(column.icontains(search, autoescape=True) for column in columns))


def _lanes_of(connection_id: str, quote_ids: Sequence[str]) -> Select[tuple[str]]:
    roots = select(QuoteAlias.quote_id).where(
        QuoteAlias.connection_id == connection_id, QuoteAlias.alias.in_(quote_ids)
    )
    return roots.union_all(select(func.unnest(literal(list(quote_ids), ARRAY(Text))))).subquery().select()


def _received_between(after: datetime | None, before: datetime | None) -> ColumnElement[bool]:
    of_quote = select(Event.id).where(Event.connection_id == Quote.connection_id, Event.quote_id == Quote.quote_id)
    if after:
        of_quote = of_quote.where(Event.received_at >= after)
    if before:
        of_quote = of_quote.where(Event.received_at < before)
    return exists(of_quote)


async def lane_of(session: AsyncSession, connection_id: str, quote_id: str) -> str:
    """The id of the lane: a revision shares that of the quote it revises. An unknown quote is its own."""
    found = select(QuoteAlias.quote_id).where(QuoteAlias.connection_id == connection_id, QuoteAlias.alias == quote_id)
    return await session.scalar(found) or quote_id


async def find_link(session: AsyncSession, quote: Quote) -> Link | None:
    """Which BMS records the quote became."""
    return await session.get(Link, (quote.connection_id, quote.quote_id))


async def newest_runs(session: AsyncSession, quote: Quote) -> Sequence[Run]:
    """The last runs about the quote, newest first."""
    of_quote = select(Run).where(Run.connection_id == quote.connection_id, Run.quote_id == quote.quote_id)
    return (await session.scalars(of_quote.order_by(Run.id.desc()).limit(RUNS_SHOWN))).all()


async def count(session: AsyncSession, connection_id: str, wanted: QuoteFilter) -> int:
    """How many quotes a filter means."""
    query = select(func.count()).select_from(Quote).where(*wanted.conditions(connection_id))
    return await session.scalar(query) or 0


def replay_takes(quotes: int) -> timedelta:
    """How long after the first the last of so many replayed quotes is due."""
    return REPLAY_EVERY * max(quotes - 1, 0)


async def replay(session: AsyncSession, connection_id: str, wanted: QuoteFilter) -> int:
    """Make all quotes of a filter due, one after the other, two a second; returns how many.

    None of them is made urgent, so what arrives meanwhile goes first. One that is due already keeps its time.
    """
    place = func.row_number().over(order_by=(Quote.updated_at, Quote.quote_id))
    chosen = select(Quote.quote_id, place.label("place")).where(*wanted.conditions(connection_id)).subquery()
    turn = func.now() + REPLAY_EVERY * (chosen.c.place - 1)
    leased = Quote.lease_until > func.now()
    marked = await session.execute(
        update(Quote)
        .where(Quote.connection_id == connection_id, Quote.quote_id == chosen.c.quote_id)
        .values(
            due_at=case((leased, Quote.due_at), else_=func.least(Quote.due_at, turn)),
            wanted_at=turn,
            generation=case((leased, Quote.generation + 1), else_=Quote.generation),
            state=case((leased, Quote.state), else_="pending"),
            attempts=0,
            retrying_since=None,
        )
        .returning(Quote.quote_id)
        .execution_options(synchronize_session=False)
    )
    replayed = len(marked.all())
    await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": LANES_CHANNEL})
    return replayed
