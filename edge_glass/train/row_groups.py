"""Where the rows lie: the Parquet files of a corpus, here or behind a URL, by row groups."""

import hashlib
import posixpath
import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from edge_glass.core import locations, manifest, parquet
from edge_glass.core.errors import ConfigError, DataError, EdgeGlassError, raise_all
from edge_glass.core.parquet import Cell
from edge_glass.core.stored_media import File, Stored, stored
from edge_glass.train.epoch_plan import Shape

FOOTERS = 64  # kept; others are read again when their shard's turn comes
AT_ONCE = 16
READERS = 2  # of files that are here
CELLS = 4  # row groups, or files behind a URL, where single media were looked for last
DURATION = "duration"  # seconds, as builds of sounds have them
SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.parquet")


Columns = Sequence[str] | Mapping[str, str | Sequence[str | None]]


class Place:
    """The shards of a split, to read by row groups.

    `columns` are the top-level names to read, or names and what they are called here: the first
    one of several that is there, None for a column without values.
    """

    def __init__(self, sources: Sequence[str | Path], split: str, columns: Columns | None) -> None:
        self.source = ", ".join(map(str, sources))
        listed = [_listed(source, split) for source in sources]
        self._fs = listed[0][0]
        self.files = [file for _, files in listed for file in files]
        if any(fs != self._fs for fs, _ in listed):
            raise ConfigError(f"{self.source}: give those of one storage, or a mixture")
        self._local = isinstance(self._fs, LocalFileSystem)
        self._footers: OrderedDict[int, pq.FileMetaData] = OrderedDict()
        self._seen: dict[int, tuple[int, ...]] = {}  # size, time and number of each file
        self._sealed: dict[int, str] = {}  # the digest of its footer
        self.begin()
        self.schema = self._footer(0).schema.to_arrow_schema()
        self._names = self._called(self.schema.names if columns is None else columns)
        self.columns = list(self._names)
        self._leaves = self._read([name for name in self._names.values() if name])
        self._measure()

    def _called(self, columns: Columns) -> dict[str, str | None]:
        """The column here for each name. Raises ConfigError where there is none."""
        wanted = columns if isinstance(columns, Mapping) else {name: name for name in columns}
        names, problems = dict[str, str | None](), list[str]()
        for name, called in wanted.items():
            choice = [called] if isinstance(called, str) else list(called)
            there = [each for each in choice if each is None or each in self.schema.names]
            if there:
                names[name] = there[0]
            else:
                problems.append(f"{self.source}: no column {' or '.join(map(str, choice))}")
        if problems:
            problems[-1] += f"; there are {', '.join(self.schema.names)}"
        raise_all(problems, ConfigError)
        return names

    def begin(self) -> None:
        """In a process that was forked, too: a thread of its parent may have held the lock."""
        self._lock = threading.Lock()
        self._files: weakref.WeakValueDictionary[int, File] = weakref.WeakValueDictionary()

    def _measure(self) -> None:
        """Row groups of all shards, and the bytes that the columns take in them."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            shapes = list(pool.map(self._groups, range(len(self.files))))
        self._first = np.cumsum([0, *(len(rows) for rows, _ in shapes)])
        shards = np.repeat(np.arange(len(shapes)), [len(rows) for rows, _ in shapes])
        rows = np.array([count for rows, _ in shapes for count in rows], dtype=np.int64)
        self.shape = Shape(shards, rows)
        self.rows, self.bytes = int(rows.sum()), sum(size for _, size in shapes)
        if not self.rows:
            raise DataError(f"{self.source}: its files hold no rows")

    def stored(self, group: int) -> dict[str, Stored]:
        """Media of a row group that can be read from the file one by one; not all can."""
        shard = int(self.shape.shards[group])
        media = {f"{self._names[name]}.bytes": name for name in self.columns if self.is_media(name)}
        if not (self._local and media):
            return {}
        footer = self._footer(shard)
        columns: dict[str, Stored] = {}
        chunks, file = footer.row_group(group - int(self._first[shard])), self._file(shard)
        for at in range(chunks.num_columns):
            chunk, kind = chunks.column(at), footer.schema.column(at)
            if (name := media.get(chunk.path_in_schema)) and not kind.max_repetition_level:
                file.expect(chunk.total_compressed_size, chunk.data_page_offset)
                values = stored(file, chunk, kind.max_definition_level)
                columns |= {name: values} if values else {}
        return columns

    def cell(self, group: int, name: str, row: int) -> Cell | None:
        """Where one of a row group's media is, of which no other is read if it can be told."""
        if self._local:
            values = self._stored(group).get(name)
            return (values, row) if values else None
        shard = int(self.shape.shards[group])
        path = f"{self._names[name]}.bytes"
        cells = self._reader(shard).cells(group - int(self._first[shard]), path, [row])
        return cells[0] if cells else None

    @lru_cache(maxsize=CELLS)  # noqa: B019
    def _stored(self, group: int) -> dict[str, Stored]:
        return self.stored(group)

    @lru_cache(maxsize=CELLS)  # noqa: B019
    def _reader(self, shard: int) -> parquet.BoundedFile:
        footer = self._footer(shard)
        return parquet.BoundedFile(self.files[shard], self._open(shard), metadata=footer)

    def table(self, group: int, columns: Sequence[str]) -> pa.Table:
        """Columns of a row group under their names for a batch, read in one go.

        The group is numbered over all shards.
        """
        called = {name: self._names[name] for name in columns}
        there = self._table(group, list(dict.fromkeys(filter(None, called.values()))))
        nulls = pa.nulls(int(self.shape.rows[group]))
        return pa.table({name: there[here] if here else nulls for name, here in called.items()})

    def _table(self, group: int, columns: Sequence[str]) -> pa.Table:
        if not columns:
            return pa.table({})
        shard = int(self.shape.shards[group])
        footer = self._footer(shard)
        with self._open(shard) as file:
            # read-ahead joins neighbouring columns; pyarrow keeps it as long as the file is open
            reader = parquet.BoundedFile(
                self.files[shard], file, metadata=footer, pre_buffer=not self._local
            )
            inside = group - int(self._first[shard])
            return reader.read_row_group(inside, self._read(columns), use_threads=False)

    @property
    def readers(self) -> int:
        """How many row groups are best read at once."""
        return READERS if self._local else AT_ONCE

    def file(self, group: int) -> str:
        """The name of the shard that holds a row group."""
        return posixpath.basename(self.files[int(self.shape.shards[group])])

    def is_media(self, column: str) -> bool:
        """Whether values are media as `datasets` stores them: a struct with `bytes`."""
        name = self._names[column]
        return name is not None and _holds_bytes(self.schema.field(name).type)

    def can_decode(self, column: str) -> bool:
        """Whether values are media, or lists of them."""
        name = self._names[column]
        kind = self.schema.field(name).type if name else pa.null()
        return self.is_media(column) or (pa.types.is_list(kind) and _holds_bytes(kind.value_type))

    def _read(self, names: Sequence[str]) -> list[str]:
        media = {name for name in names if _holds_bytes(self.schema.field(name).type)}
        return [f"{name}.bytes" if name in media else name for name in names]

    def _file(self, shard: int) -> File:
        """The file of a shard, opened once for all row groups that are in use."""
        with self._lock:
            if (file := self._files.get(shard)) is None:
                with self._there(shard):
                    file = self._files[shard] = File(self.files[shard])
            self._same(shard, *_identity(self.files[shard]))
            return file

    def _groups(self, shard: int) -> tuple[list[int], int]:
        footer = self._footer(shard)
        schema = footer.schema
        wanted = [
            at
            for at in range(len(schema))
            for path in [schema.column(at).path]
            if any(path == leaf or path.startswith(f"{leaf}.") for leaf in self._leaves)
        ]
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        size = sum(group.column(at).total_compressed_size for group in groups for at in wanted)
        return [group.num_rows for group in groups], size

    def _footer(self, shard: int) -> pq.FileMetaData:
        with self._lock:
            if shard in self._footers:
                self._footers.move_to_end(shard)
                return self._footers[shard]
        with self._open(shard) as file:
            footer = parquet.BoundedFile(self.files[shard], file).metadata
        written = pa.BufferOutputStream()
        footer.write_metadata_file(written)
        self._sealed[shard] = hashlib.sha256(written.getvalue()).hexdigest()
        with self._lock:
            self._footers[shard] = footer
            while len(self._footers) > FOOTERS:
                self._footers.popitem(last=False)
        return footer

    def _open(self, shard: int) -> Any:
        path = self.files[shard]
        with self._there(shard):
            if self._local:
                self._same(shard, *_identity(path))
                return pa.memory_map(path)
            file = self._fs.open(path, "rb", cache_type="none")
            self._same(shard, file.size)
            return file

    @contextmanager
    def _there(self, shard: int) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise DataError(f"{self.files[shard]}: missing: put it back, or begin anew") from None

    def _same(self, shard: int, *seen: int) -> None:
        """Raise EdgeGlassError if a file is not the one that it was when it was first opened."""
        if self._seen.setdefault(shard, seen) != seen:
            raise DataError(
                f"{self.files[shard]}: changed since this loader began: make a new loader"
            )

    @cached_property
    def seconds(self) -> np.ndarray:
        """How long each row is, in the order of the files; raises EdgeGlassError if none says."""
        if DURATION not in self.schema.names:
            raise ConfigError(f"{self.source}: max_seconds needs a column {DURATION}")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            tables = pool.map(
                lambda group: self._table(group, [DURATION]), range(len(self.shape.rows))
            )
            durations = [table[DURATION].to_numpy() for table in tables]
        return np.asarray(np.nan_to_num(np.concatenate(durations).astype(float)))

    @cached_property
    def digest(self) -> str:
        """What tells these data from others: names, footers, and digests out of manifests."""
        known = dict[str, str]()
        for folder in {posixpath.dirname(file) for file in self.files}:
            with suppress(FileNotFoundError, EdgeGlassError):  # other people's Parquet has none
                build = manifest.parse(self._fs.cat_file(f"{folder}/{manifest.FILE}"), folder)
                known |= {f"{folder}/{each.file}": each.sha256 for each in build.shards()}
        shards = enumerate(self.files)
        said = [(posixpath.basename(f), self._sealed[at], known.get(f)) for at, f in shards]
        return hashlib.sha256(repr(said).encode()).hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_lock", "_files")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.begin()


