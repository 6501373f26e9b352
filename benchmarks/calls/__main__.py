"""`python -m benchmarks.calls --quotes 1000`: our calls for a workload of any size, beside the floor, by endpoint."""

import asyncio
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.bench import open_bench
from benchmarks.calls.compare import count_naive, count_ours, is_new
from benchmarks.calls.floor import Terms, floor_of
from benchmarks.calls.workload import make_workload

console = Console(highlight=False)


def main(
    quotes: Annotated[int, typer.Option(help="how many quotes; a thousand are a day")] = 1_000,
    contract: Annotated[str, typer.Option(help="published or extended")] = "extended",
    *,
    lines: Annotated[bool, typer.Option(help="whether quotations are wanted")] = True,
) -> None:
    """Play a workload as a whole. A thousand quotes with lines take some minutes on a quiet machine."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_count(quotes, Terms(contract=contract, with_lines=lines)))


async def _count(quotes: int, terms: Terms) -> None:
    workload = make_workload(quotes)
    floor = floor_of(workload, terms, is_new=is_new(workload))
    async with open_bench(say=console.print) as bench:
        ours, idle = await count_ours(bench, workload, terms)
    naive = await count_naive(workload, terms)
    _show("ours, by endpoint", ours.most_common())
    _show("floor, by kind", floor.most_common())
    console.print(
        f"{quotes} quotes of {workload.mean_lines:.1f} lines, {terms.contract}, "
        f"{'with' if terms.with_lines else 'without'} lines: "
        f"{ours.total()} calls, {ours.total() / quotes:.2f} a quote; "
        f"{ours.total() / floor.total():.3f} x the floor of {floor.total()}; "
        f"{naive * quotes / ours.total():.1f} x fewer than the naive integration's {naive:.0f} a quote; "
        f"{idle.total()} calls for what changed nothing"
    )


def _show(title: str, rows: list[tuple[str, int]]) -> None:
    table = Table("calls", "count", title=title)
    for name, count in rows:
        table.add_row(name, str(count))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
