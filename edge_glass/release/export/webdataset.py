"""Tar shards as img2dataset writes them, read by webdataset, clip-retrieval and Energon.

`<split>/00000.tar` holds `<key>.jpg`, `.txt` and `.json` of each row with media, `00000.parquet`
all rows that were tried, `00000_stats.json` their number. Shards are numbered over all splits, so
that no key stands twice. Where a row has several files, they are `<key>.<column>.jpg`, and of a
list `<key>.<column>.0.jpg`.
"""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from edge_glass.core import names
from edge_glass.core.atomic_files import AtomicFile, write_json
from edge_glass.core.columns import ColumnRole, upstream_names
from edge_glass.core.ledger import EntryRow, Outcome
from edge_glass.core.row import Example
from edge_glass.core.shard_files import write_table
from edge_glass.release.export import exif, media_files
from edge_glass.release.export.built_rows import BuiltRows, Pair, as_json
from edge_glass.release.export.media_files import MediaFile

ROWS = 10_000  # of one tar
RESIZING = {  # the media came, but was not what the config wants
    Outcome.UNDECODABLE_MEDIA, Outcome.TRUNCATED_MEDIA, Outcome.EMPTY_MEDIA, Outcome.WRONG_KIND,
    Outcome.UNSUITABLE_MEDIA, Outcome.TOO_SMALL, Outcome.WRONG_ASPECT,
}  # fmt: skip
OWN = pa.schema(
    [(name, pa.string()) for name in ("caption", "url", "key", "status", "error_message")]
    + [(name, pa.int32()) for name in ("width", "height", "original_width", "original_height")]
    + [(name, pa.string()) for name in ("exif", "sha256")]
)
SHARED = {"caption", "url", "width", "height"}  # what a build calls so is the same
Row = Example


def write(build: BuiltRows, out: Path, jpeg: bool) -> list[str]:
    """Write all splits; gives what is left out."""
    shard = 0
    for split in build.manifest.splits:
        pairs = build.pairs(split)
        for first in pairs:
            part = chain([first], islice(pairs, ROWS - 1))
            _Shard(build, out / split, shard, jpeg).write(part)
            shard += 1
    return build.left_out


class _Shard:
    def __init__(self, build: BuiltRows, folder: Path, number: int, jpeg: bool) -> None:
        self._build, self._number, self._jpeg = build, number, jpeg
        self._stem = folder / f"{number:05d}"
        self._media = build.manifest.with_role(ColumnRole.MEDIA)
        self._names = _names(build)

    def write(self, pairs: Iterator[Pair]) -> None:
        """The tar, the Parquet and the counts; no tar where no row has media: readers want one."""
        rows: list[Row] = []
        with ExitStack() as stack:
            tar: tarfile.TarFile | None = None
            for place, (entry, example) in enumerate(pairs):
                files = media_files.of_row(example, self._media, self._jpeg) if example else []
                row = self._row(f"{self._number * ROWS + place:09d}", entry, example, files)
                rows.append(row)
                if files:
                    tar = tar or _opened(self._stem.with_suffix(".tar"), stack)
                    self._add(tar, row, files)
        schema = self._schema()
        table = pa.Table.from_pylist(rows, schema=schema)
        write_table(self._stem.with_suffix(".parquet"), [table], schema)
        write_json(self._stem.with_name(f"{self._stem.name}_stats.json"), _stats(rows))

    def _row(
        self, key: str, entry: EntryRow, example: Example | None, files: list[MediaFile]
    ) -> Row:
        """A row; of an image that was resized nobody knows the size before."""
        others = self._build.others(example) if example else dict.fromkeys(self._names)
        whole_size = self._build.manifest.parameters.get("resize") is None
        outcome, size = entry["outcome"], (others.get("width"), others.get("height"))
        failed = "failed_to_resize" if outcome in RESIZING else "failed_to_download"
        why = "no media in this row" if example else f"{outcome} {entry['detail']}".strip()
        return {self._names[name]: value for name, value in others.items()} | {
            "caption": self._build.caption(example) if example else entry.get("caption"),
            "url": others.get("url") or entry["url"],
            "key": key,
            "status": "success" if files else failed,
            "error_message": None if files else why,
            "width": size[0],
            "height": size[1],
            "original_width": size[0] if whole_size else None,
            "original_height": size[1] if whole_size else None,
            "exif": exif.of(files[0].source) if files else None,
            "sha256": entry["sha256"],
        }

    def _schema(self) -> pa.Schema:
        """The build's columns, then img2dataset's."""
        own = {field.name for field in OWN}
        names = {new: old for old, new in self._names.items() if new not in own}
        first = [self._build.schema.field(old).with_name(new) for new, old in names.items()]
        return pa.schema([*first, *OWN])

    def _add(self, tar: tarfile.TarFile, row: Row, files: list[MediaFile]) -> None:
        sample = json.dumps(as_json(row), ensure_ascii=False).encode()
        single = len(self._media) == 1
        parts = {_member(file, single): file.data for file in files}
        parts |= {".txt": (row["caption"] or "").encode(), ".json": sample}
        for end, data in parts.items():
            member = tarfile.TarInfo(row["key"] + end)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def _names(build: BuiltRows) -> dict[str, str]:
    """The plain columns and what they are called; what img2dataset has its own of gets a `_`."""
    taken = {field.name for field in OWN} - SHARED
    names = upstream_names(build.plain)
    return {old: f"{new}_" if new in taken else new for old, new in names.items()}


def _member(file: MediaFile, single: bool) -> str:
    if single and file.place is None:
        return file.suffix
    place = "" if file.place is None else f".{file.place}"
    return f".{names.file_name(file.column).replace('.', '_')}{place}{file.suffix}"


def _opened(path: Path, stack: ExitStack) -> tarfile.TarFile:
    whole = stack.enter_context(AtomicFile(path))
    return stack.enter_context(tarfile.open(fileobj=whole, mode="w"))  # type: ignore[call-overload,no-any-return]


def _stats(rows: list[Row]) -> Row:
    statuses = Counter(row["status"] for row in rows)
    messages = Counter(row["error_message"] or "success" for row in rows)
    return {
        "count": len(rows),
        "successes": statuses["success"],
        "failed_to_download": statuses["failed_to_download"],
        "failed_to_resize": statuses["failed_to_resize"],
        "duration": 0,
        "start_time": 0,
        "end_time": 0,
        "status_dict": dict(sorted(messages.items())),
    }
