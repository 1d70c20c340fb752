"""Rows as builders make them: out of file names, and those that are dropped before any is read."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import JsonObject, Row
from edge_glass.sources.fields import Malformed
from edge_glass.sources.folder import spelled
from edge_glass.sources.raw import Raw


def section_of(name: str) -> JsonObject | None:
    """What an id of the kind `<video id>_<start>_<end>` says; a video id may hold `_` itself.

    Args:
        name: the id.

    Returns:
        `id`, `start` and `end` (seconds) for a `fetch_request`; None for another kind of id.
    """
    try:
        video_id, *times = name.rsplit("_", 2)
        start, end = map(float, times)
    except ValueError:
        return None
    whole = bool(video_id) and 0 <= start < end < math.inf
    return {"video_id": video_id, "start": start, "end": end} if whole else None


def parsed(
    split: str,
    source: str,
    where: int | str,
    record: JsonObject,
    make: Callable[[JsonObject], Row],
) -> Row:
    """The row that a record is, a dropped one if it is `Malformed` or `make` raises Dropped.

    Args:
        split: that the row's id begins with, if it has none of its own.
        source: the name in the YAML of what has the record.
        where: the number of its line, or what else names it there.
        record: as a reader of `raw` gives it.
        make: gives the row; its `row` is `where` if it says nothing.

    Returns:
        A row.
    """
    where = f"line {where}" if isinstance(where, int) else where
    try:
        if isinstance(record, Malformed):
            raise Dropped(Outcome.MALFORMED_ROW, record.reason)
        row = make(record)
        row.row = row.row or where
        return row
    except Dropped as drop:
        id = f"{split}/{where}" if split else where
        return Row(id, source, where, dropped=(drop.outcome, drop.detail))


def of_lines(
    split: str,
    source: str,
    lines: Iterable[tuple[int, str]],
    pattern: re.Pattern[str],
    make: Callable[[JsonObject], Row],
    member: str = "",
) -> Iterator[Row]:
    """The rows of a text file, by a pattern; lines that do not fit are malformed, empty ones none.

    Args:
        split: as of `parsed`.
        source: the name of the file in the YAML.
        lines: with their numbers, as `raw.lines` gives them.
        pattern: of a whole line.
        make: makes a row of the pattern's named groups.
        member: the file's name, if the source is an archive or folder of several.

    Returns:
        A row for each line.
    """
    for number, line in lines:
        match = pattern.fullmatch(line)
        if line.strip():
            said = match.groupdict() if match else Malformed(f"not as expected: {line:.80}")
            yield parsed(split, source, f"{member} line {number}".lstrip(), said, make)


def matched(
    rows: Iterable[Row],
    archive: str,
    names: Iterable[str],
    split: str = "",
    split_of: Callable[[str], str] = lambda name: "",
) -> Iterator[Row]:
    """The rows of a few media files (a folder's), in the order of these files.

    A file that no row has as its media is a row of its own, dropped; rows without a file come last.

    Args:
        rows: those that records make.
        archive: the name in the YAML of what has the files.
        names: of the files, in their order.
        split: that files are taken of, where an archive has those of several.
        split_of: the split of a file; others are passed over.

    Returns:
        A row for each file, and those without.
    """
    waiting: dict[str | None, list[Row]] = {}
    files = [name for name in names if split_of(name) == split]
    there = set(files)
    for row in rows:
        file = row.media and spelled(row.media[1], there.__contains__)
        waiting.setdefault(file, []).append(row)
    detail = (Outcome.MISSING_CAPTION, "no record names this file")
    for name in files:
        if name in waiting:
            yield from waiting.pop(name)
        else:
            yield Row(PurePosixPath(name).stem, archive, name, dropped=detail)
    for left in waiting.values():
        yield from left


def unclaimed(split: str, archive: str, raw: Raw, claimed: set[str]) -> Iterator[Row]:
    """Rows, dropped, for the files of an archive or folder that no record names, in any spelling.

    Args:
        split: the one that asks, where several read it.
        archive: its name in the YAML.
        raw: the sources.
        claimed: files that records of any split name.

    Returns:
        A row for each other file.
    """
    claimed = claimed.copy()
    for name in [name for name in claimed if not name.isascii()]:
        with suppress(Dropped):  # a name that would leave the folder is dropped with its own row
            claimed.add(raw.spelled(archive, name))
    for name in raw.names(archive):
        if name not in claimed:
            detail = "no record names this file"
            yield Row(f"{split}/{name}", archive, name, dropped=(Outcome.MISSING_CAPTION, detail))


def unlisted(
    raw: Raw, archive: str, folder: str, suffixes: tuple[str, ...], listed: set[str]
) -> Iterator[Row]:
    """Rows, left out, for files in a folder of an archive that no list of it names.

    Args:
        raw: the sources.
        archive: its name in the YAML.
        folder: inside it.
        suffixes: of the files that rows are made of.
        listed: stems that some list has.

    Returns:
        A row for each other stem.
    """
    names = map(PurePosixPath, raw.names(archive))
    stems = {n.stem for n in names if n.parent.name == folder and n.suffix in suffixes}
    for stem in sorted(stems - listed):
        dropped = (Outcome.NOT_IN_CONFIG, "no split lists it")
        yield Row(stem, archive, f"{folder}/{stem}", dropped=dropped)
