"""What the demo shows: progress while it runs, a table at the end, and where everything is if it stays up."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.play import Played

PLAIN_WIDTH = 132
ACCEPTED_WORD = "202 accepted"


def console() -> Console:
    """A console as wide as the terminal; where there is none, wide enough for the table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


class Show:
    """Tells the audience."""

    def __init__(self, console: Console) -> None:
        """Take where to write."""
        self._console = console

    def say(self, text: str) -> None:
        """One line, wrapped by the terminal alone so that it can be copied."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show what is being waited for; where nobody watches, nothing."""
        with self._console.status(f"{escape(what)} …"):
            yield

    def played(self, played: Played, *, seconds: float) -> None:
        """One line about a scene that is over."""
        mark = "[red]FAILED[/]" if played.faults else "    [green]ok[/]"
        scene = played.scene
        told = escape(f"{scene.quote.number} {scene.title}")
        self._console.print(f"{mark}  {told}  [dim]{seconds:.1f} s[/]", soft_wrap=True)

    def table(self, played: Sequence[Played]) -> None:
        """Event → what BMS holds now, warnings, calls."""
        table = Table(title="What became of each event", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("quote", no_wrap=True)
        table.add_column("event", ratio=3)
        table.add_column("BMS holds now", ratio=4)
        table.add_column("warnings and issues", ratio=3)
        table.add_column("BMS calls", justify="right")
        for each in played:
            outcome, scene = each.outcome, each.scene
            odd_answer = f" ({outcome.answer})" if outcome.answer and str(outcome.answer) != ACCEPTED_WORD else ""
            told = [*(f"issue: {code}" for code in outcome.issues), *sorted(outcome.warnings)]
            cells = (f"{scene.title}{odd_answer}", outcome.held.sentence(), ", ".join(told))
            table.add_row(scene.quote.number, *map(escape, cells), str(outcome.call_count))
        self._console.print()
        self._console.print(table)

    def verdict(self, faults: Sequence[str], *, seconds: float) -> None:
        """Whether all was as it should be, and if not, what was not."""
        if not faults:
            self._console.print(f"[green]BMS holds exactly what it should[/] ({seconds:.0f} s).")
            return
        self._console.print(f"[red]BMS does not hold what it should[/] ({seconds:.0f} s):")
        for fault in faults:
            self.say(f"- {fault}")
