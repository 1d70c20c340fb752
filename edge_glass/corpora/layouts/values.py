"""From the values of a record to those of its columns."""

import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edge_glass.core.key_digests import rank
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.names import glob
from edge_glass.core.row import JsonObject
from edge_glass.core.spec import CONSTANT, KINDS, Column, Splits
from edge_glass.corpora.layouts.record import Record
from edge_glass.media.features import ClassLabel, Sequence, Value
from edge_glass.sources import json_text
from edge_glass.sources.fields import preview
from edge_glass.sources.folder import nfc

OF_FILE = re.compile(  # of what names a record
    r"(.+?\.(?:tar|tgz|parquet|arrow|mds)(?:\.\w+)?)/.*|(.+) (?:row|line) \d+|(.+?)#.*", re.DOTALL
)
PLACE = re.compile(r"\{([^{}]+)\}")
SECTION = re.compile(r"#t=([\d.]+),([\d.]+)$")  # of a video, as the web's Media Fragments say it
TRUTHS = {"true": True, "false": False, "1": True, "0": False}
Key = str | list[str]


def at(key: Key, values: JsonObject) -> Any:
    """What a record says under a key; None if there is nothing.

    Of a list of keys the values that are there, of a text with `{key}` in it that text, where
    `{key%.wav}` is the value without that end; a key that is called so itself comes first. What
    begins with `CONSTANT` is the rest of it. `a.0.b` leads into objects and lists.
    """
    if isinstance(key, list):
        return [value for each in key if (value := at(each, values)) is not None] or None
    if "{" in key and key not in values and (key.startswith(CONSTANT) or PLACE.search(key)):
        return _filled(key, values)
    if (value := values.get(key)) is not None or "." not in key:
        return value
    inner: Any = values
    for part in key.split("."):
        inner = out_of_text(inner)
        if isinstance(inner, list) and part.isdecimal() and int(part) < len(inner):
            inner = inner[int(part)]
        else:
            inner = inner.get(part) if isinstance(inner, dict) else None
    return inner


def _filled(key: str, values: JsonObject) -> Any:
    """The text of a key, with values in the places of their keys."""
    if key.startswith(CONSTANT):
        return key.removeprefix(CONSTANT)
    parts = {place: _without_end(place, values) for place in PLACE.findall(key)}
    if None in parts.values():
        return None
    if (listed := next((n for n, p in parts.items() if isinstance(p, list)), None)) is not None:
        return [at(key, values | {listed: each}) for each in parts[listed]]
    return PLACE.sub(lambda match: str(parts[match[1]]), key)


def out_of_text(value: Any) -> Any:
    """The object or list that a text has in JSON, as a cell of a CSV has it; else the value."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        inner = json_text.value(value)
        return value if inner is None else inner
    return value


def _without_end(place: str, values: JsonObject) -> Any:
    key, _, end = place.partition("%")
    value = at(key, values)
    return str(value).removesuffix(end) if end and value is not None else value


def is_plain(key: str) -> bool:
    """Whether a key is a name and no more."""
    return "." not in key and "{" not in key


def section(key: Key, said: JsonObject, length: float | None) -> JsonObject:
    """What is fetched of a video: its id, and seconds from start to end. Raises Dropped."""
    parts = at(key, said)
    try:
        id, start, *ends = parts
        start = float(start)
        end = float(ends[0]) if ends else start + (length or math.nan)
        if not 0 <= start < end < math.inf:
            raise ValueError
    except ValueError:
        detail = f"{key}: expected an id and seconds, found {preview(parts)}"
        raise Dropped(Outcome.MALFORMED_ROW, detail) from None
    return {"id": str(id), "start": start, "end": end}


def getter(key: Key, pattern: str | None = None) -> Callable[[JsonObject], Any]:
    """`at` for one key and many records, and of it what a pattern's first group is.

    Most keys are a name and no more.
    """
    if pattern:
        return lambda values: (
            match[1] if (match := re.search(pattern, str(at(key, values)))) else None
        )
    if isinstance(key, str) and is_plain(key):
        name = key
        return lambda values: values.get(name)
    return partial(at, key)


def feature(column: Column) -> Any:
    """The feature of a column that holds a value."""
    return ClassLabel(names=column.names) if column.names else _feature(column.type)


def _feature(type_: str) -> Any:
    if type_.startswith("["):
        return Sequence(_feature(type_[1:-1]))
    return Value("string" if type_ == "json" else type_)


PLAIN = defaultdict(bool, text=True, id=True, md5=True, sha256=True)  # roles of any text


def cast(name: str, column: Column, value: Any) -> Any:
    """A record's value as the column has it. Raises Dropped."""
    if value is None or (type(value) is str and column.type == "string" and PLAIN[column.role]):
        return value
    if column.role == "caption":
        captions = [str(each) for each in (value if isinstance(value, list) else [value])]
        if len(captions) > 1 and not column.several:
            detail = f"{name}: {len(captions)} captions where one was expected: type: '[string]'"
            raise Dropped(Outcome.MALFORMED_ROW, f"{detail} keeps all")
        return captions
    if column.names is not None and isinstance(value, int) and value < len(column.names):
        return value if value >= 0 else None  # -1 is what `datasets` writes for none
    if column.names is not None and str(value) not in column.names:
        raise Dropped(Outcome.MALFORMED_ROW, f"{name}: {value!r:.40} is not one of its classes")
    try:
        return column.names.index(str(value)) if column.names else _cast(column.type, value)
    except (TypeError, ValueError, OverflowError, KeyError, RecursionError):
        detail = f"{name}: expected {column.type}, found {preview(value)}"
        raise Dropped(Outcome.MALFORMED_ROW, detail) from None


