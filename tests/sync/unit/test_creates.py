"""Creates by intent, on a real database: sent once, looked for when the answer is lost, sent again only then."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx
from sqlalchemy import func, select, update

from app.db import lanes
from app.db.base import Base
from app.db.lanes import Claim, LeaseLostError
from app.db.session import Database
from app.db.tables import Connection, Intent, Issue, Item, Link, LinkLine, Pace, Quote
from app.kaseya import (
    CapabilityMissingError,
    KaseyaAmbiguousError,
    KaseyaContractError,
    KaseyaCredentialsError,
    KaseyaHostRefusedError,
    KaseyaRejectedError,
    KaseyaThrottledError,
    KaseyaTransientError,
)
from app.settings import sqlalchemy_url
from app.sync.creates import Result, create, resolve
from app.sync.errand import Errand
from app.sync.places import fits, link_values
from app.sync.problems import AnotherMakesItError, InDoubtError, NeedsPersonError, OutdatedPlanError, Problem
from tests.sync.unit.errands import AUDIT_AFTER, BASE, GRACE, MARK, NOW, OpenGate, an_errand, client_on

SECOND = timedelta(seconds=1)
OPPORTUNITY = {"sent": {"subject": "S"}, "account_id": 7}
LINE = {"line_id": "l-1", "item_kind": "service", "item_id": 8, "quotation_id": 40, "sent": {"name": "Work"}}


@pytest.fixture
async def database(clean_database: str) -> AsyncIterator[Database]:
    """With one connection and two quotes."""
    database = Database.connect(sqlalchemy_url(clean_database), pool_size=2)
    async with database.transaction() as session:
        session.add(
            Connection(
                id="con_1",
                name="x",
                server="us",
                base_url=BASE,
                company="x",
                username="u",
                password=b"",
                capabilities=[],
            )
        )
        await session.flush()
        session.add(Pace(connection_id="con_1"))
        session.add_all(_quote(quote_id) for quote_id in ("q-1", "q-2"))
    yield database
    await database.close()


def _quote(quote_id: str) -> Quote:
    return Quote(
        connection_id="con_1",
        quote_id=quote_id,
        name="Quote",
        status="pending",
        revision=0,
        happened_at=func.now(),
        content={},
        body_digest=b"",
        due_at=func.now(),
    )


@pytest.fixture
async def claim(database: Database) -> Claim:
    """Lane q-1, ours for a day."""
    async with database.transaction() as session:
        claims = await lanes.claim(session, slots=4, lease=timedelta(days=1), probe=timedelta(seconds=30))
    return next(claim for claim in claims if claim.quote_id == "q-1")


@pytest.fixture
async def errand(database: Database, claim: Claim) -> AsyncIterator[Errand]:
    async with an_errand(database, lease=claim) as errand:
        yield errand


@pytest.fixture
def bms() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE) as router:
        yield router


class Sending:
    """One call that creates, with what comes of it; ``meanwhile`` happens before its answer."""

    def __init__(self, outcome: Result | Exception, *meanwhile: Any) -> None:
        self.outcome = outcome
        self.meanwhile = meanwhile
        self.times = 0

    async def __call__(self) -> Result:
        self.times += 1
        for happens in self.meanwhile:
            await happens
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def stored(database: Database, table: type[Base]) -> list[Any]:
    async with database.transaction() as session:
        return list(await session.scalars(select(table)))


async def the_intent(database: Database) -> Intent:
    (row,) = await stored(database, Intent)
    assert isinstance(row, Intent)
    return row


async def note(database: Database, kind: str = "opportunity", **values: Any) -> None:
    """A note from before, sent at NOW unless it says otherwise."""
    defaults = {"quote_id": "q-1", "state": "open", "sent_at": NOW, "sends": 1, "looks": 0, "hint": {}}
    async with database.transaction() as session:
        session.add(Intent(connection_id="con_1", kind=kind, key="k", **{**defaults, **values}))


async def lose_lease(database: Database) -> None:
    """Another worker takes the lane."""
    async with database.transaction() as session:
        await session.execute(update(Quote).values(lease_id=UUID(int=1)))


async def send_again(database: Database, **values: Any) -> None:
    """Another worker has sent the same since, with this result."""
    async with database.transaction() as session:
        await session.execute(update(Intent).values(sent_at=NOW, **values))


# Once


async def test_a_create_is_sent_once_and_committed_with_its_link(errand: Errand) -> None:
    send = Sending({"id": 5})
    assert await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=send) == {"id": 5}
    row = await the_intent(errand.database)
    assert (row.connection_id, row.kind, row.key, row.quote_id) == ("con_1", "opportunity", "k", "q-1")
    assert (row.state, row.result, row.hint, row.sends) == ("done", {"id": 5}, OPPORTUNITY, 1)
    (link,) = await stored(errand.database, Link)
    assert (link.quote_id, link.opportunity_id, link.opportunity_sent) == ("q-1", 5, {"subject": "S"})
    assert (errand.link.opportunity_id, errand.link.opportunity_sent) == (5, {"subject": "S"})
    assert send.times == 1


async def test_the_note_is_committed_before_the_call_goes_out(errand: Errand) -> None:
    seen: list[tuple[str, Any]] = []

    async def send() -> Result:
        row = await the_intent(errand.database)
        seen.append((row.state, row.hint))
        return {"id": 5}

    await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=send)
    assert seen == [("open", OPPORTUNITY)]


@pytest.mark.parametrize(
    "error",
    [
        KaseyaTransientError("x"),
        KaseyaThrottledError("x"),
        KaseyaRejectedError("x", status=400),
        KaseyaCredentialsError("x"),
        CapabilityMissingError("x", capability="y"),
        KaseyaHostRefusedError("x"),
        LeaseLostError("q-1"),
    ],
)
async def test_what_certainly_did_not_happen_leaves_no_note(errand: Errand, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=Sending(error))
    assert raised.value is error
    assert await stored(errand.database, Intent) == []
    assert await stored(errand.database, Link) == []


@pytest.mark.parametrize("error", [RuntimeError("crash"), KaseyaContractError("odd")])
async def test_whatever_else_goes_wrong_leaves_the_create_in_doubt(errand: Errand, error: Exception) -> None:
    with pytest.raises(type(error)):
        await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=Sending(error))
    assert (await the_intent(errand.database)).state == "open"


@pytest.mark.parametrize(
    ("asked", "wait"),
    [(None, GRACE), (GRACE - SECOND, GRACE), (GRACE + SECOND, GRACE + SECOND)],
)
async def test_a_lost_answer_is_looked_for_after_the_grace_time_or_when_bms_says(
    errand: Errand, asked: timedelta | None, wait: timedelta
) -> None:
    lost = KaseyaAmbiguousError("x", retry_after=asked)
    with pytest.raises(InDoubtError) as doubt:
        await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=Sending(lost))
    assert doubt.value.look_at == NOW + wait
    assert "the opportunity" in str(doubt.value)
    assert doubt.value.__cause__ is lost
    row = await the_intent(errand.database)
    assert (row.state, row.look_at, row.looks) == ("open", NOW + wait, 0)


async def test_without_the_lease_nothing_is_noted_or_sent(errand: Errand) -> None:
    await lose_lease(errand.database)
    send = Sending({"id": 5})
    with pytest.raises(LeaseLostError):
        await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=send)
    assert (send.times, await stored(errand.database, Intent)) == (0, [])


async def test_what_bms_has_made_is_remembered_even_by_a_worker_that_lost_its_lease_meanwhile(errand: Errand) -> None:
    send = Sending({"id": 5}, lose_lease(errand.database))
    assert await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=send) == {"id": 5}
    assert (await the_intent(errand.database)).result == {"id": 5}
    assert [link.opportunity_id for link in await stored(errand.database, Link)] == [5]


# What was made before


@pytest.mark.parametrize(
    ("kind", "age", "trusted"),
    [
        ("opportunity", timedelta(days=900), True),
        ("contact", timedelta(hours=1) - SECOND, True),
        ("contact", timedelta(hours=1), False),
        ("account", timedelta(hours=1), False),
        ("service", timedelta(hours=1), False),
        ("product", timedelta(hours=1), False),
    ],
)
async def test_what_was_made_is_taken_over_but_what_quotes_share_only_for_an_hour(
    errand: Errand,
    kind: str,
    age: timedelta,
    trusted: bool,  # noqa: FBT001
) -> None:
    made = {"id": 5, "location_id": 6}
    await note(errand.database, kind, quote_id="q-2", state="done", result=made, sent_at=NOW - age)
    send = Sending({"id": 9, "location_id": 6})
    hint = {"sent": {}, "key": "k"}
    assert await create(errand, kind, "k", hint=hint, send=send) == (made if trusted else send.outcome)
    assert send.times == (0 if trusted else 1)
    row = await the_intent(errand.database)
    assert (row.sends, row.quote_id, row.audit_at) == ((1, "q-2", None) if trusted else (2, "q-1", None))


async def test_what_another_quote_made_becomes_this_quotes_link(errand: Errand) -> None:
    await note(errand.database, "contact", quote_id="q-2", state="done", result={"id": 5})
    await create(errand, "contact", "k", hint={}, send=Sending({"id": 9}))
    (link,) = await stored(errand.database, Link)
    assert (link.quote_id, link.contact_id, errand.link.contact_id) == ("q-1", 5, 5)


async def test_taking_over_needs_the_lease(errand: Errand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is lost between the note and the link."""
    await note(errand.database, "contact", quote_id="q-2", state="done", result={"id": 5})
    hold = lanes.hold
    held: list[Claim] = []

    async def hold_once(session: Any, claim: Claim) -> None:
        if held:
            await lose_lease(errand.database)
        held.append(claim)
        await hold(session, claim)

    monkeypatch.setattr(lanes, "hold", hold_once)
    with pytest.raises(LeaseLostError):
        await create(errand, "contact", "k", hint={}, send=Sending({"id": 9}))
    assert await stored(errand.database, Link) == []


