"""``python -m mutation [AREA ...]``: branch coverage and mutation score of each area; 1 where one falls short."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.db.migrate import upgrade
from local.postgres import own_postgres
from mutation.areas import AREAS
from mutation.score import LEAST_SCORE, Coverage, Score, differences, measure_coverage, measure_score
from mutation.workplace import FailedError, prepare

ROOT = Path(__file__).resolve().parents[1]
HEAD = f"{'area':<10} {'branch coverage':>15} {'mutants':>8} {'killed':>7} {'score':>7}"


def main() -> int:
    """Measure the areas asked for, and return 1 if any has less than all branches or 80 % of the mutants."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}; all if none is named")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="mutants at a time (all processors)")
    parser.add_argument("--show", action="store_true", help="show what each surviving mutant has changed")
    asked = parser.parse_args()
    if unknown := set(asked.areas) - set(AREAS):
        parser.error(f"There is no area {', '.join(sorted(unknown))}; the areas are {', '.join(AREAS)}.")
    print(HEAD, flush=True)
    with databases(asked.at_once) as urls:
        try:
            fine = [measure(name, urls, show=asked.show) for name in asked.areas or AREAS]
        except FailedError as error:
            print(error, file=sys.stderr)
            return 1
    return 0 if all(fine) else 1


def measure(name: str, urls: list[str], *, show: bool) -> bool:
    """Measure one area, and say what was found; False where it falls short."""
    area = AREAS[name]
    place = prepare(ROOT, ROOT / ".artefacts" / "mutation" / name, area, databases=urls)
    coverage = measure_coverage(place, area)
    score = measure_score(place, area, at_once=len(urls))
    report(name, coverage, score)
    if show:
        print(differences(place, score.survivors))
    return not coverage.missing and score.share >= LEAST_SCORE


def report(name: str, coverage: Coverage, score: Score) -> None:
    """One line of the table, and below it what no test has seen."""
    covered = coverage.covered / coverage.units
    print(f"{name:<10} {covered:>15.1%} {score.mutants:>8} {score.killed:>7} {score.share:>7.1%}", flush=True)
    for missing in (*coverage.missing, *score.survivors):
        print(f"    {missing}", flush=True)


@contextmanager
def databases(count: int) -> Iterator[list[str]]:
    """So many migrated databases, on a PostgreSQL of our own."""
    with own_postgres(durable=False) as url:
        urls = [urlunsplit(urlsplit(url)._replace(path=f"/mutation_{number}")) for number in range(count)]
        for each in urls:
            asyncio.run(_create(url, urlsplit(each).path.removeprefix("/")))
            upgrade(each)
        yield urls


async def _create(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()


if __name__ == "__main__":
    sys.exit(main())
