"""What one run works with: the lane, its connection and client, and what is linked so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Self
from zoneinfo import ZoneInfo

from app.connections.clients import Observe
from app.connections.model import ConnectionSettings, zone_of
from app.db.lanes import Claim, LeaseLostError
from app.db.session import Database
from app.db.tables import Connection, Link, LinkLine
from app.house import House
from app.kaseya import KaseyaClient, Wire
from app.quotes.model import Quote
from app.settings import seconds
from app.sync.mapping import QuoteWarning, marker
from app.sync.problems import NeedsPersonError, Problem


@dataclass(slots=True, kw_only=True)
class Errand:
    """One run's own world. ``link`` and ``lines`` are kept in step with what the run commits.

    Without a ``lease`` it may only read: that is how previews and late looks use it.
    """

    database: Database
    wire: Wire
    connection: Connection
    settings: ConnectionSettings
    client: KaseyaClient
    make_urgent_client: Callable[[], KaseyaClient]
    lease: Claim | None
    quote_id: str
    quote: Quote
    mark: str
    zone: ZoneInfo
    link: Link
    lines: dict[str, LinkLine]
    first_synced_at: datetime | None
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
    def claim(self) -> Claim:
        """The claim under which this errand may write; raises LeaseLostError where it may only read."""
        if self.lease is None:
            raise LeaseLostError(self.quote_id)
        return self.lease

    def urgently(self) -> Self:
        """The same errand on calls that may use the reserve of the budget, to find out what a lost answer has made."""
        return replace(self, client=self.make_urgent_client())


def prepare(
    house: House,
    connection: Connection,
    quote: Quote,
    *,
    quote_id: str,
    linked: tuple[Link, Sequence[LinkLine]],
    first_synced_at: datetime | None,
    claim: Claim | None = None,
    observe: Observe | None = None,
) -> Errand:
    """Put together what a run needs; raises NeedsPersonError where the connection has no settings yet."""
    if connection.settings is None:
        raise NeedsPersonError(SETTINGS_MISSING)
    settings = ConnectionSettings.model_validate(connection.settings)
    link, lines = linked
    probes = claim is not None and claim.probes
    client = partial(house.clients.client, connection, lane=claim, once=probes, observe=observe)
    return Errand(
        database=house.database.of(connection.id),
        wire=house.wire,
        connection=connection,
        settings=settings,
        client=client(urgent=claim is None or claim.urgent),
        make_urgent_client=partial(client, urgent=True),
        lease=claim,
        quote_id=quote_id,
        quote=quote,
        mark=marker(connection.id, quote_id),
        zone=zone_of(settings, tenant_zone=connection.time_zone),
        link=link,
        lines={line.line_id: line for line in lines},
        first_synced_at=first_synced_at,
        grace=seconds(house.settings.doubt_grace_seconds),
        audit_after=seconds(house.settings.audit_after_seconds),
        clock=house.clock,
    )


SETTINGS_MISSING = Problem(
    code="settings-missing",
    title="The connection has no settings yet",
    detail="Quotes are accepted, but how they are to be carried over to BMS has not been said yet.",
    remedy="Save the connection's settings; that tries this quote again.",
    setting="/",
)
