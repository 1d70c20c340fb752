"""Outputs on storage that is no disk of this machine (s3://…, whatever fsspec knows).

What a build has to remember stays here, in a folder of the store: plan, ledgers, records, manifest.
A worker, wherever it is, fetches the rows of its shard from the storage, makes the shard on its own
disk and sends it there. Once all are whole they are moved to their place, the manifest last.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fsspec

from edge_glass import ledger, manifest, orders, work
from edge_glass.errors import EdgeGlassError
from edge_glass.fetch.sources import store
from edge_glass.manifest import Manifest
from edge_glass.pool import Pool
from edge_glass.shards import write_json

WORK = ".edge_glass/work"  # below the URL: shards under way


@dataclass(frozen=True)
class Away:
    """The folder behind a URL. Raises EdgeGlassError if fsspec has nothing for such a URL."""

    url: str

    def __post_init__(self) -> None:
        try:
            fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise EdgeGlassError(f"--out {self.url}: {error}") from None

    @property
    def staging(self) -> Path:
        """The folder here that stands for it; it holds everything but the shards."""
        digest = hashlib.sha256(self.url.rstrip("/").encode()).hexdigest()[:16]
        return store().absolute() / "away" / digest / self.url.rstrip("/").rpartition("/")[2]

    def put(self, path: Path, name: str) -> None:
        """Send a file."""
        fs, root = fsspec.core.url_to_fs(self.url)
        fs.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
        fs.put_file(str(path), f"{root}/{name}")

    def get(self, name: str, path: Path) -> None:
        """Fetch a file. Raises FileNotFoundError."""
        fs, root = fsspec.core.url_to_fs(self.url)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.tmp")
        fs.get_file(f"{root}/{name}", str(aside))
        aside.rename(path)

    def finish(self, made: Manifest, final: Path) -> None:
        """Move the shards of a build to their place, then its ledger, and last the manifest."""
        fs, root = fsspec.core.url_to_fs(self.url)
        config = final.name
        below, place = f"{root}/{WORK}/{config}", f"{root}/{config}"
        shards = [shard["file"] for split in made["splits"].values() for shard in split["shards"]]
        under_way = [name for name in shards if fs.exists(f"{below}/{name}")]
        if under_way and fs.exists(f"{place}/{manifest.FILE}"):
            fs.rm(place, recursive=True)  # of the build before
        fs.makedirs(place, exist_ok=True)
        for name in under_way:
            fs.mv(f"{below}/{name}", f"{place}/{name}")
        if lost := [name for name in shards if not fs.exists(f"{place}/{name}")]:
            raise EdgeGlassError(
                f"{self.url}: {', '.join(lost)} of {config} is there no more. Delete "
                f"{final} and build again."
            )
        for name in (ledger.FILE, manifest.FILE):
            self.put(final / name, f"{config}/{name}")
        if fs.exists(below):
            fs.rm(below, recursive=True)


@dataclass(frozen=True)
class Errand:
    """A shard to be made and sent away."""

    task: work.Task
    away: Away

    def __str__(self) -> str:
        return str(self.task)

    def name(self, path: Path) -> str:
        """Where a file of this shard lies below the URL while work is under way."""
        return f"{WORK}/{self.task.variant.name}/{path.name}"


def make(errand: Errand) -> dict[str, Any]:
    """What a worker does: rows from there, shard and ledger to there; returns the record."""
    with TemporaryDirectory(prefix="edge-glass-") as temp:
        task = replace(errand.task, folder=Path(temp) / "work" / errand.task.variant.name)
        rows = orders.path(task.folder, task.order.stem)
        errand.away.get(errand.name(rows), rows)
        [record] = work.make([task])
        for path in (task.folder / task.name, task.ledger):
            errand.away.put(path, errand.name(path))
        return record


def run(away: Away, tasks: list[work.Task], pool: Pool, jobs: int) -> Iterator[work.Task]:
    """Make the shards of these tasks; each comes back once its ledger and record are here."""
    errands = [Errand(task, away) for task in tasks]
    for errand in errands:
        rows = orders.path(errand.task.folder, errand.task.order.stem)
        away.put(rows, errand.name(rows))
    for errand, record in pool.run(make, errands, jobs):
        away.get(errand.name(errand.task.ledger), errand.task.ledger)
        write_json(errand.task.record, record)
        yield errand.task
