"""The areas that ``make mutate`` measures: their files are there, and its figures mean what they say."""

import os
from configparser import ConfigParser
from pathlib import Path

import pytest

from mutation.__main__ import ROOT
from mutation.areas import AREAS, Area, Part
from mutation.score import score_of
from mutation.workplace import FailedError, Workplace, prepare


@pytest.mark.parametrize("area", AREAS.values(), ids=AREAS)
def test_an_area_names_files_that_are_there(area: Area) -> None:
    assert [path for path in (*area.paths, *area.tests) if not (ROOT / path).is_file()] == []


def test_a_workplace_tells_mutmut_and_coverage_what_the_area_is(tmp_path: Path) -> None:
    area = AREAS["budget"]
    place = prepare(ROOT, tmp_path / "place", area, databases=["postgresql://one", "postgresql://two"])
    settings = ConfigParser()
    settings.read([place.folder / "setup.cfg", place.folder / "coverage.ini"])
    assert settings["mutmut"]["only_mutate"].split() == settings["run"]["include"].split() == list(area.paths)
    assert settings["mutmut"]["pytest_add_cli_args_test_selection"].split() == list(area.tests)
    assert [path for path in (*area.paths, *area.tests) if not (place.folder / path).is_file()] == []
    assert place.environment["MUTATION_DATABASES"] == "postgresql://one postgresql://two"


def test_a_tool_that_fails_says_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="no-such-command"):
        Workplace(tmp_path, dict(os.environ)).run("coverage", "no-such-command")


def test_a_part_names_its_mutants_as_mutmut_does() -> None:
    assert Part(path="app/a/b.py").patterns == ("app.a.b.x*",)
    assert Part(path="app/b.py", names=("do", "Gate")).patterns == ("app.b.x_do__mutmut_*", "app.b.xǁGateǁ*")


def test_only_a_mutant_that_a_test_has_noticed_counts_as_killed() -> None:
    verdicts = {
        "a": "killed",
        "b": "timeout",
        "c": "survived",
        "d": "no tests",
        "e": "suspicious",
        "f": "not checked",
        "g": "killed",
    }
    score = score_of(verdicts)
    assert (score.mutants, score.killed, score.share) == (6, 3, 0.5)
    assert score.survivors == ("c", "d", "e")
