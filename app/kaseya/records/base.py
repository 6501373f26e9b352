"""How BMS's records are read and written: letter case, times and money, in one place for all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, model_validator
from pydantic.alias_generators import to_pascal

CENT = Decimal("0.01")


def as_utc(moment: datetime) -> datetime:
    """Make a time aware, in UTC. BMS sends times without a zone; that they are UTC is our assumption."""
    if moment.year == 1:  # .NET's "no time"; any zone arithmetic would leave the calendar
        return moment.replace(tzinfo=UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def to_cents(amount: Decimal) -> Decimal:
    """Round half-up to the cent, away from zero for negative amounts too."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def _to_wire_time(moment: datetime) -> str:
    return as_utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


BmsDateTime = Annotated[datetime, AfterValidator(as_utc), PlainSerializer(_to_wire_time, when_used="json")]
"""A time in UTC, to the second on the wire; one that comes without a zone is taken for UTC."""

Money = Annotated[Decimal, PlainSerializer(lambda amount: float(to_cents(amount)), when_used="json")]
"""An amount; Decimal until it leaves, where BMS wants a double: rounded half-up to the cent, once, there."""

Number = Annotated[Decimal, PlainSerializer(float, when_used="json")]
"""A number that is not money, such as a quantity; leaves unrounded."""


class Record(BaseModel):
    """A record as BMS gives it. Keys are read in any letter case, unknown ones are left out."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=lambda field: field.replace("_", ""),
        validate_by_name=True,
        validate_by_alias=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _fold_keys(cls, value: object) -> object:
        return {str(key).lower(): each for key, each in value.items()} if isinstance(value, dict) else value


class Input(BaseModel):
    """A record as BMS takes it: PascalCase, fields that are None left out."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_pascal,
        validate_by_name=True,
        validate_by_alias=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON body."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
