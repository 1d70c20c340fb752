"""What a build made: every shard with rows, bytes and sha256, and the config that made it.

`read` takes nothing on trust: the JSON fits the classes here field by field, or it is refused with
the name of the field. Builders, cards and verbs ask a `Manifest`, never its JSON.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AliasChoices, StringConstraints
from pydantic import Field as Bounds

from edge_glass.core import columns, feature_types, ledger, names, retries, schema
from edge_glass.core.atomic_files import json_bytes, write_json
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import DataError, EdgeGlassError
from edge_glass.core.locations import errors_explained
from edge_glass.core.row import Features, JsonObject, Parameters
from edge_glass.core.schema import Plain
from edge_glass.core.visible import Result, Summary

FILE = "manifest.json"
WITHDRAWN, EDITS = "withdrawn.parquet", "edits.parquet"  # see `core.revisions`
SHARD = r"-\d{5,}-of-\d{5,}\.parquet"  # behind the name of the split

Name = Annotated[str, AfterValidator(names.check)]
Count = Annotated[int, Bounds(ge=0)]
# 0.1.0 called them doubts
Warnings = Annotated[dict[str, Count], Bounds(validation_alias=AliasChoices("warnings", "doubts"))]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
REMEDY = "move it away and build again"


@dataclass(frozen=True)
class File(Plain):
    """A Parquet file of a build."""

    rows: Count
    bytes: Count
    sha256: Digest
    file: Name


@dataclass(frozen=True)
class Figures(Plain):
    """Sums over columns that many corpora have."""

    seconds: Annotated[float, Bounds(ge=0)] | None = None
    licences: dict[str, Count] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardRecord(Plain):
    """A shard that is whole, and what became of the rows that it was made of."""

    split: Name
    shard: File
    outcomes: dict[str, Count]
    warnings: Warnings
    figures: Figures


@dataclass(frozen=True)
class WorkRecord(ShardRecord):
    """A shard of a build under way, with the ledger of its own rows."""

    ledger: File


@dataclass(frozen=True)
class Split(Plain):
    """What became of a split."""

    rows: Count
    bytes: Count
    shards: tuple[File, ...]
    outcomes: dict[str, Count]  # outcome -> source rows
    warnings: Warnings  # note in the ledger -> source rows that are kept
    figures: Figures
    planned: Count | None = None  # source rows that were read; earlier releases did not say

    @property
    def total(self) -> int:
        """Source rows."""
        return sum(self.outcomes.values())

    @property
    def kept(self) -> int:
        """Source rows that are kept."""
        return self.outcomes.get(ledger.Outcome.KEPT, 0)

    @property
    def dropped(self) -> dict[str, int]:
        """Outcome -> source rows, of those that are not kept."""
        return {name: n for name, n in self.outcomes.items() if name != ledger.Outcome.KEPT}


@dataclass(frozen=True)
class Source(Plain):
    """A source as it was read; of a folder `content` is the digest of all its files."""

    file: str  # its name in the corpus's YAML
    url: str | None
    as_published: bool | None  # None if nobody can tell
    revision: str | None = None
    files: Count | None = None
    bytes: Count | None = None
    md5: str | None = None
    sha256: Digest | None = None
    folder: str | None = None
    content: Digest | None = None
    fetch: str | None = None  # what is fetched row by row, as things are set up


@dataclass(frozen=True)
class AuditedBuild(Plain):
    """A build that another one was made of; `manifest` is the sha256 of its own."""

    config: Name
    manifest: Digest


@dataclass(frozen=True)
class Audit(Plain):
    """Why rows are left out of a config that was made of another one."""

    of: AuditedBuild
    checks: tuple[str, ...]
    findings: dict[str, Digest]  # by group of checks


@dataclass(frozen=True, repr=False)
class Score(Result, Plain):
    """A number for each row of a build, in a file a shard, and what gave it."""

    config: Name
    data: tuple[Digest, ...]  # of the shards
    of: tuple[str, ...]  # columns, each with what embedded or classified it
    model: dict[str, str]
    files: tuple[File, ...]
    figures: dict[str, float | int]
    label: str | None = None  # of a classifier
    head: Digest | None = None  # of the weights of a linear head


@dataclass(frozen=True)
class Where(Plain):
    """The condition that the rows of another build had to meet."""

    of: AuditedBuild
    condition: str
    scores: dict[Name, Score]


@dataclass(frozen=True)
class Captions(Plain):
    """The captions that a model wrote of a column of another build."""

    of: AuditedBuild
    column: str
    model: str
    prompt: str  # its version
    text: str  # of the prompt
    language: str
    answers: Digest  # of all captions


@dataclass(frozen=True)
class Appended(Plain):
    """A build whose rows were appended; `manifest` is the sha256 of its own."""

    manifest: Digest
    config: Name
    parameters: Parameters
    builder: str
    made_with: dict[str, str | None]
    sources: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True)
class Inputs(Plain):
    """What is known before a build: what goes in, and what makes it."""

    manifest_version: Literal[1]
    config: Name
    corpus: Name
    version: str
    parameters: Parameters
    limit: Count | None
    builder: str  # digest of its code
    made_with: dict[str, str | None]  # library -> version
    sources: tuple[Source, ...]
    features: Annotated[Features, AfterValidator(feature_types.checked)]
    audit: Audit | None = None
    captions: Captions | None = None
    where: Where | None = None
    appended: tuple[Appended, ...] = ()
    own: JsonObject | None = None  # what says how a corpus without a builder is read
    tables: tuple[File, ...] = ()  # of rows withdrawn and of edits, which a build obeys
    roles: dict[str, ColumnRole] = field(default_factory=dict)  # of the columns, by the features

    def __post_init__(self) -> None:
        known = columns.roles(self.features)  # what was written stands; earlier releases did not
        roles = {name: self.roles.get(name, role) for name, role in known.items()}
        object.__setattr__(self, "roles", roles)

    @property
    def inputs(self) -> "Inputs":
        """The inputs alone, of a whole manifest too."""
        return Inputs(**{each.name: getattr(self, each.name) for each in fields(Inputs)})

    def with_role(self, role: ColumnRole) -> list[str]:
        """The columns that have a role."""
        return [name for name, each in self.roles.items() if each is role]

    def differing(self, other: "Inputs") -> list[str]:
        """Names of the inputs that are not the same in `other`."""
        every = [each.name for each in fields(Inputs)]
        return [name for name in every if getattr(self, name) != getattr(other, name)]

    @property
    def each_example(self) -> bool:
        """Whether a source row is several examples, whose ids end in #1, #2 and so on."""
        return "each" in map(self.parameters.get, ("caption_mode", "class_mode"))


