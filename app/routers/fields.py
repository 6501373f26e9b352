"""Parameters and members that several routes share."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) else value


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _without_nul(text: str) -> str:
    if "\0" in text:
        message = "a NUL character is not allowed here"
        raise ValueError(message)
    return text


def _is_written_out(value: object) -> object:
    if not isinstance(value, datetime) and "T" not in str(value).upper():
        message = "a time is written as 2026-03-02T10:15:00Z"
        raise ValueError(message)
    return value


# A bare number would be taken for seconds since 1970.
Time = Annotated[AwareDatetime, BeforeValidator(_is_written_out), AfterValidator(_in_utc)]
KaseyaIdText = Annotated[str, BeforeValidator(_as_text)]
Plain = Annotated[str, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": "^[^\\x00]*$"})]
Name = Annotated[Plain, Field(min_length=1, max_length=200)]
Search = Annotated[Plain, Field(max_length=200)]
QuoteId = Annotated[str, Path(pattern="^[A-Za-z0-9._:~-]{1,128}$", description="the frontend's id of the quote")]
EventId = Annotated[str, Path(pattern="^evt_[0-9a-z]{26}$")]
IssueId = Annotated[str, Path(pattern="^[a-z]{2,4}_[0-9a-z]{26}$")]
KeyId = Annotated[str, Path(pattern="^key_[0-9a-z]{26}$")]
