"""What the values under a key are, over all records: their type, whether they tell rows apart."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from edge_glass.corpora.layouts.record import Record

WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")
NUMBER = re.compile(r"-?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?")
MOST = 1_000_000  # values that are told apart
FEW = 1000  # that may be the names of classes
SHOWN = 3
TYPES = {bool: "bool", int: "int64", float: "float64", str: "string"}


@dataclass
class KeyProfile:
    """The values under one key."""

    type: str = ""  # none where all are empty lists
    rows: int = 0  # with a value
    unique: bool = True
    prefix: str | None = None  # that all texts have
    few: set[str] = field(default_factory=set)  # the values, as long as they are few
    examples: list[Any] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    def add(self, value: Any, text: bool) -> None:
        """Take a value; `text`: it comes from a file where all is text."""
        self.rows += 1
        found = _type(value, text)
        if found and found != self.type:
            self.type = _both(self.type, found) if self.type else found
        if len(self.examples) < SHOWN:
            self.examples.append(value)
        if isinstance(value, str) and not (self.prefix and value.startswith(self.prefix)):
            pairs = zip(value if self.prefix is None else self.prefix, value, strict=False)
            self.prefix = "".join(
                one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)
            )
        if isinstance(value, str | int):
            if len(self.few) <= FEW:
                self.few.add(str(value))
            if self.unique:
                before = len(self._seen)
                self._seen.add(hash(value))
                self.unique = before < len(self._seen) <= MOST
        else:
            self.unique = False


def profiles(records: Iterable[Record], text: bool) -> dict[str, KeyProfile]:
    """The keys of all records, in the order in which they come up."""
    found: dict[str, KeyProfile] = {}
    for record in records:
        for key, value in record.values.items():
            profile = found.setdefault(key, KeyProfile())
            if value is not None:
                profile.add(value, text)
    return found


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
    if NUMBER.fullmatch(text) and not re.match(r"-?0\d", text):
        return "float64"
    return "bool" if text.lower() in ("true", "false") else "string"


def _both(one: str, other: str) -> str:
    if {one, other} == {"int64", "float64"}:
        return "float64"
    nested = any(each == "json" or each.startswith("[") for each in (one, other))
    return "json" if nested else "string"
