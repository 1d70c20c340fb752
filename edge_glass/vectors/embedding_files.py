"""Files that embeddings are written to: Parquet beside the data, or clip-retrieval's folders.

clip-retrieval reads `img_emb/img_emb_<n>.npy` and `text_emb/text_emb_<n>.npy` (float16, length 1)
and `metadata/metadata_<n>.parquet` with `image_path`, `caption` and what else a row has; n has as
many digits as the number of files asks for.
"""

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.core import parquet
from edge_glass.core.atomic_files import Whole, write_table
from edge_glass.core.columns import is_media
from edge_glass.core.errors import EdgeGlassError
from edge_glass.vectors.models import Modality

Array = np.ndarray[Any, Any]
FOLDERS = {"image": "img_emb", "text": "text_emb"}
ROWS = 8192  # of a row group: one is what a reader has in memory


def check(layout: str, modalities: list[Modality]) -> None:
    """Raise EdgeGlassError if a layout has no place for what is encoded."""
    if layout not in ("parquet", "clip-retrieval"):
        raise EdgeGlassError(f"--layout {layout}: use parquet or clip-retrieval")
    twice = len(set(modalities)) < len(modalities)
    if layout == "clip-retrieval" and (twice or set(modalities) - set(FOLDERS)):
        raise EdgeGlassError("--layout clip-retrieval takes one column of images and one of texts")


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
        return self.out / "metadata" / f"metadata_{_padded(self.number, self.count)}.parquet"

    def is_whole(self) -> bool:
        return self.last.is_file()

    def write(self, embedded: dict[str, Array], encoded: dict[str, Any]) -> None:
        """Write arrays (rows, dim) by column; `encoded` says what each column holds."""
        if self.layout == "parquet":
            table = _parquet(self.shard, embedded)
        else:
            modalities = {facts["modality"]: column for column, facts in encoded.items()}
            for modality, column in modalities.items():
                self._array(FOLDERS[modality], embedded[column])
            table = _metadata(self.shard, modalities)
        groups = (table.slice(at, ROWS) for at in range(0, max(1, len(table)), ROWS))
        write_table(self.last, groups, table.schema)

    def _array(self, kind: str, array: Array) -> None:
        data = io.BytesIO()
        np.save(data, _unit(array).astype(np.float16))
        with Whole(self.out / kind / f"{kind}_{_padded(self.number, self.count)}.npy") as file:
            file.write(data.getbuffer())


def _padded(number: int, count: int) -> str:
    return f"{number:0{int(math.log10(max(count, 1))) + 1}d}"


def _parquet(shard: Path, embedded: dict[str, Array]) -> pa.Table:
    """`id` and a `<column>_embedding` for each; null where a row has none."""
    columns = {"id": pq.read_table(shard, columns=["id"])["id"].combine_chunks()}
    columns |= {f"{column}_embedding": _vectors(array) for column, array in embedded.items()}
    return pa.table(columns)


def _vectors(array: Array) -> pa.ChunkedArray:
    """Lists, and not of a fixed size: pyarrow before 26 cannot read those where a row has none."""
    pieces = [_lists(array[at : at + ROWS]) for at in range(0, len(array), ROWS)]
    return pa.chunked_array(pieces, pa.list_(pa.float32()))


def _lists(array: Array) -> pa.ListArray:
    missing = np.isnan(array[:, 0])
    ends = np.cumsum(~missing, dtype=np.int32) * array.shape[1]
    flat = pa.array(array[~missing].reshape(-1), pa.float32())
    return pa.ListArray.from_arrays(np.append(np.int32(0), ends), flat, mask=pa.array(missing))


def _unit(array: Array) -> Array:
    """Vectors of length 1; zeros where a row has none."""
    array = np.nan_to_num(array)
    length = np.linalg.norm(array, axis=1, keepdims=True)
    unit: Array = array / np.maximum(length, 1e-12)
    return unit


def _metadata(shard: Path, modalities: dict[Modality, str]) -> pa.Table:
    """All columns of a shard but its media: the image's path, its caption, lists as JSON."""
    schema = pq.read_schema(shard)
    names = [field.name for field in schema if not is_media(field.type)]
    table = pq.read_table(shard, columns=names)
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [json.dumps(v, ensure_ascii=False) for v in table[field.name].to_pylist()]
            table = table.set_column(place, field.name, pa.array(texts, type=pa.string()))
    if "image" in modalities:
        name = modalities["image"]
        with parquet.opened(shard) as file:
            image = file.read(columns=[f"{name}.path"])[name]
        paths = pa.array([value["path"] for value in image.to_pylist()], type=pa.string())
        table = table.append_column("image_path", paths)
    if "text" in modalities and "caption" not in names:
        table = table.append_column("caption", table[modalities["text"]])
    return table.replace_schema_metadata(None)
