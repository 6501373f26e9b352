"""What the pretended tenant holds: collections of records with ids and time stamps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sandbox.errors import MissingError
from sandbox.shapes import Record

STAMPS = ("CreatedBy", "CreatedOn", "ModifiedBy", "ModifiedOn")

# Each collection's own fields, with the value that a record has when nobody says otherwise.
BLANK: Mapping[str, Record] = {
    "account_types": {"Name": None, "IsActive": True, "IsClient": True, "IsVendor": False},
    "accounts": {
        "ParentId": None, "AccountCode": None, "AccountTypeId": None, "AccountName": None, "BusinessTypeId": None,
        "ServiceTypeId": None, "AccountManagerId": None, "CurrencyId": None, "CreditLimit": None, "NetDays": None,
        "SalesTaxItemId": None, "Website": None, "Description": None, "ClassId": None, "IsActive": True,
        "IsBilling": True, "AcquiredDate": None, "RouteInvoiceToParent": False,
    },
    "locations": {
        "AccountId": None, "LocationName": "Main", "IsMain": False, "IsActive": True, "TimeZoneId": None,
        "DateFormatId": None, "TimeFormatId": None, "Addresses": [],
    },
    "contacts": {
        "AccountId": None, "LocationId": None, "FirstName": None, "MiddleName": None, "LastName": None,
        "JobTitle": None, "IsPoc": False, "IsActive": True, "EffectiveDate": None, "IsBillable": False,
        "BillByContact": False, "ReceiveInvoices": False, "HasClientPortalAccess": False, "Emails": [], "Phones": [],
        "CustomFieldsData": [],
    },
    "statuses": {
        "Name": None, "Probability": 0.0, "IsActive": True, "IsPipeline": True, "StatusActionId": 1,
        "StatusActionName": "Open",
    },
    "opportunities": {
        "Subject": None, "StatusId": None, "AccountId": None, "AccountLocationId": None, "ContactId": None,
        "TypeId": None, "Probability": 0.0, "RatingId": None, "LeadSourceId": None, "SalesRepresentativeUserId": None,
        "Amount": 0.0, "Description": None, "CustomerPO": None, "CloseDate": None,
    },
    "opportunity_notes": {"OpportunityId": None, "Note": None},
    "quotations": {
        "QuotationNumber": None, "Name": None, "StatusId": 1, "StatusName": "Pending", "ExpiryDate": None,
        "OpportunityId": None, "AccountId": None, "LocationId": None, "ContactId": None,
        "SalesRepresentativeUserId": None, "WarehouseId": None, "Description": None,
    },
    "lines": {
        "QuotationId": None, "ItemTypeId": None, "DistributorTypeId": None, "ItemId": 0, "Name": None,
        "Description": None, "ExtDistReference": None, "Image": None, "UnitPrice": 0.0, "UnitCost": 0.0,
        "Quantity": None, "Margin": 0.0, "MarginType": 0, "Discount": 0.0, "Taxable": False,
    },
    "item_types": {"Name": None, "Kind": "other"},
    "distributor_types": {"Name": None},
    "services": {
        "Name": None, "Description": None, "UnitCost": 0.0, "UnitPrice": 0.0, "CategoryId": None, "SubCategoryId": None,
        "UnitOfMeasureId": None, "IncomeAccountId": None, "ExpenseAccountId": None, "IsActive": True,
        "IsTaxable": False, "Margin": None, "MarginType": None,
    },
    "products": {
        "ProductNumber": None, "ProductName": None, "ProductDescription": None, "SKU": None, "UPC": None,
        "UnitPrice": 0.0, "UnitCost": 0.0, "CategoryId": None, "Color": None, "Brand": None,
        "ProductManufacturer": None, "SerialNumber": None, "QTYInStock": 0.0, "IsActive": True,
    },
    "product_categories": {"Name": None, "Description": None, "IsActive": True},
    "warehouses": {"Name": None},
    "employees": {
        "FirstName": None, "LastName": None, "EmailAddress": None, "Username": None, "JobTitle": None, "IsActive": True,
    },
    "lookups": {"Table": None, "Name": None, "Description": None, "IsActive": True, "IsDefault": False},
    "attachments": {
        "OriginalFileName": None, "AliasName": None, "FileType": None, "ObjectId": None, "ModuleId": None,
        "Content": "", "Size": 0, "Sha256": None, "IsTemporary": False,
    },
    "attachment_modules": {"Name": None, "Collection": None},
}  # fmt: skip


class Store:
    """Records by collection and id. Ids are never used twice, also after a removal."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._records: dict[str, dict[int, Record]] = {}
        self._next_ids: dict[str, itertools.count[int]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._records = {name: {} for name in BLANK}
        self._next_ids = {name: itertools.count(5000 + 1000 * index) for index, name in enumerate(BLANK)}

    def add(
        self, collection: str, values: Mapping[str, Any], *, by: int | None = None, record_id: int | None = None
    ) -> Record:
        """Store a new record, stamped with the time and who made it, and return it."""
        number = next(self._next_ids[collection]) if record_id is None else record_id
        stamp = self._now()
        stamps = dict(zip(STAMPS, (by, stamp, by, stamp), strict=True))
        record: Record = {"Id": number} | BLANK[collection] | stamps | dict(values)
        self._records[collection][number] = record
        return record

    def change(self, collection: str, record_id: int, values: Mapping[str, Any], *, by: int | None = None) -> Record:
        """Apply `values` to a record. Raises MissingError when it is not there."""
        record = self.get(collection, record_id)
        record.update({"ModifiedBy": by, "ModifiedOn": self._now()} | dict(values))
        return record

    def remove(self, collection: str, record_id: int) -> None:
        """Take a record out. Raises MissingError when it is not there."""
        self.get(collection, record_id)
        del self._records[collection][record_id]

    def get(self, collection: str, record_id: int) -> Record:
        """Return a record. Raises MissingError when it is not there."""
        record = self.find(collection, record_id)
        if record is None:
            raise MissingError(f"There is no record {record_id} in {collection.replace('_', ' ')}.")
        return record

    def find(self, collection: str, record_id: int | None) -> Record | None:
        """Return a record, or None when it is not there."""
        return None if record_id is None else self._records[collection].get(record_id)

    def all(self, collection: str, **equal: object) -> Iterator[Record]:
        """Yield a collection's records, in the order of their making, whose fields equal those given."""
        for record in self._records[collection].values():
            if all(record[name] == value for name, value in equal.items()):
                yield record
