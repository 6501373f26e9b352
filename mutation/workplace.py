"""A copy of the tree for one area: mutmut works in it, and whoever edits the tree meanwhile disturbs nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.postgres import URL_VARIABLE
from mutation.areas import Area
from mutation.databases import LOCKS_VARIABLE, URLS_VARIABLE

COPIED = ("app", "fuzz", "local", "migrations", "mutation", "sandbox", "tests", "openapi.yaml", "pyproject.toml")
"""What the areas' tests import or read."""


class FailedError(Exception):
    """A tool did not do its work; ``str`` is what it said."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """A folder of its own, with the environment in which commands run there."""

    folder: Path
    environment: dict[str, str]

    def run(self, tool: str, *arguments: str) -> str:
        """Run a command of this Python's environment and give back what it said; FailedError unless it ends with 0."""
        done = subprocess.run(
            [Path(sys.executable).with_name(tool), *arguments],
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise FailedError(f"{tool} {arguments[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout


def prepare(root: Path, folder: Path, area: Area, *, databases: Sequence[str]) -> Workplace:
    """Lay out a fresh workplace: mutmut keeps verdicts on mutants, and would not see that a test has changed.

    ``databases`` are the URLs of migrated databases, one for each test run that may go on at once.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    (folder / "setup.cfg").write_text(_mutmut_settings(area))
    (folder / "coverage.ini").write_text(_coverage_settings(area))
    given = {URLS_VARIABLE: " ".join(databases), LOCKS_VARIABLE: str(folder)}
    server = {URL_VARIABLE: databases[0]} if databases else {}
    return Workplace(folder, os.environ | given | server)


def _mutmut_settings(area: Area) -> str:
    settings: dict[str, Sequence[str]] = {
        "source_paths": ["app"],
        "only_mutate": area.paths,
        "also_copy": [name for name in COPIED if name != "app"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "mutation.databases"],
        "pytest_add_cli_args_test_selection": area.tests,
        "use_git_change_detection": ["false"],
    }
    return "[mutmut]\n" + "".join(f"{name} ={_lines(values)}\n" for name, values in settings.items())


def _coverage_settings(area: Area) -> str:
    return f"[run]\nbranch = true\nconcurrency ={_lines(['thread', 'greenlet'])}\ninclude ={_lines(area.paths)}\n"


def _lines(values: Sequence[str]) -> str:
    return "".join(f"\n    {value}" for value in values)
