"""What all resources share: a path plus a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from app.kaseya.answers import not_understood
from app.kaseya.envelope import Json
from app.kaseya.errors import KaseyaNotFoundError, KaseyaRejectedError
from app.kaseya.records.base import Record
from app.kaseya.transport.door import is_write

if TYPE_CHECKING:
    from app.kaseya.transport import Transport

RecordT = TypeVar("RecordT", bound=Record)
_SUCCESS = 200


class Resource:
    """A group of the vendor's paths, behind one Transport. Every method raises KaseyaError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _one(self, record: type[RecordT], method: str, template: str, **parts: Json) -> RecordT:
        """Call and read one record.

        A read without a result is a KaseyaNotFoundError. So is one by id that BMS refuses under HTTP 200: whether an
        unknown id is a 404 or ``success: false`` is not published. What BMS said stays in the error's text.
        """
        endpoint, reads = f"{method} {template}", not is_write(method, template)
        try:
            result = await self._transport.request(method, template, **parts)
        except KaseyaRejectedError as error:
            if not (reads and "path" in parts and error.status == _SUCCESS):
                raise
            raise KaseyaNotFoundError(str(error), status=_SUCCESS, code=error.code, endpoint=endpoint) from error
        if result is None and reads:
            message = f"BMS has no such record (it answered {endpoint} with nothing)."
            raise KaseyaNotFoundError(message, status=_SUCCESS, endpoint=endpoint)
        return read_record(record, result, method, template)

    async def _list(self, record: type[RecordT], method: str, template: str, **parts: Json) -> list[RecordT]:
        """Call and read a list that comes whole."""
        result = await self._transport.request(method, template, **parts)
        if not isinstance(result, list | None):
            raise not_understood(f"{method} {template}", "it is not a list", is_write=is_write(method, template))
        return [read_record(record, each, method, template) for each in result or ()]

    async def _list_paged(self, record: type[RecordT], method: str, template: str, **parts: Json) -> list[RecordT]:
        """Call and read a list that comes in pages; a record that moved to the next page meanwhile is told once."""
        records: dict[RecordT, None] = {}
        async for page in self._transport.request_paged(method, template, **parts):
            records.update(dict.fromkeys(read_record(record, each, method, template) for each in page))
        return list(records)


def read_record(record: type[RecordT], value: Json, method: str, template: str) -> RecordT:
    """Read one record; a write's answer that is none leaves the write in doubt, a read's cannot be understood."""
    try:
        return record.model_validate(value)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, each["loc"])) or "the record" for each in error.errors()}))
        reason = f"{fields} of {record.__name__} is not as published"
        raise not_understood(f"{method} {template}", reason, is_write=is_write(method, template)) from None
