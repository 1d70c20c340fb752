"""The picture of README.md and of the site's first page: `python docs/picture.py` writes it.

Words are 12 px and more where it is 360 px wide. It has a ground of its own, so that it can be read
whatever colours surround it.
"""

from collections.abc import Iterator
from pathlib import Path

PICTURE = Path(__file__).with_name("picture.svg")
WIDTH, EDGE, GAP = 400, 12, 26  # pixels: of all, around it, between two boxes
STYLE = """
  svg { --ground: #fff; --box: #f3f6f8; --line: #c3ccd6; --ink: #1c2530; --soft: #4d5c6b }
  svg { --kept: #2f7d63; --lost: #c8543f }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #12181f; --box: #1d2731; --line: #44525f; --ink: #e6ebf0; --soft: #b4c0cc }
    svg { --kept: #45a383; --lost: #dd7a66 }
  }
  text { font: 14px system-ui, sans-serif; fill: var(--soft) }
  .title { font-weight: 600; font-size: 16px; fill: var(--ink) }
  .box { fill: var(--box); stroke: var(--line) }
  .arrow { stroke: var(--soft); fill: none; stroke-width: 1.5 }
  .kept { fill: var(--kept) } .lost { fill: var(--lost) }
"""
SAID = (
    "Raw sources become Parquet shards and a ledger of all rows, then a version on the Hugging "
    "Face Hub, which anyone loads"
)


def box(x: float, y: float, width: float, title: str, *lines: str) -> Iterator[str]:
    """A box with a title and lines under it."""
    size = f'width="{width}" height="{height(len(lines))}"'
    yield f'<rect class="box" x="{x}" y="{y}" {size} rx="6"/>'
    middle = f'x="{x + width / 2}" text-anchor="middle"'
    yield f'<text class="title" {middle} y="{y + 24}">{title}</text>'
    for number, line in enumerate(lines):
        yield f'<text {middle} y="{y + 44 + 19 * number}">{line}</text>'


def height(lines: int) -> int:
    """Of a box with so many lines."""
    return 36 + 19 * lines


def arrow(x: float, y: float, words: str = "") -> Iterator[str]:
    """An arrow down to the next box, and what happens on the way."""
    end = y + GAP - 3
    yield f'<path class="arrow" d="M{x} {y + 3}V{end}m-5 -5l5 5l5 -5"/>'
    if words:
        yield f'<text x="{x + 12}" y="{y + 18}">{words}</text>'


def picture() -> str:
    """The SVG."""
    wide, half = WIDTH - 2 * EDGE, (WIDTH - 3 * EDGE) / 2
    right, centre = WIDTH - EDGE - half, WIDTH / 2
    drawn = [
        *box(EDGE, y := EDGE, wide, "Raw sources", "a known corpus, or your folder, table, URLs")
    ]
    drawn += arrow(centre, y := y + height(1), "plan, fetch, decode")
    y += GAP
    drawn += box(EDGE, y, half, "Parquet shards", "media inside,", "the same bytes", "every time")
    drawn += box(right, y, half, "Ledger", "", "every row: kept,", "or dropped and why")
    kept = f'x="{right + 24}" y="{y + 35}" width="{half - 80}" height="10"'
    lost = f'x="{right + half - 56}" y="{y + 35}" width="32" height="10"'
    drawn += [f'<rect class="kept" {kept}/>', f'<rect class="lost" {lost}/>']
    y += height(3)
    drawn += [*arrow(EDGE + half / 2, y), *arrow(right + half / 2, y)]
    words = "verify, audit, report"
    drawn.append(f'<text x="{centre}" y="{y + 18}" text-anchor="middle">{words}</text>')
    drawn += box(EDGE, y := y + GAP, wide, "A version on the Hub", "v1.0.0, whole or absent")
    drawn += arrow(centre, y := y + height(1), "nothing of ours installed")
    drawn += box(EDGE, y := y + GAP, wide, "load_dataset", "datasets, torch, NumPy, offline")
    tall = y + height(1) + EDGE
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {tall}" width="{WIDTH}"'
    head += f' height="{tall}" role="img" aria-label="{SAID}">'
    ground = f'<rect width="{WIDTH}" height="{tall}" rx="8" style="fill: var(--ground)"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", ground, *drawn, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture())
