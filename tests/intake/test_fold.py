"""Folding deliveries into rows, without a database: who is newer, in which lane, and what is kept of each."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.inbox import Key, KnownEvent, KnownLane, NewEvent, NewLane
from app.intake.deliveries import Acceptance, Answer, Delivery, Source
from app.intake.fold import Fold
from app.intake.standard import canonical_json, parse
from tests.intake import samples

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HERE = "con_1"
STATUS = {"won": "accepted", "lost": "lost"}
OLDER = "older than what is known of this quote"
SAME = "the same as the last accepted body"
LATE = "a late retry: a newer body came after this one"


def delivery(
    webhook_id: str | None = "m1",
    *,
    kind: str = "created",
    source: Source = Source.STANDARD,
    digest: bytes = b"new",
    refusal: str | None = None,
    at: int = 0,
    connection_id: str = HERE,
    **data: Any,
) -> Delivery:
    """A verified delivery of quote ``q``; ``data`` changes the quote, ``at`` is in seconds after noon."""
    event = samples.event()
    event |= {"type": f"quote.{kind}", "timestamp": (NOON + timedelta(seconds=at)).isoformat()}
    event["data"] |= {"quote_id": "q", "status": STATUS.get(kind, "pending"), **data}
    body = samples.body(event)
    return Delivery(
        connection_id=connection_id,
        source=source,
        webhook_id=webhook_id,
        body=body,
        digest=digest,
        event=parse(body),
        refusal=refusal,
    )


def unreadable(webhook_id: str | None = "m1", *, refusal: str | None = None) -> Delivery:
    return Delivery(
        connection_id=HERE,
        source=Source.STANDARD,
        webhook_id=webhook_id,
        body=b"{",
        digest=b"new",
        event=None,
        refusal=refusal,
    )


def quoter(digest: bytes, **how: Any) -> Delivery:
    """Quoter's webhook has no ids; only what it says tells a retry from a change."""
    return delivery(None, source=Source.QUOTER, digest=digest, **how)


def lane(
    quote_id: str = "q",
    *,
    revision: int = 0,
    version: int | None = None,
    at: int = -1,
    status: str = "pending",
    generation: int = 7,
    digest: bytes = b"old",
) -> KnownLane:
    return KnownLane(
        quote_id=quote_id,
        revision=revision,
        version=version,
        happened_at=NOON + timedelta(seconds=at),
        status=status,
        generation=generation,
        body_digest=digest,
    )


def fold(*lanes: KnownLane, known: dict[Key, KnownEvent] | None = None, aliases: dict[str, str] | None = None) -> Fold:
    return Fold(
        known=known or {},
        lanes={(HERE, each.quote_id): each for each in lanes},
        aliases={(HERE, alias): quote_id for alias, quote_id in (aliases or {}).items()},
    )


def answers(given: Fold, *deliveries: Delivery) -> list[tuple[Answer, str | None]]:
    taken = [given.take(each) for each in deliveries]
    return [(each.answer, each.reason) for each in taken]


def drafted(given: Fold, quote_id: str = "q") -> NewLane:
    return given.drafts[HERE, quote_id]


# What is kept of a delivery


def test_an_accepted_event_is_kept_as_it_came_with_the_generation_that_it_made() -> None:
    given = fold(lane())
    taken = given.take(delivery())
    (row,) = given.events
    assert taken == Acceptance(event_id=row.event_id, answer=Answer.ACCEPTED)
    assert row.event_id.startswith("evt")
    assert row == NewEvent(
        connection_id=HERE,
        event_id=row.event_id,
        source="standard",
        webhook_id="m1",
        body_digest=b"new",
        body=delivery().body,
        counted=True,
        type="quote.created",
        quote_id="q",
        generation=8,
        disposition="pending",
        reason=None,
        happened_at=NOON,
    )


