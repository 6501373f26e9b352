"""What a request that needed BMS answers when BMS did not serve it."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from app.connections.secrets import SecretUnreadableError
from app.connections.service import ConnectionGoneError
from app.kaseya import (
    KaseyaCredentialsError,
    KaseyaError,
    KaseyaHostRefusedError,
    KaseyaMfaRequiredError,
    KaseyaNotFoundError,
    KaseyaRejectedError,
    KaseyaThrottledError,
)
from app.routers.problems import Problem, away

RETRY_SECONDS = 5
THROTTLED_SECONDS = 60

READ_PROBLEMS: tuple[str | tuple[str, int], ...] = (
    "connection-not-found",
    ("kaseya-credentials-rejected", 409),
    ("kaseya-mfa-required", 409),
    "kaseya-rejected",
    "kaseya-throttled",
    "kaseya-unreachable",
)
SIGN_IN_PROBLEMS: tuple[str | tuple[str, int], ...] = (
    "host-not-allowed",
    "invalid-request",
    "kaseya-credentials-rejected",
    "kaseya-mfa-required",
    ("kaseya-unreachable", 422),
    "kaseya-throttled",
)


@contextmanager
def reading() -> Iterator[None]:
    """Turn what a read from a stored connection's BMS raises into a problem."""
    try:
        with readable():
            yield
    except KaseyaError as error:
        raise problem_of(error) from None


@contextmanager
def readable() -> Iterator[None]:
    """Turn what our own rows may lack for it into a problem: the connection itself, or the key of its secrets."""
    try:
        yield
    except ConnectionGoneError:
        raise connection_gone() from None
    except SecretUnreadableError as error:
        raise Problem(409, "kaseya-credentials-rejected", f"Enter all credentials anew: {error}.") from None


@contextmanager
def signing_in() -> Iterator[None]:
    """Turn what a sign-in with credentials of the request raises into a problem: then it is the request's fault."""
    try:
        yield
    except (KaseyaCredentialsError, KaseyaHostRefusedError, KaseyaThrottledError) as error:
        raise problem_of(error, credentials=422) from None
    except KaseyaError as error:
        raise Problem(422, "kaseya-unreachable", error.message) from None
    except SecretUnreadableError as error:
        raise Problem(422, "kaseya-credentials-rejected", f"Enter all credentials anew: {error}.") from None
    except ConnectionGoneError:
        raise connection_gone() from None


def connection_gone() -> Problem:
    """The connection was deleted while the request was served."""
    return Problem(404, "connection-not-found", "The connection was deleted meanwhile.")


def problem_of(error: KaseyaError, *, credentials: int = 409) -> Problem:
    """The problem that an error of BMS is; ``credentials`` is the status when it refuses those that we use."""
    match error:
        case KaseyaCredentialsError():
            wants_code = isinstance(error, KaseyaMfaRequiredError)
            name = "kaseya-mfa-required" if wants_code else "kaseya-credentials-rejected"
            return Problem(credentials, name, error.message)
        case KaseyaHostRefusedError():
            return Problem(422, "host-not-allowed", error.message)
        case KaseyaThrottledError(retry_after=pause):
            wait = THROTTLED_SECONDS if pause is None else max(1, ceil(pause.total_seconds()))
            return away(error.message, name="kaseya-throttled", retry_after=wait)
        case KaseyaNotFoundError():
            return Problem(404, "kaseya-record-not-found", error.message)
        case KaseyaRejectedError():
            return Problem(502, "kaseya-rejected", error.message)
        case _:
            return away(error.message, name="kaseya-unreachable", retry_after=RETRY_SECONDS)
