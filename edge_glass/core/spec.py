"""What a corpus's YAML file says, read with the line of every mistake."""

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import AfterValidator, BaseModel, Field, HttpUrl, ValidationError, model_validator

from edge_glass.core import yaml_lines
from edge_glass.core.errors import ConfigError, absent
from edge_glass.core.row import Parameters

CLIPS = ("audio", "video")  # what is cut out of a site's pages
CONSTANT = "{}"  # begins a key that stands for the text behind it
MAIN = "main"  # of a Hub repository: the commit that it is at when it is first listed
MediaKind = Literal["image", "audio", "video"]
KINDS: tuple[MediaKind, ...] = get_args(MediaKind)
SpanRole = Literal["start", "end", "length", "channel"]  # seconds of a recording; from 0
Role = Literal[
    MediaKind, SpanRole, "id", "caption", "label", "text", "number", "md5", "sha256"
]  # md5, sha256: of bytes at a URL
Annotator = Literal[
    "crowdsourced", "expert-generated", "found", "machine-generated", "no-annotation", "other"
]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]+$")]
# what a medium gives beside its own column
GIVEN = {"image": ("width", "height"), "audio": ("duration",), "video": ("duration",)}


def _with_group(pattern: str | None) -> str | None:
    """A pattern that can be looked for, and has a first group."""
    try:
        if pattern is not None and not re.compile(pattern).groups:
            raise ValueError("has no group, in round brackets")
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return pattern


KEY = {"key"}  # by what a split is told -> other fields that say more of it
USED = {"key": KEY, "list": KEY, "pattern": KEY | {"pattern"}, "share": KEY | {"shares", "seed"}}
Pattern = Annotated[str | None, AfterValidator(_with_group)]
SplitName = Annotated[str, Field(pattern=r"^\w+(\.\w+)*$")]  # as `datasets` takes them


class Hub(BaseModel, extra="forbid"):
    """A dataset repository of the Hub at one commit; `Source.folder` is the folder in it."""

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=rf"^([0-9a-f]{{40}}|{MAIN})$")]


@dataclass(frozen=True)
class SourceFacts:
    """A source as it was read, for the manifest; of a folder `content` is its files' digest."""

    revision: str | None = None
    files: int | None = None
    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    folder: str | None = None
    content: str | None = None
    fetch: str | None = None  # what is fetched row by row

    def digest(self, kind: str) -> str | None:
        """The checksum of a kind, md5 or sha256."""
        return self.md5 if kind == "md5" else self.sha256


class Source(BaseModel, extra="forbid"):
    """A file that upstream publishes, a folder of Parquet files on the Hub, or one's own data."""

    url: HttpUrl | None = None
    path: str | None = Field(default=None, description="your own data, relative to this file")
    mirrors: list[HttpUrl] = []
    bytes: Annotated[int, Field(gt=0)] | None = None
    md5: Annotated[Hex, Field(min_length=32, max_length=32)] | None = None
    sha256: Annotated[Hex, Field(min_length=64, max_length=64)] | None = None
    folder: str | None = Field(default=None, description="the folder that an archive holds")
    by_hand: bool = Field(default=False, description="url is a page to get it from, not the file")
    anywhere: bool = Field(default=False, description="its files lie in --raw itself")
    index: bool = Field(default=False, description="url is a page that links to its files")
    tables: bool = Field(default=False, description="`folder` holds Parquet files, read row by row")
    archives: bool = Field(default=False, description="archives in it are read as if unpacked")
    packed: bool = Field(default=False, description="a folder of tars, read as if unpacked")
    hub: Hub | None = None
    files: list[str] = Field(
        default=[], description="patterns of the files of `hub` or `path` that alone are read"
    )
    fetch: Literal["audio", "video", "image", "sound", "file"] | None = Field(
        default=None,
        description="audio, video: a clip a row, url holds {id}; other kinds: rows name their URLs",
    )
    row_bytes: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="size of one item that is fetched row by row, about"
    )
    clip_seconds: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="length of clips whose rows give only a start"
    )
    rows: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="rows expected in it"
    )
    hours: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="hours expected in it"
    )

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.hub and not (self.folder or self.files):
            raise ValueError(
                "a source on the Hub needs `folder`, that of its Parquet files; or `files`"
            )
        if self.files and self.url:
            raise ValueError(
                "files are patterns of what `hub` or `path` has, not of what url gives"
            )
        if (self.fetch is None) != (self.row_bytes is None) or (
            self.fetch in CLIPS and "{id}" not in self.template
        ):
            raise ValueError("fetch goes with row_bytes, and with a url that has {id} in it")
        return self

    @property
    def template(self) -> str:
        """The URL, with `{id}` in it where items are fetched row by row; empty if there is none."""
        return str(self.url or "").replace("%7Bid%7D", "{id}")

    @cached_property
    def checksum(self) -> tuple[Literal["sha256", "md5"], str] | None:
        """Algorithm and hex digest, the strongest that upstream gives."""
        if self.sha256:
            return "sha256", self.sha256
        return ("md5", self.md5) if self.md5 else None


