"""Results of verbs as a notebook shows them."""

from collections.abc import Iterable, Sequence
from html import escape


def html(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A title and a table below it, as HTML with every cell escaped."""
    lines = "".join(_line("td", row) for row in rows)
    return f"<p><b>{escape(title)}</b></p><table>{_line('th', heads)}{lines}</table>"


def _line(tag: str, cells: Iterable[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"
