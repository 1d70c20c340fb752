"""Outputs on storage that is no disk of this machine (s3://…, whatever fsspec knows).

What a build has to remember stays here, in a folder of the store: plan, ledgers, records, manifest.
A worker, wherever it is, fetches the rows of its shards from the storage, makes each shard on its
own disk and sends it there, its record last. Once all are whole they are moved to their place, the
manifest last.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory

import fsspec

from edge_glass.core import ledger, locations, manifest, names, records
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.manifest import Manifest, WorkRecord
from edge_glass.pipeline import shard_plan, worker
from edge_glass.pipeline.worker import Task
from edge_glass.sources.obtain import store

WORK = ".edge_glass/work"  # below the URL: shards under way


@dataclass(frozen=True)
class Away:
    """The folder behind a URL. Raises EdgeGlassError if fsspec has nothing for such a URL."""

    url: str

    def __post_init__(self) -> None:
        try:
            fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"--out {self.url}: {error}") from None

    @property
    def staging(self) -> Path:
        """The folder here that stands for it; it holds everything but the shards."""
        digest = hashlib.sha256(self.url.rstrip("/").encode()).hexdigest()[:16]
        name = names.file_name(self.url.rstrip("/").rpartition("/")[2])
        return store().absolute() / "uploads" / digest / name

    def put(self, path: Path, name: str) -> None:
        """Send a file."""
        fs, root = fsspec.core.url_to_fs(self.url)
        fs.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
        fs.put_file(str(path), f"{root}/{name}")

    def get(self, name: str, path: Path) -> None:
        """Fetch a file. Raises FileNotFoundError."""
        fs, root = fsspec.core.url_to_fs(self.url)
        with fs.open(f"{root}/{name}") as there, AtomicFile(path) as here:
            copyfileobj(there, here)

    def forget(self, config: str) -> None:
        """Remove what is left of a build that was made of something else."""
        fs, root = fsspec.core.url_to_fs(self.url)
        if fs.exists(f"{root}/{WORK}/{config}"):
            fs.rm(f"{root}/{WORK}/{config}", recursive=True)

    def begin(self, tasks: list[Task]) -> None:
        """Send the rows of shards that are to be made."""
        for task in tasks:
            rows = shard_plan.path(task.folder, task.order.stem)
            self.put(rows, _under_way(rows))

    def make(self, tasks: list[Task]) -> None:
        """What a worker does: rows from there, to there each shard and ledger, and their record."""
        fs, root = fsspec.core.url_to_fs(self.url)
        left = [task for task in tasks if not self._whole(task)]
        if not left:  # killed between the end of the last shard and telling of it
            return
        with TemporaryDirectory(prefix="edge-glass-") as temp:
            folder = Path(temp) / "work" / left[0].folder.name
            left = [replace(task, folder=folder) for task in left]
            for task in left:
                rows = shard_plan.path(folder, task.order.stem)
                self.get(_under_way(rows), rows)
            for task, _ in zip(left, worker.make(left), strict=True):
                for path in (folder / task.name, task.ledger):
                    self.put(path, _under_way(path))
                    path.unlink()
                record = _under_way(task.record)
                self.put(task.record, f"{record}.tmp")  # not every storage shows whole files only
                fs.mv(f"{root}/{record}.tmp", f"{root}/{record}")

    def _whole(self, task: Task) -> bool:
        """Whether a shard lies there with its ledger and record, of the sizes that it says."""
        there = locations.at(self.url)
        if not (record := records.parsed(there / _under_way(task.record), WorkRecord)):
            return False
        files = {task.ledger: record.ledger, task.folder / task.name: record.shard}
        return all(
            (place := there / _under_way(path)).is_file() and place.stat().st_size == file.bytes
            for path, file in files.items()
        )

    def collect(self, tasks: list[Task]) -> None:
        """Fetch what a build has to remember of shards that were made."""
        for task in tasks:
            for path in (task.ledger, task.record):
                self.get(_under_way(path), path)

    def finish(self, build: Manifest, final: Path) -> None:
        """Move the shards of a build to their place, then its ledger, and last the manifest.

        Raises DataError if one is not there as it was sent.
        """
        fs, root = fsspec.core.url_to_fs(self.url)
        config = final.name
        below, place = f"{root}/{WORK}/{config}", f"{root}/{config}"
        shards = {shard.file: shard.bytes for shard in build.shards()}
        under_way = [name for name in shards if fs.exists(f"{below}/{name}")]
        before = self._check(config, shards)
        for name in sorted(before, key=manifest.FILE.__eq__) if under_way else ():
            if fs.exists(f"{place}/{name}"):
                fs.rm_file(f"{place}/{name}")  # the manifest last: until then the rest is ours
        fs.makedirs(place, exist_ok=True)
        for name in under_way:
            fs.mv(f"{below}/{name}", f"{place}/{name}")
        there = {name: f"{place}/{name}" for name in shards}
        if lost := [n for n, at in there.items() if not fs.exists(at) or fs.size(at) != shards[n]]:
            raise DataError(
                f"{self.url}: {', '.join(lost)} of {config} is missing there or was changed. "
                f"Delete {final} and build again."
            )
        tables = [table.file for table in build.tables]
        for name in (*tables, ledger.FILE, manifest.FILE):
            self.put(final / name, f"{config}/{name}")
        self.forget(config)

    def _check(self, config: str, shards: dict[str, int]) -> set[str]:
        """The files of the build that is in the place of this one.

        Raises EdgeGlassError if there is more than that and shards of this one, by their sizes.
        """
        place = locations.at(self.url) / config
        before = manifest.inventory(place) or set()
        there = list(place.iterdir()) if place.is_dir() else [place] if place.exists() else []
        more = [path for path in there if path.name not in before]
        more = [p for p in more if not p.is_file() or shards.get(p.name) != p.stat().st_size]
        if others := sorted(path.name for path in more):
            raise DataError(
                f"{place}: holds what Edge Glass did not put there: {', '.join(others[:5])}. Move "
                "it away, or give another --out."
            )
        return before


def _under_way(path: Path) -> str:
    """Where a file of a shard lies below the URL while work is under way."""
    return f"{WORK}/{path.parent.name}/{path.name}"