class Expected(BaseModel, extra="forbid"):
    """What the whole corpus is known to hold, for `verify` to hold a full build against."""

    rows: dict[str, int] = {}  # source rows by split
    values: dict[str, dict[str, int]] = {}  # by column: rows with each value, over all splits
    published: dict[str, int] = {}  # rows that a full build publishes, by config


class Column(BaseModel, extra="forbid"):
    """A column of a corpus that needs no code: what it is, and what of a record it is read from."""

    role: Role
    key: str | list[str] = Field(
        description="of a record; `{key}` in a text is its value, `{key%.wav}` without that end"
    )
    value: str | bool | int | float | None = Field(
        default=None, exclude=True, description="of each row, in place of a key"
    )
    pattern: Pattern = Field(default=None, description="its first group is the value, or null")
    stored_as: Literal["file", "url", "clip", "bytes", "base64"] = Field(
        default="file",
        description="of media; clip: keys are a video's id, its start and, if it varies, its end",
    )
    type: str = Field(default="string", description="of `datasets`, [string] (a list), or json")
    names: list[str] | None = Field(default=None, description="classes of a label, in order")

    @model_validator(mode="before")
    @classmethod
    def _has_a_key_or_value(cls, said: Any) -> Any:
        known = isinstance(said, dict) and said.keys() <= cls.model_fields.keys()
        if known and sum(said.get(name) is not None for name in ("key", "value")) != 1:
            raise ValueError("give it either a key, or a value that each record has")
        return {"key": ""} | said if known else said

    @model_validator(mode="after")
    def _is_of_a_value_or_several_keys(self) -> Self:
        if self.value is not None:
            text = self.value if isinstance(self.value, str) else json.dumps(self.value)
            self.key = f"{CONSTANT}{text}"
        if isinstance(self.key, list) and self.stored_as != "clip" and self.type == "string":
            self.type = "[string]"
        return self

    @property
    def several(self) -> bool:
        """Whether a row has a list of them."""
        return self.type.startswith("[")


class Splits(BaseModel, extra="forbid"):
    """How the records of a corpus that needs no code come into splits."""

    by: Literal["all", "file", "folder", "key", "list", "pattern", "share"] = "all"
    names: dict[SplitName, list[str]] = Field(
        default={"train": []},
        min_length=1,
        description="split -> folders, values, patterns of files, or lists; rows in no list are "
        "in the one without a list",
    )
    key: str | None = Field(
        default=None,
        description="it says the split, or what lists name, or the group that stays whole",
    )
    pattern: Pattern = Field(
        default=None, description="its first group, in a record's name, says the split"
    )
    shares: dict[str, Annotated[float, Field(gt=0, le=1)]] = {}
    seed: int = 0

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.by in ("key", "pattern") and getattr(self, self.by) is None:
            raise ValueError(f"by: {self.by} needs {self.by}:")
        if unused := sorted(self.model_fields_set - {"by", "names", *USED.get(self.by, ())}):
            raise ValueError(f"by: {self.by} does not use {', '.join(unused)}: leave it out")
        if self.by == "all" and len(self.names) > 1:
            raise ValueError(f"by: all is one split, not {', '.join(self.names)}: say what by")
        if self.by == "list" and len([n for n, lists in self.names.items() if not lists]) > 1:
            raise ValueError("by: list has two splits without a list: say which records one has")
        if self.by == "share" and self.shares.keys() != self.names.keys():
            raise ValueError(f"shares: give one for each of {', '.join(self.names)}")
        if self.by == "share" and abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(f"shares must add up to 1, not {sum(self.shares.values()):g}")
        return self


class Spec(BaseModel, extra="forbid"):
    """A corpus: where it comes from, under which terms, and the configs that are published.

    One with a `layout` needs no code, and may be nobody's but the user's.
    """

    title: str
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    homepage: HttpUrl | None = None
    licence: str
    licence_tag: str = Field(description="the Hub's licence identifier, e.g. cc-by-4.0 or other")
    citation: Annotated[str, Field(pattern=r"^@\w+\{")] | None = None
    languages: list[str] = []
    tasks: list[str] = []
    annotations_creators: list[Annotator] = []  # as the Hub's cards say it
    source_datasets: list[Annotated[str, Field(pattern=r"^(original|extended\|.+)$")]] = []
    sources: dict[str, Source]
    expected: Expected = Expected()
    arrays: str | None = Field(default=None, description="what files of arrays of views begin with")
    layout: str | None = Field(
        default=None, description="how its files are read; see docs/own-data.md"
    )
    tables: list[str] = Field(
        default=[], description="patterns of the tables that are read; all if none"
    )
    columns: dict[str, Column] = {}
    splits: Splits = Splits()
    configs: dict[str, Parameters]

    @property
    def names_files(self) -> bool:
        """Whether records may name files that no folder lists, as those behind a link to one."""
        files = any(c.role in KINDS and c.stored_as == "file" for c in self.columns.values())
        return self.layout is None or (self.layout != "media" and files)

    @model_validator(mode="after")
    def _columns_are_apart(self) -> Self:
        roles = [column.role for column in self.columns.values()]
        for role in ("id", "caption"):
            if roles.count(role) > 1:
                raise ValueError(f"columns: two have role {role}; a caption's key may be a list")
        given = {name for kind in GIVEN if kind in self.columns for name in GIVEN[kind]}
        for name, column in self.columns.items():
            if name in given or name.startswith("row."):
                raise ValueError(f"columns: {name}: builds make it themselves: take another name")
            if len({*(column.names or ())}) < len(column.names or ()):
                raise ValueError(f"columns: {name}: two classes have the same name")
        return self


