"""Folders of shards that are read as if they were unpacked.

`00000.tar/a.jpg` is a member of a tar (which may be a .tar.gz), `shard.00000.mds/12/image` a value
of a sample of an MDS shard (packed or not), `data.arrow/5/image.bytes` one of a row of an Arrow
stream, as `save_to_disk` writes it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from edge_glass.core import records
from edge_glass.core.errors import SourceError
from edge_glass.core.libraries import pa, pc
from edge_glass.sources import mds, tars
from edge_glass.sources.contents import Place
from edge_glass.sources.parquet_folder import bytes_of

NAME = re.compile(r"(?P<file>.+?\.(?P<kind>tar|tgz|mds|arrow)(\.\w+)?)/(?P<member>.+)", re.DOTALL)
BESIDE = ("*.arrow", "cuts.*.jsonl*")  # that are read as they are; the latter are Lhotse's
TARS, UNPACKED = ("tar", "tgz"), "unpacked"


@dataclass(frozen=True)
class Packed(Place):
    """The members of all tars below a folder, and the values in its other shards."""

    root: Path
    indexes: Path  # the folder that gets an index of each tar

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Each folder in each tar with its members, sorted; and files that lie beside tars."""
        for path in sorted(path for each in BESIDE for path in self.root.rglob(each)):
            if is_cache(path):
                continue
            name = path.relative_to(self.root).as_posix()
            yield name.rpartition("/")[0], [name]
        for path in sorted(p for p in self.root.rglob("*.t*") if tars.is_tar(p.name)):
            tar = path.relative_to(self.root).as_posix()
            for folder, names in _tar(path, self.indexes).folders():
                yield f"{tar}/{folder}".rstrip("/"), [f"{tar}/{name}" for name in names]

    def size(self, name: str) -> int | None:
        """Bytes of a member or value, None if it is not there."""
        path, kind, member = self._located(name)
        if path is None:
            return None
        if kind in TARS:
            return _tar(path, self.indexes).size(member)
        data = self.value(name)
        return None if data is None else sum(map(len, bytes_of(data)))

    def read(self, name: str) -> bytes:
        """The bytes of a member or value. Raises FileNotFoundError if it is not there."""
        path, kind, member = self._located(name)
        if path is None:
            raise FileNotFoundError(name)
        if kind in TARS:
            return _tar(path, self.indexes).read(member)
        data = self.value(name)
        data = data.get("bytes") if isinstance(data, dict) else data
        if not isinstance(data, bytes):
            raise FileNotFoundError(name)
        return data

    def value(self, name: str) -> Any:
        """A value of a shard: bytes, or a list of such or of structs; None if it is not there."""
        path, kind, member = self._located(name)
        if path is None or kind in TARS:
            return None
        return _value(path, kind, member, self.indexes.parent / UNPACKED)

    def _located(self, name: str) -> tuple[Path | None, str, str]:
        if (parts := NAME.fullmatch(name)) and (path := self.root / parts["file"]).is_file():
            return path, parts["kind"], parts["member"]
        return None, "", ""


def is_cache(path: Path) -> bool:
    """Whether an Arrow file lies beside those of a saved dataset and is none of them.

    `datasets` leaves such files there when it maps or casts what it has loaded. Raises SourceError
    if what lists the others is damaged.
    """
    state = path.parent / "state.json"
    if path.suffix != ".arrow" or not state.is_file():
        return False
    try:
        said = json.loads(state.read_text(encoding="utf-8"))
        return path.name not in {file["filename"] for file in said["_data_files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{state}: not as save_to_disk writes it ({error!r})") from None


def _tar(path: Path, indexes: Path) -> tars.Tar:
    return _indexed(path, indexes / records.state(path))


@lru_cache(maxsize=64)
def _indexed(path: Path, folder: Path) -> tars.Tar:
    """A tar with its index, which is made once for each state of the file."""
    tars.index(path, folder, lambda done, total: None)
    return tars.Tar(path, folder)


def _value(path: Path, kind: str, member: str, unpacked: Path) -> Any:
    """A value, `<row>/<column>`."""
    row, _, column = member.partition("/")
    if not row.isdecimal():
        return None
    if kind == "arrow":
        table = arrow_table(path)
        if int(row) >= table.num_rows or column.partition(".")[0] not in table.column_names:
            return None
        name, *parts = column.split(".")
        values = table[name].slice(int(row), 1)
        for part in parts:
            values = pc.struct_field(values, part)
        return values[0].as_py()
    shard = _shards(path.parent, unpacked).get(path)
    if shard is None or int(row) >= shard.samples or column not in shard.columns:
        return None
    return shard.file(column, shard.sample(int(row))[column])


def arrow_table(path: Path) -> "pa.Table":
    """An Arrow stream, mapped: no more of it is in memory than is read.

    Raises SourceError if its lengths and places do not fit together.
    """
    stat = path.stat()
    return _mapped(path, stat.st_size, stat.st_ctime_ns)


@lru_cache(maxsize=4)
def _mapped(path: Path, size: int, changed: int) -> "pa.Table":
    """The table of one state of a file: a map of one that was cut since would end the process."""
    try:
        table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: damaged ({error}): get it again") from None
    return table


@lru_cache(maxsize=64)
def _shards(folder: Path, unpacked: Path) -> dict[Path, mds.Shard]:
    return {shard.path: shard for shard in mds.shards(folder / mds.INDEX, unpacked)}
