"""Data that nobody has described -> the YAML that says how they are read, or what to decide."""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from edge_glass.core import locations
from edge_glass.core.errors import ConfigError, SourceError, absent
from edge_glass.core.ledger import Dropped
from edge_glass.core.spec import Column, Own, Source, Spec, Splits
from edge_glass.corpora import own_check, own_files, own_hub, own_shards, own_splits
from edge_glass.corpora.key_profile import FEW, KeyProfile, profiles
from edge_glass.corpora.layouts import (
    media_columns,
    media_folders,
    shards,
    split_lists,
    table_batches,
    table_records,
    tables,
    values,
)
from edge_glass.corpora.layouts.media_columns import Media
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.registry import LAYOUTS, counted, scan
from edge_glass.corpora.own import DATA, FETCHED, FILES
from edge_glass.corpora.own_columns import Keys, stop, with_channel
from edge_glass.corpora.own_splits import WORDS
from edge_glass.sources import mds
from edge_glass.sources.obtain import Request, obtain

OWN_FILES = ("media", "webdataset", "mds", "lerobot")  # layouts in which no two records share any
SAMPLE = 200  # records by which media are told
WANT = {"image": "image", "audio": "sound", "video": "file"}
WANTED = {k: f"names of {k} files, URLs or bytes" for k in WANT} | {"url": "URLs (http, https)"}
ARCHIVES = ("zip", "7z", "rar", "tar", "tgz", "gz", "bz2", "xz", "zst")
UNOPENED = "not opened: unpacked beside it, in another archive, or neither zip, 7z nor tar"
PROSE = ("README", "LICEN", "CHANGELOG", "CITATION")


@dataclass(frozen=True)
class Choices:
    """What the user has decided."""

    layout: str | None = None
    roles: dict[str, str] = field(default_factory=dict)  # key -> role, url or none
    split: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Understood:
    """What was understood of data, before anything is built."""

    name: str
    home: Path | None  # the folder that paths in `spec` begin from
    spec: Spec
    why: str  # it is this layout
    rows: int  # records
    examples: dict[str, list[Any]]  # column -> values of three records
    left_out: dict[str, str]  # file or key -> why

    @property
    def own(self) -> Own:
        """The corpus, as it is built."""
        return Own.of(self.name, self.spec, self.home)


def understand(place: Path | str, choices: Choices | None = None) -> Understood:
    """Read what lies at `place`: a folder, an archive, a table, or a dataset of the Hub.

    Raises EdgeGlassError if there is nothing to read, or something is to be decided.
    """
    path, part = locations.part_of(str(place))
    if not path.exists() and not own_hub.is_repository(str(place)):
        raise ConfigError(f"{place}: there is no config, file or folder of this name")
    own_check.not_built(path)
    own_check.must_be_pulled(path.absolute())
    here = own_hub.clone(path, part) if path.is_dir() else None
    described = here if path.exists() else own_hub.dataset(str(place))
    try:
        return _Reading(path.absolute(), choices or Choices(), described).understood()
    except Dropped as drop:  # of a file that no row is dropped for
        raise SourceError(f"{place}: {drop.outcome}: {drop.detail}") from None


