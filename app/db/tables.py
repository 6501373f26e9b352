"""Every table of the house: what each row is, and what is owed to it. Longer than others, so that it is one picture."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


def _owned_by_connection() -> Any:  # noqa: ANN401 - SQLAlchemy's column construct has no narrower public type
    return mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True)


def _of_connection() -> Any:  # noqa: ANN401 - as above
    return mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))


class Connection(Base):
    """One MSP's link: which BMS server and company, how to sign in, and how its quotes are to be carried over.

    ``drift_due_at`` is when BMS is to be looked through next for what differs from the quotes; NULL for never.
    """

    __tablename__ = "connections"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    server: Mapped[str]
    base_url: Mapped[str]
    company: Mapped[str]
    username: Mapped[str]
    password: Mapped[bytes]
    mfa_secret: Mapped[bytes | None]
    form_encoding: Mapped[str] = mapped_column(server_default="multipart")
    quoter_hash_key: Mapped[bytes | None]
    notice_url: Mapped[str | None]
    notice_secret: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(server_default="active")
    state_reason: Mapped[str | None]
    refused_sign_ins: Mapped[int] = mapped_column(server_default="0")
    capabilities: Mapped[list[Any]]
    settings: Mapped[dict[str, Any] | None]
    settings_saved_at: Mapped[datetime | None]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    max_attachment_bytes: Mapped[int | None] = mapped_column(BigInteger)
    token: Mapped[bytes | None]
    checked_at: Mapped[datetime | None]
    drift_checked_at: Mapped[datetime | None]
    drift_due_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Pace(Base):
    """How fast a connection may be worked on: whose turn it was last, and whether its BMS answers at all."""

    __tablename__ = "paces"

    connection_id: Mapped[str] = _owned_by_connection()
    last_claimed_at: Mapped[datetime] = mapped_column(server_default=text("'epoch'"))
    failures: Mapped[int] = mapped_column(server_default="0")
    open_until: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]


class SigningSecret(Base):
    """One inbound signing secret; several are live while they are being rotated."""

    __tablename__ = "signing_secrets"

    connection_id: Mapped[str] = _owned_by_connection()
    id: Mapped[str] = mapped_column(primary_key=True)
    secret: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]


class Event(Base):
    """One stored delivery, with its body as it came; ``counted`` ones are unique by webhook id, for ever.

    A delivery that was refused (unreadable, expired, another body under a known id) is kept uncounted, for audit.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("uq_events_webhook_id", "connection_id", "webhook_id", unique=True, postgresql_where=text("counted")),
        Index(
            "uq_events_refused",
            "connection_id",
            "webhook_id",
            "body_digest",
            unique=True,
            postgresql_where=text("NOT counted"),
        ),
        Index("ix_events_quote", "connection_id", "quote_id", "id"),
        Index(
            "ix_events_unsettled",
            "connection_id",
            "quote_id",
            postgresql_where=text("disposition IN ('pending', 'parked')"),
        ),
    )

    connection_id: Mapped[str] = _owned_by_connection()
    id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    webhook_id: Mapped[str | None]
    body_digest: Mapped[bytes]
    body: Mapped[bytes]
    counted: Mapped[bool]
    type: Mapped[str | None]
    quote_id: Mapped[str | None]
    generation: Mapped[int | None]
    disposition: Mapped[str]
    reason: Mapped[str | None]
    happened_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]


class QuoteAlias(Base):
    """Which lane a quote id belongs to: revisions share the lane of the quote they revise."""

    __tablename__ = "quote_aliases"

    connection_id: Mapped[str] = _owned_by_connection()
    alias: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str]


class Quote(Base):
    """One row per quote and its lane: what BMS owes it, and who works on it until when.

    ``generation`` grows with each accepted change; ``synced_generation`` is the last one that BMS shows.
    ``due_at`` is when the lane may be claimed next: a claim moves it to the end of the lease, so that a lane
    whose worker died falls due by itself. NULL means that nothing is owed. ``wanted_at`` is when the newest event
    wants to be sent (debounced from ``waiting_since``); it becomes ``due_at`` once nobody works on the lane.
    """

    __tablename__ = "quotes"
    __table_args__ = (
        Index("ix_quotes_due", "connection_id", "urgent", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_quotes_next_due", "connection_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_quotes_state", "connection_id", "state"),
        Index("ix_quotes_updated", "connection_id", "updated_at", "quote_id"),
    )

    connection_id: Mapped[str] = _owned_by_connection()
    quote_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str | None]
    name: Mapped[str]
    status: Mapped[str]
    revision: Mapped[int]
    version: Mapped[int | None] = mapped_column(BigInteger)
    happened_at: Mapped[datetime]
    content: Mapped[dict[str, Any]]
    body_digest: Mapped[bytes]
    generation: Mapped[int] = mapped_column(server_default="1")
    synced_generation: Mapped[int] = mapped_column(server_default="0")
    synced_digest: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(server_default="pending")
    due_at: Mapped[datetime | None]
    urgent: Mapped[bool] = mapped_column(server_default=text("false"))
    waiting_since: Mapped[datetime | None]
    wanted_at: Mapped[datetime | None]
    lease_id: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    retrying_since: Mapped[datetime | None]
    last_error: Mapped[str | None]
    warnings: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    first_synced_at: Mapped[datetime | None]
    synced_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


