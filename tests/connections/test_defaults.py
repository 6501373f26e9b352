from decimal import Decimal

import pytest

from app.connections.checks import Known
from app.connections.defaults import Seen, propose
from app.kaseya import AccountType, Employee, LookupRow, OpportunityStatus, Warehouse


def status(status_id: int, base: str | None, *, probability: int = 0, is_active: bool = True) -> OpportunityStatus:
    return OpportunityStatus(
        id=status_id, status_action_name=base, probability=Decimal(probability), is_active=is_active
    )


def test_an_empty_tenant_leaves_every_needed_setting_to_a_person() -> None:
    proposed = propose(Seen(known=Known()))
    assert "/status_mapping/pending" in proposed.missing
    assert "/opportunity/default_sales_employee_id" in proposed.missing
    assert len(proposed.missing) == 9


def test_pending_becomes_the_likeliest_active_open_status() -> None:
    statuses = [
        status(1, "Open", probability=10),
        status(2, " OPEN ", probability=50),
        status(3, "Open", probability=90, is_active=False),
        status(4, "Won", probability=100),
        status(5, "Lost"),
        status(6, None, probability=99),
    ]
    mapping = propose(Seen(known=Known(statuses=statuses))).settings["status_mapping"]
    assert mapping == {"pending": "2", "accepted": "4", "ordered": None, "fulfilled": None, "lost": "5"}


@pytest.mark.parametrize(("count", "proposed"), [(0, None), (1, "1"), (2, None)])
def test_only_the_only_warehouse_is_proposed(count: int, proposed: str | None) -> None:
    known = Known(warehouses=[Warehouse(id=number) for number in range(1, count + 1)])
    assert propose(Seen(known=known)).settings["service_quotation"]["default_warehouse_id"] == proposed


def test_the_active_employee_with_the_api_users_address_sells_and_manages() -> None:
    known = Known(
        employees=[
            Employee(id=1, email_address="api@msp.example", is_active=False),
            Employee(id=2, email_address="API@msp.example "),
            Employee(id=3, email_address=None),
        ]
    )
    settings = propose(Seen(known=known, user_email="api@msp.example")).settings
    assert settings["opportunity"]["default_sales_employee_id"] == "2"
    assert settings["account"]["account_manager_id"] == "2"
    nobody = propose(Seen(known=known, user_email=None)).settings
    assert nobody["opportunity"]["default_sales_employee_id"] is None


def test_the_account_type_most_accounts_have_is_proposed_if_it_is_a_client() -> None:
    known = Known(
        account_types=[
            AccountType(id=1, is_client=True),
            AccountType(id=2, is_client=True),
            AccountType(id=3, is_vendor=True),
        ]
    )
    used = {"account-types": [LookupRow(id=3), LookupRow(id=2)]}
    assert propose(Seen(known=known, used=used)).settings["account"]["account_type_id"] == "2"
    assert propose(Seen(known=known)).settings["account"]["account_type_id"] == "1"
