"""Measures one row in a process of its own, so that no row sees another's heap, and none can hold up the rest."""

import asyncio
import faulthandler
import importlib.util
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import ModuleType

import uvloop

from benchmarks.bench import ROUNDS, forget_our_environment, open_bench, progress_of
from benchmarks.catalogue import Row
from benchmarks.verdict import Outcome, Unmeasured, Verdict

LIMIT = timedelta(seconds=45)
"""How long a row may take, unless its module says otherwise by a LIMIT of its own."""
GRACE = timedelta(seconds=15)
"""How long a row that is out of time may take to end what it has started."""


class OutOfTimeError(Exception):
    """A row was not done within its time; the message says after how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a row is measured; ``within`` is what is left of the time for all of them."""

    within: timedelta
    rounds: int = ROUNDS
    grace: timedelta = GRACE


def measure_alone(row: Row, terms: Terms) -> Outcome:
    """Measure a row and wait for it; whatever goes wrong with it is its outcome."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(row, terms, theirs), name=row.path.stem)
    process.start()
    theirs.close()
    try:
        outcome: Outcome = ours.recv()
    except EOFError:
        process.join()
        reason = f"Its process ended (exit status {process.exitcode}) without a verdict; its complaint is above."
        return Unmeasured(row=row.number, what=row.title, reason=reason, crashed=True)
    else:
        return outcome
    finally:
        ours.close()
        process.kill()
        if process.pid:
            _end_group(process.pid)
        process.join()


def _measure(row: Row, terms: Terms, outlet: "Connection[Outcome, Outcome]") -> None:
    """Measure in the new process: on the service's event loop, in a process group that ends as a whole."""
    os.setsid()
    forget_our_environment()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outlet.send(runner.run(_outcome(row, terms)))


async def _outcome(row: Row, terms: Terms) -> Outcome:
    try:
        return await _verdict(row, terms)
    except OutOfTimeError as error:
        return Unmeasured(row=row.number, what=row.title, reason=str(error), crashed=False)
    except Exception as error:  # noqa: BLE001 - whatever went wrong with one row, the others go on
        traceback.print_exception(error)
        return Unmeasured(row=row.number, what=row.title, reason=f"{type(error).__name__}: {error}", crashed=True)


async def _verdict(row: Row, terms: Terms) -> Verdict:
    module = _load(row)
    limit: timedelta = min(getattr(module, "LIMIT", LIMIT), terms.within)
    # A row that blocks the loop cannot be told that its time is up: its process ends, and says where it stood.
    faulthandler.dump_traceback_later((limit + terms.grace).total_seconds(), exit=True)
    async with open_bench(rounds=terms.rounds, say=progress_of(row.number)) as bench:
        time_limit = asyncio.timeout(limit.total_seconds())
        try:
            async with time_limit:
                verdict: Verdict = await module.measure(bench)
        except TimeoutError as error:
            if time_limit.expired():
                raise OutOfTimeError(f"It was not done after {limit.total_seconds():g} s.") from error
            raise
    return verdict


def _load(row: Row) -> ModuleType:
    """Import a row under the name by which the processes that it starts can import it, too."""
    name = f"benchmarks.rows.{row.path.stem}"
    spec = importlib.util.spec_from_file_location(name, row.path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _end_group(leader: int) -> None:
    """End what a row has started and left behind."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