async def test_a_note_that_is_done_without_a_result_is_sent_again(errand: Errand) -> None:
    await note(errand.database, state="done")
    assert await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=Sending({"id": 9})) == {"id": 9}
    assert (await the_intent(errand.database)).sends == 2


# While another quote makes it


@pytest.mark.parametrize(
    ("look_at", "since"),
    [(None, 2 * GRACE), (NOW + 5 * SECOND, GRACE + 5 * SECOND)],
)
async def test_another_quotes_create_is_waited_for_and_then_looked_for_by_us(
    errand: Errand, look_at: datetime | None, since: timedelta
) -> None:
    await note(errand.database, "account", quote_id="q-2", look_at=look_at)
    send = Sending({"id": 9})
    errand.clock = lambda: NOW + since - SECOND
    with pytest.raises(AnotherMakesItError):
        await create(errand, "account", "k", hint={}, send=send)
    assert (await the_intent(errand.database)).quote_id == "q-2"
    errand.clock = lambda: NOW + since
    with pytest.raises(InDoubtError, match="the account") as doubt:
        await create(errand, "account", "k", hint={}, send=send)
    assert doubt.value.look_at == NOW + since
    row = await the_intent(errand.database)
    assert (row.quote_id, row.state, send.times) == ("q-1", "open", 0)


