"""Accept deliveries: store each once, merge it into its quote if it is newer, mark the lane due, all in one commit.

Written as a batch, of which a batch of one is the ordinary case: the events of a batch are folded per quote first, so
that a burst costs one upsert.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from app.db import inbox, joining, one_trip
from app.db.inbox import Key, KnownEvent
from app.intake.deliveries import Acceptance, Answer, Delivery, Source
from app.intake.fold import Fold

MERGE_RACES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Debounce:
    """How long updates wait for the next one: until it was ``quiet``, but ``at_most`` so long in all."""

    quiet: timedelta
    at_most: timedelta


class AcceptRaceError(Exception):
    """Another replica stored the same webhook id meanwhile; the batch is tried again and then sees it."""


async def accept(
    connection: inbox.Connection, deliveries: Sequence[Delivery], *, debounce: Debounce, now: datetime
) -> list[Acceptance]:
    """Store a batch in one transaction; the acceptances are in the order of the deliveries.

    Raises whatever asyncpg raises when the database is away: then nothing of the batch was stored.
    """
    if (ordinary := await _accept_ordinary(connection, deliveries, debounce=debounce)) is not None:
        return ordinary
    for _ in range(MERGE_RACES):
        try:
            async with connection.transaction():
                return await _accept(connection, deliveries, debounce=debounce, now=now)
        except (AcceptRaceError, asyncpg.DeadlockDetectedError):
            continue
    raise AcceptRaceError


async def _accept_ordinary(
    connection: inbox.Connection, deliveries: Sequence[Delivery], *, debounce: Debounce
) -> list[Acceptance] | None:
    """Accept a batch that changes nothing but what every event changes; None for any other, of which nothing is stored.

    The batch is folded as if nothing were stored; PostgreSQL checks that it comes to the same, and declines otherwise.
    """
    if not all(is_ordinary(delivery) for delivery in deliveries):
        return None
    fold = Fold(known={}, lanes={}, aliases={})
    acceptances = [fold.take(delivery) for delivery in deliveries]
    if any(acceptance.answer is not Answer.ACCEPTED for acceptance in acceptances):
        return None
    try:
        accepted = await one_trip.accept_ordinary(
            connection, fold.events, fold.drafts, _firsts(deliveries), quiet=debounce.quiet, at_most=debounce.at_most
        )
    except (one_trip.KnownIdError, asyncpg.DeadlockDetectedError, asyncpg.InsufficientPrivilegeError):
        return None
    return acceptances if accepted else None


def is_ordinary(delivery: Delivery) -> bool:
    """Whether it may be no more than a new state of one quote: readable, not refused, no family, no document."""
    if delivery.source is not Source.STANDARD or delivery.refusal or not (delivery.webhook_id and delivery.event):
        return False
    quote = delivery.event.quote
    return quote.parent_quote_id is None and not (quote.pdf and quote.pdf.content_base64)


def _firsts(deliveries: Sequence[Delivery]) -> dict[Key, one_trip.Mark]:
    firsts: dict[Key, one_trip.Mark] = {}
    for delivery in deliveries:
        assert delivery.event
        quote = delivery.event.quote
        mark = quote.revision, quote.version, delivery.event.timestamp
        firsts.setdefault((delivery.connection_id, quote.quote_id), mark)
    return firsts


async def _accept(
    connection: inbox.Connection, deliveries: Sequence[Delivery], *, debounce: Debounce, now: datetime
) -> list[Acceptance]:
    keys = _quote_keys(deliveries)
    await _lock(connection, keys)
    known = await inbox.known_events(connection, _webhook_keys(deliveries))
    fold = await _open_fold(connection, deliveries, keys, known=known, now=now)
    acceptances = []
    for delivery in deliveries:
        if twins := fold.twins_of(delivery):
            await _store(connection, fold, debounce)
            if await joining.join_lanes(connection, delivery.connection_id, *twins):
                fold = await _open_fold(connection, deliveries, keys, known=known, now=now)
            else:
                fold = await _open_fold(connection, deliveries, keys, known=known, now=now)
                fold.apart.add((delivery.connection_id, *twins))
        acceptances.append(fold.take(delivery))
    await _store(connection, fold, debounce)
    return acceptances


async def _lock(connection: inbox.Connection, keys: set[Key]) -> None:
    """Lock the quotes and the lanes that they share, all in one go so that nobody deadlocks."""
    roots = {(connection_id, root) for (connection_id, _), root in (await inbox.aliases_of(connection, keys)).items()}
    await inbox.lock_quotes(connection, keys | roots)
    now_roots = {(each, root) for (each, _), root in (await inbox.aliases_of(connection, keys)).items()}
    if not now_roots <= keys | roots:
        raise AcceptRaceError


async def _open_fold(
    connection: inbox.Connection,
    deliveries: Sequence[Delivery],
    keys: set[Key],
    *,
    known: dict[Key, KnownEvent],
    now: datetime,
) -> Fold:
    lanes, aliases = await inbox.known_lanes(connection, keys)
    fold = Fold(known=known, lanes=lanes, aliases=aliases)
    quoter = [(d, fold.lane_of(d)) for d in deliveries if d.source is Source.QUOTER and d.event]
    if quoter:
        seen = [(d.connection_id, lane, d.digest) for d, lane in quoter]
        fold.seen |= await inbox.seen_digests(connection, seen, now=now)
    return fold


async def _store(connection: inbox.Connection, fold: Fold, debounce: Debounce) -> None:
    if fold.events:
        stored = await inbox.store_events(connection, fold.events)
        if stored != sum(event.counted for event in fold.events):
            raise AcceptRaceError
    if fold.drafts:
        drafts = list(fold.drafts.values())
        await inbox.store_lanes(connection, drafts, quiet=debounce.quiet, at_most=debounce.at_most)
        if any(draft.document for draft in drafts):
            await inbox.store_documents(connection, drafts)
    if fold.new_aliases:
        await inbox.store_aliases(connection, fold.new_aliases)


def _quote_keys(deliveries: Sequence[Delivery]) -> set[Key]:
    keys = set()
    for delivery in deliveries:
        if delivery.event:
            keys.add((delivery.connection_id, delivery.event.quote.quote_id))
            if parent := delivery.event.quote.parent_quote_id:
                keys.add((delivery.connection_id, parent))
    return keys


def _webhook_keys(deliveries: Sequence[Delivery]) -> set[Key]:
    return {(d.connection_id, d.webhook_id) for d in deliveries if d.webhook_id}
