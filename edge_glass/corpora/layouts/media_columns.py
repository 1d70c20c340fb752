"""Which keys of a table's records are media: names of files that are there, URLs, or bytes."""

import base64
import binascii
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from edge_glass.core.ledger import Dropped
from edge_glass.core.spec import MediaKind
from edge_glass.corpora.layouts.media_folders import SUFFIXES, kind_of
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.values import SECTION, at
from edge_glass.media import magic
from edge_glass.sources.packed_folder import Packed
from edge_glass.sources.parquet_folder import VALUE, Tables

URL_KEYS = re.compile(r"(?i)(^|_)(url|uri|link|src)s?$")
FILE_KEY = re.compile(r"(?i)_?(file_?name|file_?path|path|file|url|uri)$")
URL = re.compile("(?i)https?://")
BASE64 = re.compile(r"(data:[\w/+.-]+;base64,)?[\w+/\-\s]{100,}=*\s*", re.ASCII)
TRIED = 20  # values of a key that are looked for
FOLDERS = 50  # folders that they are looked for in
ABSOLUTE = "/"


@dataclass(frozen=True)
class Media:
    """A key whose values are media."""

    kind: MediaKind
    key: str  # a template, where folder or suffix are not in the value
    read_from: str  # the key itself
    stored_as: Literal["file", "url", "bytes", "base64"]
    several: bool = False  # a record has a list of them


def media_of(
    files: Files, sample: list[Record], roles: Mapping[str, str] | None = None
) -> list[Media]:
    """All keys that may be media; one key may name files of several kinds.

    `roles`: what the user says that keys are, which decides of URLs and bytes.
    Folders and suffixes are added to values only where none names a file of this kind as it is.
    """
    places = _Places(files)
    keys = dict.fromkeys(key for record in sample for key in record.values)
    said = {key: kind for key, role in (roles or {}).items() for kind in SUFFIXES if kind == role}
    every = [media for key in keys for media in _of(key, sample, places, said.get(key))]
    plain = {media.kind for media in every if media.stored_as == "file" and media.key in keys}
    return [media for media in every if media.key in keys or media.kind not in plain]


def column_name(media: Media, others: list[Media]) -> str:
    """What its column is called: its kind, or what tells it from others of this kind."""
    stem = FILE_KEY.sub("", media.read_from)
    same = [other for other in others if other.kind == media.kind]
    if media.stored_as == "bytes" or (len(same) > 1 and stem):
        return media.read_from if media.stored_as == "bytes" else stem
    return f"{media.kind}s" if media.several else media.kind


def _of(
    key: str, sample: list[Record], places: "_Places", asked: MediaKind | None
) -> Iterator[Media]:
    listed = [r for r in sample if isinstance(r.values.get(key), list) and r.values[key]]
    if listed and all(isinstance(each, str) for r in listed for each in r.values[key]):
        said = [(record.values[key][0], record.base) for record in listed[:TRIED]]
        cell = places.cell(said[0][0]) if VALUE.fullmatch(said[0][0]) else None
        if cell and (kind := _kind(cell[0])):
            yield Media(kind, key, key, "file", several=True)
            return
        yield from (replace(media, several=True) for media in places.named(key, said))
        return
    records = [r for r in sample if isinstance(r.values.get(key), str) and r.values[key]]
    texts = [(SECTION.sub("", record.values[key]), record.base) for record in records[:TRIED]]
    if not texts:
        return
    first = records[0]
    if first.values[key].startswith(f"{first.where}/{key}"):
        cells = [cell for value, _ in texts if (cell := places.cell(value))]
        kinds = (kind for data, _ in cells if (kind := _kind(data)))
        if kind := asked or next(kinds, None):
            yield Media(kind, key, key, "bytes", any(several for _, several in cells))
    elif 2 * len(urls := [value for value, _ in texts if URL.match(value)]) > len(texts):
        yield Media(asked or _kind_of_urls(key, urls), key, key, "url")
    elif all(BASE64.match(value) for value, _ in texts):
        if kind := asked or _kind(_start(texts[0][0])):
            yield Media(kind, key, key, "base64")
    elif max(len(value) for value, _ in texts) < 4096:
        named = [*places.named(key, texts)]
        fixed = max((places.hits(m.key, records[:TRIED]) for m in named), default=0)
        others = places.in_folders_of_keys(key, records[:TRIED]) if fixed < len(texts) else ()
        yield from [m for m in others if places.hits(m.key, records[:TRIED]) > fixed] or named


def _kind(data: bytes) -> MediaKind | None:
    kind = (magic.kind(data[: magic.HEAD]) or "").partition("/")[0]
    return next((each for each in SUFFIXES if each == kind), None)


def _start(text: str) -> bytes:
    with suppress(binascii.Error, ValueError):
        start = (text.partition("base64,")[2] or text)[: 4 * magic.HEAD]
        return base64.b64decode(start, b"-_")  # as URLs have it, or not
    return b""