# Sent again


async def test_what_is_sent_again_is_looked_for_late_and_by_all_that_was_sent(errand: Errand) -> None:
    old, older = {"subject": "old"}, {"subject": "older"}
    await note(errand.database, state="resend", hint={"sent": old, "sent_before": [older]})
    await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=Sending({"id": 9}))
    row = await the_intent(errand.database)
    assert (row.state, row.sends, row.audit_at) == ("done", 2, NOW + AUDIT_AFTER)
    assert row.hint == {**OPPORTUNITY, "sent_before": [old, older]}


async def test_what_has_no_sent_form_is_sent_again_by_its_key_alone(errand: Errand) -> None:
    await note(errand.database, "contact", state="resend", hint={"email": "a@x"})
    await create(errand, "contact", "k", hint={"email": "b@x"}, send=Sending({"id": 9}))
    assert (await the_intent(errand.database)).hint == {"email": "b@x"}


@pytest.mark.parametrize(("kind", "stopped"), [("opportunity", LeaseLostError), ("contact", AnotherMakesItError)])
@pytest.mark.parametrize(("result", "told"), [({"id": 4}, True), ({"id": 5}, False), (None, False)])
async def test_a_sending_that_was_overtaken_changes_nothing_and_tells_of_two(
    errand: Errand,
    kind: str,
    stopped: type[Exception],
    result: Result | None,
    told: bool,  # noqa: FBT001
) -> None:
    overtaken = Sending({"id": 5}, send_again(errand.database, result=result))
    with pytest.raises(stopped):
        await create(errand, kind, "k", hint=OPPORTUNITY, send=overtaken)
    row = await the_intent(errand.database)
    assert (row.state, row.result) == ("open", result)
    assert await stored(errand.database, Link) == []
    issues = await stored(errand.database, Issue)
    assert [(issue.quote_id, issue.code, issue.candidates) for issue in issues] == (
        [("q-1", "duplicate-found", [{"kaseya_id": "4"}, {"kaseya_id": "5"}])] if told else []
    )


