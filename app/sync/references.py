"""The records that settings name: checked against BMS before the first write, so that nothing is half done."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from app.directory import Directory
from app.kaseya import Employee
from app.quotes.model import Status
from app.sync.errand import Errand
from app.sync.mapping import Desired, QuoteWarning, fold
from app.sync.problems import setting_gone


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the settings' records came to: who owns the opportunity, and its status row's probability."""

    owner_id: int
    probability: Decimal
    warnings: tuple[QuoteWarning, ...]


async def check_references(errand: Errand, desired: Desired, directory: Directory) -> References:
    """Find status, employee and warehouse; raises NeedsPersonError naming the setting whose record has gone."""
    probability = await _probability(errand, desired, directory)
    employees = await directory.employees(errand.connection, errand.client)
    if _active(employees, desired.opportunity.owner.default_employee_id) is None:
        employees = await directory.employees(errand.connection, errand.client, max_age=timedelta())
    owner_id, warnings = _owner(desired, employees)
    if desired.quotation is not None:
        await _check_warehouse(errand, desired.quotation.warehouse_id, directory)
    return References(owner_id=owner_id, probability=probability, warnings=warnings)


async def _probability(errand: Errand, desired: Desired, directory: Directory) -> Decimal:
    wanted = desired.opportunity.status_id
    for max_age in (None, timedelta()):
        for status in await directory.statuses(errand.connection, errand.client, max_age=max_age):
            if status.id == wanted:
                return status.probability
    raise setting_gone(_status_setting(errand), "opportunity status", wanted)


def _status_setting(errand: Errand) -> str:
    """The setting that decides the status: ordered and fulfilled fall back on accepted."""
    status = errand.quote.status
    is_set = getattr(errand.settings.status_mapping, status) is not None
    return f"/status_mapping/{status if is_set else Status.ACCEPTED}"


async def _check_warehouse(errand: Errand, wanted: int, directory: Directory) -> None:
    for max_age in (None, timedelta()):
        if any(
            each.id == wanted for each in await directory.warehouses(errand.connection, errand.client, max_age=max_age)
        ):
            return
    raise setting_gone("/service_quotation/default_warehouse_id", "warehouse", wanted)


def _owner(desired: Desired, employees: tuple[Employee, ...]) -> tuple[int, tuple[QuoteWarning, ...]]:
    """The active employee with the owner's e-mail, else the default one."""
    person = desired.opportunity.owner
    matching = [
        each.id
        for each in employees
        if each.is_active and person.email and fold(each.email_address) == fold(person.email)
    ]
    if matching:
        return min(matching), ()
    if _active(employees, person.default_employee_id) is None:
        raise setting_gone("/opportunity/default_sales_employee_id", "employee", person.default_employee_id)
    if not person.email:
        return person.default_employee_id, ()
    detail = f"No active BMS employee has the e-mail {person.email}: the default sales employee owns the opportunity."
    return person.default_employee_id, (QuoteWarning("owner_not_found", detail),)


def _active(employees: tuple[Employee, ...], employee_id: int) -> Employee | None:
    return next((each for each in employees if each.id == employee_id and each.is_active), None)
