"""What mutmut and coverage have found, as figures."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mutation.areas import Area, Part
from mutation.workplace import Workplace

LEAST_SCORE = 0.80
NOTICED = ("killed", "timeout", "segfault")
"""A test has failed, has not ended, or has ended with the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Of an area: how many lines and branches there are, and which its tests never take."""

    units: int
    covered: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of an area: how many mutants there are, and those that no test has noticed."""

    mutants: int
    survivors: tuple[str, ...]

    @property
    def killed(self) -> int:
        """How many were noticed."""
        return self.mutants - len(self.survivors)

    @property
    def share(self) -> float:
        """The mutation score, 0 to 1."""
        return self.killed / self.mutants


def measure_coverage(place: Workplace, area: Area) -> Coverage:
    """Run the area's tests, and no others, under branch coverage."""
    place.run(
        "coverage",
        "run",
        "--rcfile=coverage.ini",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "mutation.databases",
        *area.tests,
    )
    place.run("coverage", "json", "--rcfile=coverage.ini", "-q", "-o", "coverage.json")
    files = json.loads((place.folder / "coverage.json").read_text())["files"]
    regions = [(part.path, region) for part in area.parts for region in _regions(files[part.path], part)]
    summaries = [region["summary"] for _, region in regions]
    return Coverage(
        units=sum(each["num_statements"] + each["num_branches"] for each in summaries),
        covered=sum(each["covered_lines"] + each["covered_branches"] for each in summaries),
        missing=tuple(line for path, region in regions for line in _missing(path, region)),
    )


def _regions(file: dict[str, Any], part: Part) -> list[dict[str, Any]]:
    return [(file["classes"] | file["functions"])[name] for name in part.names] if part.names else [file]


def _missing(path: str, region: dict[str, Any]) -> Iterable[str]:
    yield from (f"{path}:{line}" for line in region["missing_lines"])
    yield from (f"{path}:{start} -> {end}" for start, end in region["missing_branches"])


def measure_score(place: Workplace, area: Area, *, at_once: int) -> Score:
    """Let mutmut make the area's mutants and try each against the tests that reach it."""
    place.run("mutmut", "run", "--max-children", str(at_once), *area.patterns)
    said = place.run("mutmut", "results", "--all", "true")
    verdicts = dict(line.strip().rsplit(": ", 1) for line in said.splitlines() if ": " in line)
    return score_of(verdicts)


def score_of(verdicts: Mapping[str, str]) -> Score:
    """Count mutmut's verdicts by mutant; those of the same module that are not the area's were not checked."""
    tried = {name: verdict for name, verdict in verdicts.items() if verdict != "not checked"}
    return Score(mutants=len(tried), survivors=tuple(name for name, verdict in tried.items() if verdict not in NOTICED))


def differences(place: Workplace, survivors: Sequence[str]) -> str:
    """What each survivor has changed, as a diff."""
    return "\n".join(place.run("mutmut", "show", name) for name in survivors)
