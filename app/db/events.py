"""Reads of stored events."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement

from app.db.tables import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events of a connection are meant; what is None does not restrict."""

    disposition: str | None = None
    quote_id: str | None = None
    type: str | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None

    def conditions(self, connection_id: str) -> list[ColumnElement[bool]]:
        """The filter as conditions on ``events``; ``quote_id`` is that of a lane."""
        wanted: list[ColumnElement[bool]] = [Event.connection_id == connection_id]
        for column, value in (
            (Event.disposition, self.disposition),
            (Event.quote_id, self.quote_id),
            (Event.type, self.type),
        ):
            if value is not None:
                wanted.append(column == value)
        if self.received_after:
            wanted.append(Event.received_at >= self.received_after)
        if self.received_before:
            wanted.append(Event.received_at < self.received_before)
        return wanted
