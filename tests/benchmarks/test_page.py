from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.catalogue import Row, find_rows
from benchmarks.machine import Machine
from benchmarks.page import BEGIN, END, Page, render
from benchmarks.plot import draw, figure
from benchmarks.record import Record, read_record, write_record
from benchmarks.verdict import Bar, Unmeasured, Verdict

MACHINE = Machine(
    processor="a processor",
    cores=2,
    memory_gib=8,
    system="Linux x86_64",
    python="3.13.1",
    postgres="18.0",
    load=0.1,
)
VERDICT = Verdict(
    row=3,
    what="Rate & tail",
    target="at most 1|2",
    measured="1.5",
    ok=False,
    bound="The disk bounds it.",
    bars=[Bar("ours", 12345.6), Bar("<D>", 6172.8)],
    unit="events/s",
)
BROKEN = Unmeasured(row=4, what="The next", reason="RuntimeError: no answer", crashed=True)
RECORD = Record(measured_on=date(2026, 1, 2), machine=MACHINE, rounds=5, outcomes=[VERDICT, BROKEN])
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    path = tmp_path / "row_03_rate.py"
    path.write_text('"""The rate.\n\nIt is as fast as it is because it shares.\n"""\n')
    return [Row(3, path)]


@pytest.fixture
def page(tmp_path: Path) -> Page:
    (tmp_path / "performance.md").write_text(f"# What it costs\n\n{BEGIN}\nold\n{END}\n\nMore.\n")
    return Page(tmp_path)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path / "new" / "record.json")
    assert read_record(tmp_path / "new" / "record.json") == RECORD


def test_the_page_shows_table_plot_command_bound_and_the_rows_own_words(rows: list[Row]) -> None:
    text = render(RECORD, rows)
    assert "| 3 | Rate & tail | at most 1\\|2 | 1.5 | **MISS** |" in text
    assert "| 4 | The next |  | RuntimeError: no answer | **MISS** |" in text
    assert "![Rate & tail](performance/row_03.svg)\n\n`make bench ARGS=3`\n\nThe disk bounds it.\n\nIt is as" in text
    assert "not quiet" not in text


def test_the_page_says_that_the_machine_was_not_quiet(rows: list[Row]) -> None:
    noisy = Machine(**{name: getattr(MACHINE, name) for name in Machine.__slots__} | {"load": 1.9})
    assert "The machine was not quiet" in render(
        Record(measured_on=RECORD.measured_on, machine=noisy, rounds=5, outcomes=[]), rows
    )


def test_writing_leaves_what_is_outside_of_the_marks_and_removes_old_plots(page: Page, rows: list[Row]) -> None:
    page.folder.mkdir()
    (page.folder / "row_09.svg").write_text("old")
    page.keep(RECORD, rows)
    once = page.path.read_text()
    assert once.startswith(f"# What it costs\n\n{BEGIN}\n\nOne run of")
    assert once.endswith(f"{END}\n\nMore.\n")
    assert "old" not in once
    assert [plot.name for plot in page.folder.glob("*.svg")] == ["row_03.svg"]
    page.write(rows)
    assert page.path.read_text() == once == page.text(rows)


def test_bars_are_as_long_as_their_values_and_stay_inside_of_the_picture() -> None:
    picture = ET.fromstring(draw(VERDICT))  # noqa: S314 - our own picture
    ours, other = picture.findall(f"{SVG}rect")
    assert float(ours.attrib["width"]) == pytest.approx(2 * float(other.attrib["width"]), abs=0.2)
    assert (ours.attrib["class"], other.attrib["class"]) == ("ours", "other")
    width = float(picture.attrib["viewBox"].split()[2])
    assert float(ours.attrib["x"]) + float(ours.attrib["width"]) < width
    words = [text.text for text in picture.findall(f"{SVG}text")]
    assert words == ["Rate & tail", "ours", "12,346", "<D>", "6,173", "events/s · make bench ARGS=3"]


def test_a_picture_is_as_wide_as_its_title() -> None:
    bars = [Bar("ours", 1.0)]
    short, long = (
        Verdict(row=1, what="w" * length, target="", measured="", ok=True, bound="", bars=bars) for length in (1, 200)
    )
    widths = [float(ET.fromstring(draw(each)).attrib["viewBox"].split()[2]) for each in (short, long)]  # noqa: S314 - ours
    assert widths[0] < 600
    assert widths[1] > 200 * 7


def test_a_picture_of_nothing_but_zeros_can_be_drawn() -> None:
    verdict = Verdict(row=1, what="Calls", target="0", measured="0", ok=True, bound="", bars=[Bar("ours", 0.0)])
    assert 'width="1.0"' in draw(verdict)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.00123, "0.00123"), (3.14159, "3.14"), (99.96, "100"), (41800.4, "41,800")]
)
def test_a_figure_is_written_with_the_digits_that_mean_something(value: float, text: str) -> None:
    assert figure(value) == text


@pytest.mark.skipif(not Page().record.exists(), reason="no run is kept yet; `make bench ARGS=--write` keeps one")
def test_the_page_in_docs_is_what_the_kept_run_and_the_rows_say() -> None:
    page = Page()
    assert page.path.read_text() == page.text(find_rows()), "Run `make bench ARGS=--page`."
    plots = {path.name: path.read_text() for path in page.folder.glob("*.svg")}
    verdicts = [each for each in read_record(page.record).outcomes if isinstance(each, Verdict)]
    assert plots == {f"row_{each.row:02}.svg": draw(each) for each in verdicts if each.bars}
