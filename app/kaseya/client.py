"""The typed client: BMS's paths, grouped as the vendor groups them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.kaseya.crm import Accounts, Contacts, Locations, Opportunities
from app.kaseya.inventory import Products, Services, Warehouses
from app.kaseya.quotations import Quotations
from app.kaseya.tenant import Attachments, Employees, Security, System

if TYPE_CHECKING:
    from app.kaseya.capabilities import Capability
    from app.kaseya.transport import Transport


class KaseyaClient:
    """All of one BMS tenant that quotes touch. `capabilities` are what its swagger offers beyond the contract.

    Every method raises KaseyaError, and lets through what the transport's gate raises.
    """

    def __init__(self, transport: Transport, *, capabilities: frozenset[Capability] = frozenset()) -> None:
        self.capabilities = capabilities
        self.accounts = Accounts(transport)
        self.locations = Locations(transport)
        self.contacts = Contacts(transport)
        self.opportunities = Opportunities(transport)
        self.quotations = Quotations(transport, capabilities)
        self.services = Services(transport)
        self.products = Products(transport, capabilities)
        self.warehouses = Warehouses(transport)
        self.employees = Employees(transport)
        self.attachments = Attachments(transport)
        self.system = System(transport)
        self.security = Security(transport)
