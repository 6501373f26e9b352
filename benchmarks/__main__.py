"""`python -m benchmarks [ROW ...]`: measures the rows one after the other and prints the table of one run."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.bench import ROUNDS
from benchmarks.catalogue import NoSuchRowError, Row, find_rows
from benchmarks.machine import Machine, look_at_machine
from benchmarks.page import Page
from benchmarks.record import Record
from benchmarks.solo import GRACE, Terms, measure_alone
from benchmarks.verdict import Outcome, Unmeasured, Verdict

TOTAL = timedelta(minutes=10)
console = Console(highlight=False)


def main(
    rows: Annotated[list[int] | None, typer.Argument(help="the rows to measure; all of them, if none is named")] = None,
    *,
    rounds: Annotated[int, typer.Option(min=1, help="how often each thing is measured")] = ROUNDS,
    write: Annotated[
        bool, typer.Option("--write", help="keep the run as the one that docs/performance.md shows")
    ] = False,
    page: Annotated[bool, typer.Option("--page", help="only write the page again, from the run that was kept")] = False,
) -> None:
    """Measure what things cost, against references that are written here. A miss is a result; a crash is not."""
    chosen = _choose(rows or ())
    if page:
        Page().write(find_rows())
        return
    if write and rows:
        raise typer.BadParameter("The page shows one run over all rows: name none with --write.")
    machine = look_at_machine()
    _introduce(machine)
    outcomes = list(measure_all(chosen, rounds=rounds))
    _show(outcomes)
    if write:
        today = datetime.now(UTC).date()
        Page().keep(Record(measured_on=today, machine=machine, rounds=rounds, outcomes=outcomes), chosen)
    raise typer.Exit(exit_status(outcomes))


def _choose(rows: Sequence[int]) -> Sequence[Row]:
    try:
        return find_rows(rows)
    except NoSuchRowError as error:
        raise typer.BadParameter(str(error)) from None


def measure_all(rows: Sequence[Row], *, rounds: int, total: timedelta = TOTAL) -> Iterator[Outcome]:
    """Measure rows one after the other; those that no time is left for are not measured."""
    deadline = time.monotonic() + total.total_seconds()
    for row in rows:
        within = timedelta(seconds=deadline - time.monotonic()) - GRACE
        if within <= timedelta():
            reason = f"No time was left of the {total.total_seconds() / 60:.0f} minutes for all rows."
            yield Unmeasured(row=row.number, what=row.title, reason=reason, crashed=False)
            continue
        yield measure_alone(row, Terms(within=within, rounds=rounds))


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """Say 1 if a row has crashed; a row that misses its target is a result like another."""
    return int(any(isinstance(each, Unmeasured) and each.crashed for each in outcomes))


def _introduce(machine: Machine) -> None:
    console.print(f"{machine}, load average {machine.load:.2f}")
    if not machine.is_quiet:
        console.print("[yellow]Something else is using this machine: trust the ratios, and not the figures.")


def _show(outcomes: Sequence[Outcome]) -> None:
    table = Table("row", "what", "target", "measured", "", title="One run, medians of its rounds")
    for outcome in outcomes:
        table.add_row(str(outcome.row), *map(escape, outcome.cells), "[green]ok" if outcome.ok else "[bold red]MISS")
    console.print(table)
    for outcome in outcomes:
        if isinstance(outcome, Verdict):
            console.print(f"{outcome.row}. {outcome.bound}", markup=False)


if __name__ == "__main__":
    typer.run(main)
