"""Writes what a run came to into docs/performance.md, between two marks, with a plot for each row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.catalogue import Row
from benchmarks.plot import draw
from benchmarks.record import Record, read_record, write_record
from benchmarks.verdict import Outcome, Unmeasured, Verdict

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN = "<!-- measured: written by `make bench ARGS=--write` -->"
END = "<!-- measured: end -->"


@dataclass(frozen=True, slots=True)
class Page:
    """The page, and the folder beside it with the record of the run and the plots."""

    docs: Path = DOCS

    @property
    def path(self) -> Path:
        """The page itself."""
        return self.docs / "performance.md"

    @property
    def folder(self) -> Path:
        """Where the record and the plots lie."""
        return self.docs / "performance"

    @property
    def record(self) -> Path:
        """The record of the run that the page shows."""
        return self.folder / "record.json"

    def keep(self, record: Record, rows: Sequence[Row]) -> None:
        """Keep a run as the one that the page shows."""
        write_record(record, self.record)
        self.write(rows)

    def write(self, rows: Sequence[Row]) -> None:
        """Write page and plots anew from the record that is kept."""
        record = read_record(self.record)
        for plot in self.folder.glob("row_*.svg"):
            plot.unlink()
        for verdict in _plotted(record):
            (self.folder / _plot_name(verdict)).write_text(draw(verdict))
        self.path.write_text(self.text(rows))

    def text(self, rows: Sequence[Row]) -> str:
        """Give the page as it has to be: what is outside of the marks stays as somebody has written it."""
        before, _, rest = self.path.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        return f"{before}{BEGIN}\n\n{render(read_record(self.record), rows)}\n{END}{after}"


def render(record: Record, rows: Sequence[Row]) -> str:
    """Render a run: the machine, the table, and a section for each row."""
    explanations = {row.number: row.explanation for row in rows}
    parts = ["\n".join(_introduction(record)), "\n".join(_table(record.outcomes))]
    for outcome in record.outcomes:
        parts += _section(outcome, explanations.get(outcome.row, ""))
    return "\n\n".join(part for part in parts if part) + "\n"


def _introduction(record: Record) -> Iterator[str]:
    machine = record.machine
    yield f"One run of `make bench ARGS=--write` on {record.measured_on}, {record.rounds} rounds, on {machine};"
    yield f"load average before it: {machine.load:.2f}."
    if not machine.is_quiet:
        yield "The machine was not quiet: trust the ratios, and not the figures."


def _table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "| | what | target | measured | |"
    yield "|---|---|---|---|---|"
    for outcome in outcomes:
        cells = [cell.replace("|", "\\|") for cell in outcome.cells]
        yield f"| {outcome.row} | {' | '.join(cells)} | {'ok' if outcome.ok else '**MISS**'} |"


def _section(outcome: Outcome, explanation: str) -> Iterator[str]:
    yield f"## {outcome.row}. {outcome.what}"
    match outcome:
        case Verdict():
            yield f"Target: {outcome.target}. Measured: {outcome.measured}. {'ok' if outcome.ok else '**MISS**'}."
            if outcome.bars:
                yield f"![{outcome.what}](performance/{_plot_name(outcome)})"
            yield f"`make bench ARGS={outcome.row}`"
            yield outcome.bound
        case Unmeasured():
            yield outcome.reason
            yield f"`make bench ARGS={outcome.row}`"
    yield explanation


def _plotted(record: Record) -> Iterator[Verdict]:
    return (each for each in record.outcomes if isinstance(each, Verdict) and each.bars)


def _plot_name(verdict: Verdict) -> str:
    return f"row_{verdict.row:02}.svg"
