"""Text from outside, as it may be shown: what turns its direction, or is no letter, is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

MARKS = (0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF)
STEERING = (*range(0x2028, 0x202F), *range(0x2060, 0x2070))
HALVES = range(0xD800, 0xE000)  # no terminal takes those
CONTROLS = [n for n in (*range(32), *range(127, 160)) if n not in (9, 10)]
ESCAPES = {n: f"\\x{n:02x}" for n in CONTROLS} | {
    n: f"\\u{n:04x}" for n in (*MARKS, *STEERING, *HALVES)
}
IN_JSON = {n: f"\\u{n:04x}" for n in ESCAPES if n > 32}


def visible(value: Any) -> Any:
    """A text, or all texts in a value, with an escape where a character is not shown as it is."""
    if type(value) is str:  # not Markup, which is no text
        return value.translate(ESCAPES)
    if isinstance(value, dict):
        return {key: visible(each) for key, each in value.items()}
    return [visible(each) for each in value] if isinstance(value, list | tuple) else value


def json_visible(text: str) -> str:
    """JSON in which nothing stands that a terminal would obey."""
    return text.translate(IN_JSON)


def html_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A title and a table below it, as a notebook shows them: every cell is escaped."""
    lines = "".join(_line("td", row) for row in rows)
    return f"<p><b>{escape(title)}</b></p><table>{_line('th', heads)}{lines}</table>"


def _line(tag: str, cells: Iterable[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"