# In doubt

LIST = "/v2/crm/opportunities"


def listed(*ids: int) -> httpx.Response:
    found = [{"id": each, "statusId": 1, "accountId": 7, "description": MARK} for each in ids]
    return httpx.Response(200, json={"success": True, "result": found, "totalRecords": len(found)})


async def test_nothing_in_doubt_needs_no_call(errand: Errand, bms: respx.MockRouter) -> None:
    await note(errand.database, state="done")
    await resolve(errand)


@pytest.mark.parametrize(("look_at", "wait"), [(None, GRACE), (NOW + SECOND, SECOND)])
async def test_it_is_not_looked_for_before_its_time(
    errand: Errand, bms: respx.MockRouter, look_at: datetime | None, wait: timedelta
) -> None:
    await note(errand.database, look_at=look_at)
    errand.clock = lambda: NOW + wait - timedelta(microseconds=1)
    with pytest.raises(InDoubtError, match="the opportunity") as doubt:
        await resolve(errand)
    assert doubt.value.look_at == NOW + wait


async def test_what_is_found_at_its_time_is_linked_and_is_asked_for_on_the_reserve(
    errand: Errand, bms: respx.MockRouter
) -> None:
    await note(errand.database, look_at=NOW, hint=OPPORTUNITY)
    bms.get(LIST).mock(return_value=listed(5))
    ordinary, urgent = OpenGate(), OpenGate()
    errand.client = client_on(errand.wire, ordinary)
    errand.make_urgent_client = lambda: client_on(errand.wire, urgent)
    await resolve(errand)
    row = await the_intent(errand.database)
    assert (row.state, row.result, row.look_at) == ("done", {"id": 5}, None)
    assert [link.opportunity_id for link in await stored(errand.database, Link)] == [5]
    assert errand.link.opportunity_id == 5
    assert (len(ordinary.calls), len(urgent.calls)) == (0, 1)


async def test_of_several_the_lowest_is_linked_and_a_person_is_told(errand: Errand, bms: respx.MockRouter) -> None:
    await note(errand.database, look_at=NOW, hint=OPPORTUNITY)
    bms.get(LIST).mock(return_value=listed(6, 5))
    with pytest.raises(NeedsPersonError) as told:
        await resolve(errand)
    assert told.value.problem == Problem(
        code="duplicate-found",
        title="BMS holds this quote's opportunity more than once",
        detail="An answer of BMS was lost, and looking for the opportunity found 2 of them: 5, 6. "
        "The quote is linked with 5.",
        remedy="Remove the others in BMS (or close them), then press Retry.",
        candidates=[{"kaseya_id": "5"}, {"kaseya_id": "6"}],
    )
    assert (await the_intent(errand.database)).state == "done"
    assert errand.link.opportunity_id == 5