@dataclass(frozen=True, kw_only=True, repr=False)
class Manifest(Result, Inputs):
    """A build that is whole."""

    _read_as: ClassVar[str | None] = None  # sha256 of the file that it was read from

    splits: dict[Name, Split]
    ledger: File

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ledger.file != ledger.FILE:
            raise ValueError(f"the ledger is called {ledger.FILE}, not {self.ledger.file!r}")
        if not {each.file for each in self.tables} <= {WITHDRAWN, EDITS}:
            raise ValueError("its tables are not those that a build has")
        for name, split in self.splits.items():
            for shard in split.shards:
                if not re.fullmatch(re.escape(name) + SHARD, shard.file):
                    raise ValueError(f"{shard.file!r} is no name of a shard of split {name}")
        if len({each.file.lower() for each in self.files()}) < len(self.files()):
            raise ValueError("two of its files have the same name")

    def shards(self) -> list[File]:
        """All shards, split by split, in order."""
        return [shard for split in self.splits.values() for shard in split.shards]

    def shards_by_split(self) -> list[tuple[str, File]]:
        """All shards, each with its split."""
        return [(name, shard) for name, split in self.splits.items() for shard in split.shards]

    def files(self) -> list[File]:
        """All that a build has but for the manifest: shards, tables, and the ledger last."""
        return [*self.shards(), *self.tables, self.ledger]

    def digests(self) -> list[str]:
        """The sha256 of each shard: what tells these data from others."""
        return [shard.sha256 for shard in self.shards()]

    def outcomes(self) -> Counter[str]:
        """Source rows by outcome, over all splits."""
        return counted(split.outcomes for split in self.splits.values())

    def warnings(self) -> Counter[str]:
        """Source rows that are kept by what is noted on them, over all splits."""
        return counted(split.warnings for split in self.splits.values())

    def licences(self) -> Counter[str]:
        """Rows by licence, over all splits."""
        return counted(split.figures.licences for split in self.splits.values())

    @property
    def rows(self) -> int:
        """Rows that are published."""
        return sum(split.rows for split in self.splits.values())

    @property
    def kept(self) -> int:
        """Source rows that are kept."""
        return sum(split.kept for split in self.splits.values())

    @property
    def heals(self) -> bool:
        """Whether rows were dropped for a reason that another run may not meet."""
        return bool(retries.HEALS & self.outcomes().keys())

    def _summary(self) -> Summary:
        rows = [(name, s.rows, s.kept, s.total - s.kept) for name, s in self.splits.items()]
        return Summary(self.config, ("split", "rows", "source rows kept", "dropped"), rows)

    def check_balance(self, expected: Mapping[str, int]) -> None:
        """Raise if a split's ledger does not account for all the rows that were read."""
        for name, rows in expected.items():
            if (accounted := self.splits[name].total) != rows:
                raise DataError(
                    f"{self.config}: {name} has {rows} source rows, the ledger {accounted}: "
                    "this is a fault of the builder, please report it"
                )

    def plain(self) -> JsonObject:
        """As JSON holds it."""
        return super().plain() | {"ledger": {"file": self.ledger.file, **self.ledger.plain()}}

    @property
    def seal(self) -> str:
        """The sha256 of its file, as it was read or will be written: cards and tags have it."""
        return self._read_as or hashlib.sha256(json_bytes(self.plain())).hexdigest()

    def write(self, folder: Path) -> None:
        """Write it to `folder`, whole or not at all."""
        write_json(folder / FILE, self.plain())


