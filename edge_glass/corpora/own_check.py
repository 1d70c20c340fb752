"""What a YAML says of its records, held against them; and what is no data to be read."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from edge_glass.core import ledger, manifest
from edge_glass.core.errors import ConfigError, SourceError, absent
from edge_glass.core.ledger import Dropped
from edge_glass.core.progress import Progress
from edge_glass.core.spec import CONSTANT, Column, Spec
from edge_glass.core.units import SLACK
from edge_glass.corpora.layouts import values
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.registry import scan
from edge_glass.corpora.layouts.split_lists import Lists
from edge_glass.corpora.own_columns import stop
from edge_glass.corpora.own_files import FOLDER, SPAN
from edge_glass.sources.folder import Folder

HERE = ("file", "bytes")
TRIED, SMALL = 20, 2**25  # recordings whose length is looked at, and bytes of one at most
LFS, POINTER = b"version https://git-lfs.github.com/spec/", 1024  # and its bytes at most
MOST = 1000  # words that records say of splits, to tell them


def whole(
    name: str, layout: str, every: Iterable[Record], most: int, roles: dict[str, str]
) -> list[Record]:
    """The first records that are whole. Raises ConfigError if there is none to read."""
    lost, records = "", list[Record]()
    for record in every:
        if record.dropped is None:
            records.append(record)
        else:
            lost = lost or f"{record.where} is {': '.join(record.dropped)}"
        if len(records) == most:
            break
    if not records:
        why = lost or "there is none at all"
        raise ConfigError(f"{name}: no whole record of layout {layout}: {why}")
    failed = [r for r in records if str(r.values.get("status")).startswith("failed_to_")]
    if len(failed) == len(records) and roles.get("url") is None:
        what = f"img2dataset got none of the first {len(failed)} files"
        raise stop(
            name, f"{what} ({failed[0].values.get('error_message')})",
            "--url url  (they are fetched here)", "--column url=text  (no files)",
        )  # fmt: skip
    return records


def misfits(spec: Spec, every: Iterable[Files], empty: list[str]) -> list[str]:
    """Keys of a YAML that no record has, and splits that none is of.

    `empty` are the splits without a row.
    """
    missing, known, words = _keys(spec), dict[str, None](), set[str]()
    empty = empty if spec.splits.by not in ("all", "share") else []
    for each in (each for files in every for each in scan(str(spec.layout), files)):
        known |= dict.fromkeys(each.values)
        missing = {key for key in missing if not {key, key.partition(".")[0]} & known.keys()}
        if not (missing or empty):
            return []
        if empty and len(words) < MOST:
            records = (each,) if isinstance(each, Record) else each.records()
            words.update(values.said_of_split(spec.splits, record) for record in records)
    there = sorted(filter(None, words)) or ["none"]
    keys = [f"{spec.title}: {absent('key', key, known)}" for key in sorted(missing) if known]
    splits = [f"{spec.title}: {absent('record of split', s, there)}" for s in empty if words]
    return keys + splits


def beside_lists(spec: Spec, listing: list[Files]) -> dict[str, str]:
    """Names in lists of splits that no record has, and how many records no list names.

    Nothing where splits are not by lists. Raises ConfigError if a record is in lists of two.
    """
    rule = spec.splits
    if rule.by != "list":
        return {}
    lists, nowhere, lost = Lists(rule, listing), 0, dict[str, str]()
    for each in (each for files in listing for each in scan(str(spec.layout), files)):
        for record in (each,) if isinstance(each, Record) else each.records():
            nowhere += lists.split_of(values.said_of_split(rule, record)) is None
    for name, count, some in lists.unmatched():
        more = ", …" if count > len(some) else ""
        lost[name] = f"{count:,} of its names match no record: {', '.join(some)}{more}"
    return lost | ({f"{nowhere:,} records": "no list names them"} if nowhere else {})


def tell_lists(spec: Spec, listing: list[Files], progress: Progress) -> None:
    """Say which names in lists of splits no record has, and how many records no list names."""
    for name, why in beside_lists(spec, listing).items():
        progress.say(f"{spec.title}: {name}: {why}")


def must_reach(name: str, files: Files, columns: dict[str, Column], sample: list[Record]) -> None:
    """Raise ConfigError if files are clips already, of recordings that start and end are of.

    Looked at are the first small files: whether they end before what is to be cut out of them.
    """
    keys = {column.role: str(column.key) for column in columns.values() if column.role in SPAN}
    places = [c.key for c in columns.values() if c.role == "audio" and c.stored_as in HERE]
    lengths = dict[tuple[str, str], float | None]()
    short, tried = list[str](), 0
    for record in sample if places and "start" in keys and len(keys) > 1 else ():
        times = {role: values.at(key, record.values) for role, key in keys.items()}
        with suppress(TypeError, ValueError):
            start = float(times["start"])
            end = float(times["end"]) if "end" in times else start + float(times["length"])
            file = str(values.at(places[0], record.values))
            if (file, record.base) not in lengths:  # many records are of one recording
                lengths[file, record.base] = _seconds(files, file, record)
            seconds = lengths[file, record.base]
            tried += seconds is not None
            if seconds is not None and end > seconds + SLACK:
                short.append(f"{record.where} says {start:g} to {end:g} s of {seconds:.3g} s")
        if tried == TRIED:
            break
    if 2 * len(short) > tried:
        key = keys["start"]
        raise stop(
            name, f"{' and '.join(keys.values())} reach beyond their recordings ({short[0]})",
            f"--column {key}=number  (the files are clips already, and stay whole)",
            f"--column {key}=start  (recordings are cut; those that are too short are lost)",
        )  # fmt: skip


def _seconds(files: Files, file: str, record: Record) -> float | None:
    """How long a file of a record is; None of one that is large, or not to be read."""
    name = os.path.normpath(Path(record.base, file))
    with suppress(OSError, Dropped):
        if (size := files.raw.size(files.source, name)) is not None:
            return _length(files.raw.read(files.source, name)) if size < SMALL else None
        beside = files.root.parent if files.root.is_file() and not files.archived else files.root
        path = beside / name
        return _length(path.read_bytes()) if path.stat().st_size < SMALL else None
    return None


def _length(data: bytes) -> float:
    from edge_glass.media.sound_file import Sound

    return Sound.of(data).info.seconds


def _keys(spec: Spec) -> set[str]:
    """What columns and splits are read from, by what a record calls it."""
    keys = set[str]()
    for key in (spec.splits.key, *(column.key for column in spec.columns.values())):
        for each in key if isinstance(key, list) else [key or FOLDER]:
            if not each.startswith(CONSTANT):
                places = values.PLACE.findall(each) or [each]
                keys.update(place.partition("%")[0] for place in places)
    return keys - {FOLDER}


def not_built(path: Path) -> None:
    """Raise ConfigError if this is the folder of a build, whose ledger would be read as data."""
    if all((path / file).is_file() for file in (manifest.FILE, ledger.FILE)):
        raise ConfigError(
            f"{path}: is already a build: `push` publishes it, `build --where` takes rows of it. "
            "To read them as data, copy its shards alone into a folder of their own."
        )


def must_be_pulled(place: Path) -> None:
    """Raise SourceError if a file of a clone is what Git LFS keeps in its place."""
    root = place if place.is_dir() else place.parent
    rules = (path for each in (root, *root.parents) if (path := each / ".gitattributes").is_file())
    if not any(b"filter=lfs" in path.read_bytes() for path in rules):
        return
    for path in (root / n for n in Folder(root).names()) if root == place else (place,):
        if path.is_file() and path.stat().st_size < POINTER and path.read_bytes().startswith(LFS):
            raise SourceError(
                f"{path}: a pointer of Git LFS, not the file itself: run `git lfs pull` in {root}, "
                "or remove the pointers that you do not want"
            )