async def test_what_is_not_found_is_looked_for_twice_and_then_may_be_sent_again(
    errand: Errand, bms: respx.MockRouter
) -> None:
    await note(errand.database, look_at=NOW, hint=OPPORTUNITY)
    bms.get(LIST).mock(return_value=listed())
    with pytest.raises(InDoubtError, match="the opportunity") as doubt:
        await resolve(errand)
    assert doubt.value.look_at == NOW + GRACE
    row = await the_intent(errand.database)
    assert (row.state, row.looks, row.look_at) == ("open", 1, NOW + GRACE)
    errand.clock = lambda: NOW + GRACE
    await resolve(errand)
    row = await the_intent(errand.database)
    assert (row.state, row.look_at, row.audit_at) == ("resend", NOW + GRACE, NOW + GRACE + AUDIT_AFTER)


async def test_a_line_that_nobody_can_look_for_is_a_persons(errand: Errand, bms: respx.MockRouter) -> None:
    await note(errand.database, "line", look_at=NOW, hint=LINE)
    errand.client.capabilities = frozenset()
    with pytest.raises(NeedsPersonError) as told:
        await resolve(errand)
    assert told.value.problem.code == "line-in-doubt"
    assert (await the_intent(errand.database)).state == "open"


@pytest.mark.parametrize(("found", "looks"), [((5,), 0), ((), 1)])
async def test_who_lost_the_lease_settles_no_doubt(
    errand: Errand, bms: respx.MockRouter, found: tuple[int, ...], looks: int
) -> None:
    await note(errand.database, look_at=NOW, looks=looks, hint=OPPORTUNITY)
    bms.get(LIST).mock(return_value=listed(*found))
    await lose_lease(errand.database)
    with pytest.raises(LeaseLostError):
        await resolve(errand)
    row = await the_intent(errand.database)
    assert (row.state, row.look_at, await stored(errand.database, Link)) == ("open", NOW, [])


# Given up too long ago


@pytest.mark.parametrize("looked_at", [None, NOW - GRACE + SECOND])
async def test_what_was_looked_for_just_now_is_sent_again_without_another_look(
    errand: Errand, bms: respx.MockRouter, looked_at: datetime | None
) -> None:
    await note(errand.database, state="resend", look_at=looked_at, hint=OPPORTUNITY)
    send = Sending({"id": 9})
    assert await create(errand, "opportunity", "k", hint=OPPORTUNITY, send=send) == {"id": 9}


@pytest.fixture
async def given_up(errand: Errand) -> Errand:
    """An errand whose create was looked for in vain a grace time ago, so that BMS may have applied it since."""
    errand.link.account_id = 7
    await note(errand.database, state="resend", look_at=NOW - GRACE, looks=1, hint=OPPORTUNITY)
    return errand


async def test_what_was_given_up_a_grace_time_ago_is_looked_for_before_it_is_sent_again(
    given_up: Errand, bms: respx.MockRouter
) -> None:
    route = bms.get(LIST).mock(return_value=listed())
    urgent = OpenGate()
    given_up.make_urgent_client = lambda: client_on(given_up.wire, urgent)
    looked_at: list[datetime | None] = []

    async def send() -> Result:
        row = await the_intent(given_up.database)
        looked_at.append(row.audit_at)
        return {"id": 9}

    assert await create(given_up, "opportunity", "k", hint=OPPORTUNITY, send=send) == {"id": 9}
    assert (route.call_count, len(urgent.calls), looked_at) == (1, 1, [NOW + AUDIT_AFTER])
    row = await the_intent(given_up.database)
    assert (row.state, row.sends) == ("done", 2)
    assert row.hint == {**OPPORTUNITY, "sent_before": [OPPORTUNITY["sent"]]}


