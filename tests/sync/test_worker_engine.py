"""The engine of lanes on a real PostgreSQL, with work that is no sync: claims, slots, leases, and commits in groups."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import lanes, settlements
from app.db.claimant import Claimant
from app.db.lanes import Claim, LeaseLostError
from app.db.session import Database
from app.db.settlements import Settlement, Synced
from app.db.tables import Connection, Link, Pace, Quote
from app.settings import sqlalchemy_url
from app.sync import documents, settling
from app.sync.engine import Engine, Work
from app.sync.settling import Settling
from tests.fixtures.database import execute

LEASE, SOON = timedelta(seconds=30), timedelta(seconds=20)
POLL = NEVER = timedelta(hours=1)
END_CLAIMANTS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'quotebridge worker' AND datname = current_database()
"""


@pytest.fixture
async def database(clean_database: str) -> AsyncIterator[Database]:
    database = Database.connect(sqlalchemy_url(clean_database), pool_size=4)
    yield database
    await database.close()


async def store(database: Database, count: int, connection_id: str = "c") -> None:
    """A connection with so many due lanes."""
    async with database.transaction() as session:
        session.add(
            Connection(
                id=connection_id,
                name=connection_id,
                server="us",
                base_url="https://x",
                company=connection_id,
                username="u",
                password=b"",
                capabilities=[],
            )
        )
        await session.flush()
        session.add(Pace(connection_id=connection_id))
        session.add_all(
            Quote(
                connection_id=connection_id,
                quote_id=f"q{number}",
                name="Quote",
                status="pending",
                revision=0,
                happened_at=func.now(),
                content={},
                body_digest=b"",
                due_at=func.now(),
            )
            for number in range(count)
        )


