"""Fold a batch's deliveries, one after the other, into the rows that they become; nothing is read or stored here."""

import base64
import hashlib
from dataclasses import replace

from app.db.ids import new_id
from app.db.inbox import Key, KnownEvent, KnownLane, NewEvent, NewLane
from app.intake.deliveries import Acceptance, Answer, Delivery, Source
from app.intake.standard import canonical_json
from app.quotes.model import EventType, Quote, QuoteEvent, Status
from app.quotes.ordering import Standing, Verdict, merge, status_to_keep


class Fold:
    """Folds a batch's deliveries, one after the other, into the rows that they become."""

    def __init__(self, *, known: dict[Key, KnownEvent], lanes: dict[Key, KnownLane], aliases: dict[Key, str]) -> None:
        self._known = known
        self._lanes = lanes
        self._aliases = aliases
        self.seen: set[tuple[str, str, bytes]] = set()
        self.events: list[NewEvent] = []
        self.drafts: dict[Key, NewLane] = {}
        self.new_aliases: list[tuple[str, str, str]] = []
        self.apart: set[tuple[str, str, str]] = set()

    def twins_of(self, delivery: Delivery) -> tuple[str, str] | None:
        """The two lanes, parent's first, that this delivery reveals to be one quote's revisions, where it does."""
        if delivery.event is None or not (parent := delivery.event.quote.parent_quote_id):
            return None
        own = self._known_lane(delivery.connection_id, delivery.event.quote.quote_id)
        other = self._known_lane(delivery.connection_id, parent)
        if own is None or other is None or own == other or (delivery.connection_id, other, own) in self.apart:
            return None
        return other, own

    def _known_lane(self, connection_id: str, quote_id: str) -> str | None:
        lane = self._aliases.get((connection_id, quote_id), quote_id)
        return lane if (connection_id, lane) in self._lanes else None

    def take(self, delivery: Delivery) -> Acceptance:
        """Decide about one delivery, with all those before it in the batch already decided."""
        key = (delivery.connection_id, delivery.webhook_id or "")
        if delivery.webhook_id and (known := self._known.get(key)):
            if known.body_digest == delivery.digest:
                return Acceptance(event_id=known.event_id, answer=Answer.DUPLICATE)
            return self._refuse(
                delivery, "delivery-conflict: this webhook-id came before with another body", Answer.CONFLICT
            )
        if delivery.event is None:
            return self._refuse(delivery, delivery.refusal or "unreadable", Answer.REJECTED)
        if delivery.source is Source.QUOTER and (repeat := self._repeat(delivery)):
            return repeat
        return self._merge(delivery, delivery.event)

    def lane_of(self, delivery: Delivery) -> str:
        """The quote id of the lane that all revisions share, whichever of them came first.

        What is not known yet joins what is: a revision its parent's lane, a parent the lane that a revision has made.
        """
        assert delivery.event
        quote, connection_id = delivery.event.quote, delivery.connection_id
        own = self._known_lane(connection_id, quote.quote_id)
        parent = quote.parent_quote_id
        if not parent or parent == quote.quote_id:
            return own or quote.quote_id
        if own is not None:
            if self._known_lane(connection_id, parent) is None:
                self._alias(connection_id, parent, own)
            return own
        root = self._known_lane(connection_id, parent) or parent
        self._alias(connection_id, quote.quote_id, root)
        return root

    def _alias(self, connection_id: str, alias: str, quote_id: str) -> None:
        if alias == quote_id or self._aliases.get((connection_id, alias)) == quote_id:
            return
        self._aliases[connection_id, alias] = quote_id
        self.new_aliases.append((connection_id, alias, quote_id))

    def _repeat(self, delivery: Delivery) -> Acceptance | None:
        lane = self.lane_of(delivery)
        known = self._lanes.get((delivery.connection_id, lane))
        if known and known.body_digest == delivery.digest:
            return Acceptance(event_id="", answer=Answer.DUPLICATE, reason="the same as the last accepted body")
        if (delivery.connection_id, lane, delivery.digest) in self.seen:
            return self._keep(delivery, lane, Answer.SUPERSEDED, "a late retry: a newer body came after this one")
        return None

    def _merge(self, delivery: Delivery, event: QuoteEvent) -> Acceptance:
        lane = self.lane_of(delivery)
        known = self._lanes.get((delivery.connection_id, lane))
        quote, document = _split_document(event.quote)
        standing = _standing(known) if known else None
        incoming = Standing(
            revision=quote.revision, version=quote.version, timestamp=event.timestamp, status=quote.status
        )
        if merge(standing, incoming, undated=delivery.source is Source.QUOTER) is Verdict.SUPERSEDED:
            if delivery.refusal:
                return self._refuse(delivery, delivery.refusal, Answer.REJECTED)
            return self._keep(delivery, lane, Answer.SUPERSEDED, "older than what is known of this quote")
        if known:
            quote = replace(quote, status=status_to_keep(Status(known.status), quote.status))
        generation = known.generation + 1 if known else 1
        self._draft(delivery, event, quote, lane=lane, generation=generation, document=document)
        if delivery.refusal:
            return self._refuse(delivery, delivery.refusal, Answer.REJECTED)
        return self._keep(delivery, lane, Answer.ACCEPTED, None, generation=generation)

    def _draft(
        self,
        delivery: Delivery,
        event: QuoteEvent,
        quote: Quote,
        *,
        lane: str,
        generation: int,
        document: tuple[bytes, bytes] | None,
    ) -> None:
        key = (delivery.connection_id, lane)
        earlier = self.drafts.get(key)
        rejected = delivery.refusal is not None
        urgent = quote.status.is_decided
        draft = NewLane(
            connection_id=delivery.connection_id,
            quote_id=lane,
            number=quote.number,
            name=quote.name,
            status=quote.status,
            revision=quote.revision,
            version=quote.version,
            happened_at=event.timestamp,
            content=canonical_json(quote).decode(),
            body_digest=delivery.digest,
            generation=generation,
            at_once=urgent or event.type is EventType.CREATED or bool(earlier and earlier.at_once),
            urgent=urgent or bool(earlier and earlier.urgent),
            rejected=rejected,
            document=document or (earlier.document if earlier else None),
        )
        self.drafts[key] = draft
        self._lanes[key] = KnownLane(
            quote_id=lane,
            revision=draft.revision,
            version=draft.version,
            happened_at=draft.happened_at,
            status=draft.status,
            generation=generation,
            body_digest=delivery.digest,
        )

    def _keep(
        self, delivery: Delivery, lane: str, answer: Answer, reason: str | None, *, generation: int | None = None
    ) -> Acceptance:
        disposition = "superseded" if answer is Answer.SUPERSEDED else "pending"
        event_id = self._add(delivery, lane=lane, disposition=disposition, reason=reason, generation=generation)
        if delivery.source is Source.QUOTER:
            self.seen.add((delivery.connection_id, lane, delivery.digest))
        return Acceptance(event_id=event_id, answer=answer, reason=reason)

    def _refuse(self, delivery: Delivery, reason: str, answer: Answer) -> Acceptance:
        lane = self.lane_of(delivery) if delivery.event else None
        event_id = self._add(delivery, lane=lane, disposition="rejected", reason=reason, counted=False)
        return Acceptance(event_id=event_id, answer=answer, reason=reason)

    def _add(
        self,
        delivery: Delivery,
        *,
        lane: str | None,
        disposition: str,
        reason: str | None,
        generation: int | None = None,
        counted: bool = True,
    ) -> str:
        event = delivery.event
        row = NewEvent(
            connection_id=delivery.connection_id,
            event_id=new_id("evt"),
            source=delivery.source,
            webhook_id=delivery.webhook_id,
            body_digest=delivery.digest,
            body=delivery.body,
            counted=counted,
            type=event.type if event else None,
            quote_id=lane,
            generation=generation,
            disposition=disposition,
            reason=reason,
            happened_at=event.timestamp if event else None,
        )
        self.events.append(row)
        if counted and delivery.webhook_id:
            known = KnownEvent(event_id=row.event_id, body_digest=row.body_digest)
            self._known[delivery.connection_id, delivery.webhook_id] = known
        return row.event_id


def _standing(known: KnownLane) -> Standing:
    return Standing(
        revision=known.revision, version=known.version, timestamp=known.happened_at, status=Status(known.status)
    )


def _split_document(quote: Quote) -> tuple[Quote, tuple[bytes, bytes] | None]:
    """Take the PDF's bytes out of the quote: the row keeps their digest, and they go beside it."""
    if quote.pdf is None or quote.pdf.content_base64 is None:
        return quote, None
    content = base64.b64decode(quote.pdf.content_base64)
    digest = hashlib.sha256(content)
    pdf = replace(quote.pdf, content_base64=None, digest=digest.hexdigest())
    return replace(quote, pdf=pdf), (digest.digest(), content)
