"""The ways a call to BMS can fail; the class is the decision, the text is for a person.

KaseyaError
├── KaseyaTransientError          nothing happened in BMS, or only a read failed: safe to repeat
│   └── KaseyaUnreachableError    no connection came about, so nothing was sent
├── KaseyaThrottledError          too many calls: 429, a read's 503 with Retry-After, or our own budget (then not sent)
├── KaseyaAmbiguousError          a write without a usable answer: BMS may or may not have applied it
├── KaseyaRejectedError           BMS said no
│   └── KaseyaNotFoundError       there is no such record, or no such operation
├── KaseyaCredentialsError        the sign-in was refused
│   └── KaseyaMfaRequiredError    an MFA code is wanted, or the one sent was refused
├── KaseyaHostRefusedError        a host we do not talk to
├── KaseyaContractError           a read whose answer cannot be understood
└── CapabilityMissingError        this tenant's BMS does not offer the operation
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta


class KaseyaError(Exception):
    """A call to BMS that did not do what it was asked; `str()` is a sentence for a person.

    `endpoint` is "METHOD template" in the vendor's own spelling, or empty where no call was made.
    """

    outcome: ClassVar[str] = "failed"

    def __init__(self, message: str, *, endpoint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.endpoint = endpoint


class KaseyaTransientError(KaseyaError):
    """Nothing was changed in BMS: the call was not sent, or it was a read. Safe to repeat."""

    outcome = "transient"


class KaseyaUnreachableError(KaseyaTransientError):
    """No connection to BMS came about, so nothing was sent."""

    outcome = "unreachable"


class KaseyaThrottledError(KaseyaError):
    """Too many calls for now; `retry_after` is how long BMS or the budget asks us to wait, where known.

    `is_away` says that BMS as a whole is out of service (503), and not only tired of this endpoint.
    """

    outcome = "throttled"

    def __init__(
        self,
        message: str = "BMS takes no more of these calls for now.",
        *,
        retry_after: timedelta | None = None,
        is_away: bool = False,
        endpoint: str = "",
    ) -> None:
        super().__init__(message, endpoint=endpoint)
        self.retry_after = retry_after
        self.is_away = is_away


class KaseyaAmbiguousError(KaseyaError):
    """A write without a usable answer. Never repeat it before looking whether BMS applied it.

    `retry_after` is how long BMS asks us to leave it alone, where it says so.
    """

    outcome = "ambiguous"

    def __init__(self, message: str, *, retry_after: timedelta | None = None, endpoint: str = "") -> None:
        super().__init__(message, endpoint=endpoint)
        self.retry_after = retry_after


class KaseyaRejectedError(KaseyaError):
    """BMS answered no: by an HTTP status, or by `success: false` under a 200 (`status` is then 200).

    `code` is BMS's own error number, `details` what it said about single fields; either may be missing.
    """

    outcome = "rejected"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: int | None = None,
        details: Sequence[str] = (),
        endpoint: str = "",
    ) -> None:
        super().__init__(message, endpoint=endpoint)
        self.status = status
        self.code = code
        self.details = tuple(details)


class KaseyaNotFoundError(KaseyaRejectedError):
    """BMS has no such record (or, for a path it does not know, no such operation)."""

    outcome = "not_found"

    def __init__(
        self,
        message: str,
        *,
        status: int = 404,
        code: int | None = None,
        details: Sequence[str] = (),
        endpoint: str = "",
    ) -> None:
        super().__init__(message, status=status, code=code, details=details, endpoint=endpoint)


class KaseyaCredentialsError(KaseyaError):
    """BMS refused the sign-in; repeating it with the same credentials may lock the user out.

    Callers that waited for one sign-in share its error: whoever counts refusals sets `was_counted`.
    """

    outcome = "credentials"
    was_counted = False


class KaseyaMfaRequiredError(KaseyaCredentialsError):
    """BMS wants an MFA code for this user, or refused the one it was given."""


class KaseyaHostRefusedError(KaseyaError):
    """The address is not one we talk to: not allow-listed, not https, or not on the public internet."""

    outcome = "host_refused"


class KaseyaContractError(KaseyaError):
    """BMS answered a read with something that cannot be understood; repeating it will hardly help."""

    outcome = "contract"


class CapabilityMissingError(KaseyaError):
    """The operation is not in this tenant's BMS; `capability` names it."""

    outcome = "capability_missing"

    def __init__(self, message: str, *, capability: str, endpoint: str = "") -> None:
        super().__init__(message, endpoint=endpoint)
        self.capability = capability
