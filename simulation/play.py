"""One seed from its first event to rest: workers take turns, crash and pause, BMS misbehaves, and then all is calm."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
from sqlalchemy import func, select, update

from app.connections.clients import Clients, Pulse
from app.connections.doors import load_door
from app.connections.secrets import Vault
from app.db import issues, lanes
from app.db.lanes import Claim, LeaseLostError
from app.db.tables import Intent
from app.db.tables import Quote as QuoteRow
from app.directory import Directory
from app.house import House
from app.intake.accept import Debounce, accept
from app.intake.doors import Doors
from app.intake.group_commit import Inbox
from app.settings import Settings, seconds
from app.sync.run import LaneRun
from app.sync.settling import settle_alone
from app.sync.sweeps import Sweeper
from sandbox.app import create_app
from sandbox.world import World
from simulation import people
from simulation.database import VirtualDatabase
from simulation.people import CONNECTION_ID
from simulation.quotes import STARTED, arrivals, delivery, make_quotes
from simulation.stage import Actor, Stage
from simulation.verdict import SimulationError, Verdict
from simulation.wire import ALL_KINDS, VirtualWire, Weather

MOST_MOVES = 5_000
MOST_ANSWERS = 12
HEARTBEATS_PER_LEASE = 3
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Engine:
    """What the engine's processes share: database, keys, settings, and the connection that events come in by."""

    database: VirtualDatabase
    inbox: "asyncpg.Connection[asyncpg.Record]"
    pool: asyncpg.Pool
    vault: Vault
    settings: Settings


@dataclass(slots=True, eq=False)
class Process:
    """One worker process with one slot; what it has in memory dies with it."""

    name: str
    house: House
    actor: Actor | None = None
    claim: Claim | None = None
    renewed_at: datetime = STARTED
    away_until: datetime | None = None
    """Until when it is paused, or not started again yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a seed came to."""

    seed: int
    calls: int
    crashes: int
    pauses: int
    faults: Counter[str]
    told_twice: int
    moves: int


@dataclass(slots=True)
class Storm:
    """How rough a seed is."""

    crash: float
    pause: float
    weather: Weather

    def calm(self) -> None:
        """Nobody crashes or pauses any more, and BMS behaves."""
        self.crash = self.pause = 0
        self.weather.calm()