async def test_one_look_is_enough_even_where_the_grace_time_is_over_before_it_has_ended(
    given_up: Errand, bms: respx.MockRouter
) -> None:
    route = bms.get(LIST).mock(return_value=listed())
    given_up.grace = timedelta()
    assert await create(given_up, "opportunity", "k", hint=OPPORTUNITY, send=Sending({"id": 9})) == {"id": 9}
    assert route.call_count == 1


async def test_a_look_before_sending_again_is_noted_with_its_time(given_up: Errand, bms: respx.MockRouter) -> None:
    bms.get(LIST).mock(return_value=listed())
    with pytest.raises(KaseyaRejectedError):
        await create(
            given_up, "opportunity", "k", hint=OPPORTUNITY, send=Sending(KaseyaRejectedError("no", status=400))
        )
    row = await the_intent(given_up.database)
    assert (row.state, row.sends, row.audit_at) == ("resend", 1, NOW + AUDIT_AFTER)


async def test_what_bms_has_applied_after_all_is_linked_and_the_plan_is_made_anew(
    given_up: Errand, bms: respx.MockRouter
) -> None:
    bms.get(LIST).mock(return_value=listed(5))
    send = Sending({"id": 9})
    with pytest.raises(OutdatedPlanError) as outdated:
        await create(given_up, "opportunity", "k", hint={**OPPORTUNITY, "sent": {"subject": "new"}}, send=send)
    assert str(outdated.value) == "BMS has created the opportunity after all, when nobody looked any more."
    row = await the_intent(given_up.database)
    assert (row.state, row.result, send.times) == ("done", {"id": 5}, 0)
    (link,) = await stored(given_up.database, Link)
    assert (link.opportunity_id, link.opportunity_sent) == (5, OPPORTUNITY["sent"])


async def test_if_bms_has_applied_it_twice_a_person_is_told(given_up: Errand, bms: respx.MockRouter) -> None:
    bms.get(LIST).mock(return_value=listed(6, 5))
    with pytest.raises(NeedsPersonError) as told:
        await create(given_up, "opportunity", "k", hint=OPPORTUNITY, send=Sending({"id": 9}))
    assert told.value.problem.title == "BMS holds this quote's opportunity more than once"
    assert told.value.problem.candidates == [{"kaseya_id": "5"}, {"kaseya_id": "6"}]
    assert given_up.link.opportunity_id == 5


async def test_what_bms_has_applied_after_all_for_another_account_is_a_persons(
    given_up: Errand, bms: respx.MockRouter
) -> None:
    given_up.link.account_id = 8
    bms.get(LIST).mock(return_value=listed(5))
    with pytest.raises(NeedsPersonError) as told:
        await create(given_up, "opportunity", "k", hint=OPPORTUNITY, send=Sending({"id": 9}))
    assert told.value.problem.code == "duplicate-found"
    assert told.value.problem.detail.endswith("The quote belongs to another account or opportunity by now.")
    assert told.value.problem.candidates == [{"kaseya_id": "5"}]
    assert (await the_intent(given_up.database)).state == "resend"
    assert await stored(given_up.database, Link) == []


@pytest.mark.parametrize("found", [(), (5,)])
async def test_who_lost_the_lease_while_looking_sends_and_links_nothing(
    given_up: Errand, bms: respx.MockRouter, found: tuple[int, ...]
) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await lose_lease(given_up.database)
        return listed(*found)

    bms.get(LIST).mock(side_effect=answer)
    send = Sending({"id": 9})
    with pytest.raises(LeaseLostError):
        await create(given_up, "opportunity", "k", hint=OPPORTUNITY, send=send)
    row = await the_intent(given_up.database)
    assert (row.state, row.look_at, send.times) == ("resend", NOW - GRACE, 0)


