"""Who is signed in: a sealed cookie that names the key it was made with, so that a revoked key ends it."""

import base64
import binascii
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.connections.keys import digest_of, find_key
from app.connections.secrets import SecretUnreadableError, Vault
from app.db.tables import ApiKey
from app.house import House

COOKIE = "quotebridge_session"
PATH = "/console"
LASTS = timedelta(hours=12)
BOOTSTRAP = "admin-token"
_BOUND_TO = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the cookie holds: which key, by id and digest, the CSRF token, and when it ends (seconds since 1970)."""

    key_id: str
    digest: str
    csrf: str
    ends_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody signed in. ``connection_id`` None is an operator, who sees everything."""

    key_name: str
    connection_id: str | None
    csrf: str

    @property
    def is_operator(self) -> bool:
        """Whether the key opens everything."""
        return self.connection_id is None

    def may_see(self, connection_id: str) -> bool:
        """Whether the key opens this connection."""
        return self.connection_id in (None, connection_id)


async def sign_in(house: House, key: str) -> Session | None:
    """A new session for a live key; None where the key opens nothing."""
    key_id = await _key_id(house, key)
    if key_id is None:
        return None
    ends_at = (house.clock() + LASTS).timestamp()
    return Session(key_id=key_id, digest=digest_of(key).hex(), csrf=secrets.token_urlsafe(32), ends_at=ends_at)


async def visitor_of(house: House, request: Request) -> Visitor | None:
    """Who sent the request; None without a session, after its end, and once its key was revoked."""
    session = read_session(house, request)
    if session is None:
        return None
    if session.key_id == BOOTSTRAP:
        admin_token = house.settings.admin_token
        same = admin_token and hmac.compare_digest(digest_of(admin_token.get_secret_value()).hex(), session.digest)
        return Visitor(key_name="Bootstrap operator", connection_id=None, csrf=session.csrf) if same else None
    async with house.database.transaction() as database:
        row = await database.get(ApiKey, session.key_id)
    if row is None or row.revoked_at is not None or not hmac.compare_digest(row.digest.hex(), session.digest):
        return None
    return Visitor(key_name=row.name, connection_id=row.connection_id, csrf=session.csrf)


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


async def _key_id(house: House, key: str) -> str | None:
    admin_token = house.settings.admin_token
    if admin_token and hmac.compare_digest(digest_of(key), digest_of(admin_token.get_secret_value())):
        return BOOTSTRAP
    async with house.database.transaction() as database:
        row = await find_key(database, key)
    return row.id if row else None
