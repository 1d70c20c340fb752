"""A build in layouts that others read: img2dataset's tar shards, or plain files.

`webdataset` is what img2dataset writes, so that its users' loaders run unchanged: `00000.tar` with
`<key>.jpg`, `.txt` and `.json` of every row that is kept, `00000.parquet` with all rows that were
tried, and `00000_stats.json`. `files` is a folder of media with a `metadata.jsonl`, which
`datasets` reads as an image or audio folder; of rows that have a class, `<wnid>/<id>` as ImageNet
has it. `tsv` lists them without media, `filepath`, `label`, `caption`, and says beside it how many
rows each class has. All depend on the build alone: times in them are 0.
"""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from edge_glass import again, ledger, manifest, parquet
from edge_glass.encode import labels
from edge_glass.errors import EdgeGlassError
from edge_glass.ledger import Outcome
from edge_glass.manifest import Manifest
from edge_glass.shards import Whole, write_json, write_table
from edge_glass.tables.classes import write_frequencies

ROWS = 10_000  # of one tar
BREAKS = str.maketrans("\n\r\t", "   ")
LEFT_OUT = {Outcome.NOT_IN_SUBSET, Outcome.BEYOND_LIMIT, Outcome.NOT_IN_CONFIG}  # never tried
RESIZING = {  # the media came, but was not what the config wants
    Outcome.UNDECODABLE_MEDIA, Outcome.TRUNCATED_MEDIA, Outcome.EMPTY_MEDIA, Outcome.WRONG_KIND,
    Outcome.UNSUITABLE_MEDIA, Outcome.TOO_SMALL, Outcome.WRONG_ASPECT,
}  # fmt: skip
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("caption", "url", "key", "status", "error_message")]
    + [(name, pa.int32()) for name in ("width", "height", "original_width", "original_height")]
    + [(name, pa.string()) for name in ("exif", "sha256")]
)
Pair = tuple[dict[str, Any], dict[str, Any] | None]  # of the ledger, and the example if kept


def export(folder: Path, out: Path, format: str) -> None:
    """Write the build in `folder` to `out/<split>/` as `webdataset`, `files` or `tsv`.

    `labels` are its classes as multi-hot arrays, over all splits together.
    """
    if format == "labels":
        labels.export(folder, out)
        return
    made = manifest.read(folder)
    if format == "tsv":
        for split in made["splits"]:
            _tsv(folder, made, split, out / split)
        return
    media = [name for name, feature in made["features"].items() if _is_media(feature)]
    if len(media) != 1:
        raise EdgeGlassError(
            f"{made['config']}: exports need one column of media files, found "
            f"{', '.join(media) or 'none'}"
        )
    write = {"webdataset": _webdataset, "files": _files}[format]
    for split in made["splits"]:
        whole_size = made["parameters"].get("resize") is None
        write(_pairs(folder, made, split), out / split, media[0], whole_size)


def _is_media(feature: Any) -> bool:
    return isinstance(feature, dict) and feature.get("_type") in ("Image", "Audio")


def _pairs(folder: Path, made: Manifest, split: str) -> Iterator[Pair]:
    """Each source row that was tried, with its example; of a row of several, each of them."""
    shards = (folder / shard["file"] for shard in made["splits"][split]["shards"])
    examples = (example for shard in shards for example in parquet.rows(shard))
    waiting = next(examples, None)
    for entry in ledger.read(folder / ledger.FILE):
        if entry["split"] != split or entry["outcome"] in LEFT_OUT:
            continue
        if entry["outcome"] != Outcome.KEPT:
            yield entry, None
        while entry["outcome"] == Outcome.KEPT and waiting and again.of(waiting["id"], entry["id"]):
            yield entry, waiting
            waiting = next(examples, None)