async def test_a_line_that_nobody_can_look_for_is_sent_again_as_a_person_has_said(
    errand: Errand, bms: respx.MockRouter
) -> None:
    await note(errand.database, "line", state="resend", look_at=NOW - GRACE, hint=LINE)
    errand.client.capabilities = frozenset()
    assert await create(errand, "line", "k", hint=LINE, send=Sending({"id": 55})) == {"id": 55}


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("contact", "account_id"),
        ("opportunity", "account_id"),
        ("quotation", "opportunity_id"),
        ("line", "quotation_id"),
    ],
)
def test_a_record_fits_as_long_as_the_quote_is_where_it_was(kind: str, column: str) -> None:
    intent = Intent(kind=kind, hint={column: 7})
    assert fits(intent, Link(**{column: 7}))
    assert not fits(intent, Link(**{column: 8}))


@pytest.mark.parametrize("kind", ["account", "service", "product", "attachment", "note"])
def test_what_belongs_to_no_other_record_always_fits(kind: str) -> None:
    assert fits(Intent(kind=kind, hint={}), Link())


# What is remembered


@pytest.mark.parametrize(
    ("kind", "hint", "result", "values"),
    [
        ("account", {}, {"id": 1, "location_id": 2}, {"account_id": 1, "location_id": 2}),
        ("contact", {}, {"id": 1}, {"contact_id": 1}),
        ("opportunity", {"sent": {"a": 1}}, {"id": 1}, {"opportunity_id": 1, "opportunity_sent": {"a": 1}}),
        ("quotation", {"sent": {"a": 1}}, {"id": 1}, {"quotation_id": 1, "quotation_sent": {"a": 1}}),
        (
            "quotation",
            {"sent": {"a": 1}},
            {"id": 1, "sent": {"a": 0}},
            {"quotation_id": 1, "quotation_sent": {"a": 0}},
        ),
        ("note", {"url": "https://q.example"}, {"id": 1}, {"noted_url": "https://q.example"}),
        (
            "attachment",
            {"digest": "0a", "name": "Q-0a.pdf"},
            {"id": 1},
            {"attachment_id": 1, "attachment_digest": "0a", "attachment_name": "Q-0a.pdf"},
        ),
    ],
)
async def test_each_kind_fills_its_columns_of_the_link(
    errand: Errand, kind: str, hint: Result, result: Result, values: Result
) -> None:
    assert link_values(kind, hint, result) == values
    await create(errand, kind, "k", hint=hint, send=Sending(result))
    (link,) = await stored(errand.database, Link)
    for remembered in (link, errand.link):
        assert {name: getattr(remembered, name) for name in values} == values


@pytest.mark.parametrize("kind", ["service", "product"])
@pytest.mark.parametrize(
    ("prices", "expected"), [({"unit_price": "5.00", "unit_cost": "2.00"}, ("5.00", "2.00")), ({}, (None, None))]
)
async def test_an_item_is_remembered_with_its_prices_for_every_quote(
    errand: Errand, kind: str, prices: Result, expected: tuple[str | None, str | None]
) -> None:
    await create(errand, kind, "k", hint={"key": "fw-9", **prices}, send=Sending({"id": 30}))
    (item,) = await stored(errand.database, Item)
    assert (item.connection_id, item.kind, item.key, item.kaseya_id) == ("con_1", kind, "fw-9", 30)
    assert tuple(None if each is None else str(each) for each in (item.unit_price, item.unit_cost)) == expected
    assert await stored(errand.database, Link) == []


@pytest.mark.parametrize(
    ("result", "sent"), [({"id": 55}, {"name": "Work"}), ({"id": 55, "sent": {"name": "Old"}}, {"name": "Old"})]
)
async def test_a_line_is_remembered_as_what_it_was_sent(errand: Errand, result: Result, sent: Result) -> None:
    await create(errand, "line", "k", hint=LINE, send=Sending(result))
    (row,) = await stored(errand.database, LinkLine)
    assert (row.connection_id, row.quote_id, row.removed) == ("con_1", "q-1", False)
    assert set(errand.lines) == {"l-1"}
    for line in (row, errand.lines["l-1"]):
        assert (line.line_id, line.kaseya_line_id, line.item_kind, line.item_id, line.sent) == (
            "l-1",
            55,
            "service",
            8,
            sent,
        )
