"""What can be switched while the sandbox runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, get_type_hints

from sandbox.contract import Contract


class Refusals(StrEnum):
    """How BMS says no: HTTP 200 with `success: false`, or a 4xx with a problem document."""

    ENVELOPE = "envelope"
    PROBLEM = "problem"


class SignInRefusals(StrEnum):
    """The HTTP status of a sign-in that is refused; the body is the envelope either way."""

    UNAUTHORIZED = "401"
    OK = "200"


class Casing(StrEnum):
    """The letter case of names in answers."""

    CAMEL = "camel"
    PASCAL = "pascal"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every switch, with the behaviour that the published contract suggests as its default."""

    contract: Contract = Contract.PUBLISHED
    call_limit: int = 1500
    call_window_seconds: float = 3600.0
    token_lifetime_seconds: float = 900.0
    token_expiry_without_zone: bool = False
    refusals: Refusals = Refusals.ENVELOPE
    sign_in_refusals: SignInRefusals = SignInRefusals.UNAUTHORIZED
    casing: Casing = Casing.CAMEL
    enveloped_summaries: bool = False
    mfa_required: bool = False
    time_zone: str = "America/New_York"

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return these settings with `changes` applied. Raises ValueError, in a sentence, for one that cannot be."""
        kinds = get_type_hints(Settings)
        unknown = sorted(set(changes) - set(kinds))
        if unknown:
            raise ValueError(f"There is no setting {', '.join(unknown)}. There are: {', '.join(sorted(kinds))}.")
        return replace(self, **{name: _read(name, kinds[name], value) for name, value in changes.items()})

    def as_record(self) -> dict[str, Any]:
        """Return all settings by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def _read(name: str, kind: type, value: object) -> Any:  # noqa: ANN401 - one of the settings' own types
    if kind is bool and not isinstance(value, bool):
        raise ValueError(f"The setting {name} is true or false, not {value!r}.")
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ValueError(f"The setting {name} cannot be {value!r}.") from None
