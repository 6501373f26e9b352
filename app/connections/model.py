"""The settings of a connection: how its quotes are to be carried over to BMS."""

from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from app.quotes.model import Status

INT32_MAX = 2**31 - 1


def _read_id(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value


@cache
def _zones() -> frozenset[str]:
    """The names of all zones, gathered once: that walks through hundreds of files, and every run reads settings."""
    return frozenset(available_timezones())


def _known_zone(name: str) -> str:
    if name not in _zones():
        message = f"{name!r} is not a time zone of the IANA database, such as America/New_York"
        raise ValueError(message)
    return name


# Identifiers go out as strings, as everywhere in the API; digits come in as a string or a number.
KaseyaId = Annotated[
    int,
    BeforeValidator(_read_id, json_schema_input_type=str | int),
    Field(strict=True, ge=0, le=INT32_MAX),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^[0-9]{1,10}$"},
                {"type": "integer", "minimum": 0, "maximum": INT32_MAX},
            ],
            "description": "an id in BMS; comes back as a string",
        }
    ),
]
TimeZone = Annotated[str, AfterValidator(_known_zone)]


class ItemKind(StrEnum):
    """What a line becomes in BMS: a service, a product, or free text."""

    SERVICE = "service"
    PRODUCT = "product"
    OTHER = "other"


class ValueBasis(StrEnum):
    """Which figure of the quote is the opportunity's amount."""

    ONE_TIME = "one_time"
    ONE_TIME_PLUS_RECURRING = "one_time_plus_recurring"
    MARGIN = "margin"


class CloseDateRule(StrEnum):
    """Where the opportunity's close date comes from."""

    EXPIRY = "expiry"
    DAYS = "days"


class ExpiredWhenWon(StrEnum):
    """What becomes of the quotation of a quote that was won after its date, which BMS cannot backdate."""

    SKIP = "skip"
    TRY = "try"


class Group(BaseModel):
    """One group of settings: unknown names are refused, so that a typing error is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountSettings(Group):
    """How missing accounts and contacts are created."""

    create_missing: bool = True
    account_type_id: KaseyaId | None = None
    business_type_id: KaseyaId | None = None
    account_manager_id: KaseyaId | None = None
    phone_type_id: KaseyaId | None = None
    email_type_id: KaseyaId | None = None

    @model_validator(mode="after")
    def _can_create(self) -> Self:
        needed = (self.account_type_id, self.business_type_id, self.account_manager_id)
        if self.create_missing and None in needed:
            message = "to create missing accounts, account_type_id, business_type_id and account_manager_id are needed"
            raise ValueError(message)
        return self


class OpportunitySettings(Group):
    """How an opportunity is written. ``recurring_periods`` counts in the quote's own recurring period."""

    type_id: KaseyaId
    rating_id: KaseyaId
    lead_source_id: KaseyaId | None = None
    default_sales_employee_id: KaseyaId
    name_template: str = Field(default="{number} {name}", min_length=1, max_length=200)
    rename_on_update: bool = False
    value_basis: ValueBasis = ValueBasis.ONE_TIME
    recurring_periods: int = Field(default=1, ge=0, le=1200)
    close_date: CloseDateRule = CloseDateRule.EXPIRY
    close_after_days: int = Field(default=30, ge=0, le=3650)
    time_zone: TimeZone | None = None

    @model_validator(mode="after")
    def _template_is_known(self) -> Self:
        try:
            self.name_template.format(number="1", name="n")
        except (KeyError, IndexError, ValueError, AttributeError):
            message = "name_template may use {number} and {name} only"
            raise ValueError(message) from None
        return self


class StatusMapping(Group):
    """Which opportunity status each status of a quote becomes; ordered and fulfilled default to accepted."""

    pending: KaseyaId
    accepted: KaseyaId
    ordered: KaseyaId | None = None
    fulfilled: KaseyaId | None = None
    lost: KaseyaId

    def of(self, status: Status) -> int:
        """The opportunity status id for a quote's status."""
        match status:
            case Status.PENDING:
                return self.pending
            case Status.ACCEPTED:
                return self.accepted
            case Status.ORDERED:
                return self.accepted if self.ordered is None else self.ordered
            case Status.FULFILLED:
                return self.accepted if self.fulfilled is None else self.fulfilled
            case Status.LOST:
                return self.lost


class ItemType(Group):
    """What the lines of one category become."""

    kind: ItemKind
    item_type_id: KaseyaId


class ServiceQuotationSettings(Group):
    """Whether and how a service quotation is kept beside the opportunity; all of it from one warehouse."""

    enabled: bool = False
    default_warehouse_id: KaseyaId | None = None
    default_item_type: ItemType | None = None
    distributor_type_id: KaseyaId = 0
    expired_when_won: ExpiredWhenWon = ExpiredWhenWon.SKIP


class AttachmentSettings(Group):
    """Whether the PDF is pushed; the module id of opportunities is not public and differs between tenants."""

    push_pdf: bool = True
    opportunity_module_id: KaseyaId | None = None


class DriftSweep(StrEnum):
    """How often BMS is looked through for what differs from the quotes."""

    OFF = "off"
    DAILY = "daily"
    HOURLY = "hourly"

    @property
    def every(self) -> timedelta | None:
        """How long from one sweep to the next; None for never."""
        return {DriftSweep.DAILY: timedelta(days=1), DriftSweep.HOURLY: timedelta(hours=1)}.get(self)


class DriftFound(StrEnum):
    """What becomes of a difference: it is shown, or the quote is sent again."""

    REPORT = "report"
    RESTORE = "restore"


class DriftSettings(Group):
    """What is done about opportunities that people change in BMS."""

    sweep: DriftSweep = DriftSweep.OFF
    found: DriftFound = DriftFound.REPORT


class ConnectionSettings(Group):
    """All settings of one connection."""

    account: AccountSettings
    opportunity: OpportunitySettings
    status_mapping: StatusMapping
    service_quotation: ServiceQuotationSettings = ServiceQuotationSettings()
    item_types: dict[str, ItemType] = Field(default_factory=dict)
    attachment: AttachmentSettings = AttachmentSettings()
    drift: DriftSettings = DriftSettings()

    def item_type(self, category: str | None) -> ItemType | None:
        """The item type of a category: its override, else the default."""
        return self.item_types.get(category or "") or self.service_quotation.default_item_type


def zone_of(settings: ConnectionSettings | None, *, tenant_zone: str) -> ZoneInfo:
    """The connection's time zone: the one that its settings name, else its BMS tenant's."""
    name = settings.opportunity.time_zone if settings else None
    return ZoneInfo(name or tenant_zone)
