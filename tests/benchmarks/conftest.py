"""Rows to try the frame with, each in a folder of its own."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from benchmarks.catalogue import Row

MakeRow = Callable[..., Row]

HEAD = '''
"""A row to try the frame with.

It explains itself.
"""

import asyncio
import os
import time
from datetime import timedelta

import asyncpg

from benchmarks.bench import Bench
from benchmarks.verdict import Bar, Verdict


async def measure(bench: Bench) -> Verdict:
'''
DONE = 'return Verdict(row=3, what="a row", target="1", measured="1", ok=True, bound="Nothing bounds it.")'


@pytest.fixture
def make_row(tmp_path: Path) -> MakeRow:
    """Make a row whose function `measure` has this body."""

    def make(body: str = DONE, *, number: int = 3, first: str = "") -> Row:
        path = tmp_path / f"row_{number:02}_tried.py"
        path.write_text(HEAD.lstrip() + indent(dedent(body), "    ") + f"\n\n{first}\n")
        return Row(number, path)

    return make