@dataclass(frozen=True)
class Own:
    """A corpus without a builder, as a worker is told of it."""

    corpus: str
    spec: str  # JSON
    home: Path | None = None  # the folder that paths of its sources begin from
    package: str = "edge_glass"  # that has it

    @classmethod
    def of(
        cls, corpus: str, spec: Spec, home: Path | None = None, package: str = "edge_glass"
    ) -> Self:
        """What a YAML says."""
        return cls(corpus, spec.model_dump_json(exclude_defaults=True), home, package)


class PublishedSource(Source):
    """A source of a corpus that has a builder."""

    url: HttpUrl


class Published(Spec):
    """A corpus that has a builder: anyone can get it, and says whose it is."""

    homepage: HttpUrl
    citation: Annotated[str, Field(pattern=r"^@\w+\{")]
    sources: dict[str, PublishedSource]  # type: ignore[assignment] # read only


@cache
def of_package(package: str, corpus: str) -> Spec:
    """What the YAML of a corpus says, which a package has in its `configs/`."""
    return read_spec(path_of(package, corpus), corpus)


def path_of(package: str, corpus: str) -> Path:
    """Where the YAML of a corpus lies."""
    return room(package, "configs") / f"{corpus}.yaml"


def room(package: str, name: str) -> Path:
    """The folder of one room (configs, cards, samples) of a package.

    Raises EdgeGlassError if it is no package on the disk.
    """
    try:
        folder = resources.files(f"{package}.{name}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error}: its package is installed without {name}/: name it in package-data"
        ) from None
    if not isinstance(folder, Path):  # a namespace, or a zip
        raise ConfigError(
            f"{package}.{name} is no package in a folder: put an empty __init__.py into "
            f"{package.replace('.', '/')}/{name}, and install {package} unpacked"
        )
    return folder


def corpus_of(path: Path, spec: Spec) -> str:
    """The corpus of a YAML of one's own: called as the file, or as its first config if none is."""
    names = (name for name in spec.configs if f"{name}_".startswith(f"{path.stem}_"))
    return path.stem if any(names) else next(iter(spec.configs))


def read_spec(path: Path, corpus: str | None = None) -> Spec:
    """Read and validate `configs/<corpus>.yaml`, or a file of one's own (see `corpus_of`).

    Raises EdgeGlassError with every mistake of the file, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml_lines.Loader)
        lines, problems = yaml_lines.lines(root), yaml_lines.repeated(root)
        plain = yaml.load(text, yaml_lines.Loader)
        if plain is None:
            raise ConfigError(f"{path} is empty: `init` ended in an error: run it again to see why")
        own = isinstance(plain, dict) and plain.get("layout") is not None
        spec = (Spec if own else Published).model_validate(plain)
    except ValidationError as error:
        problems += [(yaml_lines.nearest(lines, e["loc"]), _sentence(e)) for e in error.errors()]
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    else:
        corpus = corpus or corpus_of(path, spec)
        like = "its file" if corpus == path.stem else "the first"
        wrong: dict[tuple[Any, ...], str] = {
            ("configs", name): f"config {name!r}: must be {corpus} or {corpus}_…, as {like}"
            for name in spec.configs
            if name != corpus and not name.startswith(f"{corpus}_")
        }
        for name in spec.expected.published.keys() - spec.configs.keys():
            wrong["expected", "published", name] = f"expected {name!r}: no such config"
        if not own and f"{corpus}_sample" not in spec.configs:
            wrong["configs",] = f"configs: {corpus}_sample is missing"
        problems += [(yaml_lines.nearest(lines, at), what) for at, what in wrong.items()]
    if problems:
        raise ConfigError(*(f"{path.name}:{line}: {what}" for line, what in sorted(problems)))
    return spec


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "value_error":  # of ours, which says what it found
        return f"{where}: {error['ctx']['error']}"
    if error["type"] == "extra_forbidden":
        return f"{'.'.join(map(str, error['loc'][:-1])) or 'the file'}: {_no_key(error['loc'])}"
    value = "" if error["type"] == "missing" else f", found {error['input']!r}"
    return f"{where}: {error['msg']}{value}"


def _no_key(location: tuple[Any, ...]) -> str:
    """What is said of a key that is none: those that there are, and which was perhaps meant."""
    kind: type[BaseModel] = Spec
    for part in location[:-1]:
        inner = kind.model_fields[part].annotation if part in kind.model_fields else None
        models = [m for m in (inner, *get_args(inner)) if isinstance(m, type)]
        kind = next((m for m in models if issubclass(m, BaseModel)), kind)
    return absent("key", str(location[-1]), kind.model_fields)