def test_a_new_quote_becomes_a_lane_of_generation_one() -> None:
    given = fold()
    sent = delivery(name="Move", number="7", revision=2, version=3)
    given.take(sent)
    assert sent.event is not None
    assert given.drafts == {
        (HERE, "q"): NewLane(
            connection_id=HERE,
            quote_id="q",
            number="7",
            name="Move",
            status="pending",
            revision=2,
            version=3,
            happened_at=NOON,
            content=canonical_json(sent.event.quote).decode(),
            body_digest=b"new",
            generation=1,
            at_once=True,
            urgent=False,
            rejected=False,
            document=None,
        )
    }
    assert [row.generation for row in given.events] == [1]


def test_what_is_unreadable_is_kept_for_audit_and_not_counted() -> None:
    given = fold()
    taken = given.take(unreadable(refusal="invalid-event: no JSON"))
    (row,) = given.events
    assert taken == Acceptance(event_id=row.event_id, answer=Answer.REJECTED, reason="invalid-event: no JSON")
    assert row == NewEvent(
        connection_id=HERE,
        event_id=row.event_id,
        source="standard",
        webhook_id="m1",
        body_digest=b"new",
        body=b"{",
        counted=False,
        type=None,
        quote_id=None,
        generation=None,
        disposition="rejected",
        reason="invalid-event: no JSON",
        happened_at=None,
    )
    assert given.drafts == {}


def test_what_is_unreadable_without_a_reason_is_called_so() -> None:
    assert answers(fold(), unreadable()) == [(Answer.REJECTED, "unreadable")]


# The same id again


def test_the_same_id_with_the_same_body_is_a_duplicate_of_what_is_stored() -> None:
    given = fold(lane(), known={(HERE, "m1"): KnownEvent(event_id="evt_1", body_digest=b"new")})
    assert given.take(delivery()) == Acceptance(event_id="evt_1", answer=Answer.DUPLICATE)
    assert (given.events, given.drafts) == ([], {})


def test_the_same_id_with_another_body_is_a_conflict_that_changes_nothing() -> None:
    given = fold(lane(), known={(HERE, "m1"): KnownEvent(event_id="evt_1", body_digest=b"old")})
    assert answers(given, delivery()) == [
        (Answer.CONFLICT, "delivery-conflict: this webhook-id came before with another body")
    ]
    (row,) = given.events
    assert (row.counted, row.disposition, row.quote_id, row.type) == (False, "rejected", "q", "quote.created")
    assert given.drafts == {}


def test_the_same_id_of_another_connection_is_another_delivery() -> None:
    given = fold(known={("con_2", "m1"): KnownEvent(event_id="evt_1", body_digest=b"new")})
    assert answers(given, delivery(), delivery(connection_id="con_3")) == [(Answer.ACCEPTED, None)] * 2


def test_an_id_is_known_from_the_same_batch() -> None:
    given = fold()
    first, again, other = given.take(delivery()), given.take(delivery()), given.take(delivery(digest=b"other"))
    assert (again.answer, again.event_id) == (Answer.DUPLICATE, first.event_id)
    assert other.answer is Answer.CONFLICT


def test_a_delivery_that_was_refused_leaves_its_id_free() -> None:
    given = fold()
    refused, taken = given.take(unreadable()), given.take(delivery())
    assert (refused.answer, taken.answer) == (Answer.REJECTED, Answer.ACCEPTED)


def test_deliveries_without_an_id_are_never_duplicates_by_id() -> None:
    given = fold(known={(HERE, ""): KnownEvent(event_id="evt_1", body_digest=b"new")})
    assert answers(given, delivery(None), delivery(None, at=1)) == [(Answer.ACCEPTED, None)] * 2


# What is newer


@pytest.mark.parametrize("newest", [True, False])
def test_an_older_event_is_kept_as_superseded_and_changes_nothing(newest: bool) -> None:  # noqa: FBT001
    given = fold(lane(at=0 if newest else 1))
    assert answers(given, delivery()) == [(Answer.SUPERSEDED, OLDER)]
    (row,) = given.events
    assert (row.disposition, row.reason, row.counted, row.generation, row.quote_id) == (
        "superseded",
        OLDER,
        True,
        None,
        "q",
    )
    assert given.drafts == {}