def _cast(type_: str, value: Any) -> Any:
    if value is None:
        return None
    if type_.startswith("["):
        value = out_of_text(value)
        if not isinstance(value, list):
            raise TypeError
        return [_cast(type_[1:-1], each) for each in value]
    if type_ == "json":
        return json.dumps(value, ensure_ascii=False, default=str)
    return SCALARS[type_](value)


def _whole(value: Any) -> int:
    """Pandas writes whole numbers as 512.0 once a column has gaps."""
    return int(value) if isinstance(value, int) else int(str(value).removesuffix(".0"))


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        raise TypeError
    return str(value)


SCALARS: dict[str, Callable[[Any], Any]] = {
    "bool": lambda value: TRUTHS[str(value).lower()],
    "int64": _whole,
    "float64": float,
    "string": _text,
}


def member(value: str, base: str, data: Path, media: Path) -> str:
    """The name below `media` of a file that a record of `data` names.

    It names it from its folder `base`, or in full. Raises Dropped if the file lies elsewhere.
    """
    alone = media != data  # a table alone is another source than its files
    root = data.parent if alone and not data.is_dir() else data
    if media == root and not value.startswith("/"):
        name = os.path.normpath(f"{base}/{value}" if base else value)
    else:
        there = os.path.normpath(Path(root, base, value).absolute())
        name = os.path.relpath(there, media.absolute())
    if name.startswith("..") or "\0" in value:
        raise Dropped(
            Outcome.MALFORMED_ROW, f"{value!r:.60} is outside the folder of the media files"
        )
    return name.replace(os.sep, "/")


def said_of_split(rule: Splits, record: Record) -> str:
    """What the rule looks at: the record's folder, the value of a key, or what names it."""
    if rule.by == "folder":
        return record.folder
    if rule.by == "file":  # media are called by their files without the suffix
        media = (str(record.values.get(kind)) for kind in KINDS)
        return next((f for f in media if f.rpartition(".")[0] == record.where), record.where)
    return record.where if rule.key is None else str(at(rule.key, record.values))


def no_split(rule: Splits, folder: str) -> str:
    """Why a record of a folder is in no split."""
    return "no list names it" if rule.by == "list" else f"no split has {folder or 'it'}"


def split_of(rule: Splits, said: str) -> str | None:
    """The split of a record, out of what the rule looks at; None if it has none for it."""
    if rule.by == "all":
        return next(iter(rule.names))
    if rule.by == "share":
        at, edge = rank(rule.seed, nfc(said)) / 2**64, 0.0
        for name, share in rule.shares.items():
            edge += share
            if at < edge:
                return name
        return [*rule.shares][-1]
    if rule.by == "pattern":
        match = re.search(str(rule.pattern), said)
        said = match[1] if match else ""
    if rule.by == "file":
        parts = OF_FILE.fullmatch(said)
        file = next(filter(None, parts.groups())) if parts else said
        return next((n for n, all_ in rule.names.items() if _is_one(file, all_)), None)
    return next((n for n, words in rule.names.items() if said in (n, *words)), None)


def _is_one(file: str, patterns: list[str]) -> bool:
    return any(glob(each).fullmatch(file) for each in patterns)
