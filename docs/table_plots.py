"""Bars beside the tables of benchmarks/README.md, drawn from their cells: no figure stands twice.

A comment before a table says what is drawn of it, and is no more than that on GitHub:

    <!-- plot: CPU s (less is better); peak MB (less is better) -->

A plot is of a column, which names its unit unless ` in UNIT` follows, or of several with ` + `
between them. A bar is called by the first column, or by those before ` : `.
What is ours, by its name or in bold, has a colour of its own.
"""

import math
import re
from collections.abc import Iterator
from itertools import count, takewhile

from markupsafe import Markup

from edge_glass.core import plots
from edge_glass.core.plots import Box, Plot, Words

MARK = re.compile(r"<!-- plot: (?:(.+?) : )?(.+?) -->\n((?:\|.*\n)+)")
PANEL = re.compile(r"(.+?)(?: in (.+?))?(?: \((.+)\))?")
NUMBER = re.compile(r"\d[\d,]*(\.\d+)?")
OURS = re.compile(r"Edge Glass|edge-glass|\*\*")
PEER = plots.COLOURS[2]
ROW, BAR, ROOM = 42, 16, 120  # height of a bar with its label, of the bar; width for its figure
STEPS = 5  # ticks of an axis, at most
Row = dict[str, str]


def drawn(text: str) -> str:
    """The text with figures in the place of comments. ValueError for a column that is none."""
    return MARK.sub(lambda match: _figures(text[: match.start()], match) + match[3], text)


def _figures(before: str, match: re.Match[str]) -> str:
    title = re.findall(r"^#+ (.*)$", before, re.M)[-1]
    rows = [*_rows(match[3])]
    labels = match[1].split(" + ") if match[1] else [[*rows[0]][-1]]
    elements = [_element(title, rows, labels, panel) for panel in match[2].split("; ")]
    return f'<div class="plots">{Markup("").join(elements)}</div>\n\n'


def _rows(table: str) -> Iterator[Row]:
    heads, _, *lines = ([c.strip() for c in line.split("|")[1:-1]] for line in table.splitlines())
    # of two columns of one name the first is meant
    return (dict(reversed([*zip(heads, line, strict=True)])) for line in lines)


def _element(title: str, rows: list[Row], labels: list[str], panel: str) -> Markup:
    columns, unit, note = PANEL.fullmatch(panel).groups()  # type: ignore[union-attr]
    named = columns.split(" + ")
    if missing := {*labels, *named} - {*rows[0]}:
        raise ValueError(f"{title}: no column {', '.join(missing)}; there are {', '.join(rows[0])}")
    one = len(named) == 1
    parts = [
        (", ".join([*(row[name] for name in labels), *([] if one else [column])]), row[column])
        for row in rows
        for column in named
        if NUMBER.fullmatch(row[column].strip("*"))
    ]
    what = ": ".join(filter(None, (columns if one else None, unit)))
    what += f" ({note})" if note else ""
    caption = Markup("<figcaption>{}</figcaption>").format(what)
    plot = _bars(f"{title}: {what}", parts, unit or columns)
    return Markup("<figure>{}{}</figure>").format(caption, plots.svg(plot))


def _bars(title: str, parts: list[tuple[str, str]], unit: str) -> Plot:
    """A bar for each label with the cell that says how long it is, over an axis."""
    shapes: list[Box | Words] = []
    ticks = _ticks(max(_number(cell) for _, cell in parts))
    room = plots.WIDTH - ROOM
    for place, (label, cell) in enumerate(parts):
        y, width = place * ROW, room * _number(cell) / ticks[-1]
        shapes.append(Words(0, y + 12, re.sub("[*`]", "", label)))
        fill = plots.GOOD if OURS.search(label + cell) else PEER
        shapes.append(Box(0, y + 18, max(width, 1), BAR, fill))
        shapes.append(Words(width + 6, y + 18 + BAR - 3, cell.strip("*")))
    base = len(parts) * ROW
    shapes.append(Box(0, base, room, 1, plots.DIM))
    for tick in ticks:
        x = room * tick / ticks[-1]
        shapes.append(Box(x, base, 1, 5, plots.DIM))
        shapes.append(Words(x, base + 20, f"{tick:,.10g}", "middle" if tick else "start"))
    shapes.append(Words(room / 2, base + 40, unit, "middle"))
    return Plot(title, base + 46, tuple(shapes))


def _ticks(top: float) -> list[float]:
    """Round numbers from 0 to the first that is not below the top."""
    step = 10 ** math.floor(math.log10(top / STEPS))
    step *= next(times for times in (1, 2, 5, 10) if top / (step * times) <= STEPS)
    inner = takewhile(lambda tick: tick < top, (step * place for place in count()))
    ticks = [round(tick, 10) for tick in inner]
    return [*ticks, round(ticks[-1] + step, 10)]


def _number(cell: str) -> float:
    return float(cell.strip("*").replace(",", ""))
