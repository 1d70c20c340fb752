"""What a YAML says of its records, held against them; and what is no data to be read."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_glass.core import ledger, manifest
from edge_glass.core.errors import ConfigError, absent
from edge_glass.core.spec import Spec, Splits
from edge_glass.corpora.layouts import values
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.registry import scan
from edge_glass.corpora.layouts.split_lists import Lists
from edge_glass.corpora.own_files import FOLDER

if TYPE_CHECKING:
    from edge_glass.corpora.layouts.table_batches import Batch

MOST = 1000  # words that records say of splits, to tell them


def misfits(spec: Spec, every: Iterable[Files], empty: list[str]) -> list[str]:
    """Keys of a YAML that no record has, and splits that none is of.

    `empty` are the splits without a row.
    """
    missing, known, words = _keys(spec), dict[str, None](), set[str]()
    empty = empty if spec.splits.by not in ("all", "share") else []
    for each in (each for files in every for each in scan(str(spec.layout), files)):
        known |= dict.fromkeys(each.values)
        missing = {key for key in missing if not {key, key.partition(".")[0]} & known.keys()}
        if not (missing or empty):
            return []
        if empty and len(words) < MOST:
            records = (each,) if isinstance(each, Record) else each.records()
            words.update(values.said_of_split(spec.splits, record) for record in records)
    there = sorted(filter(None, words)) or ["none"]
    keys = [f"{spec.title}: {absent('key', key, known)}" for key in sorted(missing) if known]
    splits = [f"{spec.title}: {absent('record of split', s, there)}" for s in empty if words]
    return keys + splits


def beside_lists(rule: Splits, files: Files, every: "Iterable[Record | Batch]") -> dict[str, str]:
    """Names in lists of splits that no record has, and how many records no list names.

    Raises ConfigError if a record is in lists of two splits.
    """
    lists, nowhere, lost = Lists(rule, [files]), 0, dict[str, str]()
    for each in every:
        for record in (each,) if isinstance(each, Record) else each.records():
            nowhere += lists.split_of(values.said_of_split(rule, record)) is None
    for name, count, some in lists.unmatched():
        more = ", …" if count > len(some) else ""
        lost[name] = f"{count:,} of its names are of no record: {', '.join(some)}{more}"
    return lost | ({f"{nowhere:,} records": "no list names them"} if nowhere else {})


def _keys(spec: Spec) -> set[str]:
    """What columns and splits are read from, by what a record calls it."""
    keys = set[str]()
    for key in (spec.splits.key, *(column.key for column in spec.columns.values())):
        for each in key if isinstance(key, list) else [key or FOLDER]:
            places = values.PLACE.findall(each) or [each]
            keys.update(place.partition("%")[0] for place in places)
    return keys - {FOLDER}


def not_built(path: Path) -> None:
    """Raise ConfigError if this is the folder of a build, whose ledger would be read as data."""
    if all((path / file).is_file() for file in (manifest.FILE, ledger.FILE)):
        raise ConfigError(
            f"{path}: is a build already: `push` publishes it, `build --where` takes rows of it. "
            "To read them as data, copy its shards alone into a folder of their own."
        )
