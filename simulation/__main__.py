"""`python -m simulation`: plays thousands of seeds; a failing one is printed with its whole story, and plays again."""

import asyncio
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from local.postgres import own_postgres
from simulation.house import opened, prepare_database
from simulation.play import Play, Report
from simulation.verdict import SimulationError

BATCH = 25
console = Console(soft_wrap=True, highlight=False)


def main(
    seeds: Annotated[int, typer.Option(help="how many seeds to play")] = 10_000,
    first: Annotated[int, typer.Option(help="the first of them")] = 0,
    seed: Annotated[int | None, typer.Option(help="play this one alone, and tell its story")] = None,
    processes: Annotated[int, typer.Option(help="how many at a time")] = os.cpu_count() or 1,
) -> None:
    """Play seeds and say whether the engine kept its word under all of them."""
    with own_postgres(durable=False) as url:
        if seed is not None:
            failed = asyncio.run(_tell(url, seed))
        else:
            failed = _play_all(url, range(first, first + seeds), processes)
    raise typer.Exit(1 if failed else 0)


async def _tell(server_url: str, seed: int) -> bool:
    pass


if __name__ == "__main__":
    typer.run(main)
