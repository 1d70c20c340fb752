"""What may stand in a field, said in the words of the columns.

Of records that are read, and of examples that are written.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.libraries import np, pa
from edge_glass.core.row import DETAIL, OUTCOME, JsonObject
from edge_glass.media.features import FLOATS, arrow_type, described, portable

MAX_LITERAL = 10_000  # characters of a Python literal, for its parser is not made for strangers
SHOWN = 40  # characters of a value that does not fit
KINDS = {dict: "an object", list: "a list", str: "text", int: "a number", type(None): "nothing"}
TEXTS = ("string", "large_string")
INTEGER = re.compile(r"(u?)int(8|16|32|64)")
Test = Callable[[Any], bool]


class Malformed(JsonObject):
    """A record that cannot be read as one: empty, so false, with the reason why."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def __missing__(self, name: str) -> Any:
        raise Dropped(Outcome.MALFORMED_ROW, self.reason)


class Fields:
    """The fields that a record has by name: each null (if not required) or of a column's type."""

    def __init__(self, kinds: Mapping[str, Any], required: Iterable[str] = ()) -> None:
        self._features = portable(dict(kinds))
        self._tests = [(name, fits(feature)) for name, feature in self._features.items()]
        self._words = {name: described(feature) for name, feature in self._features.items()}
        self._required = frozenset(required)

    def check(self, record: Mapping[str, Any]) -> None:
        """Raise Dropped (malformed_row, naming the field) for a value of another type."""
        for name, test in self._tests:
            value = record.get(name)
            if (value is None and name in self._required) or not test(value):
                wanted = f"expected {self._words[name]}, found {preview(value)}"
                raise Dropped(Outcome.MALFORMED_ROW, f"{name}: {wanted}")

    def read(self, record: Any) -> JsonObject:
        """The record; `Malformed` if it is no object, or a field of it does not fit."""
        if not isinstance(record, dict):
            return Malformed(f"expected an object, found {preview(record)}")
        try:
            self.check(record)
        except Dropped as drop:
            return Malformed(drop.detail)
        return record


class Columns(Fields):
    """The columns that an example is written into; their text is in UTF-8."""

    def __init__(self, kinds: Mapping[str, Any], left_out: Iterable[str] = ()) -> None:
        super().__init__({name: kind for name, kind in kinds.items() if name not in {*left_out}})
        self._texts = [name for name, each in self._features.items() if _holds_text(each)]

    def check(self, record: Mapping[str, Any]) -> None:
        """Raise Dropped for a value that cannot be written and read again as what it is."""
        super().check(record)
        for name in self._texts:
            value = record.get(name)
            for text in (value,) if type(value) is str else _texts(value):
                if not is_text(text):
                    raise Dropped(Outcome.BAD_ENCODING, f"{name}: {text:.{SHOWN}}")

    def marked(self, rows: "pa.RecordBatch") -> "pa.RecordBatch":
        """Rows of these columns; those that `check` would not let pass are dropped."""
        if not any(map(_may_hold_nul, (rows[name] for name in self._texts))):
            return rows
        return marked(rows, [*self._features], self._dropped)

    def _dropped(self, record: Mapping[str, Any]) -> tuple[str, str] | None:
        try:
            self.check(record)
        except Dropped as drop:
            return drop.outcome, drop.detail
        return None


def marked(
    rows: "pa.RecordBatch",
    names: list[str],
    dropped: Callable[[Mapping[str, Any]], tuple[str, str] | None],
) -> "pa.RecordBatch":
    """Rows, with outcome and detail of those that `dropped` gives them for, by these columns."""
    outcomes, details = rows[OUTCOME].to_pylist(), rows[DETAIL].to_pylist()
    for number, record in enumerate(rows.select(names).to_pylist()):
        if outcomes[number] is None and (drop := dropped(record)):
            outcomes[number], details[number] = str(drop[0]), drop[1]
    for name, values in ((OUTCOME, outcomes), (DETAIL, details)):
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, pa.array(values, pa.string()))
    return rows


def _may_hold_nul(values: "pa.Array") -> bool:
    from edge_glass.core.arrow_columns import text_bytes

    if not pa.types.is_string(values.type):
        return True
    return not text_bytes(values)[1].all()


