"""The one pretended tenant: what it holds, how it is set, what it has seen."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.errors import RefusedError
from sandbox.faults import Faults
from sandbox.limits import CallLimits
from sandbox.security import Security
from sandbox.settings import Settings
from sandbox.shapes import Record
from sandbox.store import Store

# Enough for any test or simulation, and still bounded for a sandbox that is left running.
REMEMBERED_CALLS = 200_000


@dataclass(slots=True)
class Call:
    """One HTTP request that arrived, as the control surface shows it."""

    at: datetime
    method: str
    path: str
    template: str | None = None
    query: Record = field(default_factory=dict)
    body: Any = None
    status: int | None = None
    applied: bool = False
    fault: str | None = None

    @property
    def key(self) -> str:
        """The name that the call is counted under."""
        return f"{self.method} {self.template or self.path}"


class World:
    """Everything that the handlers may look at and change."""

    def __init__(self, clock: Callable[[], datetime], settings: Settings, chance: random.Random) -> None:
        self._clock = clock
        self._initial_settings = settings
        self.settings = settings
        self.store = Store(clock)
        self.security = Security(clock)
        self.limits = CallLimits(clock)
        self.faults = Faults(chance)
        self.calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)
        self.counts: Counter[str] = Counter()
        self.violations: list[Record] = []
        self.down_until: datetime | None = None
        self.is_down_for_good = False

    def clear(self) -> None:
        """Forget everything, settings included."""
        self.settings = self._initial_settings
        self.store.clear()
        self.security.clear()
        self.limits.clear()
        self.faults.waiting.clear()
        self.forget_calls()
        self.violations.clear()
        self.come_up()

    def forget_calls(self) -> None:
        """Forget the calls seen; the hourly limit remembers them."""
        self.calls.clear()
        self.counts.clear()

    def now(self) -> datetime:
        """Return the present time, in UTC."""
        return self._clock()

    def today(self) -> date:
        """Return the present day in the tenant's own time zone."""
        return self.now().astimezone(ZoneInfo(self.settings.time_zone)).date()

    @property
    def token_lifetime(self) -> timedelta:
        """How long an access token is good for."""
        return timedelta(seconds=self.settings.token_lifetime_seconds)

    def go_down(self, seconds: float | None) -> None:
        """Drop every connection from now on: for some seconds, or until told otherwise."""
        self.is_down_for_good = seconds is None
        self.down_until = None if seconds is None else self.now() + timedelta(seconds=seconds)

    def come_up(self) -> None:
        """Answer again."""
        self.is_down_for_good, self.down_until = False, None

    @property
    def is_down(self) -> bool:
        """Whether connections are dropped at present."""
        return self.is_down_for_good or (self.down_until is not None and self.now() < self.down_until)

    def remember(self, call: Call) -> None:
        """Note a call."""
        self.calls.append(call)
        self.counts[call.key] += 1

    def violate(self, call: Call, message: str, problems: list[Record] | None = None) -> None:
        """Note that the client did something that the contract does not allow."""
        entry = {"at": call.at, "method": call.method, "path": call.path, "message": message}
        self.violations.append(entry | {"problems": problems or []})

    def known(self, collection: str, record_id: int | None, what: str, *, is_violation: bool = False) -> Record:
        """Return the record that a body or path refers to. Raises RefusedError naming `what` when there is none."""
        record = self.store.find(collection, record_id)
        if record is None:
            raise RefusedError(f"{what} {record_id} is not known.", is_violation=is_violation)
        return record

    def belonging(self, collection: str, record_id: int | None, what: str, *, account_id: int) -> Record:
        """Return a location or contact of an account. Raises RefusedError for one of another account."""
        record = self.known(collection, record_id, what)
        if record["AccountId"] != account_id:
            raise RefusedError(f"{what} {record_id} does not belong to account {account_id}.", is_violation=True)
        return record

    def active(self, collection: str, record_id: int | None, what: str) -> Record:
        """Return a record that is still in use. Raises RefusedError for an unknown or inactive one."""
        record = self.known(collection, record_id, what)
        if not record["IsActive"]:
            raise RefusedError(f"{what} {record_id} is not active.")
        return record

    def lookup(self, table: str, record_id: int | None, what: str) -> Record:
        """Return a row of a look-up table. Raises RefusedError for one that is not in it."""
        record = self.known("lookups", record_id, what)
        if record["Table"] != table:
            raise RefusedError(f"{what} {record_id} is not known.")
        return record

    def name(self, collection: str, record_id: int | None, field_name: str = "Name") -> Any:  # noqa: ANN401 - a record's field
        """Return one field of a record, or None when there is no such record."""
        record: Mapping[str, Any] | None = self.store.find(collection, record_id)
        return None if record is None else record.get(field_name)
