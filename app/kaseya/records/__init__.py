"""BMS's records under the vendor's own names: what it gives, and (…Input) what it takes."""

from app.kaseya.records.accounts import (
    Account,
    AccountInput,
    AccountLookup,
    AccountType,
    Address,
    AddressInput,
    Contact,
    ContactEmail,
    ContactInput,
    ContactPhone,
    EmailInput,
    Location,
    LocationInput,
    PhoneInput,
)
from app.kaseya.records.base import to_cents
from app.kaseya.records.items import PricingLevel, Product, ProductInput, Service, ServiceInput, Warehouse
from app.kaseya.records.opportunities import Opportunity, OpportunityInput, OpportunityNote, OpportunityStatus
from app.kaseya.records.quotations import LineItem, LineItemInput, Quotation, QuotationInput, QuotationSummary
from app.kaseya.records.system import Attachment, Employee, LookupRow, SystemSettings, UserInfo

__all__ = [
    "Account",
    "AccountInput",
    "AccountLookup",
    "AccountType",
    "Address",
    "AddressInput",
    "Attachment",
    "Contact",
    "ContactEmail",
    "ContactInput",
    "ContactPhone",
    "EmailInput",
    "Employee",
    "LineItem",
    "LineItemInput",
    "Location",
    "LocationInput",
    "LookupRow",
    "Opportunity",
    "OpportunityInput",
    "OpportunityNote",
    "OpportunityStatus",
    "PhoneInput",
    "PricingLevel",
    "Product",
    "ProductInput",
    "Quotation",
    "QuotationInput",
    "QuotationSummary",
    "Service",
    "ServiceInput",
    "SystemSettings",
    "UserInfo",
    "Warehouse",
    "to_cents",
]
