"""The records that settings name: checked against BMS before the first write, so that nothing is half done."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

from app.directory import Directory
from app.kaseya import Employee, OpportunityStatus, Warehouse
from app.quotes.model import Status
from app.sync.errand import Errand
from app.sync.mapping import Desired, QuoteWarning, fold
from app.sync.mapping.desired import PersonWanted
from app.sync.problems import setting_gone

RowT = TypeVar("RowT")
FoundT = TypeVar("FoundT")


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the settings' records came to: who owns the opportunity, and its status row's probability."""

    owner_id: int
    probability: Decimal
    warnings: tuple[QuoteWarning, ...]


async def check_references(
    errand: Errand, desired: Desired, directory: Directory, *, sparing: bool = False
) -> References:
    """Find status, employee and warehouse; raises NeedsPersonError naming the setting whose record has gone.

    Under load, lists of a few minutes ago are good enough for who is ``sparing``.
    """
    look = partial(_look, errand, sparing=sparing)
    status_id = desired.opportunity.status_id
    probability = await look(directory.statuses, partial(_probability, status_id))
    if probability is None:
        raise setting_gone(_status_setting(errand), "opportunity status", status_id)
    person = desired.opportunity.owner
    owner = await look(directory.employees, partial(_owner, person))
    if owner is None:
        raise setting_gone("/opportunity/default_sales_employee_id", "employee", person.default_employee_id)
    if desired.quotation is not None:
        warehouse_id = desired.quotation.warehouse_id
        if not await look(directory.warehouses, partial(_has_warehouse, warehouse_id)):
            raise setting_gone("/service_quotation/default_warehouse_id", "warehouse", warehouse_id)
    return References(owner_id=owner.employee_id, probability=probability, warnings=owner.warnings)


async def _look(
    errand: Errand,
    read: Callable[..., Awaitable[tuple[RowT, ...]]],
    find: Callable[[Sequence[RowT]], FoundT | None],
    *,
    sparing: bool,
) -> FoundT | None:
    """What is found in a list as it is kept, else in BMS's own: what is missed may be new."""
    found = find(await read(errand.connection, errand.client, sparing=sparing))
    return found if found is not None else find(await read(errand.connection, errand.client, max_age=timedelta()))


def _probability(wanted: int, statuses: Sequence[OpportunityStatus]) -> Decimal | None:
    return next((status.probability for status in statuses if status.id == wanted), None)


def _status_setting(errand: Errand) -> str:
    """The setting that decides the status: ordered and fulfilled fall back on accepted."""
    status = errand.quote.status
    is_set = getattr(errand.settings.status_mapping, status) is not None
    return f"/status_mapping/{status if is_set else Status.ACCEPTED}"


def _has_warehouse(wanted: int, warehouses: Sequence[Warehouse]) -> bool | None:
    return any(each.id == wanted for each in warehouses) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owner:
    employee_id: int
    warnings: tuple[QuoteWarning, ...] = ()


def _owner(person: PersonWanted, employees: Sequence[Employee]) -> _Owner | None:
    """The active employee with the owner's e-mail, else the default one."""
    active = [each for each in employees if each.is_active]
    matching = [each.id for each in active if person.email and fold(each.email_address) == fold(person.email)]
    if matching:
        return _Owner(employee_id=min(matching))
    if all(each.id != person.default_employee_id for each in active):
        return None
    if not person.email:
        return _Owner(employee_id=person.default_employee_id)
    detail = f"No active BMS employee has the e-mail {person.email}: the default sales employee owns the opportunity."
    return _Owner(employee_id=person.default_employee_id, warnings=(QuoteWarning("owner_not_found", detail),))
