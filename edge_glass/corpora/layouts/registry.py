"""The layouts by name."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge_glass.corpora.layouts import (
    annotations,
    documents,
    media_folders,
    recipes,
    shards,
    table_records,
    tables,
    timed,
)
from edge_glass.corpora.layouts.record import Files, Record

if TYPE_CHECKING:
    from edge_glass.corpora.layouts.table_batches import Batch


@dataclass(frozen=True)
class Layout:
    """A way to lay out data: what it is called and how its records are read."""

    title: str
    records: Callable[[Files], Iterator[Record]]
    fits: Callable[[Files], bool] | None = None  # told by files that only this layout has


LAYOUTS = {
    "media": Layout(
        "media files, in class folders or with texts beside them", media_folders.records
    ),
    "table": Layout(
        "tables whose columns name files or URLs, or hold bytes", table_records.records
    ),
    "tsv": Layout(
        "text between tabs, without a header: keys are 0, 1, …",
        partial(table_records.records, layout="tsv"),
    ),
    "webdataset": Layout("tars of samples", media_folders.tar_samples),
    "mds": Layout("MDS shards", shards.mds_records),
    "lerobot": Layout("episodes of LeRobot v2 and v3", shards.lerobot, shards.is_lerobot),
    "kaldi": Layout("Kaldi: wav.scp, text, segments, …", recipes.kaldi, recipes.is_kaldi),
    "lhotse": Layout("Lhotse manifests", recipes.lhotse, recipes.is_lhotse),
    "ljspeech": Layout("LJSpeech: metadata.csv and wavs/", recipes.ljspeech, recipes.is_ljspeech),
    "voxforge": Layout("VoxForge: etc/PROMPTS and wav/", recipes.voxforge, recipes.is_voxforge),
    "annotations": Layout(
        "pictures with COCO's or VQA's JSON", annotations.records, annotations.fits
    ),
    "documents": Layout(
        "questions about pages, as DocVQA and SlideVQA have them",
        documents.records,
        documents.fits,
    ),
    "clip_retrieval": Layout(
        "embeddings and metadata of clip-retrieval", shards.clip_retrieval, shards.is_clip_retrieval
    ),
    "timed": Layout("recordings, and what is said when", timed.records, timed.fits),
}


def scan(layout: str, files: Files) -> "Iterator[Record | Batch]":
    """All records of a layout; those of tables in batches."""
    if layout not in tables.UNITS:
        yield from LAYOUTS[layout].records(files)
        return
    from edge_glass.corpora.layouts.table_batches import batches

    for name in tables.names(files):
        with files.local(name) as path:
            yield from batches(path, name, layout)


def counted(
    records: "Iterable[Record | Batch]",
    folders: Counter[str],
    lost: Counter[str],
    parents: set[str],
) -> "Iterator[Record | Batch]":
    """The records; on the side the folders of those that are whole, and of the others."""
    for record in records:
        if not isinstance(record, Record):
            folders[record.folder] += len(record.where) - len(record.lost)
            lost[record.folder] += len(record.lost)
        else:
            (folders if record.dropped is None else lost)[record.folder] += 1
            if record.dropped is None:
                parents.add(record.where.rpartition("/")[0])
        yield record
