"""Reference E: FastAPI and SQLAlchemy as their tutorials show them: a model for the body, a session for the request.

It checks the signature, validates the body, stores the event once, merges it into its quote if it is newer, and
commits before it answers. It leaves out what else Quotebridge does: aliases, reasons, refusals kept for audit.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import BigInteger, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.settings import sqlalchemy_url
from benchmarks.references.bare import DSN_VARIABLE
from benchmarks.references.secret import is_signed

engine = create_async_engine(sqlalchemy_url(os.environ[DSN_VARIABLE]), pool_size=10, max_overflow=0)
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """The reference's own tables."""


class SessionEvent(Base):
    """One delivery."""

    __tablename__ = "session_events"

    webhook_id: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str]
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)


class SessionQuote(Base):
    """The newest state of one quote."""

    __tablename__ = "session_quotes"

    quote_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    happened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Line(BaseModel):
    """One line of a quote."""

    line_id: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    unit_cost: Decimal | None = None
    item_code: str | None = None
    sku: str | None = None
    description: str | None = None
    category: str | None = None
    discount: Decimal = Decimal(0)
    discount_kind: Literal["amount", "percent"] = "amount"
    taxable: bool = False
    recurring: bool = False
    optional: bool = False
    selected: bool = True


class Totals(BaseModel):
    """A quote's sums."""

    one_time: Decimal
    recurring: Decimal | None = None
    recurring_period: str | None = None
    margin: Decimal | None = None


class Quote(BaseModel):
    """A quote; what only names people and places is passed through."""

    quote_id: str
    name: str
    status: Literal["pending", "accepted", "ordered", "fulfilled", "lost"]
    currency: str
    account: dict[str, Any]
    totals: Totals
    lines: list[Line]
    number: str | None = None
    revision: int = 0
    parent_quote_id: str | None = None
    version: int | None = None
    issued_on: date | None = None
    expires_on: date | None = None
    won_on: date | None = None
    url: str | None = None
    owner: dict[str, Any] | None = None
    contact: dict[str, Any] | None = None
    opportunity: dict[str, Any] | None = None
    discount: Decimal | None = None
    shipping: Decimal | None = None
    taxes: list[dict[str, Any]] = []
    pdf: dict[str, Any] | None = None


class QuoteEvent(BaseModel):
    """The body of the webhook."""

    type: Literal["quote.created", "quote.updated", "quote.won", "quote.lost"]
    timestamp: datetime
    data: Quote


class Accepted(BaseModel):
    """The answer."""

    event_id: str
    status: str


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


async def open_session() -> AsyncIterator[AsyncSession]:
    """One session for one request, committed before the answer."""
    async with new_session() as session, session.begin():
        yield session


async def check_signature(request: Request) -> str:
    """Trust the request or refuse it; returns its webhook id."""
    headers = dict(request.scope["headers"])
    if not is_signed(headers, await request.body()):
        raise HTTPException(401)
    return str(request.headers["webhook-id"])


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks/{connection_id}/quotes", status_code=202)
async def receive(
    connection_id: str,  # noqa: ARG001 - part of the path
    event: QuoteEvent,
    webhook_id: Annotated[str, Depends(check_signature)],
    session: Annotated[AsyncSession, Depends(open_session, scope="function")],
) -> Accepted:
    """Store an event and merge it into its quote."""
    if await session.get(SessionEvent, webhook_id):
        return Accepted(event_id=webhook_id, status="duplicate")
    content = event.data.model_dump(mode="json")
    session.add(SessionEvent(webhook_id=webhook_id, quote_id=event.data.quote_id, body=content))
    quote = await session.get(SessionQuote, event.data.quote_id, with_for_update=True)
    version = event.data.version or 0
    if quote is None:
        session.add(
            SessionQuote(quote_id=event.data.quote_id, version=version, happened_at=event.timestamp, content=content)
        )
    elif version > quote.version:
        quote.version, quote.happened_at, quote.content = version, event.timestamp, content
    return Accepted(event_id=webhook_id, status="accepted")
