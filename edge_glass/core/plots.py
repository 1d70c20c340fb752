"""Plots, drawn once and written twice: as SVG without scripts, and as PNG for cards on the Hub."""

import io
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup, escape
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from edge_glass.core import outputs
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.visible import visible

WIDTH = 460  # pixels
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '  # as each one begins
LINE, BAR = 22, 14
LABEL, NUMBER = 150, 90  # room left and right of a bar
HEIGHT = 120  # between axes
LEFT, BASE, ROOM = 60, 22 + HEIGHT, WIDTH - 80  # where axes meet, length of the lower one
MAP, EDGE, POINT = 320, 8, 4  # height of a plane of points, room around it, radius of a point
INK, DIM, GOOD, BAD = "#1c2530", "#5a6b7c", "#2f7d63", "#c8543f"
# of groups of points: each stands out from a white and from a dark ground
COLOURS = (GOOD, BAD, "#3b78c2", "#a8671c", "#8a5cc4", "#b8487f")
OTHERS = "others"  # of groups that have no colour of their own
LETTERS = 22  # of a label
MOST = 600  # letters of what is read out
SCALE = 2  # pixels of the PNG for one of the SVG


@dataclass(frozen=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True)
class Words:
    """A line of text."""

    x: float
    y: float  # of the base line
    text: str
    anchor: str = "start"
    fill: str = DIM
    size: int = 12


@dataclass(frozen=True)
class Dot:
    """A row at its place: on a page it has a text, and its number."""

    x: float  # of a point that is given to `scatter`, from 0 to 1, as y is
    y: float
    group: str
    text: str
    row: int
    fill: str = DIM


Shape = Box | Words | Dot


@dataclass(frozen=True)
class Plot:
    """A title, what it says in words for who cannot see it, and shapes."""

    title: str
    height: float
    shapes: tuple[Shape, ...]


def bars(title: str, parts: Sequence[tuple[str, int, int]], counted: str = "rows") -> Plot:
    """A bar for each label: how many, and how many more were lost there."""
    shapes: list[Shape] = []
    top = max((kept + lost for _, kept, lost in parts), default=0) or 1
    room = WIDTH - LABEL - NUMBER
    for number, (label, kept, lost) in enumerate(parts):
        y = number * LINE
        shapes.append(Words(LABEL - 8, y + BAR - 2, _short(label), "end"))
        green, red = (room * value / top for value in (kept, lost))
        shapes.append(Box(LABEL, y, green, BAR, GOOD))
        shapes.append(Box(LABEL + green, y, red, BAR, BAD))
        shapes.append(Words(LABEL + green + red + 6, y + BAR - 2, _figures(kept, lost)))
    base = max(LINE, len(parts) * LINE)
    shapes.append(Box(LABEL, base, room, 1, DIM))
    for value, anchor in ((0, "start"), (top, "end")):
        x = LABEL + room * value / top
        shapes += [Box(min(x, LABEL + room - 1), base, 1, 5, DIM)]
        shapes += [Words(x, base + 18, f"{value:,} {counted if value else ''}".strip(), anchor)]
    return Plot(title, base + 22, tuple(shapes))


