"""The layouts by name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_glass.corpora.layouts import media_folders, tables
from edge_glass.corpora.layouts.record import Files, Record


@dataclass(frozen=True)
class Layout:
    """A way to lay out data: what it is called and how its records are read."""

    title: str
    records: Callable[[Files], Iterator[Record]]


LAYOUTS = {
    "media": Layout(
        "media files, in class folders or with texts beside them", media_folders.records
    ),
    "table": Layout("tables whose columns name files or URLs, or hold bytes", tables.records),
}
