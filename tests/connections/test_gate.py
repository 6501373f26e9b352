"""The gate before every call: it spends the budget, and lets nothing out that a lost lease would have sent."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import func, select, update

from app.connections.clients import BudgetGate
from app.db import lanes
from app.db.budget import SLOTS
from app.db.lanes import Claim, LeaseLostError
from app.db.session import Database
from app.db.tables import CallSlot, Connection, Pace, Quote
from app.kaseya import Answer, Call, KaseyaThrottledError
from app.settings import sqlalchemy_url
from tests.fixtures.management import settings_for

LIMIT = 50
LONG = timedelta(days=365_000)
"""So wide a slot that its number is 0 for centuries: no slot ends in the middle of a test."""
CALL = Call(method="GET", template="/v2/crm/accounts/{id}", path="/v2/crm/accounts/7", is_write=False, number=1)
COMPANY = "https://bms.example example"


@pytest.fixture
async def database(clean_database: str) -> AsyncIterator[Database]:
    database = Database.connect(sqlalchemy_url(clean_database), pool_size=2)
    yield database
    await database.close()


@pytest.fixture
async def claim(database: Database) -> Claim:
    """A lane that is ours for a day."""
    async with database.transaction() as session:
        session.add(
            Connection(
                id="con_1",
                name="x",
                server="us",
                base_url="https://bms.example",
                company="example",
                username="u",
                password=b"",
                capabilities=[],
            )
        )
        await session.flush()
        session.add(Pace(connection_id="con_1"))
        session.add(
            Quote(
                connection_id="con_1",
                quote_id="q-1",
                name="Quote",
                status="pending",
                revision=0,
                happened_at=func.now(),
                content={},
                body_digest=b"",
                due_at=func.now(),
            )
        )
    async with database.transaction() as session:
        (claim,) = await lanes.claim(session, slots=1, lease=timedelta(days=1), probe=timedelta(seconds=30))
    return claim


def gate(database: Database, **how: Any) -> BudgetGate:
    settings = settings_for(
        "postgresql://unused", kaseya_call_limit=LIMIT, kaseya_call_window_seconds=(LONG * SLOTS).total_seconds()
    )
    return BudgetGate(database, settings, **{"company": COMPANY, **how})


async def spend(database: Database, calls: int) -> None:
    async with database.transaction() as session:
        session.add(CallSlot(company=COMPANY, endpoint=CALL.endpoint, slot=0, calls=calls))


async def spent(database: Database) -> list[tuple[str, str, int]]:
    async with database.transaction() as session:
        rows = await session.execute(select(CallSlot.company, CallSlot.endpoint, CallSlot.calls))
        return [(row.company, row.endpoint, row.calls) for row in rows]


async def test_an_admitted_call_is_counted_for_its_company_and_endpoint(database: Database) -> None:
    assert await gate(database).admit(CALL) is None
    assert await spent(database) == [(COMPANY, "GET /v2/crm/accounts/{id}", 1)]


@pytest.mark.parametrize(("urgent", "calls"), [(False, 47), (True, 49)])
async def test_the_last_four_percent_are_kept_for_what_is_urgent(
    database: Database,
    urgent: bool,  # noqa: FBT001
    calls: int,
) -> None:
    await spend(database, calls)
    await gate(database, urgent=urgent).admit(CALL)
    with pytest.raises(KaseyaThrottledError) as refused:
        await gate(database, urgent=urgent).admit(CALL)
    assert str(refused.value) == (f"The budget of {calls + 1} calls to GET /v2/crm/accounts/{{id}} is spent for now.")
    assert refused.value.endpoint == "GET /v2/crm/accounts/{id}"
    assert refused.value.retry_after is not None
    assert 241 * LONG < refused.value.retry_after < 242 * LONG
    assert await spent(database) == [(COMPANY, CALL.endpoint, calls + 1)]


async def test_what_is_not_said_to_be_urgent_is_not(database: Database) -> None:
    await spend(database, 48)
    with pytest.raises(KaseyaThrottledError):
        await gate(database).admit(CALL)


async def test_a_call_may_go_out_as_long_as_its_lease_holds(database: Database, claim: Claim) -> None:
    not_after = await gate(database, lane=claim, monotonic=lambda: 1000.0).admit(CALL)
    assert not_after is not None
    day = timedelta(days=1).total_seconds()
    assert 1000 + day - 3600 < not_after <= 1000 + day
    assert [calls for _, _, calls in await spent(database)] == [1]


async def test_a_lost_lease_sends_nothing_and_spends_nothing(database: Database, claim: Claim) -> None:
    async with database.transaction() as session:
        await session.execute(update(Quote).values(lease_id=UUID(int=1)))
    with pytest.raises(LeaseLostError):
        await gate(database, lane=claim).admit(CALL)
    assert await spent(database) == []


def counted(outcome: str) -> float:
    labels = {"endpoint": CALL.endpoint, "outcome": outcome}
    return REGISTRY.get_sample_value("quotebridge_kaseya_calls_total", labels) or 0.0


async def test_an_answer_is_counted_by_outcome_and_told_to_the_observer(database: Database) -> None:
    heard: list[tuple[Call, Answer]] = []
    answer = Answer(status=404, outcome="not_found", duration=timedelta(seconds=1))
    before = counted("not_found")
    await gate(database, observe=lambda call, answer: heard.append((call, answer))).answered(CALL, answer)
    assert counted("not_found") == before + 1
    assert heard == [(CALL, answer)]
    await gate(database).answered(CALL, answer)
    assert counted("not_found") == before + 2
