"""Finds the rows: the modules `row_NN_name.py` of a folder, in order."""

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("rows")
_NAME = re.compile(r"row_(\d+)_(\w+)")


class NoSuchRowError(Exception):
    """A row was asked for that does not exist; the message lists those that do."""


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """A row that can be measured, and the file that measures it."""

    number: int
    path: Path

    @property
    def title(self) -> str:
        """The first line of its docstring, without the full stop."""
        return self.docstring.partition("\n")[0].rstrip(".")

    @property
    def explanation(self) -> str:
        """The rest of its docstring, in Markdown: the page about performance shows it as it stands."""
        return self.docstring.partition("\n")[2].strip()

    @property
    def docstring(self) -> str:
        """What the module says about itself, read without running it."""
        return ast.get_docstring(ast.parse(self.path.read_text())) or self.path.stem


def find_rows(wanted: Collection[int] = (), *, folder: Path = FOLDER) -> Sequence[Row]:
    """Find the wanted rows in order; all of them where none is named.

    Raises:
        NoSuchRowError: One of the wanted does not exist.
    """
    rows = sorted(Row(int(found[1]), path) for path in folder.glob("*.py") if (found := _NAME.fullmatch(path.stem)))
    missing = sorted(set(wanted) - {row.number for row in rows})
    if missing:
        there = ", ".join(str(row.number) for row in rows) or "none"
        raise NoSuchRowError(f"There is no row {', '.join(map(str, missing))}. The rows are: {there}.")
    return [row for row in rows if not wanted or row.number in wanted]
