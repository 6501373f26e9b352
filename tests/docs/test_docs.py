import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.connections.model import ConnectionSettings
from app.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)")
WARNING = re.compile(r"""QuoteWarning\(\s*"([a-z_]+)\"""")
ISSUE = re.compile(r"""\bProblem\(\s*code="([a-z-]+)\"""")


def codes(pattern: re.Pattern[str]) -> set[str]:
    return {code for path in (ROOT / "app" / "sync").rglob("*.py") for code in pattern.findall(path.read_text())}


def settings_of_a_connection() -> Iterator[str]:
    for name, field in ConnectionSettings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        yield from inner or [name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("pattern", [WARNING, ISSUE], ids=["warnings", "issues"])
def test_every_code_that_a_quote_can_get_is_explained(pattern: re.Pattern[str]) -> None:
    known, page = codes(pattern), (ROOT / "docs" / "bms.md").read_text()
    assert len(known) > 10
    assert [code for code in sorted(known) if f"| `{code}` |" not in page] == []


def test_every_name_of_the_environment_and_every_setting_of_a_connection_is_explained() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    assert [name for name in [*names, *settings_of_a_connection()] if name not in page] == []


@pytest.mark.parametrize("record", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_is_told_in_at_most_forty_lines(record: Path) -> None:
    assert len(record.read_text().splitlines()) <= 40
