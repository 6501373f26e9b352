"""What is known of BMS when a plan is made: our links, and what was read just now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.kaseya.capabilities import Capability
from app.kaseya.records import Opportunity
from app.sync.mapping import QuoteWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownItem:
    """The BMS item that a line is to be linked with, with its price and cost where they are set."""

    kaseya_id: int
    unit_price: Decimal | None = None
    unit_cost: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentLine:
    """A line of our line map: which BMS line it is, and as what it was sent."""

    kaseya_line_id: int
    item_kind: str
    item_id: int
    sent: Mapping[str, Any]
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything a plan needs to know beside what is desired. None means: not there (yet).

    ``left_opportunity_id`` is the opportunity that the quote was linked with before it named another one.
    """

    account_id: int | None
    location_id: int | None
    contact_id: int | None
    owner_id: int
    probability: Decimal
    opportunity_id: int | None
    opportunity: Opportunity | None
    opportunity_sent: Mapping[str, Any] | None
    quotation_id: int | None
    quotation_sent: Mapping[str, Any] | None
    items: Mapping[str, KnownItem] = field(default_factory=dict)
    lines: Mapping[str, SentLine] = field(default_factory=dict)
    attachment_id: int | None = None
    attachment_digest: str | None = None
    noted_url: str | None = None
    left_opportunity_id: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    waits_for_header: bool = False
    warnings: tuple[QuoteWarning, ...] = ()

    def can(self, capability: Capability) -> bool:
        """Whether this tenant's BMS offers the operation."""
        return capability in self.capabilities
