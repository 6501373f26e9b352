"""The areas that are held to full branch coverage and to a mutation score, each with the tests that belong to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A module of an area; with ``names``, only these functions and classes of it."""

    path: str
    names: tuple[str, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """What mutmut calls the mutants of this part: functions are marked ``x_``, methods by their class."""
        module = PurePosixPath(self.path).with_suffix("").as_posix().replace("/", ".")
        if not self.names:
            return (f"{module}.x*",)
        return tuple(
            f"{module}.xǁ{name}ǁ*" if name[0].isupper() else f"{module}.x_{name}__mutmut_*" for name in self.names
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Modules that keep one promise together, and the tests that must notice when they break it."""

    parts: tuple[Part, ...]
    tests: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The modules' paths."""
        return tuple(part.path for part in self.parts)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The area's mutants, as mutmut takes them."""
        return tuple(pattern for part in self.parts for pattern in part.patterns)


AREAS: Mapping[str, Area] = {
    "signature": Area(
        parts=(
            Part(path="app/intake/signature.py"),
            Part(path="app/intake/quoter.py", names=("verify", "digest", "read_form", "_decode_once")),
        ),
        tests=("tests/intake/test_signature.py", "tests/intake/test_quoter.py"),
    ),
    "ordering": Area(
        parts=(Part(path="app/quotes/ordering.py"), Part(path="app/intake/fold.py")),
        tests=("tests/quotes/test_ordering.py", "tests/intake/test_fold.py"),
    ),
    "intent": Area(
        parts=(
            Part(path="app/db/intents.py"),
            Part(path="app/sync/creates.py"),
            Part(path="app/sync/looks.py"),
            Part(path="app/sync/places.py", names=("fits", "remember", "link_values")),
        ),
        tests=("tests/db/test_intents.py", "tests/sync/unit/test_creates.py", "tests/sync/unit/test_looks.py"),
    ),
    "budget": Area(
        parts=(Part(path="app/db/budget.py"), Part(path="app/connections/clients.py", names=("BudgetGate",))),
        tests=("tests/db/test_budget.py", "tests/connections/test_gate.py"),
    ),
    "outcomes": Area(
        parts=(Part(path="app/sync/outcomes.py"),),
        tests=("tests/sync/unit/test_outcomes.py",),
    ),
}
