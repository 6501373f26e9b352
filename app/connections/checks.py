"""Whether settings can work in this tenant: each fault with the pointer of its setting. Pure."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from app.connections.model import ConnectionSettings
from app.kaseya import AccountType, Employee, OpportunityStatus, Warehouse


@dataclass(frozen=True, slots=True)
class Fault:
    """A setting that cannot work, by JSON pointer, and a sentence that says why."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What BMS holds. None is a list that could not be had: nothing is known to be missing from it."""

    statuses: Collection[OpportunityStatus] | None = None
    warehouses: Collection[Warehouse] | None = None
    employees: Collection[Employee] | None = None
    account_types: Collection[AccountType] | None = None


def missing_warehouse(settings: ConnectionSettings) -> Fault | None:
    """The fault of service quotations without a default warehouse: BMS takes no product line without one."""
    quotation = settings.service_quotation
    if not quotation.enabled or quotation.default_warehouse_id is not None:
        return None
    return Fault(
        "/service_quotation/default_warehouse_id",
        "Service quotations need a default warehouse; choose one, or switch service quotations off.",
    )


def unknown_references(settings: ConnectionSettings, known: Known) -> list[Fault]:
    """Every setting that names a record which BMS positively lacks, or which is inactive there."""
    mapping, account, quotation = settings.status_mapping, settings.account, settings.service_quotation
    statuses = {
        f"/status_mapping/{name}": getattr(mapping, name)
        for name in ("pending", "accepted", "ordered", "fulfilled", "lost")
    }
    employees = {
        "/account/account_manager_id": account.account_manager_id,
        "/opportunity/default_sales_employee_id": settings.opportunity.default_sales_employee_id,
    }
    return [
        *_faults(statuses, known.statuses, "opportunity status", is_active=lambda row: row.is_active),
        *_faults(employees, known.employees, "employee", is_active=lambda row: row.is_active),
        *_faults(
            {"/account/account_type_id": account.account_type_id},
            known.account_types,
            "account type",
            is_active=lambda row: row.is_active,
        ),
        *_faults(
            {"/service_quotation/default_warehouse_id": quotation.default_warehouse_id},
            known.warehouses,
            "warehouse",
            is_active=lambda _: True,
        ),
    ]


class _Row(Protocol):
    @property
    def id(self) -> int: ...


RowT = TypeVar("RowT", bound=_Row)


def _faults(
    settings: Mapping[str, int | None],
    rows: Collection[RowT] | None,
    noun: str,
    *,
    is_active: Callable[[RowT], bool],
) -> Iterator[Fault]:
    if rows is None:
        return
    by_id = {row.id: row for row in rows}
    for pointer, record_id in settings.items():
        if record_id is None:
            continue
        row = by_id.get(record_id)
        if row is None:
            yield Fault(pointer, f"BMS has no {noun} with the id {record_id}; choose one of those it lists.")
        elif not is_active(row):
            yield Fault(pointer, f"The {noun} with the id {record_id} is inactive in BMS; choose an active one.")
