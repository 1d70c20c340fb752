"""Files that embeddings are written to: Parquet beside the data, or clip-retrieval's folders.

clip-retrieval reads `img_emb/img_emb_<n>.npy` and `text_emb/text_emb_<n>.npy` (float16, length 1)
and `metadata/metadata_<n>.parquet` with `image_path`, `caption`, `url`, `NSFW` and what else a row
has; n has as many digits as the number of files asks for. Images are written beside them as JPEG,
for its service opens `image_path`, seen from the folder that it is started in.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from edge_glass.core import parquet
from edge_glass.core.arrow_columns import is_media
from edge_glass.core.columns import upstream_names
from edge_glass.core.errors import ConfigError
from edge_glass.core.ledger import Dropped
from edge_glass.core.shard_files import write_table
from edge_glass.media import images
from edge_glass.vectors import arrays
from edge_glass.vectors.models import Modality
from edge_glass.vectors.text_encoders import normal

Array = np.ndarray[Any, Any]
FOLDERS = {"image": "img_emb", "text": "text_emb"}
QUALITY = 95  # of a JPEG that is made of another image
ROWS = 8192  # of a row group: one is what a reader has in memory
PAGES = 64  # likewise, of late interaction: each is some thousand vectors


def check(layout: str, modalities: list[Modality], late: bool) -> None:
    """Raise EdgeGlassError if a layout has no place for what is encoded."""
    if late and "text" in modalities:
        raise ConfigError("late interaction is for columns of pages; texts are the queries")
    if layout not in ("parquet", "clip-retrieval"):
        raise ConfigError(f"--layout {layout}: use parquet or clip-retrieval")
    twice = len(set(modalities)) < len(modalities)
    if layout == "clip-retrieval" and late:
        raise ConfigError("--layout clip-retrieval has one vector a row: use parquet")
    if layout == "clip-retrieval" and (twice or set(modalities) - set(FOLDERS)):
        raise ConfigError("--layout clip-retrieval takes one column of images and one of texts")


@dataclass(frozen=True)
class Target:
    """Where the embeddings of the `number`th of `count` shards go."""

    layout: str
    out: Path
    number: int
    count: int
    shard: Path

    @property
    def last(self) -> Path:
        """The file that is written last, and says that all is there."""
        if self.layout == "parquet":
            return self.out / self.shard.name
        return self._file("metadata", "parquet")

    def vectors(self, modality: str) -> Path:
        """The file that has the vectors of a column."""
        return self.last if self.layout == "parquet" else self._file(FOLDERS[modality], "npy")

    def _file(self, kind: str, suffix: str) -> Path:
        digits = int(math.log10(max(self.count, 1))) + 1
        return self.out / kind / f"{kind}_{self.number:0{digits}d}.{suffix}"

    def is_whole(self) -> bool:
        """Whether its last file is there."""
        return self.last.is_file()

    def write(self, embedded: dict[str, Iterator[Array]], encoded: dict[str, Any]) -> None:
        """Write batches (rows, dim) by column; `encoded` says what each column holds."""
        if self.layout == "parquet":
            late = [column for column, facts in encoded.items() if facts.get("late")]
            _parquet(self.last, self.shard, embedded, late)
            return
        modalities = {facts["modality"]: column for column, facts in encoded.items()}
        for modality, column in modalities.items():
            none = np.empty((0, encoded[column]["dim"]), dtype=np.float32)
            array = normal(np.nan_to_num(np.concatenate([none, *embedded[column]])))
            arrays.save(self.vectors(modality), array.astype(np.float16))
        paths = self._images(modalities["image"]) if "image" in modalities else None
        table = _metadata(self.shard, modalities, paths)
        groups = (table.slice(at, ROWS) for at in range(0, max(1, len(table)), ROWS))
        write_table(self.last, groups, table.schema)

    def _images(self, column: str) -> pa.Array:
        """Write a column's images as JPEG; gives their paths, empty where there is none."""
        folder = Path("images") / self.shard.stem
        (self.out / folder).mkdir(parents=True, exist_ok=True)
        paths = []
        for number, row in enumerate(parquet.rows(self.shard, [column])):
            path = folder / f"{number:06d}.jpg"
            try:
                jpeg, _ = images.convert((row[column] or {}).get("bytes") or b"", "jpeg", QUALITY)
            except Dropped:
                paths.append("")  # not null: the service asks whether such a file exists
                continue
            (self.out / path).write_bytes(jpeg)  # metadata, written last, says it is whole
            paths.append(path.as_posix())
        return pa.array(paths, type=pa.string())


def targets(layout: str, out: Path, shards: Sequence[Path]) -> Iterator[Target]:
    """Where the embeddings of all shards go, in their order."""
    for number, shard in enumerate(shards):
        yield Target(layout, out, number, len(shards), shard)


def _parquet(
    path: Path, shard: Path, embedded: dict[str, Iterator[Array]], late: list[str]
) -> None:
    """`id` and a `<column>_embedding` for each; null where a row has none.

    Lists are not of a fixed size: pyarrow before 26 cannot read those where a row has none.
    """
    ids, one = parquet.table(shard, ["id"]).combine_chunks(), pa.list_(pa.float32())
    kinds = {f"{c}_embedding": pa.list_(one) if c in late else one for c in embedded}
    schema = pa.schema([ids.schema.field("id"), *map(pa.field, kinds, kinds.values())])
    rows = [map(_list, chain.from_iterable(batches)) for batches in embedded.values()]

    def groups() -> Iterator[pa.Table]:
        size = PAGES if late else ROWS
        for at in range(0, max(1, len(ids)), size):
            part = ids["id"].slice(at, size)
            values = ([*islice(each, len(part))] for each in rows)
            columns = (pa.array(v, kind) for v, kind in zip(values, kinds.values(), strict=True))
            yield pa.table([part, *columns], schema)

    write_table(path, groups(), schema)


def _list(row: Array | None) -> Any:
    """An embedding (dim,), or of late interaction (tokens, dim), as Arrow takes it."""
    if row is None or np.isnan(row.flat[0]):
        return None
    return row if row.ndim == 1 else [*row]


def _metadata(shard: Path, modalities: dict[Modality, str], paths: pa.Array | None) -> pa.Table:
    """All columns of a shard but its media, under LAION's names; lists and structs as JSON."""
    schema = parquet.schema(shard)
    names = upstream_names([field.name for field in schema if not is_media(field.type)])
    table = parquet.table(shard, list(names))
    columns = {new: _readable(table[old]) for old, new in names.items()}
    if paths is not None:
        columns["image_path"] = paths
    if "url" not in columns and "image_url" in columns:
        columns["url"] = columns["image_url"]
    if "text" in modalities and "caption" not in columns:
        columns["caption"] = _first(table[modalities["text"]])
    return pa.table(columns)


def _readable(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if not pa.types.is_nested(column.type):
        return column
    texts = [json.dumps(value, ensure_ascii=False, default=str) for value in column.to_pylist()]
    return pa.array(texts, type=pa.string())


def _first(texts: pa.ChunkedArray) -> pa.Array:
    """Of several texts the one that is embedded."""
    values = ((v or [None])[0] if isinstance(v, list) else v for v in texts.to_pylist())
    return pa.array(values, type=pa.string())
