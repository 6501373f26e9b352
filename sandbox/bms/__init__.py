"""The operations of BMS, grouped as the vendor groups its paths."""

from sandbox.bms import (
    accounts,
    attachments,
    contacts,
    employees,
    inventory,
    opportunities,
    quotations,
    security,
    services,
    swagger,
    system,
)
from sandbox.contract import Operations

OPERATIONS = Operations.of(
    (
        security.group,
        accounts.group,
        contacts.group,
        opportunities.group,
        quotations.group,
        services.group,
        inventory.group,
        inventory.warehouses,
        employees.group,
        employees.assignees,
        system.group,
        attachments.group,
        swagger.group,
    )
)
