"""WebDataset: tars whose members belong together up to the first dot of their name."""

from collections.abc import Iterator
from typing import Any

from edge_glass.core.ledger import Dropped
from edge_glass.corpora.layouts.media_folders import kind_of, texts
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.tables import split_word


def records(files: Files) -> Iterator[Record]:
    """The samples, tar by tar; a member that is neither media nor text is left out."""
    for folder, names in files.folders():
        samples: dict[str, list[str]] = {}
        for name in names:
            samples.setdefault(_key(name), []).append(name)
        split = split_word(folder.partition(".tar")[0].rpartition("/")[2] + ".txt")
        for key, members in samples.items():
            record = Record(key, {"__key__": key.rpartition("/")[2]}, split)
            try:
                for name in members:
                    record.values |= _value(files, name, record.values)
            except Dropped as drop:
                record.dropped = drop.outcome, drop.detail
            yield record


def _value(files: Files, name: str, values: dict[str, Any]) -> dict[str, Any]:
    kind, extension = kind_of(name), name.rpartition("/")[2].partition(".")[2].lower()
    if kind is None:
        return texts(files, name) if extension in ("json", "txt", "cls", "caption") else {}
    plain = "." not in extension and kind not in values
    return {str(kind) if plain else extension.replace(".", "_"): name}


def _key(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]