def preview(value: Any) -> str:
    """A value in a message: what kind it is, and how it begins."""
    kind = KINDS.get(type(value), f"a {type(value).__name__}")
    return kind if value is None else f"{kind}: {f'{value!a:.{SHOWN + 20}}'[:SHOWN]}"


def fits(kind: Any) -> Test:
    """Whether a value can be written as this and read again as what it is; null always can.

    `kind`: a portable feature, or an Arrow type.
    """
    match _parts(kind):
        case [item]:
            return partial(_is_list, fits(item))
        case dict(parts):
            return partial(_is_struct, {name: fits(part) for name, part in parts.items()})
        case str(name) if whole := INTEGER.fullmatch(name):
            most = 2 ** (int(whole[2]) - (not whole[1]))
            return partial(_is_integer, 0 if whole[1] else -most, most)
        case name:
            return OTHERS.get(name, lambda value: True)


def _parts(kind: Any) -> Any:
    """What a feature or an Arrow type is of: a list of one, fields by name, or its own name.

    Arrow is asked about those alone that are not plain: to import it takes as long as a plan.
    """
    match kind:
        case {"_type": "Value", "dtype": str(name)} if name in PLAIN:
            return name
        case {"_type": "Sequence", "feature": item, **length} if not length:
            return [item]
        case {"_type": str()}:
            return _parts(arrow_type(kind))
        case dict() | list():
            return kind
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [kind.value_type]
    return {each.name: each.type for each in kind} if pa.types.is_struct(kind) else str(kind)


def _is(kind: type, of_numpy: tuple[str, ...], value: Any) -> bool:
    """Whether a value is null or of a kind; NumPy is asked about those of no kind of Python's."""
    return value is None or isinstance(value, kind) or _of_numpy(of_numpy, value)


def _of_numpy(names: tuple[str, ...], value: Any) -> bool:
    return isinstance(value, tuple(getattr(np, name) for name in names))


def _is_integer(low: int, high: int, value: Any) -> bool:
    if value is None:
        return True
    whole = isinstance(value, int) or _of_numpy(("integer",), value)
    return whole and not isinstance(value, bool) and low <= int(value) < high


def _is_number(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**1023
    return _is(float, ("floating", "integer"), value)


OTHERS: dict[str, Test] = {
    "bool": partial(_is, bool, ("bool_",)),
    **dict.fromkeys(TEXTS, partial(_is, str, ())),
    **dict.fromkeys(FLOATS, _is_number),
}
PLAIN = {*OTHERS, *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


def _is_list(item: Test, value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(item, value))
    return value is None or _of_numpy(("ndarray",), value)


def _is_struct(parts: dict[str, Test], value: Any) -> bool:
    if isinstance(value, dict):
        return all(test(value.get(name)) for name, test in parts.items())
    return value is None


def _holds_text(kind: Any) -> bool:
    parts = _parts(kind)
    if isinstance(parts, str):
        return parts in TEXTS
    return any(map(_holds_text, parts.values() if isinstance(parts, dict) else parts))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def is_text(text: str) -> bool:
    """Whether a text can be written as UTF-8, and holds no NUL."""
    try:
        return "\0" not in text and (text.isascii() or bool(text.encode()))
    except UnicodeEncodeError:
        return False


def check_text(*texts: str) -> None:
    """Let pass what is text.

    Args:
        texts: of a row.

    Raises:
        Dropped: one holds bytes that its encoding could not explain, or NUL.
    """
    for text in texts:
        if "\0" in text:
            raise Dropped(Outcome.BAD_ENCODING, f"byte {bytes(1)!r} in {text[:40]!a}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            # a byte (see `Raw.csv`), or JSON's escape of half a character
            half = ord(text[error.start])
            byte = f"byte {bytes([half - 0xDC00])!r}" if 0xDC80 <= half <= 0xDCFF else f"U+{half:X}"
            raise Dropped(Outcome.BAD_ENCODING, f"{byte} in {text[:40]!a}") from None


def strings(text: str) -> list[str]:
    """A list of strings that is written as Python would write it.

    Args:
        text: such as `['a', 'b']`.

    Returns:
        The list.

    Raises:
        Dropped: it is none.
    """
    try:
        texts = ast.literal_eval(text) if len(text) <= MAX_LITERAL else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        texts = None
    if not isinstance(texts, list) or not all(isinstance(item, str) for item in texts):
        raise Dropped(Outcome.MALFORMED_ROW, f"no list of strings: {text[:60]!a}")
    return texts
