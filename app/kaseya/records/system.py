"""Employees, attachments, look-up tables, and what BMS says about itself and about us."""

from __future__ import annotations

from app.kaseya.records.base import BmsDateTime, Record


class Employee(Record):
    """Somebody who works at the MSP."""

    id: int
    first_name: str | None = None
    last_name: str | None = None
    email_address: str | None = None
    username: str | None = None
    job_title: str | None = None
    is_active: bool = True


class Attachment(Record):
    """A file attached to a record; `original_file_name` is the name it was uploaded under."""

    id: int
    original_file_name: str | None = None
    alias_name: str | None = None
    file_type: str | None = None
    object_id: int | None = None
    module_id: int | None = None
    url: str | None = None
    created_by_id: int | None = None
    created_by_name: str | None = None
    created_on: BmsDateTime | None = None


class LookupRow(Record):
    """One choice of a look-up table."""

    id: int
    name: str | None = None
    is_active: bool = True
    is_default: bool = False


class UserInfo(Record):
    """Who we are signed in as, and in which tenant."""

    user_id: int
    full_name: str | None = None
    email_address: str | None = None
    time_zone_name: str | None = None
    olson_time_zone_name: str | None = None
    tenant_id: int | None = None
    business_name: str | None = None
    currency_code: str | None = None
    culture_code: str | None = None
    is_user_system_admin: bool = False


class SystemSettings(Record):
    """The tenant's settings; an attachment may be this many megabytes large."""

    default_page_size: int | None = None
    maximum_attachment_file_sizein_mb: int | None = None
    brand_name: str | None = None
    product_name: str | None = None
    add_opportunity_url: str | None = None