def _holds_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def _identity(path: str) -> tuple[int, ...]:
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _listed(source: str | Path, split: str) -> tuple[Any, list[str]]:
    """The file system and the Parquet files of a split, in order."""
    path: Any = locations.at(source)
    here = locations.is_local(path)
    fs, root = (LocalFileSystem(), str(path.absolute())) if here else (path.fs, path.path)
    with locations.errors_explained(source):
        if root.endswith(".parquet") or "*" in root:
            if not (files := sorted(fs.glob(root))):
                raise DataError(f"{source}: no such file")
            return fs, files
        try:
            names = fs.ls(root, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(
                f"{source}: no such folder. Name the folder of a config (data/clotho), its URL "
                "(hf://datasets/org/name@v1.0.0/clotho), or Parquet files (data/*.parquet)"
            ) from None
    files = sorted(name for name in names if name.endswith(".parquet"))
    if not files and (inside := sorted(fs.glob(f"{root}/*/*.parquet"))):
        configs = dict.fromkeys(posixpath.basename(posixpath.dirname(name)) for name in inside)
        raise ConfigError(
            f"{source}: a folder of the configs {', '.join(configs)}: name one of them, "
            f"{source}/{next(iter(configs))}, or several in a list (one corpus) or with weights"
        )
    return fs, _whole(str(source), split, files)


def _whole(source: str, split: str, files: list[str]) -> list[str]:
    matches = [(SHARD.fullmatch(posixpath.basename(file)), file) for file in files]
    splits = sorted({match[1] for match, _ in matches if match})
    mine = [(match, file) for match, file in matches if match and match[1] == split]
    if not mine:
        there = ", ".join(splits) or "no shards at all"
        raise ConfigError(f"{source}: no shards of a split {split}; there are: {there}")
    expected = int(mine[0][0][3])
    if len(mine) != expected:
        raise DataError(f"{source}: {len(mine)} of {expected} shards of {split} are there")
    return [file for _, file in mine]
