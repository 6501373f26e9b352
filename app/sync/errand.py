"""What one run works with: the claimed lane, its connection and client, and what is linked so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.connections.model import ConnectionSettings
from app.db.lanes import Claim
from app.db.session import Database
from app.db.tables import Connection, Link, LinkLine
from app.kaseya import KaseyaClient, Wire
from app.quotes.model import Quote
from app.sync.mapping import QuoteWarning


@dataclass(slots=True, kw_only=True)
class Errand:
    """One run's own world. ``link`` and ``lines`` are kept in step with what the run commits."""

    database: Database
    wire: Wire
    connection: Connection
    settings: ConnectionSettings
    client: KaseyaClient
    claim: Claim
    quote: Quote
    mark: str
    zone: ZoneInfo
    link: Link
    lines: dict[str, LinkLine]
    grace: timedelta
    audit_after: timedelta
    clock: Callable[[], datetime]
    warnings: list[QuoteWarning] = field(default_factory=list)
    follow_up_at: datetime | None = None

    @property
    def connection_id(self) -> str:
        """The connection that everything here belongs to."""
        return self.connection.id

    @property
    def quote_id(self) -> str:
        """The lane."""
        return self.claim.quote_id
