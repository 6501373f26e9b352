"""Faults on demand: which call goes wrong next, and how."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What goes wrong. `before` and `after` say whether BMS has applied the call."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    SLOW = "slow"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    SUCCESS_FALSE = "success_false"
    MISSING_ID = "missing_id"
    TRUNCATED_BODY = "truncated_body"
    EXPIRED_TOKEN = "expired_token"
    THROTTLE = "throttle"
    LATE_APPLY = "late_apply"
    STALE_LIST = "stale_list"


@dataclass(slots=True)
class Fault:
    """One ordered fault: for which calls, of which kind, how often (`times` null: until taken away)."""

    kind: FaultKind
    method: str = "*"
    template: str = "*"
    times: int | None = 1
    skip: int = 0
    status: int = 503
    seconds: float = 2.0
    probability: float = 1.0

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Fault:
        """Read a fault as the control surface gets it. Raises ValueError, in a sentence, for what makes none."""
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown or "kind" not in values:
            wrong = f"has no {', '.join(unknown)}" if unknown else "needs a kind"
            raise ValueError(f"A fault {wrong}. Its fields: {', '.join(sorted(known))}.")
        if values["kind"] not in set(FaultKind):
            raise ValueError(f"There is no fault {values['kind']!r}. There are: {', '.join(FaultKind)}.")
        return cls(**{**values, "kind": FaultKind(values["kind"])})

    def as_record(self) -> dict[str, Any]:
        """Return the fault as the control surface shows it."""
        return asdict(self)

    def fits(self, method: str, template: str) -> bool:
        """Whether a call of this method and template can meet the fault."""
        return self.method.upper() in ("*", method) and self.template in ("*", template)


class Faults:
    """The faults that wait for their call, oldest first."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.waiting: list[Fault] = []

    def take(self, method: str, template: str) -> Fault | None:
        """Return the fault that this call meets, counted as used, or None."""
        for fault in self.waiting:
            if not fault.fits(method, template):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if self._chance.random() >= fault.probability:
                continue
            self._use(fault)
            return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times <= 0:
            self.waiting.remove(fault)
