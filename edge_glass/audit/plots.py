"""Bars, drawn once and written twice: as SVG without scripts, and as PNG for cards on the Hub."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from edge_glass.core.visible import visible

WIDTH = 460  # pixels
LINE, BAR = 22, 14
LABEL, NUMBER = 150, 90  # room left and right of a bar
HEIGHT = 120  # of the columns of a histogram
INK, DIM, GOOD, BAD = "#1c2530", "#5a6b7c", "#2f7d63", "#c8543f"
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
class Plot:
    """A title, what it says in words for who cannot see it, and shapes."""

    title: str
    height: float
    shapes: tuple[Box | Words, ...]


def bars(title: str, parts: Sequence[tuple[str, int, int]]) -> Plot:
    """A bar for each label: how many, and how many more were lost there."""
    shapes: list[Box | Words] = []
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
        shapes += [Words(x, base + 18, f"{value:,}{' rows' if value else ''}", anchor)]
    return Plot(title, base + 22, tuple(shapes))


def columns(
    title: str, counts: Sequence[int], low: float, high: float, unit: str, beyond: bool = False
) -> Plot:
    """A histogram from `low` to `high` (whose last column is of all `beyond` it), with axes."""
    shapes: list[Box | Words] = [Words(0, 11, "rows")]
    top, left, base = max(counts, default=0) or 1, 60, 22 + HEIGHT
    room = WIDTH - left - 20
    step = room / max(len(counts), 1)
    for number, count in enumerate(counts):
        tall = HEIGHT * count / top
        shapes.append(Box(left + number * step, base - tall, step - 1, tall, GOOD))
    shapes += [Box(left, base, room, 1, DIM), Box(left - 1, base - HEIGHT, 1, HEIGHT, DIM)]
    for count in sorted({0, top // 2, top}):
        y = base - HEIGHT * count / top
        shapes += [Box(left - 5, y, 4, 1, DIM), Words(left - 8, y + 4, f"{count:,}", "end")]
    for part, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x, more = left + room * part, " and more" if beyond and part == 1 else ""
        at = low + (high - low) * part
        value = f"{at:,.0f}{more}" if at >= 1000 else f"{at:.4g}{more}"
        shapes += [
            Box(min(x, left + room - 1), base, 1, 5, DIM),
            Words(x, base + 18, value, anchor),
        ]
    shapes.append(Words(left + room / 2, base + 34, unit, "middle"))
    return Plot(title, base + 40, tuple(shapes))


def words(title: str, text: str) -> Plot:
    """What takes no drawing to say."""
    return Plot(title, LINE, (Words(0, BAR, text),))


def svg(plot: Plot) -> Markup:
    """The plot as an element of a page; all text is escaped."""
    inner = Markup("").join(map(_element, plot.shapes))
    size = f"0 0 {WIDTH} {plot.height:g}"
    return Markup('<svg viewBox="{}" role="img" aria-label="{}">{}</svg>').format(
        size, _in_words(plot), inner
    )


def _in_words(plot: Plot) -> str:
    """The title and all that is written in the plot."""
    said = ", ".join(shape.text for shape in plot.shapes if isinstance(shape, Words))
    return visible(f"{plot.title}: {said}"[:MOST])  # type: ignore[no-any-return]


def _element(shape: Box | Words) -> Markup:
    if isinstance(shape, Box):
        sizes = " ".join(
            f'{name}="{getattr(shape, name):.1f}"' for name in ("x", "y", "width", "height")
        )
        return Markup(f'<rect {sizes} fill="{shape.fill}"/>')
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}"'
    return Markup(f"<text {place}>") + escape(visible(shape.text)) + Markup("</text>")


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


def _draw(draw: ImageDraw.ImageDraw, shape: Box | Words, x: float, y: float) -> None:
    if isinstance(shape, Words):
        _write(draw, shape, x, y)
    elif shape.width >= 0.5 and shape.height >= 0.5:
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
