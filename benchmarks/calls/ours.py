"""Plays a workload through the real engine, in virtual time: real PostgreSQL, the sandbox in this process."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from app.connections.clients import Clients, Pulse
from app.connections.doors import load_door
from app.db import lanes, links
from app.db.tables import Connection
from app.db.tables import Quote as QuoteRow
from app.directory import Directory
from app.house import House
from app.intake.accept import Debounce, accept
from app.intake.canonical import content_digest
from app.intake.deliveries import Delivery, Source
from app.intake.doors import Doors
from app.intake.group_commit import Inbox
from app.intake.standard import parse
from app.settings import seconds
from app.sync.mapping import fold
from app.sync.run import LaneRun
from app.sync.settling import settle_alone
from benchmarks.bench import Bench
from benchmarks.calls.bms import Clerk, add_item, open_bms
from benchmarks.calls.floor import Terms
from benchmarks.calls.workload import STARTED, Event, Quote, Workload
from sandbox.world import World
from simulation import people
from simulation.database import install_clock
from simulation.house import hush, opened
from simulation.people import CONNECTION_ID
from simulation.play import Engine
from simulation.stage import Stage
from simulation.wire import VirtualWire, Weather

CLAIMED_AT_ONCE = 1
WITHOUT_LINES = {"enabled": False}
GUARDS = ("opportunity-statuses", "employees", "warehouses")


@asynccontextmanager
async def open_play(bench: Bench, workload: Workload, terms: Terms) -> "AsyncIterator[Play]":
    """Play on a database of its own; nothing that goes wrong on the way is logged."""
    hush()
    url = await bench.postgres(durable=False)
    await install_clock(url)
    async with opened(url) as engine:
        play = Play(engine, workload, terms)
        await play.open()
        yield play


class Play:
    """One workload on a fresh database and a fresh sandbox, with one worker that takes one quote at a time."""

    def __init__(self, engine: Engine, workload: Workload, terms: Terms) -> None:
        """Nothing happens before :meth:`open`."""
        self._engine = engine
        self._workload = workload
        self._terms = terms
        self._stage = Stage(STARTED)
        bms = open_bms(workload, contract=terms.contract, clock=self._stage.clock, sleep=self._stage.delay)
        self._world: World = bms.state.world
        self._clerk = Clerk(self._world) if terms.contract == "published" else None
        weather = Weather(random.Random(workload.mean_lines), probability=0, kinds=frozenset())
        self._wire = VirtualWire(self._stage, bms, weather, lambda _: None)
        self._house = self._open_house()
        self.runs = 0

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return self._stage.now

    @property
    def calls(self) -> Counter[str]:
        """What BMS was asked so far, by method and path template."""
        return Counter(self._world.counts)

    @property
    def violations(self) -> list[dict[str, Any]]:
        """What the client did against the contract."""
        return self._world.violations

    async def open(self) -> None:
        """Connect, with the settings that name the sandbox's records."""
        database = self._engine.database
        await database.begin_seed(self._stage)
        async with database.transaction() as session:
            people.connect(session, self._engine.vault, is_extended=self._terms.contract == "extended")
            await session.flush()
            await people.make_turn(session)
            if not self._terms.with_lines:
                settings = {**people.SETTINGS, "service_quotation": WITHOUT_LINES}
                await session.execute(update(Connection).values(settings=settings))

    def restart(self) -> None:
        """Start the process anew: whatever it had in memory is gone."""
        self._house = self._open_house()

    def forget_first_look_ups(self) -> None:
        """Go on as a connection that has been at work: its runs read look-ups every five minutes, not each time."""
        for kind in GUARDS:
            while self._house.directory.allowance.take((CONNECTION_ID, kind)):
                pass

    async def remember_items(self) -> None:
        """Go on as if earlier quotes had had every item, and had made those that BMS lacked."""
        store = self._world.store
        for item in self._workload.items:
            if not item.is_known and (item.kind == "service" or self._terms.is_extended):
                add_item(self._world, item)
        held = {("service", row["Name"]): row["Id"] for row in store.all("services")}
        held |= {("product", row["ProductNumber"]): row["Id"] for row in store.all("products")}
        async with self._engine.database.transaction() as session:
            for (kind, code), kaseya_id in held.items():
                await links.save_item(session, CONNECTION_ID, kind, fold(code), kaseya_id=kaseya_id)

    def forget_calls(self) -> None:
        """Count from nothing again."""
        self._world.forget_calls()

    async def play(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Deliver every event when it is due, and work until nothing is owed, or ``until`` says that it is enough."""
        await self._play(list(reversed(self._workload.arrivals())), until)

    async def _play(self, arrivals: list[tuple[Event, Quote]], until: Callable[[], bool]) -> None:
        while not until():
            due = []
            while arrivals and arrivals[-1][0].at <= self.now:
                due.append(arrivals.pop())
            if due:
                await self.deliver(due)
            if await self._work():
                continue
            moment = await self._next_moment(arrivals[-1][0].at if arrivals else None)
            if moment is None:
                return
            await self._stage.advance(moment)

    async def work_off(self) -> None:
        """Work until nothing is owed."""
        await self._play([], lambda: False)

    async def deliver(self, events: list[tuple[Event, Quote]]) -> None:
        """Accept events, as the webhook does after it has checked their signatures."""
        settings, now = self._engine.settings, self.now
        await self._engine.inbox.execute("SELECT set_config('simulation.now', $1, false)", now.isoformat())
        debounce = Debounce(
            quiet=seconds(settings.debounce_quiet_seconds), at_most=seconds(settings.debounce_max_seconds)
        )
        deliveries = [_delivery(quote, event) for event, quote in events]
        await accept(self._engine.inbox, deliveries, debounce=debounce, now=now)

    async def sync_again(self) -> None:
        """Mark every quote due, as a replay of everything does."""
        async with self._engine.database.transaction() as session:
            await lanes.mark_due(session, QuoteRow.connection_id == CONNECTION_ID)

    async def synced(self) -> int:
        """How many quotes BMS shows."""
        async with self._engine.database.transaction() as session:
            shown = select(func.count()).where(QuoteRow.first_synced_at.is_not(None))
            return int(await session.scalar(shown) or 0)

    async def states(self) -> Counter[str]:
        """How many quotes are in each state."""
        async with self._engine.database.transaction() as session:
            rows = await session.execute(select(QuoteRow.state, func.count()).group_by(QuoteRow.state))
            return Counter(dict(rows.tuples().all()))

    async def _work(self) -> bool:
        """Work on one due lane, if there is one."""
        lease = seconds(self._engine.settings.lease_seconds)
        async with self._engine.database.transaction() as session:
            claims = await lanes.claim(session, slots=CLAIMED_AT_ONCE, lease=lease, probe=lease)
        for claim in claims:
            settlement = await LaneRun(self._house, claim, jitter=lambda: 0.5).work()
            assert settlement is not None, "no quote is deleted here"
            await settle_alone(self._engine.database, settlement)
            self.runs += 1
        if self._clerk:
            self._clerk.work()
        return bool(claims)

    async def _next_moment(self, arrival: datetime | None) -> datetime | None:
        async with self._engine.database.transaction() as session:
            due_in = await lanes.next_due(session)
        moments = [arrival, None if due_in is None else self.now + due_in]
        moment = min((each for each in moments if each is not None), default=None)
        return None if moment is None else max(moment, self.now + timedelta(milliseconds=1))

    def _open_house(self) -> House:
        engine, stage = self._engine, self._stage
        pulse = Pulse(clock=stage.clock, monotonic=stage.monotonic, sleep=stage.sleep)
        clients = Clients(engine.database, engine.vault, self._wire, engine.settings, pulse=pulse)
        return House(
            settings=engine.settings,
            database=engine.database,
            vault=engine.vault,
            wire=self._wire,
            clients=clients,
            directory=Directory(engine.database, clients, engine.settings, stage.clock),
            inbox=Inbox(engine.pool, debounce=Debounce(quiet=timedelta(), at_most=timedelta()), clock=stage.clock),
            doors=Doors(lambda connection_id: load_door(engine.database, engine.vault, connection_id)),
            clock=stage.clock,
        )


def _delivery(quote: Quote, event: Event) -> Delivery:
    body = json.dumps(quote.content(event)).encode()
    read = parse(body)
    return Delivery(
        connection_id=CONNECTION_ID,
        source=Source.STANDARD,
        webhook_id=f"{quote.quote_id}-{event.version}",
        body=body,
        digest=hashlib.sha256(content_digest(read.quote) + bytes([event.version])).digest(),
        event=read,
    )
