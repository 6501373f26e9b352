"""Why a delivery is refused.

RefusedError
├── SignatureError        who sent it, or when, cannot be trusted
├── BodyTooLargeError     more bytes than we take
├── UnreadableBodyError   not even a form
└── InvalidEventError     trusted, but not a quote event
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a body: where (an RFC 6901 pointer into it) and what (a sentence)."""

    pointer: str
    message: str


class RefusedError(Exception):
    """The delivery is not taken; ``str`` of it is a sentence for the sender."""


class SignatureError(RefusedError):
    """The delivery cannot be trusted; ``reason`` says why without helping a forger."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BodyTooLargeError(RefusedError):
    """The body has more than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than the {limit} bytes taken here; send a PDF by URL instead of inline.")
        self.limit = limit


class UnreadableBodyError(RefusedError):
    """The body is not the form that was expected."""


class InvalidEventError(RefusedError):
    """The body is not a quote event; ``errors`` names each place and what is wrong there."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__("; ".join(f"{error.pointer or 'body'}: {error.message}" for error in errors))
        self.errors = errors
