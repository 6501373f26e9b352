"""The tenant itself: its employees, attachments, settings and look-up tables, and who we are in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.kaseya.errors import KaseyaContractError
from app.kaseya.records import AccountType, Attachment, Employee, LookupRow, SystemSettings, UserInfo
from app.kaseya.resource import Resource, read_record

_EMPLOYEES = "/v2/hr/employees/searchselect"
_ATTACHMENTS = "/v2/system/attachments/{moduleId}/{objectId}"
_SWAGGER = "/swagger/v2/swagger.json"


class Employees(Resource):
    """Who works at the MSP."""

    async def search(self, text: str) -> list[Employee]:
        """List employees whom BMS finds by the text, which it compares with names and addresses."""
        return await self._list_paged(Employee, "GET", _EMPLOYEES, query={"Filter.Filter_Text": text})

    async def list(self, active: bool | None = None) -> list[Employee]:  # noqa: FBT001 - a filter, named at every call
        """List all employees, or only the active or inactive ones."""
        return await self._list_paged(Employee, "GET", _EMPLOYEES, query={"Filter.IsActive": active})


class Attachments(Resource):
    """Files attached to records; which module id stands for opportunities differs between tenants."""

    async def list(self, module_id: int, object_id: int) -> list[Attachment]:
        """List the files of a record."""
        return await self._list_paged(Attachment, "GET", _ATTACHMENTS, path=_place(module_id, object_id))

    async def upload(
        self, module_id: int, object_id: int, filename: str, content: bytes, content_type: str
    ) -> Attachment:
        """Attach a file; BMS never replaces one of the same name."""
        files = {"formFile": (filename, content, content_type)}
        path = _place(module_id, object_id)
        result = await self._transport.request("POST", _ATTACHMENTS, path=path, files=files, creates=True)
        newest = result[-1] if isinstance(result, list) else result
        return read_record(Attachment, newest, "POST", _ATTACHMENTS)

    async def delete(self, module_id: int, object_id: int, attachment_id: int) -> None:
        """Remove a file; KaseyaNotFoundError where it is gone already."""
        path = {**_place(module_id, object_id), "attachmentId": attachment_id}
        await self._transport.request("DELETE", _ATTACHMENTS + "/{attachmentId}", path=path)


class System(Resource):
    """Settings, look-up tables and the tenant's own description of its API."""

    async def settings(self) -> SystemSettings:
        """Read the tenant's settings."""
        return await self._one(SystemSettings, "GET", "/v2/system/settings")

    async def lookup(self, table: str) -> list[LookupRow]:
        """List the rows of a look-up table; the tables' names are not published."""
        return await self._list(LookupRow, "GET", "/v2/system/lookup/{tableName}", path={"tableName": table})

    async def tenant_lookup(self, table: str) -> list[LookupRow]:
        """List the rows of a look-up table that this tenant maintains itself."""
        return await self._list(LookupRow, "GET", "/v2/system/tenantlookup/{tableName}", path={"tableName": table})

    async def account_types(self) -> list[AccountType]:
        """List the kinds of accounts."""
        return await self._list(AccountType, "GET", "/v2/system/accounttypes/lookup")

    async def knock(self) -> None:
        """Ask once, without a token, whether BMS is there at all; raises KaseyaTransientError where it is not."""
        await self._transport.knock()

    async def swagger(self) -> Mapping[str, Any]:
        """Read the API's own description, with all its keys in lower case; `read_capabilities` takes it so."""
        document = await self._transport.request("GET", _SWAGGER)
        if not isinstance(document, dict):
            message = "The API's own description (swagger) cannot be understood: it is not an object."
            raise KaseyaContractError(message, endpoint=f"GET {_SWAGGER}")
        return document


class Security(Resource):
    """Who we are to BMS."""

    async def user_info(self) -> UserInfo:
        """Read the user we are signed in as."""
        return await self._one(UserInfo, "GET", "/v2/security/userinfo")

    async def sign_in(self) -> None:
        """Sign in now, whatever token is held; raises KaseyaCredentialsError where BMS refuses."""
        await self._transport.sign_in()


def _place(module_id: int, object_id: int) -> dict[str, object]:
    return {"moduleId": module_id, "objectId": object_id}