class Play:
    """Plays one seed; the same seed plays the same way."""

    def __init__(self, seed: int, engine: Engine) -> None:
        self.seed = seed
        self._engine = engine
        self._chance = random.Random(seed)
        self._stage = Stage(STARTED)
        self.trace: list[str] = []
        self._is_extended = self._chance.random() < 0.75  # noqa: PLR2004 - three quarters
        kinds = self._chance.sample(ALL_KINDS, self._chance.randint(1, len(ALL_KINDS)))
        weather = Weather(self._chance, self._chance.choice((0, 0.03, 0.1, 0.25)), frozenset(kinds))
        self._storm = Storm(self._chance.choice((0, 0.005, 0.02)), self._chance.choice((0, 0.005)), weather)
        self._bms = create_app(
            contract="extended" if self._is_extended else "published", clock=self._stage.clock, sleep=self._stage.delay
        )
        self._world: World = self._bms.state.world
        self._wire = VirtualWire(self._stage, self._bms, weather, self._tell)
        self._quotes = make_quotes(self._chance)
        self._arrivals = arrivals(self._quotes, self._chance)
        self._processes = [self._process(f"worker {number}") for number in range(1, self._chance.randint(1, 3) + 1)]
        self._sweeper = self._process("sweeper")
        self._verdict = Verdict(self._quotes, self._world, engine.database, is_extended=self._is_extended)
        self._may_be_due = False
        self._audit_at: datetime | None = None
        self._is_calm = False
        self._moves = self._crashes = self._pauses = 0

    async def run(self) -> Report:
        """Storm, calm, and the verdict. Raises SimulationError where the engine broke its word."""
        await self._engine.database.begin_seed(self._stage)
        try:
            await self._connect()
            await self._until(self._is_delivered)
            self._storm.calm()
            self._is_calm = True
            self._tell("calm")
            await self._rest()
            await self._answer_people()
            told = await self._verdict.judge()
            await self._sync_again()
            return Report(
                seed=self.seed,
                calls=len(self._world.calls),
                crashes=self._crashes,
                pauses=self._pauses,
                faults=self._storm.weather.met,
                told_twice=told,
                moves=self._moves,
            )
        finally:
            await self._stage.clear()

    def _process(self, name: str) -> Process:
        engine, stage = self._engine, self._stage
        pulse = Pulse(clock=stage.clock, monotonic=stage.monotonic, sleep=stage.sleep)
        clients = Clients(engine.database, engine.vault, self._wire, engine.settings, pulse=pulse)
        house = House(
            settings=engine.settings,
            database=engine.database,
            vault=engine.vault,
            wire=self._wire,
            clients=clients,
            directory=Directory(engine.database, clients, engine.settings, stage.clock),
            inbox=Inbox(engine.pool, debounce=_debounce(engine.settings), clock=stage.clock),
            doors=Doors(lambda connection_id: load_door(engine.database, engine.vault, connection_id)),
            clock=stage.clock,
        )
        return Process(name, house, renewed_at=stage.now)

    def _tell(self, what: str) -> None:
        self.trace.append(f"{self._stage.now:%H:%M:%S.%f} {self._stage.actor_name}: {what}")

    async def _connect(self) -> None:
        async with self._engine.database.transaction() as session:
            people.connect(session, self._engine.vault, is_extended=self._is_extended)
            await session.flush()
            await people.make_turn(session)

    def _is_delivered(self) -> bool:
        return not self._arrivals

    async def _rest(self) -> None:
        """Play on until nothing is owed to anybody, and no late look is due any more."""
        await self._until(lambda: False)

    async def _until(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            self._moves += 1
            if self._moves > MOST_MOVES:
                raise SimulationError("It never comes to rest.")
            if choices := self._choices():
                await self._chance.choice(choices)()
                self._verdict.watch()
            elif (moment := await self._next_moment()) is None:
                return
            else:
                await self._advance(moment)

    def _choices(self) -> list[Callable[[], Awaitable[None]]]:
        """What can happen now."""
        now = self._stage.now
        choices: list[Callable[[], Awaitable[None]]] = []
        for process in (*self._processes, self._sweeper):
            if self._is_away(process):
                continue
            actor = process.actor
            if self._renews_at(process) <= now:
                choices.append(partial(self._heartbeat, process))
            if actor is None:
                if self._may_be_due and process is not self._sweeper:
                    choices.append(partial(self._claim, process))
            elif actor.wakes_at is None or actor.wakes_at <= now:
                choices.append(partial(self._move, process))
        if self._arrivals and self._arrivals[0].at <= now:
            choices.append(self._deliver)
        return choices

    async def _deliver(self) -> None:
        arrival = self._arrivals.pop(0)
        quote = self._quotes[arrival.quote]
        await self._engine.inbox.execute("SELECT set_config('simulation.now', $1, false)", self._stage.now.isoformat())
        (accepted,) = await accept(
            self._engine.inbox,
            [delivery(CONNECTION_ID, quote, arrival.version)],
            debounce=_debounce(self._engine.settings),
            now=self._stage.now,
        )
        self._tell(f"event {quote.quote_id} version {arrival.version} is {accepted.answer}")
        self._may_be_due = True

    async def _claim(self, process: Process) -> None:
        lease = seconds(self._engine.settings.lease_seconds)
        process.away_until = None
        async with self._engine.database.transaction() as session:
            claims = await lanes.claim(session, slots=1, lease=lease, probe=lease)
        if not claims:
            self._may_be_due = False
            return
        (claim,) = claims
        self._tell(f"{process.name} claims {claim.quote_id} generation {claim.generation}")
        process.claim, process.renewed_at = claim, self._stage.now
        run = LaneRun(process.house, claim, jitter=self._chance.random)
        work = partial(_work_and_settle, self._engine.database, run)
        process.actor = self._stage.enter(f"{process.name} {claim.quote_id}", work)
        await self._stage.settle_in()

    async def _move(self, process: Process) -> None:
        actor, storm = process.actor, self._storm
        assert actor is not None
        draw = self._chance.random()
        if draw < storm.crash:
            await self._crash(process)
        elif draw < storm.crash + storm.pause:
            self._pauses += 1
            process.away_until = self._stage.now + timedelta(seconds=self._chance.choice((5, 29, 31, 90)))
            self._tell(f"{process.name} is paused, {actor.place}")
        else:
            await self._stage.move(actor)
            if actor.is_done:
                self._finish(process, actor)

    def _finish(self, process: Process, actor: Actor) -> None:
        self._stage.remove(actor)
        process.actor = process.claim = None
        self._may_be_due = True
        if not actor.task.cancelled() and (error := actor.task.exception()):
            raise SimulationError(f"{actor.name} failed: {error!r}") from error
        self._tell(f"{actor.name} is done")

    async def _crash(self, process: Process) -> None:
        """Kill -9: what it held in memory is gone, what it committed and sent stays."""
        assert process.actor is not None
        self._crashes += 1
        self._tell(f"{process.name} crashes, {process.actor.place}")
        await self._let_go(process)
        process.house = self._process(process.name).house
        process.away_until = self._stage.now + timedelta(seconds=self._chance.choice((1, 20, 60)))

    async def _let_go(self, process: Process) -> None:
        assert process.actor is not None
        await self._stage.kill(process.actor)
        process.actor = process.claim = None

    def _is_away(self, process: Process) -> bool:
        return process.away_until is not None and process.away_until > self._stage.now

    def _renews_at(self, process: Process) -> datetime:
        if process.claim is None:
            return NEVER
        return process.renewed_at + seconds(self._engine.settings.lease_seconds) / HEARTBEATS_PER_LEASE

    async def _heartbeat(self, process: Process) -> None:
        """Renew a lease; a run without one is let go. Who was paused may go on a while before its heart beats again."""
        assert process.claim is not None
        lease = seconds(self._engine.settings.lease_seconds)
        async with self._engine.database.transaction() as session:
            ours = await lanes.renew(session, [process.claim], lease=lease)
        process.renewed_at = self._stage.now
        if not ours:
            self._tell(f"{process.name} has lost its lease")
            await self._let_go(process)

    async def _next_moment(self) -> datetime | None:
        """When something happens next, on its own account."""
        now = self._stage.now
        async with self._engine.database.transaction() as session:
            due_in = await lanes.next_due(session)
            audit_at = self._audit_at = await session.scalar(
                select(func.min(Intent.audit_at)).where(Intent.state == "done")
            )
        moments = [self._stage.next_moment(), audit_at]
        for process in (*self._processes, self._sweeper):
            if self._is_away(process):
                moments.append(process.away_until)
            elif process.actor is not None:
                moments += [process.actor.wakes_at, self._renews_at(process)]
            elif due_in is not None and process is not self._sweeper:
                moments.append(now + due_in)
        if self._arrivals:
            moments.append(self._arrivals[0].at)
        moment = min((moment for moment in moments if moment is not None and moment != NEVER), default=None)
        return None if moment is None else max(moment, now + timedelta(milliseconds=1))

    async def _advance(self, moment: datetime) -> None:
        await self._stage.advance(moment)
        self._may_be_due = True
        if self._is_calm and not self._is_extended:
            people.add_headers(self._world)
        if self._sweeper.actor is None and self._audit_at is not None and self._audit_at <= self._stage.now:
            self._audit_at = None
            self._sweeper.actor = self._stage.enter("sweeper", Sweeper(self._sweeper.house).sweep)
            await self._stage.settle_in()

    async def _answer_people(self) -> None:
        """People do what issues ask of them, until none is open."""
        for _ in range(MOST_ANSWERS):
            async with self._engine.database.transaction() as session:
                asked = await issues.open_of(session, CONNECTION_ID)
            for issue in sorted(asked, key=lambda each: (each.quote_id or "", each.code)):
                self._stage.now += timedelta(milliseconds=1)
                async with self._engine.database.transaction() as session:
                    session.add(issue)
                    self._verdict.hear(issue)
                    self._tell(f"issue {issue.code} of {issue.quote_id}: {issue.detail}")
                    await people.answer(session, self._world, issue)
            if not asked:
                return
            self._may_be_due = True
            await self._rest()
        raise SimulationError("Issues come back however often they are answered.")

    async def _sync_again(self) -> None:
        """Three further syncs, two of which read BMS, must write nothing."""
        for forgets in (False, True, True):
            for quote in self._quotes:
                self._stage.now += timedelta(milliseconds=1)  # so that no two fall due at the same moment
                async with self._engine.database.transaction() as session:
                    await lanes.mark_due(session, QuoteRow.quote_id == quote.quote_id)
                    if forgets:
                        await session.execute(update(QuoteRow).values(synced_digest=None))
            self._may_be_due = True
            before = len(self._world.calls)
            await self._rest()
            self._verdict.check_silence(before)


async def _work_and_settle(database: VirtualDatabase, run: LaneRun) -> None:
    with suppress(LeaseLostError):
        if settlement := await run.work():
            await settle_alone(database, settlement)


def _debounce(settings: Settings) -> Debounce:
    return Debounce(quiet=seconds(settings.debounce_quiet_seconds), at_most=seconds(settings.debounce_max_seconds))
