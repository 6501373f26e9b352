"""The engine's processes in a simulation: what they share, and what each holds in memory until it is killed."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from app.connections.clients import Clients, Pulse
from app.connections.doors import load_door
from app.connections.secrets import Vault
from app.db.lanes import Claim, LeaseLostError
from app.directory import Directory
from app.house import House
from app.intake.accept import Debounce
from app.intake.doors import Doors
from app.intake.group_commit import Inbox
from app.settings import Settings, seconds
from app.sync.run import LaneRun
from app.sync.settling import settle_alone
from simulation.database import VirtualConnection, VirtualDatabase
from simulation.stage import Actor, Stage
from simulation.wire import VirtualWire

HEARTBEATS_PER_LEASE = 3
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Engine:
    """What the engine's processes share: database, keys and settings."""

    database: VirtualDatabase
    pool: asyncpg.Pool
    vault: Vault
    settings: Settings

    @property
    def inbox(self) -> VirtualConnection:
        """The connection that events are accepted over."""
        return self.database.connection

    @property
    def debounce(self) -> Debounce:
        """How long updates are gathered."""
        return Debounce(
            quiet=seconds(self.settings.debounce_quiet_seconds), at_most=seconds(self.settings.debounce_max_seconds)
        )


@dataclass(slots=True, eq=False)
class Process:
    """One worker process with one slot; what it has in memory dies with it."""

    name: str
    house: House
    renewed_at: datetime
    actor: Actor | None = None
    claim: Claim | None = None
    away_until: datetime | None = None
    """Until when it is paused, or not started again yet."""

    def is_away(self, now: datetime) -> bool:
        """Whether it is paused, or not started again yet."""
        return self.away_until is not None and self.away_until > now

    @property
    def renews_at(self) -> datetime:
        """When its heart beats next."""
        if self.claim is None:
            return NEVER
        return self.renewed_at + seconds(self.house.settings.lease_seconds) / HEARTBEATS_PER_LEASE


def start_process(name: str, engine: Engine, stage: Stage, wire: VirtualWire) -> Process:
    """A process that has just been started, with nothing in memory."""
    pulse = Pulse(clock=stage.clock, monotonic=stage.monotonic, sleep=stage.sleep)
    clients = Clients(engine.database, engine.vault, wire, engine.settings, pulse=pulse)
    house = House(
        settings=engine.settings,
        database=engine.database,
        vault=engine.vault,
        wire=wire,
        clients=clients,
        directory=Directory(engine.database, clients, engine.settings, stage.clock),
        inbox=Inbox(engine.pool, debounce=engine.debounce, clock=stage.clock),
        doors=Doors(lambda connection_id: load_door(engine.database, engine.vault, connection_id)),
        clock=stage.clock,
    )
    return Process(name, house, renewed_at=stage.now)


async def work_and_settle(database: VirtualDatabase, run: LaneRun) -> None:
    """What a worker does with a claimed lane; a lost lease settles nothing."""
    with suppress(LeaseLostError):
        if settlement := await run.work():
            await settle_alone(database, settlement)