def test_version_and_revision_count_before_time() -> None:
    assert answers(fold(lane(version=1, at=9)), delivery(version=2)) == [(Answer.ACCEPTED, None)]
    assert answers(fold(lane(version=2, at=-9)), delivery(version=2)) == [(Answer.SUPERSEDED, OLDER)]
    assert answers(fold(lane(revision=1, at=-9)), delivery()) == [(Answer.SUPERSEDED, OLDER)]
    assert answers(fold(lane(revision=1, version=9)), delivery(revision=2, version=1)) == [(Answer.ACCEPTED, None)]


def test_each_event_of_a_batch_is_judged_by_those_before_it() -> None:
    given = fold()
    taken = answers(
        given,
        delivery("m1", version=2),
        delivery("m2", kind="updated", version=1),
        delivery("m3", kind="updated", version=3, name="Third"),
        delivery("m4", kind="updated", version=3),
    )
    assert [answer for answer, _ in taken] == [
        Answer.ACCEPTED,
        Answer.SUPERSEDED,
        Answer.ACCEPTED,
        Answer.SUPERSEDED,
    ]
    assert [row.generation for row in given.events] == [1, None, 2, None]
    assert (drafted(given).generation, drafted(given).version, drafted(given).name) == (2, 3, "Third")


def test_within_a_batch_revision_and_time_are_remembered_too() -> None:
    assert [each for each, _ in answers(fold(), delivery("a", revision=1), delivery("b", at=9))] == [
        Answer.ACCEPTED,
        Answer.SUPERSEDED,
    ]
    assert [each for each, _ in answers(fold(), delivery("a", at=1), delivery("b"))] == [
        Answer.ACCEPTED,
        Answer.SUPERSEDED,
    ]


def test_a_won_quote_only_moves_on() -> None:
    given = fold(lane(status="ordered"))
    given.take(delivery(kind="won"))
    assert drafted(given).status == "ordered"
    assert json.loads(drafted(given).content)["status"] == "ordered"


def test_a_won_quote_moves_on_within_a_batch_too() -> None:
    given = fold()
    answers(given, delivery("a", kind="won", status="fulfilled"), delivery("b", kind="won", at=1))
    assert drafted(given).status == "fulfilled"


# A refused event


def test_a_refused_event_that_is_newer_takes_the_lane_out_of_work() -> None:
    given = fold(lane())
    assert answers(given, delivery(refusal="quote-expired: yesterday")) == [
        (Answer.REJECTED, "quote-expired: yesterday")
    ]
    (row,) = given.events
    assert (row.disposition, row.reason, row.counted, row.generation) == (
        "rejected",
        "quote-expired: yesterday",
        False,
        None,
    )
    assert (drafted(given).rejected, drafted(given).generation) == (True, 8)


def test_a_refused_event_that_is_older_is_refused_and_changes_nothing() -> None:
    given = fold(lane(at=1))
    assert answers(given, delivery(refusal="quote-expired: yesterday")) == [
        (Answer.REJECTED, "quote-expired: yesterday")
    ]
    assert [(row.disposition, row.quote_id) for row in given.events] == [("rejected", "q")]
    assert given.drafts == {}


# How soon it is sent


@pytest.mark.parametrize(
    ("kind", "at_once", "urgent"),
    [("created", True, False), ("updated", False, False), ("won", True, True), ("lost", True, True)],
)
def test_only_updates_wait_and_only_decisions_are_urgent(kind: str, at_once: bool, urgent: bool) -> None:  # noqa: FBT001
    given = fold()
    given.take(delivery(kind=kind))
    assert (drafted(given).at_once, drafted(given).urgent) == (at_once, urgent)


@pytest.mark.parametrize(
    ("kind", "at_once", "urgent"), [("created", True, False), ("updated", False, False), ("won", True, True)]
)
def test_an_update_takes_nothing_from_the_haste_of_the_event_before_it(
    kind: str,
    at_once: bool,  # noqa: FBT001
    urgent: bool,  # noqa: FBT001
) -> None:
    given = fold()
    answers(given, delivery("a", kind=kind), delivery("b", kind="updated", at=1))
    assert (drafted(given).at_once, drafted(given).urgent) == (at_once, urgent)


# The PDF


