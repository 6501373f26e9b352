"""The sign-in to BMS: one token for many callers, renewed once however many of them find it expired."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Literal

from app.kaseya.envelope import Json
from app.kaseya.errors import (
    KaseyaContractError,
    KaseyaCredentialsError,
    KaseyaError,
    KaseyaMfaRequiredError,
    KaseyaNotFoundError,
    KaseyaRejectedError,
    KaseyaThrottledError,
    KaseyaUnreachableError,
)
from app.kaseya.records.base import as_utc
from app.kaseya.transport.tokens import Credentials, Token, TokenStore
from app.kaseya.transport.totp import totp
from app.kaseya.transport.tries import Request, Tries

FormEncoding = Literal["multipart", "urlencoded"]

SIGN_IN = "/v2/security/authenticate"
REFRESH = "/v2/security/refreshtoken"
MARGIN = timedelta(seconds=60)
"""A token is renewed this long before it expires, or in the last tenth of a life shorter than ten minutes."""

_MFA_WORDS = ("mfa", "multi-factor", "multifactor", "two-factor", "two factor", "2fa", "otp", "authenticator")


class Session:
    """Holds the token of one connection. Callers that need a new one at the same time wait for one renewal."""

    def __init__(
        self, tries: Tries, *, credentials: Credentials, tokens: TokenStore, form_encoding: FormEncoding
    ) -> None:
        self._tries = tries
        self._credentials = credentials
        self._store = tokens
        self._form_encoding = form_encoding
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._renew_at: datetime | None = None
        self._renewals = 0
        self._failure: KaseyaError | None = None

    async def token(self) -> Token:
        """Return a token that is good as far as we know; signs in if there is none. Raises KaseyaError."""
        if self._token is not None and not self._is_stale():
            return self._token
        return await self.renew(self._token)

    async def renew(self, refused: Token | None, *, may_refresh: bool = True) -> Token:
        """Return a token other than the refused one: another process's, else a refreshed one, else by signing in.

        Whoever waited for somebody else's renewal shares its outcome, its failure too: fifty callers with a
        wrong password must not become fifty sign-ins and a locked user.
        """
        seen = self._renewals
        async with self._lock:
            if self._renewals != seen:
                return self._shared_outcome()
            if self._token is not None and self._token != refused and not self._is_stale():
                return self._token
            try:
                token = await self._obtain(refused, may_refresh=may_refresh)
            except KaseyaError as error:
                self._renewals, self._failure = self._renewals + 1, error
                raise
            self._renewals, self._failure = self._renewals + 1, None
            return token

    async def sign_in(self) -> Token:
        """Sign in now, whatever is held; raises KaseyaCredentialsError where BMS refuses."""
        async with self._lock:
            return await self._sign_in()

    def _shared_outcome(self) -> Token:
        if self._failure is not None:
            raise self._failure
        assert self._token is not None
        return self._token

    async def _obtain(self, refused: Token | None, *, may_refresh: bool) -> Token:
        stored = await self._store.load()
        if stored is not None and (refused is None or stored.access != refused.access):
            self._hold(stored)
            if not self._is_stale():
                return stored
        newest = stored or refused
        if may_refresh and newest is not None and newest.refresh is not None:
            refreshed = await self._refresh(newest)
            if refreshed is not None:
                return refreshed
        return await self._sign_in()

    async def _refresh(self, token: Token) -> Token | None:
        """Trade the pair for a new one; None where BMS will not, which a sign-in mends."""
        form = {"AccessToken": token.access, "RefreshToken": token.refresh or ""}
        try:
            return await self._ask(REFRESH, form)
        except (KaseyaUnreachableError, KaseyaThrottledError):
            raise
        except KaseyaError:
            return None

    async def _sign_in(self) -> Token:
        who = self._credentials
        form = {"GrantType": "password", "UserName": who.username, "Password": who.password, "Tenant": who.company}
        if who.mfa_secret:
            form["MFACode"] = self._mfa_code(who.mfa_secret)
        try:
            return await self._ask(SIGN_IN, form)
        except KaseyaNotFoundError as error:
            message = "There is no BMS API at this address: it does not know the sign-in path."
            raise KaseyaContractError(message, endpoint=error.endpoint) from None
        except KaseyaRejectedError as error:
            raise _sign_in_refused(error) from None

    def _mfa_code(self, secret: str) -> str:
        try:
            return totp(secret, at=self._tries.clock())
        except ValueError as error:
            raise KaseyaMfaRequiredError(str(error), endpoint=f"POST {SIGN_IN}") from None

    async def _ask(self, template: str, form: dict[str, str]) -> Token:
        request = Request("POST", template, template, is_write=False, tries=1, parts=self._encode(form))
        token = self._read(request.endpoint, (await self._tries.call(request)).result)
        await self._store.save(token)
        self._hold(token)
        return token

    def _encode(self, form: dict[str, str]) -> dict[str, Any]:
        """Multipart as published, or urlencoded, which some servers want instead."""
        if self._form_encoding == "urlencoded":
            return {"data": form}
        return {"files": {name: (None, value) for name, value in form.items()}}

    def _read(self, endpoint: str, result: Json) -> Token:
        access = result.get("accesstoken") if isinstance(result, dict) else None
        if not isinstance(access, str) or not access:
            message = f"BMS answered {endpoint} without an access token."
            raise KaseyaContractError(message, endpoint=endpoint)
        expires_at = _read_time(result.get("accesstokenexpireon"))
        # The time may come in an unknown zone; what would already be past is not believed.
        believable = expires_at is not None and expires_at > self._tries.clock()
        return Token(access, result.get("refreshtoken") or None, expires_at if believable else None)

    def _hold(self, token: Token) -> None:
        self._token, self._renew_at = token, None
        if token.access_expires_at is not None:
            life = token.access_expires_at - self._tries.clock()
            self._renew_at = token.access_expires_at - max(min(MARGIN, life / 10), timedelta())

    def _is_stale(self) -> bool:
        return self._renew_at is not None and self._tries.clock() >= self._renew_at


def _read_time(value: Json) -> datetime | None:
    try:
        return as_utc(datetime.fromisoformat(value))
    except (ValueError, TypeError):
        return None


def _sign_in_refused(error: KaseyaRejectedError) -> KaseyaCredentialsError:
    """BMS publishes no error code for a missing MFA code, so its words are all there is to go by."""
    said = " ".join((error.message, *error.details)).lower()
    if any(word in said for word in _MFA_WORDS):
        message = f"BMS wants an MFA code for this user, or refused ours: {error.message}"
        return KaseyaMfaRequiredError(message, endpoint=error.endpoint)
    message = f"BMS refused the sign-in; check company, user name and password. {error.message}"
    return KaseyaCredentialsError(message, endpoint=error.endpoint)
