"""Media in folders of classes, with texts of the same stem, or both; and in tars of samples.

A record is the files of one stem in one folder. Its values are the media file under its kind, the
texts under their suffixes (`txt`, `caption`), the keys of its JSON, and the `folder` around it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import JsonObject
from edge_glass.core.spec import MediaKind
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.table_records import of_file
from edge_glass.corpora.layouts.tables import split_word

SUFFIXES: dict[MediaKind, tuple[str, ...]] = {
    "image": (
        "jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff", "avif", "heic", "jp2", "jxl",
    ),
    "audio": ("wav", "flac", "mp3", "ogg", "opus", "oga", "m4a", "aac", "aif", "aiff", "w64", "au"),
    "video": ("mp4", "webm", "mkv", "avi", "mov", "m4v", "mpg", "mpeg", "flv", "3gp"),
}  # fmt: skip
KINDS: dict[str, MediaKind] = {suffix: kind for kind, all_ in SUFFIXES.items() for suffix in all_}
TAR = re.compile(r"(.+?)\.(?:tar|tgz)(?:\.gz)?(?:/|$)")
MEMBERS = ("json", "txt", "cls", "caption")  # of a sample in a tar, beside media
STATS = re.compile(r"(.*\d)_stats\.json")  # of a shard that img2dataset wrote
LOGS = "of img2dataset: of what lies beside the media only what failed is read"
TEXTS = ("txt", "caption", "lab", "normalized.txt", "original.txt", "cls")


def kind_of(name: str) -> MediaKind | None:
    """The kind of media that a file's name speaks of; it may end as a URL: `1.jpg?w=300`."""
    return KINDS.get(name.rpartition(".")[2].partition("?")[0].lower())


def records(files: Files) -> Iterator[Record]:
    """The records of a source, folder by folder; then what img2dataset did not get."""
    lists: list[str] = []
    for _, names in files.folders():
        yield from _grouped(files, names)
        lists += _lists_of_downloads(names)
    yield from _not_downloaded(files, lists)


def _grouped(files: Files, names: list[str]) -> Iterator[Record]:
    """The records of the files of one folder."""
    stems: dict[str, tuple[list[str], list[str]]] = {}  # media, and what is beside them
    for name in names:
        if kind_of(name):
            stems.setdefault(_stem(name), ([], []))[0].append(name)
        elif _extension(name) in (*TEXTS, "json") and not STATS.fullmatch(name):
            stems.setdefault(_stem(name), ([], []))[1].append(name)
    for stem, (media, beside) in stems.items():
        if not media:
            yield from _alone(beside)
        elif len({kind_of(name) for name in media}) == len(media):
            yield _record(files, stem, media, beside)
        else:  # two pictures of one name are two records
            yield from (_record(files, name, [name], beside) for name in media)


def logs_of_downloads(tables: list[str], stems: set[str]) -> set[str]:
    """What img2dataset wrote beside its shards: counts, and the list of a folder of files.

    `stems`: of the media files. Where a shard is a table, that is none of these.
    """
    folders = {stem.rpartition("/")[0] for stem in stems}
    lists = {f"{folder}.parquet" for folder in folders} & {*_lists_of_downloads(tables)}
    return lists | {name for name in tables if STATS.fullmatch(name)}


def _lists_of_downloads(names: Iterable[str]) -> list[str]:
    """The tables that img2dataset wrote beside shards, each with what became of its rows."""
    shards = {said[1] for name in names if (said := STATS.fullmatch(name))}
    return sorted({*names} & {f"{shard}.parquet" for shard in shards})


def _not_downloaded(files: Files, lists: list[str]) -> Iterator[Record]:
    """What img2dataset did not get, of each shard."""
    for name in lists:
        shard = name.rpartition(".")[0]
        for row in (record.values for record in of_file(files, name)):
            if (status := row.get("status")) not in (None, "success"):
                dropped = (Outcome.MISSING_MEDIA, str(row.get("error_message") or status))
                where = f"{shard}/{row.get('key')}"
                yield Record(where, {}, split_word(name), dropped=dropped)


