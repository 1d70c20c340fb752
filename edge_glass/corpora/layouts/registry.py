"""The layouts by name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_glass.corpora.layouts import (
    annotations,
    media_folders,
    shards,
    speech,
    tables,
    timed,
    webdataset,
)
from edge_glass.corpora.layouts.record import Files, Record


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
    "table": Layout("tables whose columns name files or URLs, or hold bytes", tables.records),
    "webdataset": Layout("tars of samples", webdataset.records),
    "mds": Layout("MDS shards", shards.mds_records),
    "kaldi": Layout("Kaldi: wav.scp, text, segments, …", speech.kaldi, speech.is_kaldi),
    "lhotse": Layout("Lhotse manifests", speech.lhotse, speech.is_lhotse),
    "ljspeech": Layout("LJSpeech: metadata.csv and wavs/", speech.ljspeech, speech.is_ljspeech),
    "annotations": Layout(
        "pictures with COCO's or VQA's JSON", annotations.records, annotations.fits
    ),
    "timed": Layout("recordings, and what is said when", timed.records, timed.fits),
}
