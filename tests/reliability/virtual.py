"""Workers on a real PostgreSQL in virtual time: hours of waiting pass in seconds, and every call to BMS is counted."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.connections.clients import Clients, Pulse
from app.connections.doors import load_door
from app.connections.sealed import seal_credentials
from app.connections.secrets import Vault
from app.db import lanes
from app.db.lanes import LeaseLostError
from app.db.tables import Connection, Issue, Pace, Run
from app.db.tables import Quote as QuoteRow
from app.directory import Directory
from app.house import House
from app.intake.accept import Debounce, accept
from app.intake.doors import Doors
from app.intake.group_commit import Inbox
from app.kaseya import Capability, Credentials
from app.settings import seconds
from app.sync.run import LaneRun
from app.sync.settling import settle_alone
from sandbox import seed
from sandbox.app import create_app
from sandbox.world import World
from simulation import people
from simulation.house import hush, opened, prepare
from simulation.people import CONNECTION_ID
from simulation.play import Engine
from simulation.quotes import STARTED, Quote, delivery, make_quotes
from simulation.stage import Actor, Stage
from simulation.wire import BASE_URL, VirtualWire, Weather

WeatherT = TypeVar("WeatherT", bound=Weather)

PROCESSES = 4
UNTIL_OPEN = timedelta(minutes=1)
"""Within which the breaker opens: what is tried until then is no probe."""
DEBOUNCE = Debounce(quiet=timedelta(seconds=2), at_most=timedelta(seconds=15))


@dataclass(slots=True)
class Outage(Weather):
    """BMS is away as ``kind`` says, from the start until the first call after ``until`` has met it, too."""

    stage: Stage = field(kw_only=True)
    kind: str = field(kw_only=True)
    until: datetime = field(kw_only=True)
    hits: Callable[[str], bool] = field(kw_only=True, default=lambda path: True)  # noqa: ARG005 - every path
    tried: Counter[tuple[str, int]] = field(default_factory=Counter)
    back_at: datetime | None = None

    def fault(self, method: str, path: str) -> str | None:
        """What goes wrong with this call."""
        if self.back_at is not None:
            return None
        hour = (self.stage.now - STARTED - UNTIL_OPEN) // timedelta(hours=1)
        if hour >= 0:
            self.tried[f"{method} {path}", hour] += 1
        if not self.hits(path):
            return None
        if self.stage.now > self.until:
            self.back_at = self.stage.now
        return self.kind


class Shift:
    """Worker processes of one slot each, as they work through the hours; what they have in memory they do not share."""

    def __init__(self, engine: Engine, stage: Stage, wire: VirtualWire) -> None:
        self.engine = engine
        self.stage = stage
        self.wire = wire
        self._chance = random.Random(1)
        self._idle = [_house(engine, stage, wire) for _ in range(PROCESSES)]
        self._busy: dict[Actor, House] = {}
        self._may_be_due = True

    async def accept(self, quotes: Iterable[Quote], connection_id: str = CONNECTION_ID) -> None:
        """Take the first event of each quote."""
        await self.engine.inbox.execute("SELECT set_config('simulation.now', $1, false)", self.stage.now.isoformat())
        deliveries = [delivery(connection_id, quote, 1) for quote in quotes]
        self._may_be_due = True
        await accept(self.engine.inbox, deliveries, debounce=DEBOUNCE, now=self.stage.now)

    async def work(self, *, until: datetime | None = None, is_over: Callable[[], bool] = lambda: False) -> None:
        """Claim and work until the clock stands at this moment; without one, until nothing is owed any more."""
        while not is_over() and (until is None or self.stage.now < until):
            if self._may_be_due and self._idle:
                await self._claim()
            if self._busy:
                await self._move_all()
            elif not self._may_be_due:
                due_in = await self._next_due()
                if due_in is None or (until is not None and self.stage.now + due_in > until):
                    break
                await self._advance(self.stage.now + max(due_in, timedelta(milliseconds=1)))
        if until is not None and self.stage.now < until:
            await self._advance(until)

    async def _advance(self, moment: datetime) -> None:
        await self.stage.advance(moment)
        self._may_be_due = True

    async def _claim(self) -> None:
        lease = seconds(self.engine.settings.lease_seconds)
        async with self.engine.database.transaction() as session:
            claims = await lanes.claim(session, slots=len(self._idle), lease=lease, probe=lease)
        for claim in claims:
            house = self._idle.pop()
            run = LaneRun(house, claim, jitter=self._chance.random)
            self._busy[self.stage.enter(claim.quote_id, partial(self._carry, run))] = house
        self._may_be_due = bool(claims)
        await self.stage.settle_in()

    async def _carry(self, run: LaneRun) -> None:
        with suppress(LeaseLostError):
            if settlement := await run.work():
                await settle_alone(self.engine.database, settlement)

    async def _move_all(self) -> None:
        """Let everybody go one place further; when all sleep, the clock jumps to who wakes first."""
        awake = [each for each in self._busy if each.wakes_at is None or each.wakes_at <= self.stage.now]
        if not awake:
            await self._advance(min(each.wakes_at for each in self._busy if each.wakes_at is not None))
        for actor in awake:
            await self.stage.move(actor)
            if actor.is_done:
                self._idle.append(self._busy.pop(actor))
                self.stage.remove(actor)
                self._may_be_due = True
                actor.task.result()

    async def _next_due(self) -> timedelta | None:
        async with self.engine.database.transaction() as session:
            return await lanes.next_due(session)

    async def states(self) -> Counter[str]:
        """How many quotes are in which state."""
        async with self.engine.database.transaction() as session:
            return Counter(await session.scalars(select(QuoteRow.state)))

    async def issues(self) -> list[str]:
        """The codes of all issues there ever were."""
        async with self.engine.database.transaction() as session:
            return list(await session.scalars(select(Issue.code)))

    async def synced_at(self) -> list[datetime]:
        """When runs ended well, in order."""
        async with self.engine.database.transaction() as session:
            wanted = select(Run.finished_at).where(Run.outcome == "synced").order_by(Run.finished_at)
            return list(await session.scalars(wanted))


async def connect(session: AsyncSession, vault: Vault, connection_id: str) -> None:
    """Store a connection to the sandbox, as signing in and saving settings would."""
    row = Connection(
        id=connection_id,
        name=connection_id,
        server="custom",
        base_url=BASE_URL,
        state="active",
        capabilities=[capability.value for capability in Capability],
        settings=dict(people.SETTINGS),
        time_zone="UTC",
    )
    seal_credentials(vault, row, Credentials(seed.COMPANY, seed.USERNAME, seed.PASSWORD))
    session.add(row)
    await session.flush()
    session.add(Pace(connection_id=connection_id))


def _house(engine: Engine, stage: Stage, wire: VirtualWire) -> House:
    pulse = Pulse(clock=stage.clock, monotonic=stage.monotonic, sleep=stage.sleep)
    clients = Clients(engine.database, engine.vault, wire, engine.settings, pulse=pulse)
    return House(
        settings=engine.settings,
        database=engine.database,
        vault=engine.vault,
        wire=wire,
        clients=clients,
        directory=Directory(engine.database, clients, engine.settings, stage.clock),
        inbox=Inbox(engine.pool, debounce=DEBOUNCE, clock=stage.clock),
        doors=Doors(lambda connection_id: load_door(engine.database, engine.vault, connection_id)),
        clock=stage.clock,
    )


@asynccontextmanager
async def shift(
    database_url: str, make_weather: Callable[[Stage], WeatherT], *others: str, **settings: Any
) -> AsyncIterator[tuple[Shift, WeatherT, World]]:
    """Workers that are connected to the sandbox, both in virtual time; what goes wrong on purpose is not logged.

    ``others`` are the ids of connections beside the one; ``settings`` change the service's own.
    """
    configured: dict[str, Any] = structlog.get_config()
    hush()
    await prepare(database_url)
    stage = Stage(STARTED)
    bms = create_app(contract="extended", clock=stage.clock, sleep=stage.delay)
    async with opened(database_url) as engine:
        engine.settings = engine.settings.model_copy(update=settings)
        await engine.database.begin_seed(stage)
        weather = make_weather(stage)
        wire = VirtualWire(stage, bms, weather, lambda said: None)  # noqa: ARG005 - nobody listens
        async with engine.database.transaction() as session:
            for connection_id in (CONNECTION_ID, *others):
                await connect(session, engine.vault, connection_id)
        try:
            yield Shift(engine, stage, wire), weather, bms.state.world
        finally:
            await stage.clear()
            structlog.configure(**configured)


def many_quotes(count: int) -> list[Quote]:
    """So many different quotes, each with a first event."""
    chance, found = random.Random(7), list[Quote]()
    while len(found) < count:
        (quote, *_) = make_quotes(chance)
        events = tuple(
            {**event, "data": {**event["data"], "quote_id": f"q-{len(found)}", "number": str(len(found))}}
            for event in quote.events[:1]
        )
        found.append(Quote(f"q-{len(found)}", events))
    return found
