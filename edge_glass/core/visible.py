"""Text from outside, as it may be shown: what turns its direction, or is no letter, is escaped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import Any, cast

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


@dataclass(frozen=True)
class Summary:
    """What is printed of a result: a title, and rows whose first cell names what the others say."""

    title: str
    heads: tuple[str, ...] = ("", "")
    rows: Iterable[Sequence[object]] = ()


class Result:
    """A dataclass that Python prints as a title and lines below it, and a notebook as a table."""

    def _summary(self) -> Summary:
        """Here all fields that say something."""
        each = [(field.name, getattr(self, field.name)) for field in fields(cast(Any, self))]
        rows = [pair for pair in each if pair[1] not in (None, [], {}, ())]
        return Summary(type(self).__name__, rows=rows)

    def __repr__(self) -> str:
        summary = self._summary()
        lines = [summary.title]
        for first, *others in summary.rows:
            pairs = zip(others, summary.heads[1:], strict=True)
            said = ", ".join(f"{_cell(value)} {head}".rstrip() for value, head in pairs)
            lines.append(f"  {_cell(first)}: {said}")
        return str(visible("\n".join(lines)))

    def _repr_html_(self) -> str:
        summary = self._summary()
        lines = "".join(_line("td", row) for row in summary.rows)
        heads = _line("th", summary.heads) if any(summary.heads) else ""
        title = escape(visible(summary.title))
        return f"<p><b>{title}</b></p><table>{heads}{lines}</table>"


def _line(tag: str, cells: Iterable[object]) -> str:
    texts = (escape(visible(_cell(cell))) for cell in cells)
    return f"<tr>{''.join(f'<{tag}>{text}</{tag}>' for text in texts)}</tr>"


def _cell(value: object) -> str:
    return f"{value:,}" if type(value) is int else str(value)