def _same_quote() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["connection_id", "quote_id"], ["quotes.connection_id", "quotes.quote_id"], ondelete="CASCADE"
    )


class QuoteDocument(Base):
    """The PDF that came inside an event, kept beside the quote so that reading a quote does not read its PDF."""

    __tablename__ = "quote_documents"
    __table_args__ = (_same_quote(),)

    connection_id: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Link(Base):
    """Which BMS records a quote became, and what was last sent to each, so that the unchanged costs no call."""

    __tablename__ = "links"
    __table_args__ = (_same_quote(),)

    connection_id: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int | None]
    location_id: Mapped[int | None]
    contact_id: Mapped[int | None]
    opportunity_id: Mapped[int | None]
    opportunity_sent: Mapped[dict[str, Any] | None]
    quotation_id: Mapped[int | None]
    quotation_sent: Mapped[dict[str, Any] | None]
    attachment_id: Mapped[int | None]
    attachment_digest: Mapped[str | None]
    attachment_name: Mapped[str | None]
    noted_url: Mapped[str | None]
    pdf_tries: Mapped[int] = mapped_column(server_default="0")
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class LinkLine(Base):
    """One line of our line map: which BMS line a quote's line became, for which item, and as what it was sent."""

    __tablename__ = "link_lines"
    __table_args__ = (_same_quote(),)

    connection_id: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str] = mapped_column(primary_key=True)
    line_id: Mapped[str] = mapped_column(primary_key=True)
    kaseya_line_id: Mapped[int]
    item_kind: Mapped[str]
    item_id: Mapped[int]
    sent: Mapped[dict[str, Any]]
    removed: Mapped[bool] = mapped_column(server_default=text("false"))


class Item(Base):
    """Our item map: which BMS service or product a code or name was found to be."""

    __tablename__ = "items"

    connection_id: Mapped[str] = _owned_by_connection()
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    kaseya_id: Mapped[int]
    unit_price: Mapped[str | None]
    unit_cost: Mapped[str | None]
    found_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Intent(Base):
    """The note committed before a create is sent, so that a lost answer is found again instead of repeated.

    Unique by connection, kind and key: two quotes that need the same new record make one.
    """

    __tablename__ = "intents"
    __table_args__ = (
        Index("ix_intents_open", "connection_id", "quote_id", postgresql_where=text("state = 'open'")),
        Index("ix_intents_audit", "audit_at", postgresql_where=text("audit_at IS NOT NULL")),
    )

    connection_id: Mapped[str] = _owned_by_connection()
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    sent_at: Mapped[datetime]
    sends: Mapped[int] = mapped_column(server_default="1")
    looks: Mapped[int] = mapped_column(server_default="0")
    look_at: Mapped[datetime | None]
    hint: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    result: Mapped[dict[str, Any] | None]
    audit_at: Mapped[datetime | None]


class Run(Base):
    """One attempt to bring BMS to the desired state, with every HTTP request it made."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_quote", "connection_id", "quote_id", "id"),)

    connection_id: Mapped[str] = _owned_by_connection()
    id: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str]
    generation: Mapped[int]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]
    outcome: Mapped[str]
    error: Mapped[str | None]
    steps: Mapped[list[Any]]
    calls: Mapped[list[Any]]


class Issue(Base):
    """A quote, or a whole connection, that stopped and waits for a person: what, why, and how to mend it."""

    __tablename__ = "issues"
    __table_args__ = (
        Index(
            "uq_issues_open",
            "connection_id",
            text("coalesce(quote_id, '')"),
            "code",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_issues_state", "connection_id", "state", "id"),
    )

    connection_id: Mapped[str] = _owned_by_connection()
    id: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str | None]
    code: Mapped[str]
    title: Mapped[str]
    detail: Mapped[str]
    remedy: Mapped[str]
    setting: Mapped[str | None]
    candidates: Mapped[list[Any] | None]
    context: Mapped[dict[str, Any] | None]
    state: Mapped[str] = mapped_column(server_default="open")
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]


class CallSlot(Base):
    """How many calls went to one endpoint of one BMS company in one short slot of time, over all replicas."""

    __tablename__ = "call_slots"

    company: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    calls: Mapped[int]


class Lookup(Base):
    """A list read from BMS a short while ago, shared by every replica so that it is not read again."""

    __tablename__ = "lookups"

    connection_id: Mapped[str] = _owned_by_connection()
    kind: Mapped[str] = mapped_column(primary_key=True)
    rows: Mapped[list[Any]]
    read_at: Mapped[datetime]


class ApiKey(Base):
    """A key of the management API, stored hashed; ``connection_id`` NULL means the operator."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("uq_api_keys_digest", "digest", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    connection_id: Mapped[str | None] = _of_connection()
    digest: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Notice(Base):
    """An outgoing notice that waits to be delivered to a connection's notice URL."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    connection_id: Mapped[str] = _owned_by_connection()
    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    payload: Mapped[dict[str, Any]]
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Drift(Base):
    """One field in which BMS was found to differ from the quote."""

    __tablename__ = "drifts"

    connection_id: Mapped[str] = _owned_by_connection()
    quote_id: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    ours: Mapped[str | None]
    theirs: Mapped[str | None]
    found_at: Mapped[datetime] = mapped_column(server_default=func.now())
