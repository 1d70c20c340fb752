"""What the values under a key are, over all records: their type, whether they tell rows apart."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core.errors import SourceError
from edge_glass.corpora.layouts.record import Record
from edge_glass.corpora.layouts.table_batches import Batch, Said

WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
FLOAT = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
TRUTH = re.compile("[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]")
SIGNED, BOOLEAN = pa.types.is_signed_integer, pa.types.is_boolean
FLOATING = pa.types.is_floating
MOST = 1_000_000  # values of a key that are told apart: one that comes again is dropped later on
IN_ALL, ROWS = 2 * MOST, 10_000  # of all keys, which is looked at after so many records
KEYS = 10_000  # that records may have
IDS = ("id", "key", "__key__", "uid", "uuid", "sample_id", "utterance_id", "utt_id", "clip_id")
FEW = 1000  # that may be the names of classes
SHOWN = 3
TYPES = {bool: "bool", int: "int64", float: "float64", str: "string"}


@dataclass
class KeyProfile:
    """The values under one key."""

    type: str = ""  # none where all are empty lists
    rows: int = 0  # with a value
    unique: bool = True  # as far as values were told apart
    prefix: str | None = None  # that all texts have
    few: set[str] = field(default_factory=set)  # the values, as long as they are few
    examples: list[Any] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set, repr=False)
    _looking: bool = field(default=True, repr=False)

    def add(self, value: Any, text: bool) -> None:
        """Take a value; `text`: it comes from a file where all is text."""
        self.rows += 1
        self._take_type(_type(value, text))
        if len(self.examples) < SHOWN:
            self.examples.append(value)
        if isinstance(value, str):
            self._shorten(value)
        if isinstance(value, str | int):
            if len(self.few) <= FEW:
                self.few.add(str(value))
            self._tell_apart([value])
        else:
            self.give_up()

    def add_column(self, values: Said, text: bool) -> None:
        """Take many values; those of plain types without a look at each."""
        if isinstance(values, list):
            for value in values:
                if value is not None:
                    self.add(value, text)
            return
        values = values.drop_null()
        kind, is_text = values.type, pa.types.is_string(values.type)
        plain = is_text or any(is_kind(kind) for is_kind in (SIGNED, BOOLEAN, FLOATING))
        head = values[:SHOWN] if plain else values
        for value in head.to_pylist():
            self.add(value, text)
        rest = values[len(head) :]
        if not len(rest):
            return
        self.rows += len(rest)
        if is_text:
            for edge in pc.min_max(rest).values():
                self._shorten(edge.as_py())
            for type_ in _types_of_texts(rest) if text and self.type != "string" else ():
                self._take_type(type_)
        if FLOATING(kind):
            return
        if len(self.few) <= FEW:
            self.few.update(map(str, pc.unique(rest)[: FEW + 1].to_pylist()))
        self._tell_apart(rest)

    @property
    def told_apart(self) -> int:
        """How many values are remembered, to find one that comes twice."""
        return len(self._seen)

    def give_up(self) -> None:
        """Tell no values apart any more."""
        self.unique, self._seen = False, set()

    def _tell_apart(self, values: pa.Array | list[Any]) -> None:
        if not (self.unique and self._looking):
            return
        before = len(self._seen)
        self._seen.update(map(hash, values if isinstance(values, list) else values.to_pylist()))
        if before + len(values) != len(self._seen):
            self.give_up()
        elif len(self._seen) > MOST:
            self._looking, self._seen = False, set()

    def _take_type(self, type_: str) -> None:
        if type_ and type_ != self.type:
            self.type = _both(self.type, type_) if self.type else type_

    def _shorten(self, text: str) -> None:
        """The prefix, as far as this text has it, too."""
        if not (self.prefix and text.startswith(self.prefix)):
            pairs = zip(text if self.prefix is None else self.prefix, text, strict=False)
            self.prefix = "".join(
                one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)
            )


def profiles(
    records: Iterable[Record | Batch], text: bool, naming: Collection[str] = ()
) -> dict[str, KeyProfile]:
    """The keys of all records, in the order in which they come up. Raises SourceError.

    Whether they tell rows apart is looked at of keys that are called as ids are, and of those
    `naming` files. At most `IN_ALL` values are remembered: beyond that the last keys are given up
    that no id is called like.
    """
    profile_of = _Profiles(naming)
    for number, record in enumerate(records, 1):
        if isinstance(record, Batch) or number % ROWS == 0:
            _bound(profile_of)
        if isinstance(record, Batch):
            for key, values in record.values.items():
                profile_of[key].add_column(values, text)
            continue
        for key, value in record.values.items():
            profile = profile_of[key]
            if value is not None:
                profile.add(value, text)
    return dict(profile_of)


class _Profiles(dict[str, KeyProfile]):
    def __init__(self, naming: Collection[str]) -> None:
        super().__init__()
        self._naming = naming

    def __missing__(self, key: str) -> KeyProfile:
        self[key] = KeyProfile(unique=key.lower() in IDS or key in self._naming)
        return self[key]


def _bound(profile_of: dict[str, KeyProfile]) -> None:
    if len(profile_of) > KEYS:
        raise SourceError(
            f"over {KEYS} keys, such as {[*profile_of][-1]}: are these names of rows, not keys?"
        )
    distinct = {key: profile for key, profile in profile_of.items() if profile.told_apart}
    for key in sorted(distinct, key=lambda key: (key.lower() in IDS, -[*distinct].index(key))):
        if sum(profile.told_apart for profile in distinct.values()) > IN_ALL:
            distinct[key].give_up()


def _type(value: Any, text: bool) -> str:
    if isinstance(value, str):
        return _type_of_text(value) if text else "string"
    if type(value) is int and not -(2**63) <= value < 2**63:
        return "string"
    if not isinstance(value, list):
        return "json" if isinstance(value, dict | tuple) else TYPES.get(type(value), "string")
    types = {_type(each, text=False) for each in value if each is not None} - {""}
    if not types:
        return ""  # an empty list may be one of anything
    return f"[{types.pop()}]" if len(types) == 1 and "json" not in types else "json"


def _type_of_text(text: str) -> str:
    if WHOLE.fullmatch(text):
        return "int64"
    if FLOAT.fullmatch(text):
        return "float64"
    return "bool" if TRUTH.fullmatch(text) else "string"


def _types_of_texts(texts: pa.Array) -> set[str]:
    """Each type that `_type_of_text` finds among texts."""
    left, types = pc.unique(texts), set[str]()
    for pattern, type_ in ((WHOLE, "int64"), (FLOAT, "float64"), (TRUTH, "bool")):
        fits = pc.match_substring_regex(left, f"^(?:{pattern.pattern})$")
        types |= {type_} if pc.any(fits).as_py() else set()
        left = left.filter(pc.invert(fits))
    return types | ({"string"} if len(left) else set())


def _both(one: str, other: str) -> str:
    if {one, other} == {"int64", "float64"}:
        return "float64"
    nested = any(each == "json" or each.startswith("[") for each in (one, other))
    return "json" if nested else "string"
