"""The certificate of a withdrawal: what was asked, what changed, and what was looked for after it.

It holds nothing of the rows but salted digests, and no time: the same withdrawal gives the same.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from edge_glass.core import manifest, pages, schema
from edge_glass.core.atomic_files import write_json
from edge_glass.core.errors import DataError
from edge_glass.core.manifest import Manifest
from edge_glass.core.schema import Plain
from edge_glass.core.visible import Result
from edge_glass.release.purge import Purge
from edge_glass.release.residue import Scan, Traces


@dataclass(frozen=True)
class Changed(Plain):
    """A file of a build, and its sha256."""

    file: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Config(Plain):
    """What became of a config."""

    rows: int  # source rows that were withdrawn
    digests: tuple[str, ...]  # salted, as ledger and `withdrawn.parquet` have them
    changed: tuple[Changed, ...]
    unchanged: int  # files


@dataclass(frozen=True)
class Search(Plain):
    """What was read, and what was looked for: how many of each kind."""

    files: int
    bytes: int
    rows: int
    sought: dict[str, int]
    shared: dict[str, int]  # of those, what rows that stay say or hold as well
    residue: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class Certificate(Result, Plain):
    """What a withdrawal did."""

    edge_glass: str
    reason: str
    asked: dict[str, int]  # how many rows were named, by what
    configs: dict[str, Config]
    derived: tuple[str, ...]  # what was made of the rows, and what became of it
    earlier_versions: tuple[str, ...] = ()  # that hold the rows still
    search: Search
    purged: Purge | None = None  # of the Hub's history

    def check(self) -> None:
        """Raise EdgeGlassError if something is left."""
        if self.search.residue:
            raise DataError(
                *(f"{where} of withdrawn rows: still there" for where in self.search.residue),
                "take them out, or withdraw from every config, and run the same command again",
            )


def search(scan: Scan, traces: Traces) -> Search:
    """What was read after a withdrawal, and found."""
    known = {kind: len(values) for kind, values in vars(traces).items()}
    shared = {kind: len(values & scan.shared) for kind, values in vars(traces).items()}
    return Search(scan.files, scan.bytes, scan.rows, known, shared, (*scan.residue,))


def of_config(before: Manifest, after: Manifest, digests: set[str]) -> Config:
    """What became of a config, by its manifests."""
    old = {each.file: each.sha256 for each in before.files()} | {manifest.FILE: before.seal}
    new = {each.file: each.sha256 for each in after.files()} | {manifest.FILE: after.seal}
    pairs = [(name, old.get(name), new.get(name)) for name in sorted(old | new)]
    changed = [Changed(*pair) for pair in pairs if pair[1] != pair[2]]
    return Config(len(digests), (*sorted(digests),), (*changed,), len(pairs) - len(changed))


def write(folder: Path, name: str, done: Certificate) -> None:
    """Write it as JSON, and as a page to look at."""
    pages.write(folder / f"{name}.html", "release", "certificate.html", done=done)
    write_json(folder / f"{name}.json", asdict(done))


def paths(folder: Path, name: str) -> list[Path]:
    """The files of one."""
    return [folder / f"{name}.json", folder / f"{name}.html"]


def read(folder: Path, name: str) -> Certificate | None:
    """One that was written; None if there is none."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    return schema.parse(Certificate, path.read_bytes(), str(path), "withdraw again")
