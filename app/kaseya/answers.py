"""What one HTTP answer of BMS means for the call that was made: a result, or an error whose class is the decision."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from app.kaseya.envelope import SECURITY_ERROR, Envelope, Failure, Json, open_envelope, parse_json, read_failure
from app.kaseya.errors import (
    KaseyaAmbiguousError,
    KaseyaContractError,
    KaseyaError,
    KaseyaNotFoundError,
    KaseyaRejectedError,
    KaseyaThrottledError,
    KaseyaTransientError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PAUSE = timedelta(days=1)
"""A longer Retry-After is taken for a mistake and cut to this."""

_REDIRECTS, _CLIENT_ERRORS, _SERVER_ERRORS = range(300, 400), range(400, 500), range(500, 600)
_UNAUTHORIZED, _NOT_FOUND, _REQUEST_TIMEOUT, _TOO_MANY, _UNAVAILABLE = 401, 404, 408, 429, 503


class UnauthorizedError(KaseyaRejectedError):
    """The access token was not accepted. The door renews it; callers never see this class."""

    outcome = "unauthorized"


def read_answer(
    endpoint: str, *, status: int, headers: Mapping[str, str], body: bytes, is_write: bool, creates: bool, now: datetime
) -> Envelope:
    """Return the opened envelope of a success; raise the KaseyaError that says what to do otherwise.

    `creates` says that the result must name the new record's id: without it nobody can tell whether it exists.
    """
    if status in _SERVER_ERRORS or status in (_TOO_MANY, _REQUEST_TIMEOUT):
        raise _unserved(endpoint, status, headers, body, is_write=is_write, now=now)
    if status in _REDIRECTS:
        text = f"BMS answered {endpoint} with a redirect; the base URL of this connection is probably not the API's."
        raise KaseyaRejectedError(text, status=status, endpoint=endpoint)
    if status in _CLIENT_ERRORS:
        raise refusal(endpoint, status, read_failure(body))
    envelope = _read_success(endpoint, body, is_write=is_write)
    if envelope.failure is not None:
        raise refusal(endpoint, status, envelope.failure)
    if creates and not names_a_record(envelope.result):
        text = f"BMS answered {endpoint} without the new record's id; it may or may not have been created."
        raise KaseyaAmbiguousError(text, endpoint=endpoint)
    return envelope


def refusal(endpoint: str, status: int, failure: Failure) -> KaseyaRejectedError:
    """Build the error for a plain no."""
    reason = failure.message or f"HTTP {status}, without a reason"
    message = f"BMS refused {endpoint}: {reason}"
    if status == _UNAUTHORIZED or failure.code == SECURITY_ERROR:
        kind: type[KaseyaRejectedError] = UnauthorizedError
    else:
        kind = KaseyaNotFoundError if status == _NOT_FOUND else KaseyaRejectedError
    return kind(message, status=status, code=failure.code, details=failure.details, endpoint=endpoint)


def unanswered(endpoint: str, reason: str, *, is_write: bool, pause: timedelta | None = None) -> KaseyaError:
    """Build the error for a call that was (perhaps partly) sent and got no complete answer."""
    if is_write:
        text = f"{endpoint} was sent, but {reason}; BMS may or may not have applied it."
        return KaseyaAmbiguousError(text, retry_after=pause, endpoint=endpoint)
    return KaseyaTransientError(f"{endpoint} got no answer: {reason}.", endpoint=endpoint)


def not_understood(endpoint: str, reason: str, *, is_write: bool) -> KaseyaError:
    """Build the error for an answer that came whole and yet makes no sense."""
    if is_write:
        return unanswered(endpoint, reason, is_write=True)
    return KaseyaContractError(f"The answer of BMS to {endpoint} cannot be understood: {reason}.", endpoint=endpoint)


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Read a Retry-After header in either form, seconds or HTTP date; None where absent or unreadable."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(timedelta(seconds=max(0.0, min(seconds, MAX_PAUSE.total_seconds()))), MAX_PAUSE)


def names_a_record(result: Json) -> bool:
    """Tell whether a create's result carries the id of what was made (of each, where it is a list)."""
    if isinstance(result, list):
        return bool(result) and all(names_a_record(each) for each in result)
    return isinstance(result, dict) and bool(result.get("id") or result.get("productindexid"))


def _unserved(
    endpoint: str, status: int, headers: Mapping[str, str], body: bytes, *, is_write: bool, now: datetime
) -> KaseyaError:
    """A 429 is said before a call is looked at; a 503 may also come from a gateway that lost patience with BMS."""
    pause = retry_after(headers.get("retry-after"), now=now)
    is_away = status == _UNAVAILABLE
    if status == _TOO_MANY or (is_away and pause is not None and not is_write):
        text = f"BMS takes no more calls of {endpoint} for now (HTTP {status})."
        return KaseyaThrottledError(text, retry_after=pause, is_away=is_away, endpoint=endpoint)
    said = read_failure(body).message
    reason = f"BMS answered HTTP {status}" + (f" ({said})" if said else "")
    return unanswered(endpoint, reason, is_write=is_write, pause=pause)


def _read_success(endpoint: str, body: bytes, *, is_write: bool) -> Envelope:
    """An empty body is a success without a result: some operations declare none."""
    if not body.strip():
        return Envelope(None)
    try:
        return open_envelope(parse_json(body))
    except (ValueError, RecursionError):
        raise not_understood(endpoint, "the answer is not whole JSON", is_write=is_write) from None