def test_a_pdf_goes_beside_the_quote_and_its_digest_stays() -> None:
    content = b"%PDF-1.4 sample"
    given = fold()
    given.take(delivery(pdf={"filename": "a.pdf", "content_base64": base64.b64encode(content).decode()}))
    digest = hashlib.sha256(content)
    assert drafted(given).document == (digest.digest(), content)
    pdf = json.loads(drafted(given).content)["pdf"]
    assert (pdf["filename"], pdf["digest"], pdf.get("content_base64")) == ("a.pdf", digest.hexdigest(), None)


@pytest.mark.parametrize("pdf", [None, {"filename": "a.pdf", "url": "https://q.example/a.pdf"}])
def test_a_later_event_of_a_batch_without_a_pdf_keeps_the_one_before(pdf: dict[str, str] | None) -> None:
    given = fold()
    answers(
        given,
        delivery("a", pdf={"filename": "a.pdf", "content_base64": base64.b64encode(b"one").decode()}),
        delivery("b", kind="updated", at=1, pdf=pdf),
    )
    assert drafted(given).document == (hashlib.sha256(b"one").digest(), b"one")


def test_the_newest_pdf_of_a_batch_is_kept() -> None:
    given = fold()
    for number, name in enumerate(["one", "two"]):
        pdf = {"filename": "a.pdf", "content_base64": base64.b64encode(name.encode()).decode()}
        given.take(delivery(name, kind="updated", at=number, pdf=pdf))
    assert drafted(given).document == (hashlib.sha256(b"two").digest(), b"two")


# Which lane


@pytest.mark.parametrize(
    ("known", "aliases", "quote_id", "parent", "expected", "learnt"),
    [
        ((), {}, "q", None, "q", []),
        ((), {}, "q", "q", "q", []),
        (("q",), {}, "q", None, "q", []),
        (("r",), {"q": "r"}, "q", None, "r", []),
        (("r",), {"q": "r"}, "q", "q", "r", []),
        # A revision joins its parent's lane, whether that is known already or not.
        ((), {}, "q", "p", "p", [("q", "p")]),
        (("p",), {}, "q", "p", "p", [("q", "p")]),
        (("r",), {"p": "r"}, "q", "p", "r", [("q", "r")]),
        # What is known by itself stays, and its unknown parent joins it.
        (("q",), {}, "q", "p", "q", [("p", "q")]),
        (("r",), {"q": "r"}, "q", "p", "r", [("p", "r")]),
        # Both are known: nobody moves here.
        (("q", "p"), {}, "q", "p", "q", []),
        (("r",), {"q": "r", "p": "r"}, "q", "p", "r", []),
        # The lane that a revision has made is its parent's, too.
        (("q",), {"p": "q"}, "p", None, "q", []),
        # An alias that leads to no lane is not followed.
        ((), {"q": "gone"}, "q", None, "q", []),
        ((), {"p": "gone"}, "q", "p", "p", [("q", "p")]),
        # What is told already is not told again.
        ((), {"q": "p"}, "q", "p", "p", []),
        (("r",), {"q": "r", "p": "x"}, "q", "p", "r", [("p", "r")]),
        (("r",), {"q": "r"}, "q", "r", "r", []),
    ],
)
def test_revisions_share_a_lane_whichever_of_them_came_first(
    known: tuple[str, ...],
    aliases: dict[str, str],
    quote_id: str,
    parent: str | None,
    expected: str,
    learnt: list[tuple[str, str]],
) -> None:
    given = fold(*(lane(each) for each in known), aliases=aliases)
    assert given.lane_of(delivery(quote_id=quote_id, parent_quote_id=parent)) == expected
    assert given.new_aliases == [(HERE, alias, quote) for alias, quote in learnt]


