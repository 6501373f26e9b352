"""One play from its first event to rest: workers take turns, crash and pause, BMS misbehaves, and then all is calm."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select, update

from app.db import issues, lanes
from app.db.tables import Intent
from app.db.tables import Quote as QuoteRow
from app.intake.accept import accept
from app.settings import seconds
from app.sync.run import LaneRun
from app.sync.sweeps import Sweeper
from sandbox.app import create_app
from sandbox.world import World
from simulation import people
from simulation.people import CONNECTION_ID
from simulation.processes import NEVER, Engine, Process, start_process, work_and_settle
from simulation.quotes import STARTED, delivery
from simulation.script import Script
from simulation.stage import Actor, Stage
from simulation.verdict import SimulationError, Verdict
from simulation.wire import VirtualWire

__all__ = ["Engine", "Play", "Report"]

MOST_MOVES = 5_000
MOST_ANSWERS = 12
A_MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a play came to."""

    calls: int
    crashes: int
    pauses: int
    faults: Counter[str]
    told_twice: int


class Play:
    """Plays one script; the same script plays the same way."""

    def __init__(self, script: Script, engine: Engine) -> None:
        self.trace: list[str] = []
        self.stage = Stage(STARTED)
        self._script = script
        self._engine = engine
        self._chance = script.chance
        bms = create_app(
            contract="extended" if script.is_extended else "published", clock=self.stage.clock, sleep=self.stage.delay
        )
        self.world: World = bms.state.world
        self._wire = VirtualWire(self.stage, bms, script.storm.weather, self.tell)
        self._processes = [self._start(f"worker {number}") for number in range(1, script.workers + 1)]
        self._sweeper = self._start("sweeper")
        patience = seconds(engine.settings.doubt_grace_seconds) + seconds(engine.settings.lease_seconds)
        self.verdict = Verdict(script.quotes, self.world, self._wire, engine.database, patience=patience)
        self._due_at: datetime | None = None
        self._knows_due = self._may_be_due = False
        self._audit_at: datetime | None = None
        self._is_calm = False
        self._moves = self._crashes = self._pauses = 0

    async def run(self) -> Report:
        """Storm, calm, and the verdict. Raises SimulationError where the engine broke its word."""
        try:
            await self.begin()
            await self._until(lambda: not self._script.arrivals)
            return await self.end()
        finally:
            await self.stage.clear()

    async def begin(self) -> None:
        """Connect to a BMS that knows nothing of us."""
        await self._engine.database.begin_seed(self.stage)
        async with self._engine.database.transaction() as session:
            people.connect(session, self._engine.vault, is_extended=self._script.is_extended)
            await session.flush()
            await people.make_turn(session)

    async def end(self) -> Report:
        """Calm, until nothing is owed to anybody; then the verdict."""
        self._script.storm.calm()
        self._is_calm = True
        self.tell("calm")
        await self.rest()
        await self._answer_everything()
        told = await self.verdict.judge()
        await self._sync_again()
        return Report(
            calls=len(self.world.calls),
            crashes=self._crashes,
            pauses=self._pauses,
            faults=self._script.storm.weather.met,
            told_twice=told,
        )

    def tell(self, what: str) -> None:
        """Add a line to the story."""
        self.trace.append(f"{self.stage.now:%H:%M:%S.%f} {self.stage.actor_name}: {what}")

    def _start(self, name: str) -> Process:
        return start_process(name, self._engine, self.stage, self._wire)

    async def rest(self) -> None:
        """Play on until nothing is owed to anybody, and no late look is due any more."""
        await self._until(lambda: False)

    async def pass_time(self, wait: timedelta) -> None:
        """Play on for a while."""
        until = self.stage.now + wait
        await self._until(lambda: self.stage.now >= until, at_most=until)
        await self.stage.advance(until)

    async def _until(self, is_over: Callable[[], bool], *, at_most: datetime | None = None) -> None:
        while not is_over():
            self._moves += 1
            if self._moves > MOST_MOVES:
                raise SimulationError("It never comes to rest.")
            if choices := self._choices():
                await self._chance.choice(choices)()
                self.verdict.watch()
            elif (moment := await self._next_moment()) is None or (at_most is not None and moment > at_most):
                return
            else:
                await self._advance(moment)

    def _choices(self) -> list[Callable[[], Awaitable[None]]]:
        """What can happen now."""
        now = self.stage.now
        choices: list[Callable[[], Awaitable[None]]] = []
        for process in (*self._processes, self._sweeper):
            if process.is_away(now):
                continue
            actor = process.actor
            if process.renews_at <= now:
                choices.append(partial(self._heartbeat, process))
            if actor is None:
                if self._may_be_due and process is not self._sweeper:
                    choices.append(partial(self._claim, process))
            elif actor.wakes_at is None or actor.wakes_at <= now:
                choices.append(partial(self._move, process))
        if self._script.arrivals and self._script.arrivals[0].at <= now:
            choices.append(self._receive)
        return choices

    async def _receive(self) -> None:
        arrival = self._script.arrivals.pop(0)
        await self.deliver(arrival.quote, arrival.version)

    async def deliver(self, number: int, version: int) -> None:
        """Have the frontend send an event of a quote; versions count from 1."""
        quote, engine = self._script.quotes[number], self._engine
        (accepted,) = await accept(
            engine.inbox,
            [delivery(CONNECTION_ID, quote, version)],
            debounce=engine.debounce,
            now=self.stage.now,
        )
        self.tell(f"event {quote.quote_id} version {version} is {accepted.answer}")
        self._wake()

    def _wake(self) -> None:
        """Something may be due now."""
        self._knows_due, self._may_be_due = False, True

    async def _claim(self, process: Process) -> None:
        if self._knows_due and (self._due_at is None or self._due_at > self.stage.now):
            self._may_be_due = False
            return
        lease = seconds(self._engine.settings.lease_seconds)
        process.away_until = None
        self._knows_due = False
        async with self._engine.database.transaction() as session:
            claims = await lanes.claim(session, slots=1, lease=lease, probe=lease)
        if not claims:
            self._may_be_due = False
            return
        (claim,) = claims
        self.tell(f"{process.name} claims {claim.quote_id} generation {claim.generation}")
        process.claim, process.renewed_at = claim, self.stage.now
        run = LaneRun(process.house, claim, jitter=self._chance.random)
        work = partial(work_and_settle, self._engine.database, run)
        process.actor = self.stage.enter(f"{process.name} {claim.quote_id}", work)
        await self.stage.settle_in()

    async def _move(self, process: Process) -> None:
        actor, storm = process.actor, self._script.storm
        assert actor is not None
        draw = self._chance.random()
        if draw < storm.crash:
            await self._crash(process)
        elif draw < storm.crash + storm.pause:
            self._pauses += 1
            process.away_until = self.stage.now + timedelta(seconds=self._chance.choice((5, 29, 31, 90)))
            self.tell(f"{process.name} is paused, {actor.place}")
        else:
            await self._go_on(process, actor)

    async def _go_on(self, process: Process, actor: Actor) -> None:
        await self.stage.move(actor)
        if not actor.is_done:
            return
        self.stage.remove(actor)
        process.actor = process.claim = None
        self._wake()
        if not actor.task.cancelled() and (error := actor.task.exception()):
            raise SimulationError(f"{actor.name} failed: {error!r}") from error
        self.tell(f"{actor.name} is done")

    async def crash_after(self, moves: int) -> None:
        """Kill the first worker that has something in hand, after so many of its moves or before it is done."""
        process = self._processes[0]
        self._may_be_due = True
        if process.actor is None and not process.is_away(self.stage.now):
            await self._claim(process)
        for _ in range(moves):
            if process.actor is not None and (process.actor.wakes_at or self.stage.now) <= self.stage.now:
                await self._go_on(process, process.actor)
                self.verdict.watch()
        if process.actor is not None:
            await self._crash(process)

    async def _crash(self, process: Process) -> None:
        """Kill -9: what it held in memory is gone, what it committed and sent stays."""
        assert process.actor is not None
        self._crashes += 1
        self.tell(f"{process.name} crashes, {process.actor.place}")
        await self._let_go(process)
        process.house = self._start(process.name).house
        process.away_until = self.stage.now + timedelta(seconds=self._chance.choice((1, 20, 60)))

    async def _let_go(self, process: Process) -> None:
        assert process.actor is not None
        await self.stage.kill(process.actor)
        process.actor = process.claim = None

    async def _heartbeat(self, process: Process) -> None:
        """Renew a lease; a run without one is let go. Who was paused may go on a while before its heart beats again."""
        assert process.claim is not None
        lease = seconds(self._engine.settings.lease_seconds)
        async with self._engine.database.transaction() as session:
            ours = await lanes.renew(session, [process.claim], lease=lease)
        process.renewed_at = self.stage.now
        if not ours:
            self.tell(f"{process.name} has lost its lease")
            await self._let_go(process)

    async def _next_moment(self) -> datetime | None:
        """When something happens next, on its own account."""
        now = self.stage.now
        if not self._knows_due:
            await self._look_what_is_due()
        moments = [self.stage.next_moment(), self._audit_at]
        for process in (*self._processes, self._sweeper):
            if process.is_away(now):
                moments.append(process.away_until)
            elif process.actor is not None:
                moments += [process.actor.wakes_at, process.renews_at]
            elif process is not self._sweeper:
                moments.append(self._due_at)
        if self._script.arrivals:
            moments.append(self._script.arrivals[0].at)
        moment = min((moment for moment in moments if moment is not None and moment != NEVER), default=None)
        return None if moment is None else max(moment, now + A_MOMENT)

    async def _look_what_is_due(self) -> None:
        async with self._engine.database.transaction() as session:
            due_in = await lanes.next_due(session)
            self._audit_at = await session.scalar(select(func.min(Intent.audit_at)).where(Intent.state != "open"))
        self._due_at = None if due_in is None else self.stage.now + due_in + A_MOMENT
        self._knows_due = True

    async def _advance(self, moment: datetime) -> None:
        await self.stage.advance(moment)
        self._may_be_due = True
        if self._is_calm and not self._script.is_extended:
            people.add_headers(self.world)
        if self._sweeper.actor is None and self._audit_at is not None and self._audit_at <= self.stage.now:
            self._audit_at = None
            self._sweeper.actor = self.stage.enter("sweeper", Sweeper(self._sweeper.house).sweep)
            await self.stage.settle_in()

    async def _answer_everything(self) -> None:
        """People do what issues ask of them, until none is open."""
        for _ in range(MOST_ANSWERS):
            if not await self.answer_people():
                return
            await self.rest()
        raise SimulationError("Issues come back however often they are answered.")

    async def answer_people(self) -> int:
        """People do what the open issues ask of them; returns how many there were."""
        async with self._engine.database.transaction() as session:
            asked = await issues.open_of(session, CONNECTION_ID)
        for issue in sorted(asked, key=lambda each: (each.quote_id or "", each.code)):
            self.stage.now += A_MOMENT
            async with self._engine.database.transaction() as session:
                session.add(issue)
                self.verdict.hear(issue)
                self.tell(f"issue {issue.code} of {issue.quote_id}: {issue.detail}")
                await people.answer(session, self.world, issue)
        self._wake()
        return len(asked)

    async def _sync_again(self) -> None:
        """Three further syncs write nothing: an unchanged quote makes no call, one looked at anew only reads."""
        for forgets in (False, True, False):
            for quote in self._script.quotes:
                self.stage.now += A_MOMENT  # so that no two fall due at the same moment
                async with self._engine.database.transaction() as session:
                    await lanes.mark_due(session, QuoteRow.quote_id == quote.quote_id)
                    if forgets:
                        await session.execute(update(QuoteRow).values(synced_digest=None))
            before = len(self.world.calls)
            self._wake()
            await self.rest()
            self.verdict.check_silence(before, may_read=forgets)
