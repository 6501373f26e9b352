import os
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from benchmarks.__main__ import exit_status, measure_all
from benchmarks.bench import Bench, open_bench
from benchmarks.catalogue import NoSuchRowError, find_rows
from benchmarks.solo import Terms, measure_alone
from benchmarks.verdict import Unmeasured, Verdict
from tests.benchmarks.conftest import DONE, MakeRow

TERMS = Terms(within=timedelta(minutes=5), rounds=1)
ENDS_WITHIN = 20.0


def test_a_row_is_measured_in_a_process_of_its_own(make_row: MakeRow) -> None:
    row = make_row(
        """
        what = f"in {os.getpid()}, started by {os.getppid()}, {bench.rounds} rounds"
        return Verdict(row=3, what=what, target="1", measured="1", ok=False, bound="", bars=[Bar("ours", 1.5)])
        """
    )
    verdict = measure_alone(row, Terms(within=timedelta(minutes=5), rounds=7))
    assert isinstance(verdict, Verdict)
    assert verdict.what.endswith("7 rounds")
    assert not verdict.ok
    assert verdict.bars[0].value == 1.5


def test_a_row_that_breaks_says_why_and_counts_as_crashed(make_row: MakeRow, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = measure_alone(make_row("raise RuntimeError('no answer')"), TERMS)
    assert outcome == Unmeasured(
        row=3, what="A row to try the frame with", reason="RuntimeError: no answer", crashed=True
    )
    assert "Traceback" in capfd.readouterr().err


def test_a_row_that_cannot_be_imported_says_why(make_row: MakeRow, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = measure_alone(make_row(first="import nothing_of_that_name"), TERMS)
    assert isinstance(outcome, Unmeasured)
    assert "No module named 'nothing_of_that_name'" in outcome.reason
    assert "ModuleNotFoundError" in capfd.readouterr().err


def test_a_row_that_takes_longer_than_its_own_limit_is_ended(make_row: MakeRow) -> None:
    outcome = measure_alone(make_row("await asyncio.Event().wait()", first="LIMIT = timedelta(seconds=0.1)"), TERMS)
    assert isinstance(outcome, Unmeasured)
    assert outcome.reason == "It was not done after 0.1 s."
    assert not outcome.crashed


def test_a_time_out_of_the_row_itself_is_a_crash(make_row: MakeRow, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = measure_alone(make_row("raise TimeoutError('BMS did not answer')"), TERMS)
    assert isinstance(outcome, Unmeasured)
    assert (outcome.reason, outcome.crashed) == ("TimeoutError: BMS did not answer", True)
    assert "Traceback" in capfd.readouterr().err


def test_a_row_that_blocks_its_loop_ends_with_its_process_and_says_where(
    make_row: MakeRow, capfd: pytest.CaptureFixture[str]
) -> None:
    row = make_row("time.sleep(600)", first="LIMIT = timedelta(seconds=0.1)")
    outcome = measure_alone(row, Terms(within=timedelta(minutes=5), grace=timedelta(seconds=0.2)))
    assert isinstance(outcome, Unmeasured)
    assert "without a verdict" in outcome.reason
    assert "row_03_tried.py" in capfd.readouterr().err


def test_what_a_row_leaves_behind_ends_with_it(make_row: MakeRow, tmp_path: Path) -> None:
    program = "print(flush=True); import time; time.sleep(600)"
    row = make_row(
        f"""
        command = {[sys.executable, "-c", program]}
        left = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        await left.stdout.readline()
        open({str(tmp_path / "pid")!r}, "w").write(str(left.pid))
        {DONE}
        """
    )
    assert isinstance(measure_alone(row, TERMS), Verdict)
    process = Path("/proc", (tmp_path / "pid").read_text())
    until = time.monotonic() + ENDS_WITHIN  # who was killed is still there until the kernel comes to it
    while not _has_ended(process):
        assert time.monotonic() < until, (process / "status").read_text()
        time.sleep(0.01)


def _has_ended(process: Path) -> bool:
    try:
        return "(zombie)" in (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_row_does_not_see_settings_of_the_caller(make_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTEBRIDGE_LEASE_SECONDS", "1")
    row = make_row(f"assert 'QUOTEBRIDGE_LEASE_SECONDS' not in os.environ\n{DONE}")
    assert isinstance(measure_alone(row, TERMS), Verdict)


async def test_a_bench_gives_fresh_migrated_databases_on_a_durable_server() -> None:
    async with open_bench() as bench:
        one, two = await bench.postgres(), await bench.postgres()
        assert one != two
        connection = await asyncpg.connect(one)
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        assert await connection.fetchval("SELECT count(*) FROM events") == 0
        await connection.close()
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await asyncpg.connect(one)


async def test_each_thing_is_measured_once_a_round_in_an_order_that_changes_and_can_be_played_again() -> None:
    orders = [await _order_of_runs() for _ in range(2)]
    assert orders[0] == orders[1]
    rounds = [tuple(orders[0][start : start + 3]) for start in range(0, 15, 3)]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len(set(rounds)) > 1


async def _order_of_runs() -> list[str]:
    called: list[str] = []

    async def run(name: str) -> float:
        called.append(name)
        return len(called)

    async with open_bench() as bench:
        figures = await bench.interleave({name: partial(run, name) for name in "abc"})
    assert {name: [called.index(name, 3 * n) + 1 for n in range(5)] for name in "abc"} == figures
    return called


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    assert Bench.ratio([2, 20, 9], [1, 10, 9]) == 2
    with pytest.raises(ValueError, match="shorter"):
        Bench.ratio([1, 2], [1])


def test_rows_are_found_in_order_and_picked_by_number(tmp_path: Path) -> None:
    for name in ("row_10_late.py", "row_02_early.py", "__init__.py", "shared.py"):
        (tmp_path / name).write_text('"""What it is.\n\nWhy it is so.\n"""\n')
    early, late = find_rows(folder=tmp_path)
    assert (early.number, late.number) == (2, 10)
    assert (early.title, early.explanation) == ("What it is", "Why it is so.")
    assert find_rows([10], folder=tmp_path) == [late]
    with pytest.raises(NoSuchRowError, match=r"There is no row 3, 5. The rows are: 2, 10."):
        find_rows([5, 2, 3], folder=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["999"], "There is no row 999."), (["5", "--write"], "name none with --write")],
)
def test_the_command_refuses_what_makes_no_sense(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, env=wide, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_rows_that_no_time_is_left_for_are_not_measured(make_row: MakeRow) -> None:
    outcomes = list(measure_all([make_row("os._exit(1)")], rounds=1, total=timedelta(seconds=1)))
    assert [(each.row, each.ok) for each in outcomes] == [(3, False)]
    assert "No time was left" in outcomes[0].cells[2]


def test_a_row_that_crashes_does_not_keep_the_next_from_being_measured(
    make_row: MakeRow, capfd: pytest.CaptureFixture[str]
) -> None:
    outcomes = list(measure_all([make_row("os._exit(7)", number=2), make_row()], rounds=1))
    assert [(each.row, each.ok) for each in outcomes] == [(2, False), (3, True)]
    assert "exit status 7" in outcomes[0].cells[2]


def test_only_a_crash_makes_the_command_fail() -> None:
    miss = Verdict(row=1, what="", target="", measured="", ok=False, bound="")
    late, crash = (Unmeasured(row=2, what="", reason="", crashed=crashed) for crashed in (False, True))
    assert exit_status([miss, late]) == 0
    assert exit_status([miss, crash]) == 1