def _kind_of_urls(key: str, urls: list[str]) -> MediaKind:
    kinds = Counter(kind for url in urls if (kind := kind_of(urlsplit(url).path)))
    if kinds:
        return max(kinds, key=lambda kind: kinds[kind])
    if "video" in key.lower():
        return "video"
    return "audio" if re.search("audio|sound|wav|mp3", key.lower()) else "image"


class _Places:
    """Where files that values name may lie."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def cell(self, name: str) -> tuple[bytes, bool] | None:
        """The bytes in a Parquet file, or the first of a list of such, and whether it is a list."""
        root = self._files.root
        place = Packed(root, root) if ".parquet/" not in name else Tables(root, nested=True)
        value = place.value(name)
        first = (value or [None])[0] if isinstance(value, list) else value
        data = first.get("bytes") if isinstance(first, dict) else first
        return (data, isinstance(value, list)) if data else None

    @cached_property
    def _folders(self) -> dict[str, set[str]]:
        """Folders that hold media, each with the suffixes that are in it."""
        root = self._files.root
        if root.is_file() and not self._files.archived:
            folders = (p for p in sorted(root.parent.iterdir()) if p.is_dir())
            beside = ((p.name, [f.name for f in p.iterdir()]) for p in folders)
            pairs = islice(beside, FOLDERS)
        else:
            pairs = islice(self._files.folders(), 10 * FOLDERS)
        suffixes_in: dict[str, set[str]] = {}
        for folder, names in pairs:
            suffixes = {name.rpartition(".")[2] for name in names if kind_of(name)}
            for place in (folder, *map(str, PurePosixPath(folder).parents)) if suffixes else ():
                suffixes_in.setdefault("" if place == "." else place, set()).update(suffixes)
        return dict(sorted(suffixes_in.items())[:FOLDERS])

    def named(self, key: str, texts: list[tuple[str, str]]) -> Iterator[Media]:
        """The files that values name as they are, or with a folder before or a suffix behind."""
        kinds: set[str] = set()
        for prefix, suffix in self._ways(texts[0]):
            kind = kind_of(f"x{suffix}" if suffix else texts[0][0])
            if kind is None or kind in kinds:
                continue
            there = sum(self._there(f"{prefix}{value}{suffix}", base) for value, base in texts)
            if 2 * there >= len(texts):
                kinds.add(kind)
                plain = not prefix and not suffix
                yield Media(kind, key if plain else f"{prefix}{{{key}}}{suffix}", key, "file")

    def hits(self, key: str, records: list[Record]) -> int:
        """How many records name a file that is there."""
        return sum(self._there(str(at(key, each.values)), each.base) for each in records)

    def in_folders_of_keys(self, key: str, records: list[Record]) -> Iterator[Media]:
        """The files that values name where other keys say the folders: `fold{fold}/{file}`."""
        value, base = str(records[0].values[key]), records[0].base
        kind = kind_of(value)
        said = {k: str(v) for k, v in records[0].values.items() if k != key and v not in (None, "")}
        for folder in self._folders if kind and "/" not in value else ():
            prefix = os.path.relpath(folder or ".", base or ".")
            if not self._there(f"{prefix}/{value}", base):
                continue
            template = "/".join(
                [*(_of_key(part, said) for part in prefix.split("/")), f"{{{key}}}"]
            )
            if kind and 2 * self.hits(template, records) >= len(records):
                yield Media(kind, template, key, "file")
                return

    def _ways(self, first: tuple[str, str]) -> Iterator[tuple[str, str]]:
        value, base = first
        if kind_of(value):
            yield "", ""
        root = self._files.root
        alone = root.is_file() and not self._files.archived
        if value.startswith(ABSOLUTE) or (alone and not kind_of(value)):
            return  # words in a table are not names of what happens to lie beside it
        for folder, suffixes in self._folders.items():
            prefix = os.path.relpath(folder or ".", base or ".")
            prefix = "" if prefix == "." else f"{prefix}/"
            for suffix in sorted(suffixes):
                if kind_of(value) and prefix:
                    yield prefix, ""
                elif not kind_of(value):
                    yield prefix, f".{suffix}"

    def _there(self, value: str, base: str) -> bool:
        name = os.path.normpath(PurePosixPath(base, value))
        root = self._files.root
        if name.startswith(ABSOLUTE):
            return Path(name).is_file()
        if root.is_file() and not self._files.archived:
            return Path(root.parent, name).is_file()
        with suppress(Dropped):
            return self._files.there(name)
        return False


def _of_key(part: str, said: dict[str, str]) -> str:
    """A folder's name as the key says it whose value it ends in, the longest one."""
    ends = [key for key, value in said.items() if part.endswith(value)]
    key = max(ends, key=lambda each: len(said[each]), default=None)
    return part if key is None else f"{part.removesuffix(said[key])}{{{key}}}"