def _webdataset(pairs: Iterator[Pair], out: Path, column: str, whole_size: bool) -> None:
    shard, pair = 0, next(pairs, None)
    while pair is not None:
        rows: list[dict[str, Any]] = []
        with Whole(out / f"{shard:05d}.tar") as whole, tarfile.open(fileobj=whole, mode="w") as tar:  # type: ignore[call-overload]
            while pair is not None and len(rows) < ROWS:
                rows.append(_row(f"{shard * ROWS + len(rows):09d}", *pair, whole_size))
                if pair[1] is not None:
                    _add(tar, rows[-1], pair[1], column)
                pair = next(pairs, None)
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        write_table(out / f"{shard:05d}.parquet", [table], SCHEMA)
        write_json(out / f"{shard:05d}_stats.json", _stats(rows))
        shard += 1


def _row(
    key: str, entry: dict[str, Any], example: dict[str, Any] | None, whole_size: bool
) -> dict[str, Any]:
    """A row as img2dataset has it; of an image that was resized nobody knows the size before."""
    outcome = entry["outcome"]
    failed = "failed_to_resize" if outcome in RESIZING else "failed_to_download"
    example = example or {}
    return {
        "caption": _caption(example),
        "url": entry["url"],
        "key": key,
        "status": "success" if example else failed,
        "error_message": None if example else f"{outcome} {entry['detail']}".strip(),
        "width": example.get("width"),
        "height": example.get("height"),
        "original_width": example.get("width") if whole_size else None,
        "original_height": example.get("height") if whole_size else None,
        "exif": "{}" if example else None,
        "sha256": entry["sha256"],
    }


def _caption(example: dict[str, Any]) -> str | None:
    captions = example.get("caption") or example.get("captions")
    return captions[0] if isinstance(captions, list) else captions


def _add(tar: tarfile.TarFile, row: dict[str, Any], example: dict[str, Any], column: str) -> None:
    value = example[column]
    suffix = _suffix(value)
    others = {name: v for name, v in example.items() if name != column and _plain(v)}
    sample = json.dumps(others | row, ensure_ascii=False).encode()
    parts = {suffix: value["bytes"], ".txt": (row["caption"] or "").encode(), ".json": sample}
    for end, data in parts.items():
        member = tarfile.TarInfo(row["key"] + end)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


def _plain(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(item is None or isinstance(item, str | int | float) for item in items)


def _stats(rows: list[dict[str, Any]]) -> dict[str, Any]:
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


def _files(pairs: Iterator[Pair], out: Path, column: str, _: bool) -> None:
    with Whole(out / "metadata.jsonl") as lines:
        for number, example in enumerate(example for _, example in pairs if example):
            value = example[column]
            name = _class_path(example, value) or f"{number:09d}{_suffix(value)}"
            with Whole(out / name) as file:
                file.write(value["bytes"])
            others = {key: v for key, v in example.items() if key != column and _plain(v)}
            line = json.dumps({"file_name": name} | others, ensure_ascii=False)
            lines.write(f"{line}\n".encode())


def _suffix(value: dict[str, Any]) -> str:
    return Path(value["path"] or "").suffix or ".bin"


def _class_path(example: dict[str, Any], value: dict[str, Any] | None) -> str | None:
    """`<wnid>/<id>.<suffix>`, None for rows without a class."""
    suffix = _suffix(value) if value else ".jpg"
    return (
        f"{example['wnid']}/{quote(example['id'], safe='')}{suffix}" if "wnid" in example else None
    )


def _tsv(folder: Path, made: Manifest, split: str, out: Path) -> None:
    """Nothing is quoted (read it so: a caption may hold quotes), breaks and tabs are spaces."""
    if not {"wnid", "label", "caption"} <= set(made["features"]):
        raise EdgeGlassError(f"{made['config']}: tsv wants columns wnid, label and caption")
    counts = Counter[str]()
    media = [name for name, feature in made["features"].items() if _is_media(feature)]
    with Whole(out / f"{made['config']}.tsv") as file:
        file.write(b"filepath\tlabel\tcaption\n")
        for _, example in _pairs(folder, made, split):
            if example:
                path = example.get("filepath")
                path = path or _class_path(example, example[media[0]] if media else None)
                caption = example["caption"].translate(BREAKS)
                file.write(f"{path}\t{example['label']}\t{caption}\n".encode())
                counts[example["wnid"]] += 1
    write_frequencies(out, f"class_frequency_{made['config']}", counts)
