"""Credentials, and the tokens that BMS gives for them. Nothing here shows a secret in its repr."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """A BMS user of one company (the vendor's "Tenant"); `mfa_secret` is the base32 secret of its authenticator."""

    company: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    mfa_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """What a sign-in or refresh brought. `access_expires_at` is None where BMS gave no believable time."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    access_expires_at: datetime | None = None


class TokenStore(Protocol):
    """Where the processes that serve one connection share its token."""

    async def load(self) -> Token | None:
        """Return the newest token, if there is one."""

    async def save(self, token: Token) -> None:
        """Keep the token in place of the one before."""

    async def clear(self) -> None:
        """Forget the token."""


class MemoryTokens:
    """A store for one process."""

    def __init__(self, token: Token | None = None) -> None:
        self._token = token

    async def load(self) -> Token | None:
        """Return the token held, if any."""
        return self._token

    async def save(self, token: Token) -> None:
        """Hold this token."""
        self._token = token

    async def clear(self) -> None:
        """Hold none."""
        self._token = None
