"""Who is signed in: a sealed cookie that names the key it was made with, so that a revoked key ends it."""

import base64
import binascii
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.connections.access import KeyHolder, identify, recognise
from app.connections.keys import digest_of
from app.connections.secrets import SecretUnreadableError, Vault
from app.house import House

COOKIE = "quotebridge_session"
PATH = "/console"
LASTS = timedelta(hours=12)
_BOUND_TO = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the cookie holds: which key, by id and digest, the CSRF token, and when it ends (seconds since 1970)."""

    key_id: str
    digest: str
    csrf: str
    ends_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor(KeyHolder):
    """Somebody signed in, with the token that the forms of the session carry."""

    csrf: str


async def sign_in(house: House, key: str) -> Session | None:
    """A new session for a live key; None where the key opens nothing."""
    holder = await identify(house.database, key, admin_token=house.settings.admin_token)
    if holder is None:
        return None
    ends_at = (house.clock() + LASTS).timestamp()
    csrf = secrets.token_urlsafe(32)
    return Session(key_id=holder.key_id, digest=digest_of(key).hex(), csrf=csrf, ends_at=ends_at)


async def visitor_of(house: House, request: Request) -> Visitor | None:
    """Who sent the request; None without a session, after its end, and once its key was revoked."""
    session = read_session(house, request)
    if session is None:
        return None
    holder = await recognise(
        house.database, session.key_id, bytes.fromhex(session.digest), admin_token=house.settings.admin_token
    )
    return Visitor(**asdict(holder), csrf=session.csrf) if holder else None


def read_session(house: House, request: Request) -> Session | None:
    """The request's session, if it has one that we made and that has not ended."""
    data = unseal(house.vault, request.cookies.get(COOKIE, ""), purpose="session")
    if data is None:
        return None
    session = Session(**data)
    return session if session.ends_at > house.clock().timestamp() else None


def keep(response: Response, request: Request, house: House, session: Session) -> None:
    """Let the browser carry the session."""
    sealed = seal(house.vault, asdict(session), purpose="session")
    set_cookie(response, request, house, COOKIE, sealed, lasts=LASTS)


def set_cookie(response: Response, request: Request, house: House, name: str, value: str, *, lasts: timedelta) -> None:
    """A cookie that scripts cannot read and other sites cannot send; only over TLS where we are reached by TLS."""
    response.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        path=PATH,
        secure=(house.settings.public_url or str(request.url)).startswith("https:"),
        httponly=True,
        samesite="lax",
    )


def seal(vault: Vault, data: dict[str, Any], *, purpose: str) -> str:
    """Encrypt a cookie's content under the service's keys, so that nobody else can read or make one."""
    return base64.urlsafe_b64encode(vault.seal(json.dumps(data), connection_id=_BOUND_TO, field=purpose)).decode()


def unseal(vault: Vault, text: str, *, purpose: str) -> dict[str, Any] | None:
    """What :func:`seal` was given; None for anything that it did not make for this purpose."""
    try:
        sealed = base64.b64decode(text, altchars=b"-_", validate=True)
        data: dict[str, Any] = json.loads(vault.open(sealed, connection_id=_BOUND_TO, field=purpose))
    except (binascii.Error, ValueError, SecretUnreadableError):
        return None
    return data
