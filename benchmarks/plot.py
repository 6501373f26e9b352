"""Draws a row's bars as SVG, readable on light and on dark pages."""

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.verdict import Bar, Verdict

MARGIN, GAP = 16, 8
LONGEST_BAR, VALUE_WIDTH = 420, 90
TITLE_HEIGHT, ROW_HEIGHT, BAR_HEIGHT, FOOT_HEIGHT = 44, 30, 18, 28
LETTER, BOLD_LETTER = 6.8, 7.6
"""How wide a letter is, at most, in its font of 13 pixels: an SVG cannot measure its own text."""
FEWEST_DIGITS = 100

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; }
    .label { text-anchor: end; }
    .foot { font-size: 12px; fill: #59636e; }
    .ours { fill: #0969da; }
    .other { fill: #9198a1; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .foot { fill: #9198a1; }
      .ours { fill: #4493f8; }
      .other { fill: #656c76; }
    }
"""


def draw(verdict: Verdict) -> str:
    """Draw the bars of a verdict from top to bottom, the first one standing out as ours."""
    left = MARGIN + LETTER * max(len(bar.label) for bar in verdict.bars) + GAP
    width = max(left + LONGEST_BAR + VALUE_WIDTH, MARGIN + BOLD_LETTER * len(verdict.what)) + MARGIN
    height = TITLE_HEIGHT + ROW_HEIGHT * len(verdict.bars) + FOOT_HEIGHT
    said = ", ".join(f"{bar.label} {figure(bar.value)}" for bar in verdict.bars)
    name = escape(f"{verdict.what}: {said} {verdict.unit}".strip())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" aria-label="{name}">',
        f"  <style>{STYLE}  </style>",
        f'  <text class="title" x="{MARGIN}" y="26">{escape(verdict.what)}</text>',
        *_bars(verdict.bars, left),
        f'  <text class="foot" x="{MARGIN}" y="{height - 10}">{escape(_foot(verdict))}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def figure(value: float) -> str:
    """Write a figure with three digits that mean something, and no fewer than it has before the point."""
    return f"{value:,.0f}" if abs(value) >= FEWEST_DIGITS else f"{value:.3g}"


def _bars(bars: Sequence[Bar], left: float) -> Iterator[str]:
    most = max(bar.value for bar in bars) or 1
    for number, bar in enumerate(bars):
        top = TITLE_HEIGHT + ROW_HEIGHT * number
        length = max(LONGEST_BAR * bar.value / most, 1)
        line = top + BAR_HEIGHT - 4
        kind = "other" if number else "ours"
        yield f'  <text class="label" x="{left - GAP:.1f}" y="{line}">{escape(bar.label)}</text>'
        yield f'  <rect class="{kind}" x="{left:.1f}" y="{top}" width="{length:.1f}" height="{BAR_HEIGHT}" rx="2"/>'
        yield f'  <text x="{left + length + GAP:.1f}" y="{line}">{figure(bar.value)}</text>'


def _foot(verdict: Verdict) -> str:
    return f"{verdict.unit} · make bench ARGS={verdict.row}" if verdict.unit else f"make bench ARGS={verdict.row}"