def test_what_was_learnt_in_a_batch_holds_for_the_rest_of_it() -> None:
    given = fold()
    taken = answers(
        given,
        delivery("a", quote_id="p", revision=1, parent_quote_id="r"),
        delivery("b", quote_id="c", revision=2, parent_quote_id="p"),
        delivery("c", quote_id="r", revision=0, at=9),
    )
    assert [answer for answer, _ in taken] == [Answer.ACCEPTED, Answer.ACCEPTED, Answer.SUPERSEDED]
    assert {row.quote_id for row in given.events} == {"r"}
    assert given.new_aliases == [(HERE, "p", "r"), (HERE, "c", "r")]
    assert (drafted(given, "r").revision, drafted(given, "r").generation) == (2, 2)


@pytest.mark.parametrize(
    ("known", "aliases", "apart", "parent", "twins"),
    [
        (("q", "p"), {}, False, "p", ("p", "q")),
        (("r", "s"), {"q": "r", "p": "s"}, False, "p", ("s", "r")),
        (("q", "p"), {}, True, "p", None),
        (("q", "p"), {}, False, None, None),
        (("q",), {}, False, "p", None),
        (("p",), {}, False, "p", None),
        (("r",), {"q": "r", "p": "r"}, False, "p", None),
        (("q",), {}, False, "q", None),
    ],
)
def test_two_lanes_are_twins_when_an_event_tells_that_they_are_one_quotes(
    known: tuple[str, ...],
    aliases: dict[str, str],
    apart: bool,  # noqa: FBT001
    parent: str | None,
    twins: tuple[str, str] | None,
) -> None:
    given = fold(*(lane(each) for each in known), aliases=aliases)
    if apart:
        given.apart.add((HERE, "p", "q"))
    assert given.twins_of(delivery(parent_quote_id=parent)) == twins


def test_an_unreadable_delivery_has_no_twins() -> None:
    assert fold(lane()).twins_of(unreadable()) is None


# Quoter, which says neither id nor time


def test_quoters_last_accepted_body_again_is_a_duplicate_and_is_not_kept() -> None:
    given = fold(lane(digest=b"A"))
    assert given.take(quoter(b"A")) == Acceptance(event_id="", answer=Answer.DUPLICATE, reason=SAME)
    assert (given.events, given.drafts) == ([], {})


def test_the_last_body_of_the_other_webhook_again_is_no_duplicate() -> None:
    assert answers(fold(lane(digest=b"A")), delivery(digest=b"A")) == [(Answer.ACCEPTED, None)]


def test_quoters_body_from_before_the_last_is_a_late_retry() -> None:
    given = fold()
    assert answers(given, quoter(b"A"), quoter(b"B"), quoter(b"A"), quoter(b"B")) == [
        (Answer.ACCEPTED, None),
        (Answer.ACCEPTED, None),
        (Answer.SUPERSEDED, LATE),
        (Answer.DUPLICATE, SAME),
    ]
    assert [(row.disposition, row.reason, row.quote_id) for row in given.events] == [
        ("pending", None, "q"),
        ("pending", None, "q"),
        ("superseded", LATE, "q"),
    ]


def test_a_digest_that_was_seen_of_another_quote_or_connection_says_nothing() -> None:
    given = fold(lane())
    given.seen |= {(HERE, "other", b"A"), ("con_2", "q", b"A")}
    assert answers(given, quoter(b"A")) == [(Answer.ACCEPTED, None)]


def test_a_digest_that_was_seen_before_this_batch_is_a_late_retry() -> None:
    given = fold(lane())
    given.seen.add((HERE, "q", b"A"))
    assert answers(given, quoter(b"A")) == [(Answer.SUPERSEDED, LATE)]


def test_the_other_webhooks_bodies_are_not_remembered_as_seen() -> None:
    given = fold()
    answers(given, delivery(digest=b"A"), quoter(b"B"))
    assert given.seen == {(HERE, "q", b"B")}


def test_quoters_pending_after_a_decision_reopens_only_with_a_higher_revision() -> None:
    given = fold(lane(status="lost", at=-9))
    assert answers(given, quoter(b"A"), quoter(b"B", revision=1)) == [
        (Answer.SUPERSEDED, OLDER),
        (Answer.ACCEPTED, None),
    ]


def test_quoters_arrival_decides_whatever_the_clock_says() -> None:
    assert answers(fold(lane(at=9)), quoter(b"A")) == [(Answer.ACCEPTED, None)]
