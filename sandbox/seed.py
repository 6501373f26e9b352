"""The small MSP that the sandbox starts with. Ids are fixed, so that tests and demos can name them.

Sign-in: company `Example MSP`, user `api@msp.example`, password `sandbox-password`;
`mfa@msp.example` with the same password also needs a code for the secret `JBSWY3DPEHPK3PXP`.

| what                     | ids                                                                                   |
|--------------------------|---------------------------------------------------------------------------------------|
| employees                | 11 Sam Seller, 12 Dana Default, 13 Ian Inactive (inactive), 14 Api User, 15 Mia Mfa   |
| account types            | 1 Customer, 2 Prospect, 3 Vendor                                                      |
| business types           | 21 General, 22 Manufacturing                                                          |
| opportunity types        | 31 Consulting, 32 Hardware                                                            |
| opportunity ratings      | 41 Hot, 42 Medium, 43 Cold                                                            |
| lead sources             | 51 Web Site, 52 Referral                                                              |
| e-mail · phone types     | 61 Work Email, 62 Personal Email · 71 Work Phone, 72 Mobile                           |
| opportunity statuses     | 101 Open 10 %, 102 Quoted 50 %, 103 Won 100 %, 104 Lost 0 %, 105 Old quote (inactive) |
| accounts                 | 1001 Example Gadgets Inc, 1002 Example Gadgets Incorporated                           |
|                          | 1003 Dormant Example LLC (inactive)                                                   |
| locations                | 1101 Main and 1102 Branch of 1001, 1103 Main of 1002, 1104 Main of 1003               |
| contacts                 | 1201 Gail Gadget and 1202 Bert Branch of 1001, 1203 Ivy Incorporated of 1002          |
| opportunities            | 1301 Office move (open), 1302 Server refresh (won), both of 1001                      |
| warehouse                | 201 Main warehouse                                                                    |
| item types · distributor | 301 Service, 302 Product, 303 Other · 311 None                                        |
| services                 | 401 Senior engineer hour (175.00, cost 70.00), 402 Security assessment (360.00, cost 0) |
| products                 | 501 SW-24 Switch 24 ports (480.00, cost 310.00), 502 AP-6 Access point                |
| product category         | 551 Network                                                                           |
| attachment modules       | 22 tickets, 47 opportunities                                                          |

Item types and distributor types have no look-up in the published contract: a client has to be told their ids.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.bms.accounts import add_location
from sandbox.security import User
from sandbox.world import World

COMPANY = "Example MSP"
USERNAME = "api@msp.example"
MFA_USERNAME = "mfa@msp.example"
PASSWORD = "sandbox-password"
MFA_SECRET = "JBSWY3DPEHPK3PXP"
OPPORTUNITY_MODULE_ID = 47
TICKET_MODULE_ID = 22

_OLD = datetime.fromisoformat("2026-01-05T15:00:00+00:00")

_ROWS: dict[str, dict[int, dict[str, Any]]] = {
    "employees": {
        11: {"FirstName": "Sam", "LastName": "Seller", "EmailAddress": "sam@msp.example", "Username": "sam"},
        12: {"FirstName": "Dana", "LastName": "Default", "EmailAddress": "dana@msp.example", "Username": "dana"},
        13: {
            "FirstName": "Ian",
            "LastName": "Inactive",
            "EmailAddress": "ian@msp.example",
            "Username": "ian",
            "IsActive": False,
        },
        14: {"FirstName": "Api", "LastName": "User", "EmailAddress": USERNAME, "Username": USERNAME},
        15: {"FirstName": "Mia", "LastName": "Mfa", "EmailAddress": MFA_USERNAME, "Username": MFA_USERNAME},
    },
    "account_types": {
        1: {"Name": "Customer"},
        2: {"Name": "Prospect"},
        3: {"Name": "Vendor", "IsClient": False, "IsVendor": True},
    },
    "lookups": {
        21: {"Table": "BusinessType", "Name": "General", "IsDefault": True},
        22: {"Table": "BusinessType", "Name": "Manufacturing"},
        31: {"Table": "OpportunityType", "Name": "Consulting", "IsDefault": True},
        32: {"Table": "OpportunityType", "Name": "Hardware"},
        41: {"Table": "OpportunityRating", "Name": "Hot"},
        42: {"Table": "OpportunityRating", "Name": "Medium", "IsDefault": True},
        43: {"Table": "OpportunityRating", "Name": "Cold"},
        51: {"Table": "LeadSource", "Name": "Web Site"},
        52: {"Table": "LeadSource", "Name": "Referral"},
        61: {"Table": "EmailType", "Name": "Work Email", "IsDefault": True},
        62: {"Table": "EmailType", "Name": "Personal Email"},
        71: {"Table": "PhoneType", "Name": "Work Phone", "IsDefault": True},
        72: {"Table": "PhoneType", "Name": "Mobile"},
        81: {"Table": "ContactType", "Name": "Customer", "IsDefault": True},
    },
    "statuses": {
        101: {"Name": "Open", "Probability": 10.0},
        102: {"Name": "Quoted", "Probability": 50.0},
        103: {
            "Name": "Won",
            "Probability": 100.0,
            "IsPipeline": False,
            "StatusActionId": 2,
            "StatusActionName": "Won",
        },
        104: {"Name": "Lost", "Probability": 0.0, "IsPipeline": False, "StatusActionId": 3, "StatusActionName": "Lost"},
        105: {"Name": "Old quote", "Probability": 25.0, "IsActive": False},
    },
    "accounts": {
        1001: {"AccountName": "Example Gadgets Inc", "AccountCode": "GADGETS", "Website": "https://gadgets.example"},
        1002: {"AccountName": "Example Gadgets Incorporated", "AccountCode": "GADGETS2"},
        1003: {"AccountName": "Dormant Example LLC", "IsActive": False},
    },
    "contacts": {
        1201: {"AccountId": 1001, "LocationId": 1101, "FirstName": "Gail", "LastName": "Gadget"},
        1202: {"AccountId": 1001, "LocationId": 1102, "FirstName": "Bert", "LastName": "Branch"},
        1203: {"AccountId": 1002, "LocationId": 1103, "FirstName": "Ivy", "LastName": "Incorporated"},
    },
    "opportunities": {
        1301: {"Subject": "Office move", "StatusId": 101, "Probability": 10.0, "Amount": 1500.0},
        1302: {"Subject": "Server refresh", "StatusId": 103, "Probability": 100.0, "Amount": 8200.0},
    },
    "warehouses": {201: {"Name": "Main warehouse"}},
    "item_types": {
        301: {"Name": "Service", "Kind": "service"},
        302: {"Name": "Product", "Kind": "product"},
        303: {"Name": "Other", "Kind": "other"},
    },
    "distributor_types": {311: {"Name": "None"}},
    "services": {
        401: {"Name": "Senior engineer hour", "UnitPrice": 175.0, "UnitCost": 70.0},
        402: {"Name": "Security assessment", "UnitPrice": 360.0},
    },
    "product_categories": {551: {"Name": "Network"}},
    "products": {
        501: {"ProductNumber": "SW-24", "ProductName": "Switch 24 ports", "SKU": "SW-24-POE", "UnitPrice": 480.0,
              "UnitCost": 310.0, "CategoryId": 551},
        502: {"ProductNumber": "AP-6", "ProductName": "Access point", "SKU": "AP-6-IN", "UnitPrice": 220.0,
              "UnitCost": 140.0, "CategoryId": 551},
    },
    "attachment_modules": {
        TICKET_MODULE_ID: {"Name": "Tickets"},
        OPPORTUNITY_MODULE_ID: {"Name": "Opportunities", "Collection": "opportunities"},
    },
}  # fmt: skip

_LOCATIONS = (
    (1101, 1001, "Main", True),
    (1102, 1001, "Branch", False),
    (1103, 1002, "Main", True),
    (1104, 1003, "Main", True),
)
_EMAILS = {1201: "gail@gadgets.example", 1202: "bert@gadgets.example", 1203: "ivy@incorporated.example"}


def plant(world: World) -> None:
    """Fill an empty world with the small MSP."""
    world.security.company = COMPANY
    world.security.users = {
        USERNAME: User(14, USERNAME, PASSWORD),
        MFA_USERNAME: User(15, MFA_USERNAME, PASSWORD, MFA_SECRET),
    }
    old = {"CreatedBy": 11, "CreatedOn": _OLD, "ModifiedBy": 11, "ModifiedOn": _OLD}
    for collection, rows in _ROWS.items():
        for record_id, values in rows.items():
            world.store.add(collection, old | _defaults(collection, record_id) | values, record_id=record_id)
    for location_id, account_id, name, is_main in _LOCATIONS:
        address = {"Address1": "1 Example St", "City": "Springfield", "State": "CA", "ZipCode": "90000", "IsMain": True}
        values = old | {"LocationName": name, "IsMain": is_main, "Addresses": [address]}
        add_location(world, account_id, values, record_id=location_id)


def _defaults(collection: str, record_id: int) -> dict[str, Any]:
    match collection:
        case "accounts":
            return {"AccountTypeId": 1, "BusinessTypeId": 21, "AccountManagerId": 12, "AcquiredDate": _OLD}
        case "contacts":
            work_email = {"Id": 1, "EmailAddress": _EMAILS[record_id], "EmailTypeId": 61, "EmailType": "Work Email"}
            work_phone = {"Id": 1, "Phone": f"555-{record_id}", "PhoneTypeId": 71, "PhoneType": "Work Phone"}
            return {"Emails": [work_email | {"IsDefault": True}], "Phones": [work_phone | {"IsDefault": True}]}
        case "opportunities":
            return {
                "AccountId": 1001,
                "AccountLocationId": 1101,
                "ContactId": 1201,
                "TypeId": 31,
                "RatingId": 42,
                "SalesRepresentativeUserId": 11,
                "CloseDate": "2026-12-31T00:00:00",
            }
        case _:
            return {}
