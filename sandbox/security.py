"""Who may call: users, passwords, one-time codes and tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.errors import SignInError

REFRESH_LIFETIME = timedelta(days=1)
_TOTP_STEP_SECONDS = 30
_TOTP_DRIFT_STEPS = 1
_SIGNING_KEY = b"the sandbox signs for nobody"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can sign in. `user_id` is the id of the employee that they are."""

    user_id: int
    username: str
    password: str
    mfa_secret: str | None = None


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a sign-in hands out."""

    user_id: int
    access: str
    refresh: str
    access_expires_at: datetime
    refresh_expires_at: datetime


def one_time_code(secret: str, at: datetime) -> str:
    """Return the six digits of RFC 6238 (SHA-1, 30 seconds) for a base32 secret."""
    return _code(secret, int(at.timestamp()) // _TOTP_STEP_SECONDS)


def _code(secret: str, step: int) -> str:
    padded = secret.replace(" ", "").upper()
    key = base64.b32decode(padded + "=" * (-len(padded) % 8))
    digest = hmac.digest(key, struct.pack(">Q", step), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = struct.unpack_from(">I", digest, offset)[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


class Security:
    """Hands out tokens and recognises them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._serial = 0
        self._by_access: dict[str, TokenPair] = {}
        self.company = ""
        self.users: dict[str, User] = {}

    def clear(self) -> None:
        """Forget users and tokens."""
        self._by_access.clear()
        self.users.clear()

    def sign_in(self, company: str, username: str, password: str, code: str | None, *, mfa_required: bool) -> User:
        """Return the user who gives the right password, and the right code where one is due. Raises SignInError."""
        user = self.users.get(username.lower())
        if user is None or company != self.company or not hmac.compare_digest(user.password, password):
            raise SignInError("The user name, password or company is incorrect.", is_sign_in=True)
        if user.mfa_secret is None:
            if mfa_required:
                raise SignInError("MFA code is required.", is_sign_in=True)
            return user
        if not code:
            raise SignInError("MFA code is required.", is_sign_in=True)
        step = int(self._now().timestamp()) // _TOTP_STEP_SECONDS
        drifts = range(-_TOTP_DRIFT_STEPS, _TOTP_DRIFT_STEPS + 1)
        if code not in {_code(user.mfa_secret, step + drift) for drift in drifts}:
            raise SignInError("MFA code is invalid.", is_sign_in=True)
        return user

    def issue(self, user_id: int, lifetime: timedelta) -> TokenPair:
        """Hand out a new pair of tokens."""
        now = self._now()
        access_expires_at, refresh_expires_at = now + lifetime, now + REFRESH_LIFETIME
        self._serial += 1
        pair = TokenPair(
            user_id=user_id,
            access=_web_token("access", user_id, self._serial, access_expires_at),
            refresh=_web_token("refresh", user_id, self._serial, refresh_expires_at),
            access_expires_at=access_expires_at,
            refresh_expires_at=refresh_expires_at,
        )
        self._by_access[pair.access] = pair
        return pair

    def renew(self, access: str, refresh: str, lifetime: timedelta) -> TokenPair:
        """Replace a pair by a new one; the access token may have expired. Raises SignInError."""
        pair = self._by_access.get(access)
        if pair is None or pair.refresh != refresh or pair.refresh_expires_at <= self._now():
            raise SignInError("The refresh token is invalid.", is_sign_in=True)
        del self._by_access[access]
        return self.issue(pair.user_id, lifetime)

    def recognise(self, access: str | None) -> int:
        """Return whose token this is. Raises SignInError for none, an unknown or an expired one."""
        pair = self._by_access.get(access or "")
        if pair is None or pair.access_expires_at <= self._now():
            raise SignInError("The access token is missing, unknown or expired.")
        return pair.user_id

    def revoke(self, access: str | None) -> None:
        """Let an access token expire at once; its refresh token stays good."""
        pair = self._by_access.get(access or "")
        if pair is not None:
            self._by_access[pair.access] = TokenPair(
                pair.user_id, pair.access, pair.refresh, self._now(), pair.refresh_expires_at
            )


def _web_token(use: str, user_id: int, serial: int, expires_at: datetime) -> str:
    claims = {"sub": str(user_id), "use": use, "jti": serial, "exp": int(expires_at.timestamp())}
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{signed}.{_base64url(hmac.digest(_SIGNING_KEY, signed.encode(), hashlib.sha256))}"


def _part(claims: dict[str, object]) -> str:
    return _base64url(json.dumps(claims, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
