"""MosaicML's MDS shards: what `index.json` says of them, and the values of a sample.

A shard is the number of samples, the places where each begins and the last ends (all uint32), a
description, and the samples: sizes of the values that have none by their type, then the values.
Nothing is unpickled.
"""

import hashlib
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from edge_glass.core.errors import SourceError
from edge_glass.core.libraries import np
from edge_glass.core.row import JsonObject
from edge_glass.sources import archives
from edge_glass.sources.chunk_text import PACKED

INDEX, SUFFIX = "index.json", ".mds"
NUMBERS = (
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64",
)  # fmt: skip
ARRAYS = {int(re.sub(r"\D", "", each)) + "uif".index(each[0]): each for each in NUMBERS}
DECODERS: dict[str, Callable[[bytes], Any]] = {
    "str": lambda data: data.decode(errors="surrogateescape"),
    "int": lambda data: int(np.frombuffer(data, "<i8")[0]),
    "json": json.loads,
    "str_int": lambda data: int(data.decode()),
    "str_float": lambda data: float(data.decode()),
    "str_decimal": lambda data: data.decode(),
}
FILES = ("bytes", "jpeg", "png")  # encodings of values that are files
LISTS = ("jpegarray", "jpeg_array", "list[jpeg]", "list[png]")  # of lists of such


@dataclass(frozen=True)
class Shard:
    """A shard as the index has it."""

    path: Path
    unpacked: Path  # the same, where it is packed
    samples: int
    columns: dict[str, str]  # name -> encoding
    sizes: tuple[int | None, ...]

    def sample(self, number: int) -> dict[str, bytes]:
        """The values of a sample, encoded. Raises SourceError if it is damaged."""
        with self.unpacked.open("rb") as file:
            file.seek(4 * (1 + number))
            places = file.read(8).ljust(8, b"\0")
            begin, end = struct.unpack("<II", places)
            file.seek(begin)
            data = file.read(max(0, min(end - begin, self.unpacked.stat().st_size)))
        at, fields, sizes = 0, {}, []
        for size in self.sizes:
            sizes.append(size or int.from_bytes(data[at : at + 4], "little"))
            at += 0 if size else 4
        for name, size in zip(self.columns, sizes, strict=True):
            fields[name], at = data[at : at + size], at + size
        if at != len(data) or not data:
            raise SourceError(f"{self.path}: sample {number} is damaged: get the file again")
        return fields

    def decoded(self, name: str, data: bytes) -> Any:
        """A value that is no file; None if its encoding is one that is not read."""
        encoding, _, more = self.columns[name].partition(":")
        if encoding in NUMBERS:
            return np.frombuffer(data, encoding)[0].item()
        if encoding == "ndarray":
            return _array(data, *filter(None, more.split(":")))
        return DECODERS[encoding](data) if encoding in DECODERS else None

    def file(self, name: str, data: bytes) -> bytes | list[bytes]:
        """The file that a value is, or the list of such. Raises ValueError if it is damaged."""
        encoding = self.columns[name]
        if encoding not in LISTS:
            return data
        return _items(data[4:] if encoding.startswith("list") else data)  # four bytes of zeros


def _array(data: bytes, dtype: str = "", said: str = "") -> Any:
    """An array as lists; its type and shape stand before its numbers, where they are not `said`."""
    head = memoryview(data)
    if not dtype:
        dtype, head = ARRAYS[head[0]], head[1:]
    if said:
        shape = [*map(int, said.split(","))]
    else:
        axes, size = head[0] >> 2, 2 ** (head[0] & 3)
        shape = np.frombuffer(head[1 : 1 + axes * size], f"<u{size}").tolist()
        head = head[1 + axes * size :]
    return np.frombuffer(head, dtype).reshape(shape).tolist()


def _items(data: bytes) -> list[bytes]:
    """The items of a list: how many, the size of each, and they themselves."""
    count = int.from_bytes(data[:4], "little")
    ends = [*accumulate(np.frombuffer(data, "<u4", count, 4).tolist(), initial=4 + 4 * count)]
    if ends[-1] != len(data):
        raise ValueError(f"{count} items of {ends[-1]} bytes, there are {len(data)}")
    return [data[start:end] for start, end in pairwise(ends)]


def is_read(encoding: str) -> bool:
    """Whether values of this encoding are read."""
    kind = encoding.partition(":")[0]
    return kind in ("ndarray", *NUMBERS, *DECODERS, *FILES, *LISTS)


def shards(index: Path, unpacked: Path) -> list[Shard]:
    """The shards of an index; those that are packed are unpacked into a folder of `unpacked`.

    Raises SourceError if it is none, or they are packed as nothing here is.
    """
    try:
        said = json.loads(index.read_text(encoding="utf-8"))["shards"]
        return [_shard(index, each, unpacked) for each in said]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{index}: no index of MDS shards ({error!r})") from None


def _shard(index: Path, said: JsonObject, unpacked: Path) -> Shard:
    raw = path = index.parent / Path(str(said["raw_data"]["basename"])).name
    if not raw.is_file() and said.get("zip_data"):
        path = index.parent / Path(str(said["zip_data"]["basename"])).name
    if said["format"] != "mds" or not path.is_file():
        raise SourceError(f"{path}: missing, or not an MDS file: get it")
    if path != raw:
        raw = _unpacked(path, unpacked)
    columns = dict(zip(said["column_names"], said["column_encodings"], strict=True))
    sizes = tuple(None if size is None else int(size) for size in said["column_sizes"])
    return Shard(path, raw, int(said["samples"]), columns, sizes)


def _unpacked(path: Path, unpacked: Path) -> Path:
    if path.suffix not in PACKED:
        raise SourceError(f"{path}: is packed as none of {', '.join(PACKED)}: unpack it")
    stat = path.stat()
    state = f"{path.absolute()}\0{stat.st_size}\0{stat.st_ctime_ns}"
    folder = unpacked / hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()
    archives.unpack(path, folder, lambda done, total: None)
    return folder / path.stem