def _alone(names: list[str]) -> Iterator[Record]:
    """Texts without media are lost, if they are no README."""
    for name in names:
        if _extension(name) == "json" or not PurePosixPath(name).stem.isupper():
            dropped = (Outcome.MISSING_MEDIA, "no media file of this stem")
            yield Record(name, {}, _split(name), dropped=dropped)


def _record(files: Files, where: str, media: list[str], beside: list[str]) -> Record:
    values: JsonObject = {str(kind_of(name)): name for name in media}
    parent = media[0].rpartition("/")[0].rpartition("/")[2]
    record = Record(where, values | {"folder": parent}, _split(media[0]))
    try:
        for name in beside:
            values = texts(files, name)
            record.values = values | record.values
    except Dropped as drop:
        record.dropped = drop.outcome, drop.detail
    return record


def texts(files: Files, name: str) -> JsonObject:
    """The values that a text says: itself, or the keys of its JSON. Raises Dropped."""
    value, extension = _value(files, name), _extension(name)
    return value if isinstance(value, dict) else {extension.replace(".", "_"): value}


def _value(files: Files, name: str) -> Any:
    """A text, or what a JSON file says. Raises Dropped."""
    if _extension(name) != "json":
        return files.text(name).strip()
    try:
        return json.loads(files.text(name))
    except (ValueError, RecursionError) as error:
        raise Dropped(Outcome.MALFORMED_ROW, f"{name}: {error}") from None


def _split(name: str) -> str:
    return split_word(name) or name.rpartition("/")[0].partition("/")[0]


def _extension(name: str) -> str:
    """All after the first dot of a text's name, if that is one of a text's; else its suffix."""
    whole = name.rpartition("/")[2].partition(".")[2].lower()
    return whole if whole in TEXTS else whole.rpartition(".")[2]


def _stem(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + file[: -len(_extension(name)) - 1]


def tar_samples(files: Files) -> Iterator[Record]:
    """The samples of WebDataset: members of a tar with one name up to its first dot.

    A member that is neither media nor text is left out. Of samples of one key in one tar the last
    is read, the others are lost. At the end is what img2dataset did not get.
    """
    for folder, names in files.folders(repeated=True):
        samples: dict[str, Counter[str]] = {}
        for name in names:
            samples.setdefault(_key(name), Counter())[name] += 1
        tar = TAR.match(f"{folder}/")
        split, start = (split_word(f"{tar[1]}.txt"), tar.end()) if tar else ("", 0)
        for key, members in samples.items():
            yield from _overwritten(key, members, split)
            record = Record(key, {"__key__": key[start:]}, split)
            try:
                for name in members:
                    record.values |= _member(files, name, record.values)
            except Dropped as drop:
                record.dropped = drop.outcome, drop.detail
            yield record
    if files.root.is_dir():
        beside = (p for end in ("json", "parquet") for p in files.root.rglob(f"*.{end}"))
        names = [path.relative_to(files.root).as_posix() for path in beside]
        yield from _not_downloaded(files, _lists_of_downloads(names))


def _overwritten(key: str, members: Counter[str], split: str) -> Iterator[Record]:
    """The earlier samples of a key that a tar has several times: unpacking leaves the last."""
    name, times = members.most_common(1)[0]
    for number in range(1, times):
        why = f"{name} is there {times} times, and the last is read"
        dropped = (Outcome.DUPLICATE_ID, why)
        yield Record(f"{key} {number} of {times}", {}, split, dropped=dropped)


def _member(files: Files, name: str, values: JsonObject) -> JsonObject:
    kind, extension = kind_of(name), name.rpartition("/")[2].partition(".")[2].lower()
    *more, last = extension.split(".")
    if kind is None and last not in MEMBERS:
        return {}
    if more or kind in values:
        value = name if kind else _value(files, name)
        return {extension.replace(".", "_"): value}
    return {kind: name} if kind else texts(files, name)


def _key(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]
