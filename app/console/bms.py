"""BMS asked on behalf of a page, and what it said told in words a person can act on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.connections.secrets import SecretUnreadableError
from app.connections.service import ConnectionGoneError, SignInStoppedError
from app.console.errors import PageError, not_found
from app.db.tables import Connection
from app.house import House
from app.kaseya import (
    KaseyaClient,
    KaseyaCredentialsError,
    KaseyaError,
    KaseyaHostRefusedError,
    KaseyaMfaRequiredError,
    KaseyaRejectedError,
    KaseyaThrottledError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why BMS did not do what was asked: what happened, what to do, and the form field to look at, if it is one."""

    title: str
    detail: str
    remedy: str
    field: str | None = None


STOPPED = Trouble(
    title="BMS refused the stored sign-in",
    detail="BMS refused it twice, so it is not asked again: one more try could lock the user out.",
    remedy="Enter the current credentials under Access; when they sign in, everything goes on by itself.",
)
UNREADABLE = Trouble(
    title="The stored credentials cannot be read",
    detail="They were stored under a key that is not among QUOTEBRIDGE_SECRET_KEYS any more.",
    remedy="Put that key back, or enter all credentials anew under Access.",
)


class NotAskedError(Exception):
    """BMS was not asked, or did not serve."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.detail)
        self.trouble = trouble


@asynccontextmanager
async def asking(house: House, connection: Connection) -> AsyncIterator[KaseyaClient]:
    """A client for the connection; raises NotAskedError."""
    async with explained(), house.connections.asking(connection) as client:
        yield client


@asynccontextmanager
async def explained() -> AsyncIterator[None]:
    """Turn what a use of BMS raises into NotAskedError."""
    try:
        yield
    except KaseyaError as error:
        raise NotAskedError(trouble_of(error)) from error
    except SignInStoppedError as error:
        raise NotAskedError(STOPPED) from error
    except SecretUnreadableError as error:
        raise NotAskedError(UNREADABLE) from error
    except ConnectionGoneError:
        raise not_found("connection") from None


def trouble_of(error: KaseyaError) -> Trouble:
    """An error of BMS in words; the kinds are told apart, since each is mended elsewhere."""
    match error:
        case KaseyaMfaRequiredError():
            return Trouble(
                title="BMS asks for a second factor",
                detail=error.message,
                remedy="Enter the secret of the user's authenticator (the text behind its QR code), "
                "or use an API user without a second factor.",
                field="mfa_secret",
            )
        case KaseyaCredentialsError():
            return Trouble(
                title="BMS refused the sign-in",
                detail=error.message,
                remedy="Sign in to BMS in a browser with exactly these. The company name is the one that "
                "My Settings shows, and the user must be allowed to use the API.",
                field="password",
            )
        case KaseyaHostRefusedError():
            return Trouble(
                title="This address is not allowed",
                detail=error.message,
                remedy="Choose one of the published servers, or let whoever runs this service add the host to "
                "QUOTEBRIDGE_ALLOWED_KASEYA_HOSTS.",
                field="base_url",
            )
        case KaseyaThrottledError(retry_after=pause):
            wait = "in a few minutes" if pause is None else f"in about {max(1, round(pause.total_seconds() / 60))} min"
            return Trouble(
                title="The hour's calls to BMS are used up", detail=error.message, remedy=f"Try again {wait}."
            )
        case KaseyaRejectedError():
            return Trouble(
                title="BMS refused the request",
                detail=error.message,
                remedy="Check in BMS whether the API user may do this.",
            )
        case _:
            return Trouble(
                title="BMS cannot be reached",
                detail=error.message,
                remedy="Try again in a while. If other programs reach it, check the server that you chose.",
                field="server",
            )


def as_page(trouble: Trouble) -> PageError:
    """Trouble that leaves nothing else to show."""
    return PageError(502, trouble.title, trouble.detail, trouble.remedy)