class _Reading:
    def __init__(self, place: Path, choices: Choices, described: own_hub.Dataset | None) -> None:
        self._place, self._choices, self._described = place, choices, described
        title = described.title if described else place.name.partition(".")[0]
        self._name = re.sub(r"\W+", "_", title).strip("_") or "data"
        packed, left_out = own_shards.packing(place) if place.is_dir() else ({}, {})
        self._left_out: dict[str, str] = {**described.left_out} if described else left_out
        self._lists: list[str] = []  # of splits
        self._source = described.source if described else Source(path=place.name, **packed)
        self._packed = self._source.packed
        self._home = None if self._source.hub else place.parent
        request = Request(self._name, self._name, "", {DATA: self._source}, {}, home=self._home)
        self._files = Files(obtain(request, facts=False), DATA)

    def understood(self) -> Understood:
        layout, names, why = self._layout()
        files = replace(self._files, tables=tuple(names))
        every = LAYOUTS[layout].records(files)
        sample = own_check.whole(self._name, layout, every, SAMPLE, self._choices.roles)
        text = bool(names) and all(tables.ending(name) in tables.DELIMITED for name in names)
        folders, lost, parents = Counter[str](), Counter[str](), set[str]()
        roles = with_channel(layout, sample, self._choices.roles)
        naming = {m.read_from for m in media_columns.media_of(files, sample, roles)}
        naming |= {*media_folders.SUFFIXES}
        records = counted(scan(layout, files), folders, lost, parents)
        by_key = profiles(records, text, naming)
        rows, whole = folders.total() + lost.total(), folders.total()
        if unknown := [key for key in roles if key not in by_key]:
            raise ConfigError(f"{self._name}: {absent('key', unknown[0], by_key)}")
        media = self._media(layout, files, sample, by_key)
        classes = self._class_names(names)
        keys = Keys(self._name, by_key, whole, media, roles, sample, classes, self._left_out)
        if {tables.ending(n) for n in names} == {".txt"} and not media and "url" not in roles:
            raise stop(
                self._name, f"the lines of {names[0]} are neither URLs nor names of files",
                "--column url=text  (each line is a text)",
            )  # fmt: skip
        shared = [] if layout in OWN_FILES else [m for m in media if m.stored_as in ("file", "url")]
        files_of = {medium.read_from: medium.several for medium in shared}
        asked = self._choices.split or ("folder" if own_shards.is_dict(self._place) else None)
        lists, of_folders = self._lists, layout == "media" and "folder" not in roles
        said = self._described.splits if self._described and not asked else None
        listed = next(iter(files_of), None) if layout == "table" else None
        splits = said or own_splits.rule(
            self._name, asked, folders, by_key, lists, listed=listed, files=files_of
        )
        label = self._classes(parents, splits, by_key["folder"]) if of_folders else None
        if layout == "table" and splits == Splits() and not self._choices.split:
            self._must_not_split(media, by_key)
        taken = splits.key if splits.by == "key" else None
        columns = keys.columns((taken, "folder" if layout == "media" else None), label)
        if "start" not in roles.values():
            own_check.must_reach(self._name, files, columns, sample)
        spec = self._spec(layout, names, columns, splits, media, by_key)
        self._left_out |= own_check.beside_lists(spec, [files])
        examples = {n: [values.at(c.key, r.values) for r in sample[:3]] for n, c in columns.items()}
        return Understood(self._name, self._home, spec, why, rows, examples, self._left_out)

    def _layout(self) -> tuple[str, list[str], str]:
        """The layout, the tables that are read, and why."""
        asked = self._choices.layout
        if self._packed and not own_shards.hold_trees(self._name, self._files, asked):
            names = [n for n in tables.names(self._files) if tables.ending(n) == tables.ARROW]
            if names:
                return "table", names, "Arrow files, as save_to_disk writes them"
            suffixes = {_suffix(name.rpartition("/")[2]) for name in self._files.names()}
            unread = sorted(suffixes - {*media_folders.KINDS, *media_folders.MEMBERS})
            self._left_out |= dict.fromkeys(map("*.{}".format, unread), "neither media nor text")
            self._left_out |= {} if suffixes else shards.unread(self._files)
            samples = suffixes or not next(self._files.root.rglob(mds.INDEX), None)
            return ("webdataset" if samples else "mds"), [], "a folder of shards"
        if asked in (None, "media", "ljspeech"):
            self._see_lists()
        for name, one in LAYOUTS.items():
            if one.fits and (name == asked or (asked is None and one.fits(self._files))):
                return name, [], one.title
        media, beside = self._media_files()
        chosen = [n for n in tables.names(self._files) if n not in beside and self._is_table(n)]
        if media and (holding := [n for n in chosen if self._stored_as(n) & {"bytes", "base64"}]):
            others = [*(f"{kind} files" for kind in media), *sorted({*chosen} - {*holding})]
            self._left_out |= dict.fromkeys(others, "beside tables that hold the media")
            chosen, media = holding, Counter()
        what = ", ".join(f"{n:,} {kind} files" for kind, n in media.items())
        chosen = self._naming(chosen) if media and chosen else chosen
        layout = self._choices.layout or ("table" if chosen else "media")
        if layout not in LAYOUTS:
            raise ConfigError(f"--layout {layout}: there are {', '.join(LAYOUTS)}")
        if not media and not chosen:
            there = ", ".join(f"{name} ({why})" for name, why in self._left_out.items())
            raise ConfigError(f"{self._place}: no media and no rows in it: {there or 'empty'}")
        said = [what, *chosen[:3], "…" if len(chosen) > 3 else ""]
        return layout, chosen, ", ".join(filter(None, said))

    def _media_files(self) -> tuple[Counter[str], set[str]]:
        """How many files of each kind there are, and which tables are beside them: no tables."""
        media: Counter[str] = Counter()
        stems, listed = set[str](), list[str]()
        for name in self._files.names():
            if kind := media_folders.kind_of(name):
                media[kind] += 1
                stems.add(name.rpartition(".")[0])
            elif tables.ending(name):
                listed.append(name)
            elif not PurePosixPath(name).name.upper().startswith(PROSE):
                last = name.rpartition("/")[2]
                pattern = f"*.{_suffix(last)}" if "." in last else f"*/{last}"
                packed = _suffix(last) in ARCHIVES
                self._left_out[pattern] = UNOPENED if packed else "neither media nor a table"
        endings = {_suffix(name) for name in listed if name.rpartition(".")[0] in stems}
        beside = {name for name in listed if _suffix(name) in endings & {"txt", "json"}}
        logs = media_folders.logs_of_downloads(listed, stems)
        self._left_out |= {f"*.{_suffix(name)}": media_folders.LOGS for name in logs}
        return media, beside | logs | {*self._lists}

    def _see_lists(self) -> None:
        """The lists of splits, which are no tables; those of the rule are not read as texts."""
        asked = self._choices.split
        near, said = split_lists.seen(self._files), own_splits.lists_of(self._files, asked)
        self._lists = [*dict.fromkeys([*said, *near])]
        self._left_out |= dict.fromkeys(self._lists, "names the files of a split")
        read = said or ([] if asked else own_splits.chosen(near))
        self._files = replace(self._files, lists=tuple(read))

    def _naming(self, chosen: list[str]) -> list[str]:
        """Of tables beside media those that name them are what there is to read."""
        named = [name for name in chosen if PurePosixPath(name).stem == "metadata"]
        for one, other in pairwise(sorted(named)):
            if PurePosixPath(one).parent == PurePosixPath(other).parent:
                raise ConfigError(
                    f"{self._place}: {one} and {other} are both metadata: remove one of them"
                )
        naming = [name for name in named or chosen if "file" in self._stored_as(name)]
        splits = [name for name in naming if PurePosixPath(name).stem.lower() in WORDS]
        for name in chosen:
            if name not in naming:
                if not naming and not self._choices.layout:
                    self._must_not_name(name, name in named)
                self._left_out[name] = "names none of the media files"
            elif splits and name not in splits:
                self._left_out[name] = f"beside the tables of splits, {', '.join(splits)}"
        return splits or naming

    def _is_table(self, name: str) -> bool:
        sample = [*self._sample(name)]
        why = next((record.dropped[1] for record in sample if record.dropped), None)
        if why and tables.ending(name) == ".json":
            why += " (JSON must be a list of objects, or one object per line)"
        if why and all(record.dropped for record in sample):
            if PurePosixPath(name).stem == "metadata" or self._place.is_file():
                raise ConfigError(f"{self._place}: {name}: no row can be read: {why}")
            self._left_out[name] = f"no row can be read: {why}"
        if not sample:
            self._left_out[name] = "a table without rows"
        return any(record.values for record in sample if record.dropped is None)

    def _must_not_split(self, media: list[Media], keys: dict[str, KeyProfile]) -> None:
        """Raises ConfigError if a table names files in folders of splits, and no split."""
        for key in (m.read_from for m in media if m.stored_as == "file"):
            common = (keys[key].prefix or "").rpartition("/")[0]
            below = sorted(value.removeprefix(common).lstrip("/") for value in keys[key].few)
            if named := next((value for value in below if tables.split_word(value)), None):
                raise stop(
                    self._name, f"{key} names files in folders of splits ({named}), and no key "
                    "says the split (add one, or put a table into each folder)",
                    "--split all  (everything is train)",
                )  # fmt: skip

    def _must_not_name(self, name: str, metadata: bool) -> None:
        """Raises ConfigError if a table that names none of the media is meant to."""
        if metadata:
            raise stop(
                self._name, f"no column of {name} names one file per row",
                "--layout media  (the files alone, without this table)",
                f"{name} instead of its folder  (the table alone)",
            )  # fmt: skip
        texts = (v for r in self._sample(name) for v in r.values.values() if isinstance(v, str))
        names = (v for v in texts if media_folders.kind_of(v) and not media_columns.URL.match(v))
        if gone := next(names, None):
            raise stop(
                self._name, f"{name} names {gone}, and there is no such file (correct the name)",
                "--layout media  (the files alone, without this table)",
            )  # fmt: skip

    def _stored_as(self, name: str) -> set[str]:
        columns = media_columns.media_of(self._files, [*self._sample(name)])
        return {media.stored_as for media in columns}

    def _class_names(self, chosen: list[str]) -> dict[str, list[str]]:
        for name in chosen[:1]:
            if tables.ending(name) in (tables.PARQUET, tables.ARROW):
                with self._files.local(name) as path:
                    why = "holds files inside of its values: make them columns of their own"
                    self._left_out |= dict.fromkeys(table_batches.unread(path), why)
                    return table_batches.class_names(path)
        return {}

    def _sample(self, name: str) -> Iterator[Record]:
        layout = "tsv" if self._choices.layout == "tsv" else "table"
        return islice(table_records.of_file(self._files, name, layout), SAMPLE)

    def _media(
        self, layout: str, files: Files, sample: list[Record], keys: dict[str, KeyProfile]
    ) -> list[Media]:
        """The keys that are media."""
        if layout not in ("table", "mds", "clip_retrieval"):
            return self._media_of_folders(files, sample, keys)
        roles = self._choices.roles
        every = media_columns.media_of(files, sample, roles)
        fitting = [m for m in every if roles.get(m.read_from, m.kind) in (m.kind, "url")]
        read_from, may_be = ({media.read_from for media in all_} for all_ in (every, fitting))
        for key, role in roles.items():
            if role in WANTED and key not in may_be:
                value = keys[key].examples[:1]
                raise ConfigError(f"{self._name}: {key} has no {WANTED[role]}, but {value}")
        for key in (key for key in keys if key not in {*read_from, *roles}):
            if any(str(r.values.get(key)).startswith(f"{r.where}/{key}") for r in sample):
                raise stop(
                    self._name, f"the bytes in {key} are missing, or of no known kind of media",
                    f"--column {key}=none  (leave it out)",
                )  # fmt: skip
        here = [media for media in fitting if media.stored_as != "url"]
        split = [media for media in here if media.key != media.read_from]
        for one, other in pairwise(sorted(split, key=lambda media: media.kind)):
            if one.kind == other.kind:
                raise stop(
                    self._name, f"{one.key} and {other.key} may each be the {one.kind}",
                    *(f"--column {media.read_from}=text" for media in (one, other)),
                )  # fmt: skip
        urls = [media for media in fitting if media.stored_as == "url"]
        said = [media for media in urls if media.read_from in roles]
        return said or here or self._fetched(urls)

    def _media_of_folders(
        self, files: Files, sample: list[Record], keys: Collection[str]
    ) -> list[Media]:
        more = [m for m in media_columns.media_of(files, sample) if m.key == m.read_from]
        listed = {m.key for m in more if m.several}
        kinds = [each for each in media_folders.SUFFIXES if each in keys and each not in listed]
        others = [m for m in more if m.stored_as == "file" and m.key not in (*kinds, "recording")]
        return [*(Media(kind, kind, kind, "file") for kind in kinds), *others]

    def _fetched(self, urls: list[Media]) -> list[Media]:
        """The one key of URLs that are fetched, if there is any, when none was named."""
        named = [media for media in urls if media_columns.URL_KEYS.search(media.key)]
        urls = named if len(named) == 1 else urls
        if len(urls) > 1:
            raise stop(
                self._name, f"{', '.join(m.key for m in urls)} are URLs, and one a row is fetched",
                *(f"--url {media.key}" for media in urls),
                f"--column {urls[0].key}=text  (not fetched)",
            )  # fmt: skip
        return urls

    def _classes(self, parents: set[str], splits: Splits, profile: KeyProfile) -> Column | None:
        """Folders are classes where all of files lie in one folder, or one of each split."""
        words = {word for name, all_ in splits.names.items() for word in (name, *all_)}
        words = words if splits.by == "folder" else set()
        paths = [parent.split("/") for parent in parents]
        around = {tuple(part for part in path[:-1] if part.lower() not in words) for path in paths}
        flat = len(around) == 1 and all(path[-1].lower() not in {"", *words} for path in paths)
        names = sorted(profile.few)
        if flat and 1 < len(names) <= FEW and media_folders.LOGS not in self._left_out.values():
            return Column(role="label", key="folder", names=names)
        if len(profile.few - {"", *splits.names, *WORDS}) > 1:
            self._left_out["folder"] = (
                "not all files are on one level of folders; --column folder=label"
            )
        return None

    def _spec(
        self,
        layout: str,
        chosen: list[str],
        columns: dict[str, Column],
        splits: Splits,
        media: list[Media],
        keys: dict[str, KeyProfile],
    ) -> Spec:
        stored = {each.stored_as for each in media}
        by_row = "bytes" in stored and not self._packed
        sources = {DATA: self._source.model_copy(update={"tables": by_row})}
        folder = self._place if self._place.is_dir() else self._place.parent
        within = self._described is not None or self._files.root.is_dir() or self._files.archived
        named = [m for m in media if m.stored_as == "file"]
        starts = [m.key.partition("{")[0] if "{" in m.key else "" for m in named]
        names = [s + (keys[m.read_from].prefix or "") for s, m in zip(starts, named, strict=True)]
        if root := own_files.root(folder, chosen, names, within):
            sources[FILES] = Source(path=os.path.relpath(root, self._place.parent))
        if "url" in stored:
            want: Any = WANT[media[0].kind]
            sources[FETCHED] = Source(fetch=want, row_bytes=200_000)
        licence = self._choices.licence
        return Spec(
            title=self._described.title if self._described else self._place.name,
            version="1.0.0",
            licence=licence or "not stated",
            licence_tag=licence or "unknown",
            sources=sources,
            layout=layout,
            tables=chosen if any(map(tables.ending, self._left_out)) else [],
            columns=columns,
            splits=splits,
            configs={self._name: {}},
        )


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower()
