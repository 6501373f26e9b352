"""Accounts, their locations and addresses, and contacts."""

from __future__ import annotations

from typing import Any, Self

from pydantic import AliasChoices, Field, model_validator

from app.kaseya.records.base import BmsDateTime, Input, Record


class Address(Record):
    """One address of a location."""

    id: int | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    zip_code: str | None = None
    country_id: int | None = None
    country: str | None = None
    phone: str | None = None
    fax: str | None = None
    email_address: str | None = None
    is_main: bool = False
    is_billing: bool = False


class Location(Record):
    """A location of an account; its look-up gives name and `is_main` only, and lists no inactive ones."""

    id: int
    location_name: str | None = Field(
        default=None, validation_alias=AliasChoices("locationname", "name", "location_name")
    )
    account_id: int | None = None
    is_main: bool = False
    is_active: bool = True
    addresses: tuple[Address, ...] = ()

    @property
    def name(self) -> str:
        """The location's name, empty where BMS has none."""
        return self.location_name or ""


class Account(Record):
    """A company."""

    id: int
    account_name: str | None = None
    account_code: str | None = None
    account_type_id: int | None = None
    account_type: str | None = None
    business_type_id: int | None = None
    business_type: str | None = None
    account_manager_id: int | None = None
    account_manager_user_name: str | None = None
    website: str | None = None
    description: str | None = None
    is_active: bool = True
    created_on: BmsDateTime | None = None
    modified_on: BmsDateTime | None = None
    locations: tuple[Location, ...] = ()


class AccountLookup(Record):
    """An account as the look-up gives it."""

    id: int
    name: str | None = None
    is_active: bool = True


class AccountType(Record):
    """A kind of account, such as client or vendor."""

    id: int
    name: str | None = None
    is_active: bool = True
    is_client: bool = False
    is_vendor: bool = False


class ContactEmail(Record):
    """One e-mail address of a contact."""

    email_address: str | None = None
    email_type_id: int | None = None
    email_type: str | None = None
    is_default: bool = False


class ContactPhone(Record):
    """One telephone number of a contact."""

    phone: str | None = None
    phone_type_id: int | None = None
    phone_type: str | None = None
    is_default: bool = False


class Contact(Record):
    """A person at an account.

    BMS gives a contact in three shapes, with one e-mail address and phone number, or with lists of them;
    `email_address` and `phone_number` are there in all: the default one of a list, else its first.
    """

    id: int
    account_id: int | None = None
    account_name: str | None = None
    location_id: int | None = None
    location_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    email_address: str | None = None
    phone_number: str | None = None
    is_poc: bool = False
    is_active: bool = True
    created_on: BmsDateTime | None = None
    emails: tuple[ContactEmail, ...] = ()
    phones: tuple[ContactPhone, ...] = ()

    @model_validator(mode="after")
    def _take_defaults(self) -> Self:
        taken: dict[str, Any] = {}
        if self.email_address is None and self.emails:
            taken["email_address"] = max(self.emails, key=lambda each: each.is_default).email_address
        if self.phone_number is None and self.phones:
            taken["phone_number"] = max(self.phones, key=lambda each: each.is_default).phone
        for name, value in taken.items():
            object.__setattr__(self, name, value)  # frozen for everybody else
        return self


class AddressInput(Input):
    """An address of a new location."""

    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    zip_code: str | None = None
    country_id: int | None = None
    country: str | None = None
    phone: str | None = None
    email_address: str | None = None
    is_main: bool = True
    is_billing: bool = False


class LocationInput(Input):
    """A location of a new account; BMS makes locations together with their account only."""

    location_name: str = Field(min_length=1)
    is_main: bool = True
    is_active: bool = True
    addresses: tuple[AddressInput, ...] = ()


class AccountInput(Input):
    """A new account. `account_manager_id` is an employee's id."""

    account_name: str = Field(min_length=1)
    account_type_id: int
    business_type_id: int
    account_manager_id: int
    locations: tuple[LocationInput, ...]
    account_code: str | None = None
    description: str | None = None
    website: str | None = None
    is_active: bool = True
    acquired_date: BmsDateTime | None = None


class EmailInput(Input):
    """An e-mail address of a new contact."""

    email_address: str
    email_type_id: int
    is_default: bool = True


class PhoneInput(Input):
    """A telephone number of a new contact."""

    phone_number: str
    phone_type_id: int
    is_default: bool = True


class ContactInput(Input):
    """A new contact; the location must be one of the account's."""

    first_name: str | None = None
    last_name: str | None = None
    account_id: int
    location_id: int
    phones: tuple[PhoneInput, ...] = ()
    emails: tuple[EmailInput, ...] = ()
