"""What a BMS tenant tells about itself when a connection is made or tested."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from zoneinfo import available_timezones

from app.kaseya import (
    Capability,
    KaseyaClient,
    KaseyaContractError,
    KaseyaRejectedError,
    KaseyaTransientError,
    KaseyaUnreachableError,
    SystemSettings,
    UserInfo,
    read_capabilities,
)

ANSWER_WITHIN = timedelta(seconds=10)
"""Whoever connects waits at a form; a BMS that needs longer counts as not reachable."""

MEGABYTE = 1024 * 1024
DEFAULT_ZONE = "UTC"

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant that let us sign in. ``notes`` are sentences about what it would not tell."""

    capabilities: frozenset[Capability]
    time_zone: str
    max_attachment_bytes: int | None
    notes: tuple[str, ...] = ()

    @property
    def capability_names(self) -> list[str]:
        """The capabilities, as they are stored and shown."""
        return sorted(self.capabilities)


async def examine(client: KaseyaClient, *, within: timedelta = ANSWER_WITHIN) -> Tenant:
    """Sign in, then read capabilities, settings and time zone; changes nothing in BMS.

    Only the sign-in has to work: what a tenant does not tell is taken as absent and noted. Raises KaseyaError; when
    time runs out, KaseyaUnreachableError.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            await client.security.sign_in()
            return await _read(client)
    except TimeoutError:
        message = f"BMS did not answer within {within.total_seconds():.0f} seconds."
        raise KaseyaUnreachableError(message) from None


async def _read(client: KaseyaClient) -> Tenant:
    swagger = await _told(client.system.swagger())
    settings = await _told(client.system.settings())
    user = await _told(client.security.user_info())
    notes = []
    if swagger is None:
        notes.append("BMS did not show its API description, so no optional operation is used.")
    if settings is None:
        notes.append("BMS did not tell its settings, so the largest attachment it takes is not known.")
    zone = _zone(user)
    if zone is None:
        notes.append(f"BMS did not tell its time zone, so {DEFAULT_ZONE} is used until the settings name one.")
    return Tenant(
        capabilities=frozenset() if swagger is None else read_capabilities(swagger),
        time_zone=zone or DEFAULT_ZONE,
        max_attachment_bytes=_most_bytes(settings),
        notes=tuple(notes),
    )


async def _told(answer: Awaitable[AnswerT]) -> AnswerT | None:
    """The answer, or None where BMS gives none: an API user without the right to ask can still sync quotes."""
    try:
        return await answer
    except (KaseyaRejectedError, KaseyaContractError, KaseyaTransientError):
        return None


def _zone(user: UserInfo | None) -> str | None:
    name = user.olson_time_zone_name if user else None
    return name if name in available_timezones() else None


def _most_bytes(settings: SystemSettings | None) -> int | None:
    megabytes = settings.maximum_attachment_file_sizein_mb if settings else None
    return megabytes * MEGABYTE if megabytes and megabytes > 0 else None