def counted(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """The sums over some counts."""
    return sum(map(Counter, counts), Counter[str]())


def read(folder: Path) -> Manifest:
    """The manifest of a built config.

    Raises EdgeGlassError if there is none, or which of its fields is not as it should be.
    """
    try:
        with (folder / FILE).open("rb") as file:
            data = file.read(schema.MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise DataError(
            f"{folder}: no {FILE}: nothing is built here, or the build did not end; "
            "run `edge-glass build` again"
        ) from None
    return parse(data, f"{folder}/{FILE}")


def parse(data: bytes, where: str) -> Manifest:
    """A manifest out of its JSON; `where` is named in the EdgeGlassError if it is none."""
    parsed = schema.parse(Manifest, data, where, REMEDY)
    object.__setattr__(parsed, "_read_as", hashlib.sha256(data).hexdigest())
    return parsed


def inventory(folder: Path) -> set[str] | None:
    """The names of all files of the build in a folder, None if there is none."""
    try:
        return {FILE, *(file.file for file in read(folder).files())}
    except EdgeGlassError:
        return None


def _is_build(folder: Path) -> bool:
    """Other people have files of this name as well."""
    return (folder / FILE).is_file() and any(folder.glob("*.parquet"))


def built(out: Path) -> dict[str, Path]:
    """Config -> folder of everything that is built under `out` (or is `out` itself).

    Raises DataError if nothing is.
    """
    with errors_explained(out):
        places = [out] if _is_build(out) else [path.parent for path in out.glob(f"*/{FILE}")]
        folders = sorted(filter(_is_build, places), key=lambda folder: folder.name)
    if not folders:
        raise DataError(f"{out}: nothing is built here; see `edge-glass build --help`")
    return {folder.name: folder for folder in folders}
