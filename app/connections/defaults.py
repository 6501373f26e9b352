"""Settings proposed from what a tenant has; what cannot be told from it is left for a person. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.connections.checks import Known
from app.kaseya import Employee, LookupRow, OpportunityStatus

REQUIRED = (
    "/account/account_type_id",
    "/account/business_type_id",
    "/account/account_manager_id",
    "/opportunity/type_id",
    "/opportunity/rating_id",
    "/opportunity/default_sales_employee_id",
    "/status_mapping/pending",
    "/status_mapping/accepted",
    "/status_mapping/lost",
)
"""The settings that have no default of their own."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """Settings in the form they are saved in; ``missing`` points at each null that a person must fill."""

    settings: dict[str, Any]
    missing: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a proposal is made of: the lists that BMS has, choices that its records use, and who signs in."""

    known: Known
    used: Mapping[str, Sequence[LookupRow]] = field(default_factory=dict)
    user_email: str | None = None


def propose(seen: Seen) -> Proposed:
    """Propose settings.

    Pending becomes an Open status, accepted and lost the Won and Lost ones; the only warehouse is the default one; the
    person whose e-mail signs in sells and manages accounts; types and ratings are those that are used most.
    Service quotations stay off: which item types a tenant has, BMS does not tell.
    """
    statuses = seen.known.statuses or ()
    warehouses = list(seen.known.warehouses or ())
    person = _person(seen.known.employees or (), seen.user_email)
    settings = {
        "account": {
            "create_missing": True,
            "account_type_id": _account_type(seen),
            "business_type_id": _most_used(seen, "business-types"),
            "account_manager_id": person,
            "phone_type_id": _most_used(seen, "phone-types"),
            "email_type_id": _most_used(seen, "email-types"),
        },
        "opportunity": {
            "type_id": _most_used(seen, "opportunity-types"),
            "rating_id": _most_used(seen, "opportunity-ratings"),
            "lead_source_id": None,
            "default_sales_employee_id": person,
            "name_template": "{number} {name}",
            "rename_on_update": False,
            "value_basis": "one_time",
            "recurring_periods": 1,
            "close_date": "expiry",
            "close_after_days": 30,
            "time_zone": None,
        },
        "status_mapping": {
            "pending": _status(statuses, "open"),
            "accepted": _status(statuses, "won"),
            "ordered": None,
            "fulfilled": None,
            "lost": _status(statuses, "lost"),
        },
        "service_quotation": {
            "enabled": False,
            "default_warehouse_id": str(warehouses[0].id) if len(warehouses) == 1 else None,
            "default_item_type": None,
            "distributor_type_id": "0",
            "expired_when_won": "skip",
        },
        "item_types": {},
        "attachment": {"push_pdf": True, "opportunity_module_id": None},
        "drift": {"sweep": "off", "found": "report"},
    }
    return Proposed(settings, [pointer for pointer in REQUIRED if _at(settings, pointer) is None])


def _status(statuses: Collection[OpportunityStatus], base: str) -> str | None:
    """The active status of this base; of several Open ones the likeliest to win, since a quote is out."""
    fitting = [row for row in statuses if row.is_active and (row.status_action_name or "").strip().casefold() == base]
    best = max(fitting, key=lambda row: (row.probability, -row.id), default=None)
    return None if best is None else str(best.id)


def _person(employees: Collection[Employee], email: str | None) -> str | None:
    wanted = (email or "").strip().casefold()
    found: Iterator[Employee] = (
        row for row in employees if wanted and row.is_active and (row.email_address or "").strip().casefold() == wanted
    )
    person = next(found, None)
    return None if person is None else str(person.id)


def _account_type(seen: Seen) -> str | None:
    """The kind of client that most accounts are, else the first one."""
    clients = [row.id for row in seen.known.account_types or () if row.is_active and row.is_client]
    used = [row.id for row in seen.used.get("account-types", ()) if row.id in clients]
    best = next(iter([*used, *clients]), None)
    return None if best is None else str(best)


def _most_used(seen: Seen, table: str) -> str | None:
    rows = seen.used.get(table, ())
    return str(rows[0].id) if rows else None


def _at(settings: Mapping[str, Any], pointer: str) -> object:
    value: Any = settings
    for part in pointer.strip("/").split("/"):
        value = value[part]
    return value
