"""What every builder inherits: a corpus as rows (cheap, in source order) and examples (media)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from edge_glass.core import interrupts
from edge_glass.core.errors import ConfigError, DataError, SourceError, absent
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.licences import allows
from edge_glass.core.row import MEDIA, Batches, Example, Features, Part, Row, rows_of_batch
from edge_glass.core.spec import Spec, of_package, path_of, room
from edge_glass.core.yaml_lines import line_of
from edge_glass.corpora import code_digest
from edge_glass.corpora.image_params import FetchParams, ImageParams
from edge_glass.corpora.params import (
    AudioParams,
    CaptionParams,
    CorpusConfig,
    checked,
    own_fields,
)
from edge_glass.media import features
from edge_glass.media.features import Value
from edge_glass.sources.fields import Columns, preview

if TYPE_CHECKING:  # what a corpus is can be told without what reads its sources
    from edge_glass.core.progress import Progress
    from edge_glass.sources.obtain import Request
    from edge_glass.sources.raw import Raw
    from edge_glass.sources.row_media import Media
    from edge_glass.sources.table_layout import Layout

CHECKED = {"mirrors", "bytes", "md5", "sha256", "rows", "hours", "path"}  # of a source, not read by
READ = {"layout", "tables", "columns", "splits"}  # of a corpus without a builder


class Corpus(ABC):
    """A corpus. A subclass in `builders/<corpus>.py` says what it is; its YAML where it lies.

    Subclasses set `BUILDER_CONFIG_CLASS` and give `splits`, `sources`, `columns`, `rows` and
    `examples`. The parameters of the published configs come from `configs/<corpus>.yaml`.

    `of` gives what a build works with; who calls the class, as in `Clotho(config_name="clotho")`,
    gets a builder of `datasets`, with all of its methods (see `datasets_builder`).
    """

    BUILDER_CONFIG_CLASS: ClassVar[type[CorpusConfig]] = CorpusConfig
    BESIDE: ClassVar[tuple[str, ...]] = ()  # files that are read next to the folder of a source
    TABLE: "ClassVar[Layout | None]" = None  # of a source that is a table in chunks
    corpus: ClassVar[str]
    package: ClassVar[str]
    config: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.package, cls.corpus = cls.named()
        for name in cls.spec().configs if cls.corpus else ():  # or it is a kind of corpora
            cls.configure(name, name)  # a mistake in the YAML is told before anything is built

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """A builder of `datasets` of this corpus."""
        face = import_module("edge_glass.corpora.datasets_builder")  # which is made of this class
        return cast(Self, object.__new__(face.builder_class(cls)))

    @classmethod
    def of(cls, config: CorpusConfig) -> Self:
        """The corpus in this config, for a build of ours."""
        corpus = object.__new__(cls)
        corpus.config = config
        return corpus

    # What a corpus says

    @abstractmethod
    def splits(self) -> list[str]:
        """All splits of this config, in the order in which they are published."""

    @abstractmethod
    def sources(self, split: str) -> list[str]:
        """The files that a split is made of.

        Args:
            split: one of `splits`.

        Returns:
            Their names in the YAML.
        """

    @abstractmethod
    def columns(self) -> Features:
        """The columns of an example; `id` is always among them."""

    def parts(self, split: str, raw: "Raw") -> Sequence[Part]:
        """What gives the rows of a split as Arrow batches, in source order; empty if nothing does.

        A config without media is then built out of the batches as they are: nothing is done for a
        row by itself, and `rows` and `examples` are not asked. Of one whose rows each have an
        image, the batches say which, and `examples` is asked.

        Args:
            split: one of `splits`.
            raw: the sources.

        Returns:
            Pieces of the split, each read by one process.
        """
        return ()

    def several(self) -> Features:
        """Columns of which a row in a batch has a list: each place in them makes an example.

        Its id has `#` and what the first of these columns says at its end.
        """
        return {}

    def sampled(self, batches: Batches, raw: "Raw") -> Batches:
        """The rows of a split as the config takes them.

        Args:
            batches: those of `parts`.
            raw: the sources.

        Returns:
            The same rows in the config's order, those marked that it leaves out.
        """
        return batches

    def rows(self, split: str, raw: "Raw") -> Iterator[Row]:
        """Every row of the source, in its order, without reading media; here those of `parts`.

        Args:
            split: one of `splits`.
            raw: the sources.

        Returns:
            Rows; those known to be bad say why in `dropped`.
        """
        parts, archive = self.parts(split, raw), self.fetched or self.sources(split)[-1]
        batches = self.sampled(lambda: (batch for part in parts for batch in part.batches()), raw)
        for batch in batches():
            yield from rows_of_batch(batch, archive, asked=bool(self.fetched))

    def examples(self, row: Row, media: "Media") -> Iterator[Example]:
        """The examples of a row, mostly one; here its fields, and its image if the config has one.

        Args:
            row: one of `rows`.
            media: its files.

        Returns:
            Dictionaries with the columns of `columns`.

        Raises:
            Dropped: the row cannot be kept; its outcome and detail go into the ledger.
        """
        images = {}
        if self._has_media and isinstance(self.config, ImageParams):
            images = self.config.image_columns(media.read(), row.id, media.notes)
        yield {"id": row.id} | images | row.fields

    def row_bytes(self, source_bytes: int) -> int:
        """About how large a row gets, by which shards are cut.

        Args:
            source_bytes: of the row's media.

        Returns:
            Bytes of Parquet.
        """
        size = source_bytes
        if isinstance(self.config, AudioParams):
            size = self.config.audio_size(size)
        if isinstance(self.config, CaptionParams) and self.config.caption_mode == "each":
            size *= 5
        if isinstance(self.config, ImageParams):
            size = self.config.image_bytes(size)
        return size + 1000

    def row_weight(self, row: Row, source_bytes: int) -> int:
        """The same of a row that may be a part of its media."""
        return self.row_bytes(source_bytes)

    # What follows from it

    def batched(self, raw: "Raw") -> bool:
        """Whether rows are planned in batches."""
        if not all(self.parts(split, raw) for split in self.chosen_splits()):
            return False
        return not self._has_media or self.fetched in raw.remote

    @property
    def whole(self) -> bool:
        """Whether the rows of batches are the examples: nothing is to be done for each."""
        return not self._has_media

    @cached_property
    def row_features(self) -> Features:
        """The columns that a batch has of each row: those of examples that are no media."""
        columns, media = self.columns(), {}
        if self._has_media:
            columns = {n: c for n, c in columns.items() if n not in self.config.image_features()}
            media = {MEDIA: Value("string")}
        lists = {name: features.Sequence(feature) for name, feature in self.several().items()}
        return media | columns | lists

    @cached_property
    def _has_media(self) -> bool:
        return any(map(features.has_media, self.columns().values()))

    @cached_property
    def fetched(self) -> str:
        """The source whose items rows ask for by URL; empty if there is none."""
        names = (name for split in self.chosen_splits() for name in self.sources(split))
        return next((name for name in names if self.spec().sources[name].fetch), "")

    @classmethod
    def named(cls) -> tuple[str, str]:
        """Its package and its name; empty for a class that only others are made of."""
        package, _, corpus = cls.__module__.rpartition(".builders.")
        return (package, corpus) if package else ("", "")

    @classmethod
    def spec(cls) -> Spec:
        """The corpus's YAML file."""
        return of_package(cls.package, cls.corpus)

    @classmethod
    def card(cls) -> str:
        """The prose of its card, a template. Raises EdgeGlassError if there is none."""
        path = cls.room("cards") / f"{cls.corpus}.md"
        if not path.is_file():
            raise DataError(f"{cls.corpus}: no card at {path}: write its prose there")
        return path.read_text(encoding="utf-8")

    @classmethod
    def said_at(cls, config: str) -> str:
        """Where a config is said, for messages."""
        line = line_of(path_of(cls.package, cls.corpus), "configs", config)
        return f"{cls.corpus}.yaml:{line}: config {config}"

    @classmethod
    def home(cls) -> Path | None:
        """The folder that paths of its sources begin from, if it is data of one's own."""
        return None

    @classmethod
    def own_spec(cls) -> dict[str, Any] | None:
        """What says how it is read, if no builder does: without the places of its data."""
        if cls.spec().layout is None:
            return None
        left_out = {"sources": {"__all__": {"path"}}}
        return cls.spec().model_dump(mode="json", exclude_defaults=True, exclude=left_out)

    @classmethod
    def room(cls, name: str) -> Path:
        """The folder of one room (configs, cards, samples) of the package that has this corpus."""
        return room(cls.package, name)

    @classmethod
    def configure(cls, base: str, name: str, **overrides: Any) -> CorpusConfig:
        """The published config `base`, with parameters overridden, under `name`."""
        spec = cls.spec()
        values = spec.configs[base] | overrides
        said = ", ".join(f"{name}={value}" for name, value in overrides.items())
        where = f"{base} with {said}" if overrides else cls.said_at(base)
        values = checked(cls.BUILDER_CONFIG_CLASS, base, values, where)
        return cls.BUILDER_CONFIG_CLASS(name=name, version=spec.version, **values)

    @classmethod
    def code(cls) -> dict[str, str]:
        """Digests of all that decides the bytes of a build, but for its inputs and libraries."""
        spec = cls.spec()
        read_of_yaml = {
            n: s.model_dump(mode="json", exclude=CHECKED) for n, s in spec.sources.items()
        }
        if spec.layout:
            read_of_yaml |= spec.model_dump(mode="json", include=READ)
        return code_digest.digests(cls.__module__) | {
            f"{cls.corpus}.yaml": code_digest.of_json(read_of_yaml)
        }

    @classmethod
    def code_hash(cls) -> str:
        """One digest over `code`."""
        return code_digest.of_json(cls.code())

    def parameters(self) -> dict[str, Any]:
        """The config's parameters by name."""
        values = asdict(self.config)
        if values["licences"] is None:  # earlier releases had no such thing
            del values["licences"]
        return {name: values[name] for name in own_fields(type(self.config)) if name in values}

    def chosen_splits(self) -> list[str]:
        """The splits that the config asks for, in published order.

        Raises ConfigError for one that is none.
        """
        present, asked = self.splits(), self.config.splits
        if unknown := sorted(set(asked or []) - set(present)):
            said = absent("split", ", ".join(unknown), present)
            raise ConfigError(f"{self.config.name}: {said}")
        return [split for split in present if asked is None or split in asked]

    def request(self) -> "Request":
        """What this config wants of its sources."""
        from edge_glass.sources.obtain import Request

        splits = {split: self.sources(split) for split in self.chosen_splits()}
        wanted = dict.fromkeys(name for names in splits.values() for name in names)
        fetched = self.config if isinstance(self.config, FetchParams) else None
        return Request(
            corpus=self.corpus,
            config=self.config.name,
            homepage=str(self.spec().homepage or ""),
            home=self.home(),
            sources={name: self.spec().sources[name] for name in wanted},
            splits=splits,
            samples=self.room("samples") / self.corpus if self.config.bundled else None,
            beside=tuple(self.BESIDE),
            links=self.spec().names_files,
            ignored=tuple(sorted(fetched.ignore_opt_outs or ())) if fetched else (),
            max_bytes=fetched.max_bytes if fetched else None,
        )

    def misfits(self, empty: list[str], raw: "Raw", progress: "Progress") -> list[str]:
        """What is said of rows and splits and fits none; the splits `empty` have no row."""
        return []

    def all_examples(self, row: Row, media: "Media") -> list[Example]:
        """All examples of a row, each field of its column's type. Raises Dropped."""
        with interrupts.deferred:
            examples = [one for every in self.examples(row, media) for one in self._each(every)]
        for example in examples:
            self._columns.check(example)
            if drop := self.unlicensed({"license": None} | example):
                raise Dropped(*drop)
        return examples

    def _each(self, example: Example) -> Iterator[Example]:
        names = [*self.several()]
        if not names:
            yield example
        for values in zip(*(example[name] for name in names), strict=True):
            id = f"{example['id']}#{values[0]}"
            yield example | {"id": id} | dict(zip(names, values, strict=True))

    def unlicensed(self, fields: Mapping[str, Any]) -> tuple[Outcome, str] | None:
        """Why a row is dropped, if its licence does not allow what the config asks for.

        A row's own licence is its column `license`; without one the corpus's counts, where that
        covers the media, which are not fetched from elsewhere. None, too, as long as the column is
        still to come.
        """
        if not self.config.licences or (self._says_licences and "license" not in fields):
            return None
        said = fields["license"] if self._says_licences else self._licence
        if isinstance(said, str | None) and allows(said, self.config.licences):
            return None
        return Outcome.LICENCE, f"{said or 'not stated'}"

    @cached_property
    def _says_licences(self) -> bool:
        return "license" in self.columns()

    @cached_property
    def _licence(self) -> str | None:
        spec = self.spec()
        return None if any(s.fetch for s in spec.sources.values()) else spec.licence_tag

    @cached_property
    def _columns(self) -> Columns:
        return Columns(self.columns())

    def source_rows(self, split: str, raw: "Raw") -> Iterator[Row]:
        """`rows`, as far as they have an id and can be written down: others are malformed_row.

        Raises SourceError where a builder gives no row for a record.
        """
        try:
            for row in self.rows(split, raw):
                if not isinstance(row.id, str) or not row.id.strip():
                    odd = None if isinstance(row.id, str) else row.id
                    detail = f"id: expected text, found {preview(odd)}"
                    row.dropped = (Outcome.MALFORMED_ROW, detail)
                    row.id, row.fields = f"{split}/{row.row}", {}
                yield row
        except Dropped as drop:
            raise SourceError(
                f"{self.corpus}: {split}: a record is {drop.outcome} ({drop.detail}), but the "
                "builder gives no row for it: use `parsed`, which makes a dropped row of it"
            ) from drop
