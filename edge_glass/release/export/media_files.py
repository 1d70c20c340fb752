"""The media files of a row: their bytes and names, out of any column that holds some."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_glass.core import names
from edge_glass.core.columns import RATE
from edge_glass.core.errors import DataError
from edge_glass.core.ledger import Dropped
from edge_glass.core.row import Example
from edge_glass.media import audio, images, magic

SUFFIXES = images.SUFFIXES | {"audio/mpeg": ".mp3", "audio/mp4": ".m4a"}
QUALITY = 95  # of a JPEG that is made of another image


@dataclass(frozen=True)
class MediaFile:
    """A file of a row; `place` counts the files of a column that is a list."""

    column: str
    place: int | None
    data: bytes
    suffix: str  # with its dot
    source: bytes  # before it was made a JPEG


def of_row(example: Example, columns: list[str], jpeg: bool = False) -> list[MediaFile]:
    """All files of a row that are there; with `jpeg` images of other kinds are made JPEG."""
    files = []
    for column in columns:
        for place, (data, path) in _values(example, column):
            written = _as_jpeg(data, f"{example.get('id')}: {column}") if jpeg else data
            files.append(MediaFile(column, place, written, suffix(written, path), data))
    return files


def suffix(data: bytes, path: str | None = None) -> str:
    """The suffix of a file: for images what the bytes are, for others as they are called."""
    kind = magic.kind(data[: magic.HEAD]) or ""
    called = names.media_suffix(path, "").lower()
    if called and not kind.startswith("image/"):
        return called
    suffix = SUFFIXES.get(kind, f".{kind.rpartition('/')[2]}") if kind else ""
    return suffix or called or ".bin"


def _values(example: Example, column: str) -> Iterator[tuple[int | None, tuple[bytes, Any]]]:
    value = example[column]
    if isinstance(value, list) and value and isinstance(value[0], float):
        samples = np.array(value, dtype=np.float32)[:, None]
        value = audio.encode(samples, example[RATE], None, None, "wav").data
    several = isinstance(value, list)
    for place, item in enumerate(value if several else [value]):
        data, path = (item.get("bytes"), item.get("path")) if isinstance(item, dict) else (item, "")
        if data is not None:
            yield place if several else None, (data, path)


def _as_jpeg(data: bytes, where: str) -> bytes:
    if not (magic.kind(data[: magic.HEAD]) or "").startswith("image/"):
        return data
    try:
        return images.convert(data, "jpeg", QUALITY)[0]
    except Dropped as drop:
        raise DataError(
            f"{where}: the image cannot be made a JPEG ({drop.outcome}: {drop.detail}); "
            "see `edge-glass verify`"
        ) from None