def synced(claim: Claim, **more: object) -> Settlement:
    more = {"state": "synced", "synced": Synced(at=datetime.now(UTC), digest=b"digest"), **more}
    return Settlement(claim=claim, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def at_work(
    url: str,
    database: Database,
    work: Work,
    *,
    slots: int = 4,
    lease: timedelta = LEASE,
    finish: timedelta = SOON,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Engine]:
    engine = Engine(
        database,
        lambda heard: Claimant(url, heard=heard),
        work,
        slots=slots,
        lease=lease,
        poll=POLL,
        monotonic=monotonic,
    )
    running, beating = asyncio.create_task(engine.run()), asyncio.create_task(engine.beat())
    try:
        yield engine
    finally:
        engine.stop()
        await running
        await engine.finish(within=finish)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def states(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list(await session.scalars(select(Quote.state).order_by(Quote.quote_id)))


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON.total_seconds()):
        while not await look():  # noqa: ASYNC110 - what is looked at is in the database
            await asyncio.sleep(0.005)


async def test_every_lane_is_worked_on_once_and_settled(clean_database: str, database: Database) -> None:
    await store(database, 150)
    worked: list[str] = []

    async def work(claim: Claim) -> Settlement:
        worked.append(claim.quote_id)
        return synced(claim)

    async with at_work(clean_database, database, work):
        await eventually(partial(_all_are, database, "synced"))
    assert sorted(worked) == sorted(f"q{number}" for number in range(150))
    async with database.transaction() as session:
        (row,) = set(await session.execute(select(Quote.lease_id, Quote.due_at, Quote.synced_generation)))
    assert row == (None, None, 1)


async def _all_are(database: Database, state: str) -> bool:
    return set(await states(database)) == {state}


async def test_no_more_lanes_are_worked_on_at_a_time_than_there_are_slots(
    clean_database: str, database: Database
) -> None:
    await store(database, 40)
    now, most = 0, 0

    async def work(claim: Claim) -> Settlement:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return synced(claim)

    async with at_work(clean_database, database, work, slots=3):
        await eventually(partial(_all_are, database, "synced"))
    assert most == 3


class Flood:
    """Work that ends one lane at a time, when it is told to."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.may_end = asyncio.Semaphore(0)

    async def work(self, claim: Claim) -> Settlement:
        self.begun.put_nowait(claim.connection_id)
        await self.may_end.acquire()
        return synced(claim)

    async def begins(self) -> str:
        """The connection of the next lane that begins."""
        return await asyncio.wait_for(self.begun.get(), SOON.total_seconds())


async def test_a_lane_of_another_connection_begins_at_once_though_one_floods_all_slots(
    clean_database: str, database: Database
) -> None:
    await store(database, 50, "flood")
    flood = Flood()
    async with at_work(clean_database, database, flood.work, slots=2, finish=timedelta()):
        assert [await flood.begins(), await flood.begins()] == ["flood", "flood"]
        await store(database, 2, "other")
        async with database.transaction() as session:
            await lanes.wake(session)
        assert await flood.begins() == "other"
        await store(database, 1, "third")
        async with database.transaction() as session:
            await lanes.wake(session)
        flood.may_end.release()
        assert await flood.begins() == "third", "the other has a slot of its own by now, and the room is for newcomers"
        assert flood.begun.empty()


async def test_a_lane_begins_as_soon_as_an_event_is_committed_without_waiting_for_the_poll(
    clean_database: str, database: Database
) -> None:
    await store(database, 1)
    begun: asyncio.Queue[int] = asyncio.Queue()

    async def work(claim: Claim) -> Settlement:
        begun.put_nowait(claim.generation)
        return synced(claim)

    async with at_work(clean_database, database, work):
        await begun.get()
        await eventually(partial(_all_are, database, "synced"))
        async with database.transaction() as session:
            await session.execute(update(Quote).values(generation=2, due_at=func.now()))
            await lanes.wake(session)
        assert await asyncio.wait_for(begun.get(), SOON.total_seconds()) == 2


async def test_a_claiming_connection_that_is_lost_is_made_anew(clean_database: str, database: Database) -> None:
    await store(database, 1)
    begun: asyncio.Queue[int] = asyncio.Queue()

    async def work(claim: Claim) -> Settlement:
        begun.put_nowait(claim.generation)
        return synced(claim)

    async with at_work(clean_database, database, work):
        await begun.get()
        execute(clean_database, END_CLAIMANTS)
        async with database.transaction() as session:
            await session.execute(update(Quote).values(generation=2, due_at=func.now()))
        assert await asyncio.wait_for(begun.get(), SOON.total_seconds()) == 2


async def test_work_that_fails_leaves_its_lane_to_its_lease_and_does_not_disturb_the_others(
    clean_database: str, database: Database
) -> None:
    await store(database, 3)

    async def work(claim: Claim) -> Settlement:
        if claim.quote_id == "q1":
            raise RuntimeError("nobody foresaw this")
        return synced(claim)

    async def the_others_are_settled() -> bool:
        return await states(database) == ["synced", "syncing", "synced"]

    async with at_work(clean_database, database, work):
        await eventually(the_others_are_settled)


async def test_whoever_lost_its_lease_settles_nothing_and_nothing_follows(
    clean_database: str, database: Database
) -> None:
    """Also what a crash of PostgreSQL does to a claim that was not durable yet: the lease is gone."""
    await store(database, 2)
    followed: list[str] = []

    async def work(claim: Claim) -> Settlement:
        if claim.quote_id == "q0":
            async with database.transaction() as session:
                lost = update(Quote).where(Quote.quote_id == "q0")
                await session.execute(lost.values(lease_id=None, lease_until=None, due_at=None, state="pending"))
        return synced(claim, afterwards=lambda: followed.append(claim.quote_id), disposition="applied")

    async def both_are_over() -> bool:
        return await states(database) == ["pending", "synced"]

    async with at_work(clean_database, database, work):
        await eventually(both_are_over)
    assert followed == ["q1"]


async def test_a_lane_whose_lease_is_lost_while_it_is_worked_on_is_let_go(
    clean_database: str, database: Database
) -> None:
    await store(database, 1)
    let_go = asyncio.Event()

    async def work(_: Claim) -> Settlement | None:
        async with database.transaction() as session:
            await session.execute(update(Quote).values(lease_id=None, lease_until=None, due_at=None))
        try:
            await asyncio.sleep(SOON.total_seconds())
        except asyncio.CancelledError:
            let_go.set()
            raise
        return None

    async with at_work(clean_database, database, work, lease=timedelta(milliseconds=60)):
        await asyncio.wait_for(let_go.wait(), SOON.total_seconds())


async def test_what_is_in_hand_at_the_end_is_handed_back(clean_database: str, database: Database) -> None:
    await store(database, 5)
    begun = asyncio.Event()

    async def work(_: Claim) -> Settlement | None:
        begun.set()
        await asyncio.sleep(SOON.total_seconds())
        return None

    async with at_work(clean_database, database, work, slots=2, finish=timedelta()):
        await begun.wait()
    async with database.transaction() as session:
        rows = (await session.execute(select(Quote.state, Quote.lease_id, Quote.due_at <= func.now()))).all()
    assert set(rows) == {("pending", None, True)}


async def test_lanes_claimed_ahead_are_handed_back_when_no_run_ends(clean_database: str, database: Database) -> None:
    """Somebody else may have a free slot for what waits behind runs that hang."""
    await store(database, 60)

    async def work(_: Claim) -> Settlement | None:
        await asyncio.sleep(SOON.total_seconds())
        return None

    async with at_work(clean_database, database, work, slots=2, finish=timedelta(), monotonic=lambda: 0.0) as engine:
        engine._rate.per_second = 200  # as if runs had just ended that fast

        async def some_are_claimed_ahead() -> bool:
            return len(engine._ahead) >= 10

        await eventually(some_are_claimed_ahead)
        await engine._renew()
        assert (await states(database)).count("syncing") == 2
        assert not engine._ahead


async def test_claims_need_no_durable_commit_and_settlements_do(clean_database: str, database: Database) -> None:
    claimant = Claimant(clean_database, heard=lambda: None)
    await claimant.listen()
    assert claimant._connection is not None
    set_by = "SELECT source || ' ' || setting FROM pg_settings WHERE name = 'synchronous_commit'"
    assert await claimant._connection.fetchval(set_by) == "session off"
    claimant.close()
    async with database.transaction() as session:
        assert (await session.scalars(text(set_by))).one().split()[0] != "session", "what the server's owner has chosen"


async def claimed(database: Database, count: int) -> list[Claim]:
    await store(database, count)
    async with database.transaction() as session:
        return await lanes.claim(session, slots=2 * count, lease=LEASE, probe=LEASE)


class Slept:
    """A sleep that only notes how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


async def test_settlements_that_come_together_share_a_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = await claimed(database, 20)
    commits: list[int] = []
    real = settlements.settle

    async def counted(session: AsyncSession, some: list[Settlement]) -> set[lanes.Key]:
        commits.append(len(some))
        return await real(session, some)

    monkeypatch.setattr(settling, "settle", counted)
    group = Settling(database)
    await asyncio.gather(*(group.settle(synced(claim)) for claim in claims))
    assert commits == [20]
    assert await _all_are(database, "synced")


async def test_a_row_that_somebody_is_writing_holds_up_its_own_settlement_alone(database: Database) -> None:
    claims = await claimed(database, 3)
    group = Settling(database)
    async with database.transaction() as session:
        await session.execute(select(Quote).where(Quote.quote_id == "q0").with_for_update())
        waiting = {claim.quote_id: asyncio.create_task(group.settle(synced(claim))) for claim in claims}

        async def the_others_are_settled() -> bool:
            return (await states(database))[1:] == ["synced", "synced"]

        await eventually(the_others_are_settled)
        assert not waiting["q0"].done()
    await asyncio.gather(*waiting.values())
    assert await _all_are(database, "synced")


async def test_a_settlement_that_cannot_be_written_does_not_take_its_neighbours_with_it(database: Database) -> None:
    claims = await claimed(database, 3)
    group = Settling(database, sleep=Slept())
    told = await asyncio.gather(
        *(group.settle(synced(claim, last_error="\0" if claim.quote_id == "q1" else None)) for claim in claims),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in told) == ["DBAPIError", "NoneType", "NoneType"]
    assert await states(database) == ["synced", "syncing", "synced"]


async def test_whoever_lost_its_lease_is_told_and_the_rest_of_the_group_is_settled(database: Database) -> None:
    claims = await claimed(database, 3)
    async with database.transaction() as session:
        await session.execute(update(Quote).where(Quote.quote_id == "q1").values(lease_id=None))
    group = Settling(database)
    told = await asyncio.gather(*(group.settle(synced(claim)) for claim in claims), return_exceptions=True)
    assert [type(each) for each in told if each is not None] == [LeaseLostError]
    assert await states(database) == ["synced", "syncing", "synced"]


async def test_what_a_run_did_is_settled_when_the_database_is_back_and_not_done_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (claim,) = await claimed(database, 1)
    real, away = settlements.settle, iter(range(3))

    async def at_first_away(session: AsyncSession, some: list[Settlement]) -> set[lanes.Key]:
        if next(away, None) is not None:
            raise OperationalError("UPDATE", {}, asyncpg.ConnectionDoesNotExistError())
        return await real(session, some)

    monkeypatch.setattr(settling, "settle", at_first_away)
    slept = Slept()
    await Settling(database, sleep=slept).settle(synced(claim))
    assert slept.seconds == list(settling.PAUSES[:3])
    assert await states(database) == ["synced"]


async def test_a_settlement_is_given_up_when_the_database_stays_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (claim,) = await claimed(database, 1)

    async def away(*_: object) -> set[lanes.Key]:
        raise ConnectionRefusedError

    monkeypatch.setattr(settling, "settle", away)
    with pytest.raises(ConnectionRefusedError):
        await Settling(database, sleep=Slept()).settle(synced(claim))


@pytest.mark.parametrize("beside_fails", [False, True])
async def test_what_goes_with_a_settlement_is_committed_with_it_or_not_at_all(
    database: Database, *, beside_fails: bool
) -> None:
    (claim,) = await claimed(database, 1)

    async def beside(session: AsyncSession) -> None:
        await session.execute(update(Pace).values(failures=7))
        if beside_fails:
            raise RuntimeError("nobody foresaw this")

    (told,) = await asyncio.gather(Settling(database).settle(synced(claim, beside=beside)), return_exceptions=True)
    assert (told is not None) == beside_fails
    async with database.transaction() as session:
        assert await session.scalar(select(Pace.failures)) == (0 if beside_fails else 7)
    assert await states(database) == ["syncing" if beside_fails else "synced"]


async def test_a_newer_event_keeps_the_attempts_that_it_began_with(database: Database) -> None:
    (claim,) = await claimed(database, 1)
    async with database.transaction() as session:
        await lanes.mark_due(session, Quote.quote_id == "q0")
    retry = Settlement(
        claim=claim, state="retrying", due_at=datetime.now(UTC) + NEVER, attempts=5, retrying_since=datetime.now(UTC)
    )
    await Settling(database).settle(retry)
    async with database.transaction() as session:
        row = await session.get_one(Quote, ("c", "q0"))
        is_due = await session.scalar(select(Quote.due_at <= func.now()))
    assert (row.state, row.attempts, row.retrying_since, is_due) == ("pending", 0, None, True)


async def test_the_tries_of_a_pdf_are_counted_under_the_lease_only(database: Database) -> None:
    claims = await claimed(database, 2)
    async with database.transaction() as session:
        await session.execute(update(Quote).where(Quote.quote_id == "q1").values(lease_id=None))
    told = await asyncio.gather(*(_count_tries(database, claim) for claim in claims), return_exceptions=True)
    assert sorted(type(each).__name__ for each in told) == ["LeaseLostError", "NoneType"]
    async with database.transaction() as session:
        assert (await session.execute(select(Link.quote_id, Link.pdf_tries))).all() == [("q0", 1)]


async def _count_tries(database: Database, claim: Claim) -> None:
    link = Link(connection_id=claim.connection_id, quote_id=claim.quote_id, pdf_tries=0)
    about = {"database": database, "claim": claim, "link": link}
    errand: Any = SimpleNamespace(connection_id=claim.connection_id, quote_id=claim.quote_id, **about)
    await documents._count_tries(errand, 1)
