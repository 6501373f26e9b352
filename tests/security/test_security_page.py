"""docs/security.md names a test for each defence, and every one of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE.read_text(encoding="utf-8"))


def test_every_test_that_the_page_names_is_there() -> None:
    assert NAMED
    for file, name in NAMED:
        assert re.search(rf"def {name}\(", (ROOT / file).read_text(encoding="utf-8")), f"{file}::{name}"


def test_every_defence_names_its_test() -> None:
    rows = re.findall(r"^\| (?!defence|---)(.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len([row for row in rows if not row.startswith("-")]) == len(NAMED)
