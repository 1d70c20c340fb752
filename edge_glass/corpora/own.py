"""A corpus without code: its YAML says the layout, and what each column is read from."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from edge_glass.core.errors import ConfigError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import Example, Features, JsonObject, Row
from edge_glass.core.spec import KINDS, Column, Own, Spec, of_package, path_of
from edge_glass.corpora import own_files
from edge_glass.corpora.corpus import Corpus
from edge_glass.corpora.layouts import split_lists, tables, values
from edge_glass.corpora.layouts.media_folders import SUFFIXES, kind_of
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.registry import LAYOUTS
from edge_glass.corpora.params import CaptionParams
from edge_glass.corpora.rows import parsed
from edge_glass.media.features import Value
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_media import Media

if TYPE_CHECKING:
    from edge_glass.core.progress import Progress
    from edge_glass.core.row import Part

DATA, FILES, FETCHED = "data", "files", "fetched"  # sources: records, media, what URLs name
CARD = """Licence: {{ spec.licence }}

{{ tables }}
"""
SECOND = 100_000  # bytes of sound, about
HASHES = ("md5", "sha256")
FETCHED_AS = {"url", "clip"}
ENDINGS: dict[str, list[str]] = {k: [f".{each}" for each in all_] for k, all_ in SUFFIXES.items()}


@cache
def corpus(own: Own) -> type["OwnCorpus"]:
    """The class of a corpus. Raises EdgeGlassError for what cannot be read so."""
    names = {"own": own, "__module__": __name__}
    return type("".join(filter(str.isalnum, own.corpus.title())), (OwnCorpus,), names)


class OwnCorpus(Corpus):
    """A corpus whose rows and examples are read from its layout."""

    own: ClassVar[Own]
    media: ClassVar[dict[str, Column]]
    of_folder: ClassVar[bool]  # whether a column is read from the name of its table's folder

    @classmethod
    @override
    def named(cls) -> tuple[str, str]:
        return (cls.own.package, cls.own.corpus) if hasattr(cls, "own") else ("", "")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        spec = cls.spec()
        cls.media = {name: c for name, c in spec.columns.items() if c.role in KINDS}
        cls.of_folder = own_files.speak_of(spec.columns, own_files.FOLDER)
        if spec.layout not in LAYOUTS:
            known = ", ".join(LAYOUTS)
            raise ConfigError(f"{cls.own.corpus}: no layout {spec.layout}; there are {known}")
        ways = {c.stored_as for c in cls.media.values()}
        if ways & FETCHED_AS and len(cls.media) > 1:
            raise ConfigError(
                f"{cls.own.corpus}: columns {', '.join(cls.media)}: a row that is fetched has "
                "one medium alone: make the other columns text (role: text), or two corpora"
            )
        own_files.check_lists(cls.own.corpus, spec.columns)
        cls.BUILDER_CONFIG_CLASS = own_files.params_of(
            frozenset(
                c.role for c in spec.columns.values() if c.type != "string" or c.role in KINDS
            ),
            "url" in ways,
        )
        super().__init_subclass__(**kwargs)

    @classmethod
    @cache
    def spec(cls) -> Spec:
        """What the YAML says."""
        return Spec.model_validate_json(cls.own.spec)

    @classmethod
    @override
    def said_at(cls, config: str) -> str:
        return f"{cls.corpus}: config {config}"

    @classmethod
    @override
    def card(cls) -> str:
        if cls.own.home or not (cls.room("cards") / f"{cls.corpus}.md").is_file():
            return CARD  # of the user's, or of a package of YAMLs alone
        there = path_of(cls.own.package, cls.corpus).is_file()
        ours = there and of_package(cls.own.package, cls.corpus) == cls.spec()
        return super().card() if ours else CARD

    @classmethod
    @override
    def home(cls) -> Path | None:
        sources = cls.spec().sources.values()
        elsewhere = all(source.hub or source.url or source.fetch for source in sources)
        return None if elsewhere else cls.own.home

    @override
    def splits(self) -> list[str]:
        return [*self.spec().splits.names]

    @override
    def sources(self, split: str) -> list[str]:
        names, rule = [*self.spec().sources], self.spec().splits
        if rule.by != "folder" or {c.stored_as for c in self.media.values()} - FETCHED_AS:
            return names
        others = {word for n, all_ in rule.names.items() if n != split for word in (n, *all_)}
        return [name for name in names if tables.split_word(name) not in others]

    @override
    def columns(self) -> Features:
        features: Features = {"id": Value("string")}
        for name, column in self.spec().columns.items():
            if column.role in KINDS:
                features |= own_files.renamed(
                    name, column.role, own_files.features_of(column, self.config)
                )
            elif column.role == "caption":
                several = isinstance(self.config, CaptionParams)
                one = {"caption": Value("string")}
                features |= self.config.caption_features() if several else one
            elif column.role != "id":
                features[name] = values.feature(column)
        return Features(features)

    @override
    def parts(self, split: str, raw: Raw) -> "list[Part]":
        spec, unlike = self.spec(), self.config.bundled or self.of_folder  # few rows, or no table
        if unlike or spec.layout not in tables.UNITS or FILES in spec.sources:
            return []
        from edge_glass.corpora.own_batches import table_parts

        return [*table_parts(spec, self._listing(split, raw), split, self.whole)]

    def _listing(self, split: str, raw: Raw) -> list[Files]:
        """The sources that records of a split are read from."""
        spec = self.spec()
        names = [n for n in self.sources(split) if n != FILES and spec.sources[n].fetch is None]
        wanted, lists = tuple(spec.tables), split_lists.names(spec.splits)
        return tables.of_sources([Files(raw, name, wanted, lists) for name in names])

    @property
    @override
    def whole(self) -> bool:
        return super().whole and not isinstance(self.config, CaptionParams)

    @override
    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        if self.parts(split, raw):
            yield from super().rows(split, raw)
            return
        first = split == self.splits()[0]
        listed = self.spec().layout != "media"  # where each file is a record
        files_claimed = first and listed and any(c.stored_as == "file" for c in self.media.values())
        listing = self._listing(split, raw)
        claimed = {self._place(files.source): set[bytes]() for files in listing}
        split_of = split_lists.splitter(self.spec().splits, listing)
        for source, files in ((files.source, files) for files in listing):
            for record in LAYOUTS[str(self.spec().layout)].records(files):
                if self.of_folder:
                    record.values.setdefault(own_files.FOLDER, record.base.rpartition("/")[2])
                theirs = split_of(values.said_of_split(self.spec().splits, record))
                if theirs == split or (theirs is None and first):
                    make = partial(self._row, record, source, raw, theirs)
                    yield parsed("", source, record.where, record.values, make)
                if files_claimed:
                    with suppress(Dropped):
                        names = own_files.all_files(self._named(record, source, raw))
                        claimed[self._place(source)].update(map(own_files.short, names))
        for place, names_ in claimed.items() if files_claimed else ():
            yield from own_files.unclaimed(Files(raw, place), names_)

    @override
    def misfits(self, empty: list[str], raw: Raw, progress: "Progress") -> list[str]:
        if self.own.home is None:  # what packages have is not the user's to mend
            return []
        from edge_glass.corpora import own_check

        own_check.tell_lists(self.spec(), self._listing(self.splits()[0], raw), progress)
        every = (files for split in self.splits() for files in self._listing(split, raw))
        return own_check.misfits(self.spec(), every, empty)

    @cached_property
    def _fetched(self) -> str:
        """The source that is fetched row by row."""
        return next(name for name, source in self.spec().sources.items() if source.fetch)

    def _place(self, source: str) -> str:
        """The source of the media files that records of `source` name."""
        return FILES if FILES in self.spec().sources else source

    def _named(self, record: Record, source: str, raw: Raw) -> JsonObject:
        """The media of a record: column -> file or files, URL, or place in a table."""
        members_of: JsonObject = {}
        places = raw.paths[source], raw.paths[self._place(source)]
        for name, column in self.media.items():
            value = values.at(column.key, record.values)
            if column.several and column.stored_as == "file":
                value = values.out_of_text(value)
                texts = map(str, value if isinstance(value, list) else filter(None, [value]))
                if members := [values.member(text, record.base, *places) for text in texts]:
                    members_of[name] = members
            elif value is None or column.stored_as == "base64":
                continue
            elif column.stored_as == "clip":
                stem = "_".join(map(str, value))
                members_of[name] = raw.named(self._fetched, stem, ENDINGS[column.role])
            elif column.stored_as == "file":
                file = values.SECTION.sub("", str(value))
                members_of[name] = values.member(file, record.base, *places)
            else:
                members_of[name] = str(value)
        return members_of

    def _row(
        self, record: Record, source: str, raw: Raw, split: str | None, said: JsonObject
    ) -> Row:
        if record.dropped:
            raise Dropped(*record.dropped)
        if split is None:
            raise Dropped(Outcome.NOT_IN_CONFIG, values.no_split(self.spec().splits, record.folder))
        fields = {n: values.cast(n, column, value(said)) for n, column, value in self._values}
        fields[own_files.NAMED] = names = self._named(record, source, raw)
        if cuts := own_files.sections_of(self.media, said):
            fields[own_files.CUTS] = cuts
        row = Row(record.where, source, record.where, fields=fields)
        if names:
            first, *row.extra_members = own_files.all_files(names)
            row.media = (self._place(source), first)
            if any(column.stored_as == "url" for column in self.media.values()):
                row.media, row.fetch_request = (self._fetched, first), {"url": first}
                text = "\n".join([first, *(fields.get("caption") or ())])
                row.id = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
            if clip := next((c for c in self.media.values() if c.stored_as == "clip"), None):
                length = self.spec().sources[self._fetched].clip_seconds
                row.media = (self._fetched, first)
                row.fetch_request = values.section(clip.key, said, length)
        elif self.media and not any(fields.get(name) for name in self.media):
            raise Dropped(Outcome.MISSING_MEDIA, "the record names none")
        for name in self._by_role["id"]:
            row.id = fields[name] if (fields[name] or "").strip() else row.id
            if row.id.startswith("/") and row.media:  # no place of the user's
                row.id = row.media[1] if row.media[0] == FILES else record.where
        return row

    @cached_property
    def _values(self) -> list[tuple[str, Column, Callable[[JsonObject], Any]]]:
        """The columns that are written into a plan, each with how its value is read."""
        return [
            (name, column, values.getter(column.key, column.pattern))
            for name, column in self.spec().columns.items()
            if column.role not in KINDS or column.stored_as == "base64"
        ]

    @cached_property
    def _by_role(self) -> defaultdict[str, list[str]]:
        """The columns of each role."""
        names: defaultdict[str, list[str]] = defaultdict(list)
        for name, column in self.spec().columns.items():
            names[column.role].append(name)
        return names

    @override
    def row_weight(self, row: Row, source_bytes: int) -> int:
        span = own_files.span_of(row, self._by_role)
        part = SECOND * (span[1] - span[0]) if span else source_bytes
        return self.row_bytes(round(max(0, min(source_bytes, part))))

    @override
    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        example: Example = {"id": row.id}
        for name, column in self.media.items():
            if column.several:
                columns = self._list(name, column, row, media)
            else:
                data = self._stretch(name, column, row, media)
                columns = self._decoded(name, column.role, data, row, media)
            example |= own_files.renamed(name, column.role, columns)
        captions: list[str] | None = None
        for name, column in self.spec().columns.items():
            if column.role == "caption":
                captions = row.fields[name]
                if not captions or not any(text.strip() for text in captions):
                    raise Dropped(Outcome.BLANK_CAPTION, "")
            elif column.role not in (*KINDS, "id"):
                example[name] = row.fields[name]
        if captions and not isinstance(self.config, CaptionParams):
            example["caption"] = captions[0]
            captions = None
        yield from [example] if captions is None else self.config.with_captions(example, captions)

    def _list(self, name: str, column: Column, row: Row, media: Media) -> JsonObject:
        """The columns of a list of media, each a list of values. Raises Dropped if one is lost."""
        names = row.fields[own_files.NAMED].get(name)
        features = own_files.features_of(column, self.config)
        if names is None:
            return dict.fromkeys(features)
        if column.stored_as == "bytes":
            listed = media.value(str(column.key)) or []
            files = [each if isinstance(each, dict) else {"bytes": each} for each in listed]
            items = [(str(f.get("path") or n), f["bytes"]) for n, f in enumerate(files)]
        else:
            first = row.media and row.media[1]
            items = [(n, media.read() if n == first else media.file(n)) for n in names]
        if not items and len(row.fields[own_files.NAMED]) == 1:
            raise Dropped(Outcome.MISSING_MEDIA, "the record names none")
        if any(data is None for _, data in items):
            raise Dropped(Outcome.MISSING_MEDIA, f"{name}: the bytes of one are null")
        many = [self._of_file(column.role, PurePosixPath(n), data, media) for n, data in items]
        return {key: [one[key] for one in many] for key in features}

    def _of_file(self, kind: str, file: PurePosixPath, data: bytes, media: Media) -> JsonObject:
        """The columns of one file of a kind."""
        if kind == "image":
            stem = file.stem if kind_of(file.name) else file.name
            return dict(self.config.image_columns(data, stem, media.notes))
        columns = self.config.video_columns if kind == "video" else self.config.audio_columns
        return dict(columns(data, file.name, media.notes))

    def _bytes(self, name: str, column: Column, row: Row, media: Media) -> bytes | None:
        """The file of a column; None if the row has it not, and other media."""
        if column.stored_as == "base64":
            text = row.fields[name]
            return media.embedded(own_files.from_base64(text)) if text else None
        if name not in (names := own_files.names_of(row, name)):
            return None
        try:
            first = row.media is not None and names[name] == row.media[1]
            data = media.read() if first else media.file(names[name])
        except Dropped as drop:
            if drop.outcome != Outcome.MISSING_MEDIA or len(names) == 1:
                raise
            return None
        if section := row.fields.get(own_files.CUTS, {}).get(name):
            from edge_glass.media import video

            data = media.embedded(video.section(data, *section))
        for kind, digest in ((k, row.fields[n]) for k in HASHES for n in self._by_role[k]):
            if digest and (there := hashlib.new(kind, data).hexdigest()) != digest.lower():
                detail = f"{kind} is {there}, the list has {digest.lower()}"
                raise Dropped(Outcome.OTHER_BYTES, detail)
        return data

    def _stretch(self, name: str, column: Column, row: Row, media: Media) -> bytes | None:
        """The file of a column, or the part of a recording that a row is."""
        span = own_files.span_of(row, self._by_role) if column.role == "audio" else None
        if span is None:
            return self._bytes(name, column, row, media)
        from edge_glass.media import sections

        file = own_files.names_of(row, name).get(name)
        path = media.on_disk(file) if file and column.stored_as == "file" else None
        if path and (part := sections.stretch_of_file(path, span, media.notes)):
            return media.embedded(part)
        data = self._bytes(name, column, row, media)
        return data and sections.stretch(data, span, media.notes)

    def _decoded(
        self, name: str, kind: str, data: bytes | None, row: Row, media: Media
    ) -> JsonObject:
        """The columns of a medium."""
        if data is None:
            return dict.fromkeys(own_files.features_of(self.media[name], self.config))
        if ask := row.fetch_request if self.media[name].stored_as == "clip" else None:
            label = row.id + PurePosixPath(media.name).suffix
            if kind == "video":
                return dict(self.config.video_columns(data, label, media.notes))
            from edge_glass.media import sections

            data, label = sections.clip(data, label, ask["start"], ask["end"], media.notes)
            return dict(self.config.audio_columns(data, label, media.notes))
        named = row.id if row.fetch_request else own_files.names_of(row, name).get(name, row.id)
        stored = self.media[name].stored_as == "bytes"
        file = PurePosixPath(media.said_name(named) if stored else named)
        if kind == "audio" and (
            own_files.span_of(row, self._by_role) or file.suffix[:5] == ".ark:"
        ):
            suffix = {b"fLaC": ".flac", b"RIFF": ".wav"}.get(data[:4], file.suffix)
            file = PurePosixPath(f"{PurePosixPath(row.id).name}{suffix}")
        return self._of_file(kind, file, data, media)
