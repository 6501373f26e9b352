"""Keeps what one run came to, so that the page about performance can be written from it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.machine import Machine
from benchmarks.verdict import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run over all rows: when, on what, how often each thing was measured, and what came of it."""

    measured_on: date
    machine: Machine
    rounds: int
    outcomes: Sequence[Outcome]


_RECORD = TypeAdapter(Record)


def write_record(record: Record, path: Path) -> None:
    """Write a record as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_RECORD.dump_json(record, indent=1) + b"\n")


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        FileNotFoundError: Nothing was recorded yet.
        ValidationError: The record is of another form than the one that is written today.
    """
    return _RECORD.validate_json(path.read_bytes())