def columns(
    title: str, counts: Sequence[int], low: float, high: float, unit: str,
    beyond: bool = False, *, counted: str = "rows",
) -> Plot:  # fmt: skip
    """A histogram from `low` to `high` (whose last column is of all `beyond` it), with axes."""
    top, step = max(counts, default=0) or 1, ROOM / max(len(counts), 1)
    across = []
    for part in (0.0, 0.5, 1.0):
        at, more = low + (high - low) * part, " and more" if beyond and part == 1 else ""
        across.append((part, (f"{at:,.0f}" if at >= 1000 else f"{at:.4g}") + more))
    shapes = _axes(across, [(n / top, f"{n:,}") for n in sorted({0, top // 2, top})], unit, counted)
    for number, count in enumerate(counts):
        tall = HEIGHT * count / top
        shapes.append(Box(LEFT + number * step, BASE - tall, step - 1, tall, GOOD))
    return Plot(title, BASE + 40, tuple(shapes))


def ranks(title: str, counts: Iterable[int], unit: str, counted: str = "rows") -> Plot:
    """A point for each count, from the highest; both axes are logarithmic."""
    ranked = sorted(filter(None, counts), reverse=True)
    size, top = (math.log10(max(10, most)) for most in (len(ranked), max(ranked, default=0)))
    across, up = (
        [(power / end, f"{10**power:,}") for power in range(int(end) + 1)] for end in (size, top)
    )
    places = {  # those that fall on one place are one point
        (round(ROOM * math.log10(rank) / size), round(HEIGHT * math.log10(count) / top)): None
        for rank, count in enumerate(ranked, 1)
    }
    points = [Box(LEFT + x - 1, BASE - y - 1, 3, 3, GOOD) for x, y in places]
    return Plot(title, BASE + 40, (*_axes(across, up, unit, counted), *points))


def _axes(
    across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]], unit: str, counted: str
) -> list[Shape]:
    """Axes with ticks, each at its share of the axis."""
    shapes: list[Shape] = [Words(0, 11, counted)]
    shapes += [Box(LEFT, BASE, ROOM, 1, DIM), Box(LEFT - 1, BASE - HEIGHT, 1, HEIGHT, DIM)]
    for share, text in up:
        y = BASE - HEIGHT * share
        shapes += [Box(LEFT - 5, y, 4, 1, DIM), Words(LEFT - 8, y + 4, text, "end")]
    for share, text in across:
        x = LEFT + ROOM * share
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        shapes += [Box(min(x, LEFT + ROOM - 1), BASE, 1, 5, DIM), Words(x, BASE + 18, text, anchor)]
    return [*shapes, Words(LEFT + ROOM / 2, BASE + 34, unit, "middle")]


def scatter(title: str, points: Sequence[Dot]) -> Plot:
    """Points of a plane, coloured by group; the smaller groups of many share one colour."""
    counts = Counter(point.group for point in points)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    fills = dict(zip(ranked, COLOURS, strict=False))
    named = {name: counts[name] for name in fills}
    if rest := counts.total() - sum(named.values()):
        named[OTHERS] = rest
    shapes: list[Shape] = []
    for number, (name, count) in enumerate(named.items()):
        x, y = (WIDTH / 2) * (number % 2), LINE * (number // 2)
        shapes.append(Box(x, y, BAR, BAR, fills.get(name, DIM)))
        shapes.append(Words(x + BAR + 6, y + BAR - 2, f"{_short(name)} {count:,}"))
    top, room = LINE * -(-len(named) // 2) + EDGE, WIDTH - 2 * EDGE
    shapes += [
        replace(
            point, x=EDGE + room * point.x, y=top + MAP * point.y, fill=fills.get(point.group, DIM)
        )
        for point in points
    ]
    return Plot(title, top + MAP + EDGE, tuple(shapes))


def words(title: str, text: str) -> Plot:
    """What takes no drawing to say."""
    return Plot(title, LINE, (Words(0, BAR, text),))


def svg(plot: Plot) -> Markup:
    """The plot as an element of a page; all text is escaped."""
    inner = Markup("").join(map(_element, plot.shapes))
    return Markup(SVG + '{}" role="img" aria-label="{}">{}</svg>').format(
        f"{plot.height:g}", _in_words(plot), inner
    )


def write_svg(path: Path, plotted: Sequence[Plot]) -> None:
    """Write plots one below another, each titled. Raises DataError over a file of somebody's."""
    outputs.check_marked(path, SVG.encode())
    shapes, y = list[Shape](), 0.0
    for plot in plotted:
        shapes.append(Words(0, y + 24, plot.title, fill=INK))
        shapes += [replace(shape, y=y + 36 + shape.y) for shape in plot.shapes]
        y += plot.height + 60
    whole = Plot(", ".join(plot.title for plot in plotted), y, tuple(shapes))
    with AtomicFile(path) as file:
        file.write(svg(whole).encode())


def _in_words(plot: Plot) -> str:
    """The title and all that is written in the plot."""
    said = ", ".join(shape.text for shape in plot.shapes if isinstance(shape, Words))
    return visible(f"{plot.title}: {said}"[:MOST])  # type: ignore[no-any-return]


def _element(shape: Shape) -> Markup:
    if isinstance(shape, Dot):
        point = '<circle cx="{:.1f}" cy="{:.1f}" r="{}" fill="{}" data-row="{}"><title>{}</title>'
        values = shape.x, shape.y, POINT, shape.fill, shape.row, visible(shape.text)
        return Markup(f"{point}</circle>").format(*values)
    if isinstance(shape, Box):
        sizes = " ".join(
            f'{name}="{getattr(shape, name):.1f}"' for name in ("x", "y", "width", "height")
        )
        return Markup(f'<rect {sizes} fill="{shape.fill}"/>')
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}"'
    look = f'font-family="sans-serif" font-size="12" fill="{shape.fill}"'
    return Markup(f"<text {place} {look}>") + escape(visible(shape.text)) + Markup("</text>")


def png(title: str, plots: Sequence[Plot]) -> bytes:
    """All plots in two columns under a title. The font is Pillow's own, the same everywhere."""
    columns = [plots[0::2], plots[1::2]]
    heights = [sum(plot.height + 60 for plot in column) for column in columns]
    image = Image.new("RGB", _scaled(2 * WIDTH + 60, 50 + max(heights, default=0)), "white")
    draw = ImageDraw.Draw(image)
    _write(draw, Words(20, 30, title, fill=INK, size=18), 0, 0)
    for number, column in enumerate(columns):
        x, y = 20 + number * (WIDTH + 20), 50.0
        for plot in column:
            _write(draw, Words(0, 24, plot.title, fill=INK, size=14), x, y)
            for shape in plot.shapes:
                _draw(draw, shape, x, y + 36)
            y += plot.height + 60
    out = io.BytesIO()
    author = PngInfo()
    author.add_text("Software", "Edge Glass")
    image.save(out, "PNG", pnginfo=author)
    return out.getvalue()


def _draw(draw: ImageDraw.ImageDraw, shape: Shape, x: float, y: float) -> None:
    if isinstance(shape, Words):
        _write(draw, shape, x, y)
    elif isinstance(shape, Box) and shape.width >= 0.5 and shape.height >= 0.5:
        left, top = x + shape.x, y + shape.y
        ends = _scaled(left + shape.width, top + shape.height)
        draw.rectangle([_scaled(left, top), (ends[0] - 1, ends[1] - 1)], fill=shape.fill)


def _write(draw: ImageDraw.ImageDraw, words: Words, x: float, y: float) -> None:
    font = ImageFont.load_default(words.size * SCALE)
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[words.anchor]
    place = _scaled(x + words.x, y + words.y)
    draw.text(place, visible(words.text), fill=words.fill, font=font, anchor=anchor)


def _scaled(*values: float) -> tuple[int, int]:
    first, second = (round(value * SCALE) for value in values)
    return first, second


def _figures(kept: int, lost: int) -> str:
    if kept and lost:
        return f"{kept:,} -{lost:,}"
    return f"{kept or lost:,}"


def _short(label: str) -> str:
    plain = " ".join(label.split())
    return plain if len(plain) <= LETTERS else f"{plain[: LETTERS - 2]}.."


def lines(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Labels with counts, nothing lost."""
    return [(label, count, 0) for label, count in pairs]
