"""`python -m simulation`: plays thousands of seeds; a failing one is printed with its whole story, and plays again."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated

import typer
from rich.console import Console

from local.postgres import own_postgres
from simulation.play import Report
from simulation.series import Failure, play_share

console = Console(soft_wrap=True, highlight=False)


def main(
    seeds: Annotated[int, typer.Option(help="how many seeds to play")] = 10_000,
    first: Annotated[int, typer.Option(help="the first of them")] = 0,
    seed: Annotated[int | None, typer.Option(help="play this one alone, and tell its story")] = None,
    processes: Annotated[int, typer.Option(help="how many play at a time")] = os.cpu_count() or 1,
) -> None:
    """Play seeds and say whether the engine kept its word under all of them."""
    started = time.monotonic()
    wanted = range(first, first + seeds) if seed is None else range(seed, seed + 1)
    with own_postgres(durable=False) as url:
        shares = [wanted[number::processes] for number in range(min(processes, len(wanted)))]
        with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
            playing = [
                pool.submit(play_share, url, number, share, seed is not None) for number, share in enumerate(shares)
            ]
            played = [each.result() for each in playing]
    reports = [report for some, _ in played for report in some]
    failures = sorted(failure for _, some in played for failure in some)
    _show(reports, failures, time.monotonic() - started)
    raise typer.Exit(1 if failures else 0)


def _show(reports: Sequence[Report], failures: Sequence[Failure], seconds: float) -> None:
    faults = Counter[str]()
    for report in reports:
        faults.update(report.faults)
    for seed, complaint, story in failures[:1]:
        console.print(f"seed {seed}: {complaint}", "its story:", *story, sep="\n", markup=False)
    for seed, complaint, _ in failures[1:20]:
        console.print(f"seed {seed}: {complaint}", markup=False)
    count = len(reports) + len(failures)
    console.print(
        f"{count} seeds in {seconds:.0f} s, {count / seconds:.1f} a second: "
        f"{sum(each.calls for each in reports)} calls, "
        f"{sum(each.crashes for each in reports)} crashes, {sum(each.pauses for each in reports)} pauses, "
        f"{sum(faults.values())} faults ({', '.join(f'{n} {kind}' for kind, n in faults.most_common())})"
    )
    console.print(f"records in BMS twice, each told to people: {sum(each.told_twice for each in reports)}")
    if failures:
        console.print(f"{len(failures)} failed. Play one again: python -m simulation --seed {failures[0][0]}")
    else:
        console.print("No seed failed.")


if __name__ == "__main__":
    typer.run(main)
