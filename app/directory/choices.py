"""What the settings page offers: each look-up as rows to choose from."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.db.tables import Connection
from app.directory.harvest import Harvested
from app.directory.lookups import Directory
from app.kaseya import Employee, KaseyaClient

NOT_PUBLISHED = (
    "BMS publishes no look-up for these; they were gathered from records that use them. "
    "One that is not listed can be entered by its id."
)
NOT_KNOWABLE = "BMS publishes no look-up for these, and no record tells them; enter the id that BMS shows."


@dataclass(frozen=True, slots=True)
class Choice:
    """One row; ``more`` are members that only its kind has."""

    id: int
    name: str
    is_active: bool = True
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choices:
    """The rows of one kind, and a sentence where they cannot be all."""

    rows: tuple[Choice, ...]
    note: str | None = None


Read = Callable[[Directory, Connection, KaseyaClient], Awaitable[Choices]]


async def _statuses(directory: Directory, connection: Connection, client: KaseyaClient) -> Choices:
    rows = await directory.statuses(connection, client)
    return Choices(
        tuple(
            Choice(
                row.id,
                row.name or "",
                row.is_active,
                {"base_status": row.status_action_name, "probability": f"{row.probability.normalize():f}"},
            )
            for row in rows
        )
    )


async def _warehouses(directory: Directory, connection: Connection, client: KaseyaClient) -> Choices:
    return Choices(tuple(Choice(row.id, row.name or "") for row in await directory.warehouses(connection, client)))


async def _account_types(directory: Directory, connection: Connection, client: KaseyaClient) -> Choices:
    rows = await directory.account_types(connection, client)
    return Choices(
        tuple(
            Choice(row.id, row.name or "", row.is_active, {"is_client": row.is_client, "is_vendor": row.is_vendor})
            for row in rows
        )
    )


async def _employees(directory: Directory, connection: Connection, client: KaseyaClient) -> Choices:
    rows = await directory.employees(connection, client)
    return Choices(tuple(Choice(row.id, _full_name(row), row.is_active, {"email": row.email_address}) for row in rows))


async def _item_types(_directory: Directory, _connection: Connection, _client: KaseyaClient) -> Choices:
    return Choices((), NOT_KNOWABLE)


def _used(read: Callable[..., Awaitable[Iterable[Harvested]]], table: str) -> Read:
    async def used(directory: Directory, connection: Connection, client: KaseyaClient) -> Choices:
        rows = [row for row in await read(directory, connection, client) if row.table == table]
        return Choices(tuple(Choice(row.id, row.name or f"Id {row.id}") for row in rows), NOT_PUBLISHED)

    return used


def _full_name(row: Employee) -> str:
    return f"{row.first_name or ''} {row.last_name or ''}".strip() or row.username or ""


CHOICES: Mapping[str, Read] = {
    "opportunity-statuses": _statuses,
    "opportunity-types": _used(Directory.used_in_opportunities, "opportunity-types"),
    "opportunity-ratings": _used(Directory.used_in_opportunities, "opportunity-ratings"),
    "lead-sources": _used(Directory.used_in_opportunities, "lead-sources"),
    "warehouses": _warehouses,
    "account-types": _account_types,
    "business-types": _used(Directory.used_in_accounts, "business-types"),
    "item-types": _item_types,
    "distributor-types": _item_types,
    "employees": _employees,
    "phone-types": _used(Directory.used_in_contacts, "phone-types"),
    "email-types": _used(Directory.used_in_contacts, "email-types"),
    "service-categories": _used(Directory.used_in_services, "service-categories"),
}
"""How each kind is read."""
