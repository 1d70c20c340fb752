"""Rows as builders make them: out of file names, and those that are dropped before any is read."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import Row
from edge_glass.sources.fields import Malformed
from edge_glass.sources.raw import Raw, spelled


def section_of(name: str) -> dict[str, Any] | None:
    """What an id of the kind `<video id>_<start>_<end>` says (times in seconds); None for others.

    A video id may hold `_` itself.
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
    record: dict[str, Any],
    make: Callable[[dict[str, Any]], Row],
) -> Row:
    """The row that `make` makes of a record.

    A dropped one if the record is `Malformed`, or `make` raises Dropped. `where`: the number of its
    line, or what else names it in its source, which the row has as its `row` if it has none.
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
    make: Callable[[dict[str, Any]], Row],
) -> Iterator[Row]:
    """The rows that `make` makes of the named groups of lines; those that do not fit are malformed.

    `lines` are numbered, as `raw.lines` gives them; empty ones are none.
    """
    for number, line in lines:
        match = pattern.fullmatch(line)
        if line.strip():
            said = match.groupdict() if match else Malformed(f"not as expected: {line:.80}")
            yield parsed(split, source, number, said, make)


def matched(
    rows: Iterable[Row],
    archive: str,
    names: Iterable[str],
    split: str = "",
    split_of: Callable[[str], str] = lambda name: "",
) -> Iterator[Row]:
    """The rows of a few media files (a folder's), in the order of these files, `names`.

    A file that no row has as its media is a row of its own, dropped; rows without a file come last.
    Where an archive has the files of several splits, `split_of` says the split of a file, and those
    that are not of `split` are passed over.
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
    """Rows for the files of an archive or folder that no record names, in any spelling.

    Where several splits read it one of them asks, with all that any of them claims.
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
    """Rows, left out, for the stems of files in a folder of an archive that no list of it names."""
    names = map(PurePosixPath, raw.names(archive))
    stems = {n.stem for n in names if n.parent.name == folder and n.suffix in suffixes}
    for stem in sorted(stems - listed):
        dropped = (Outcome.NOT_IN_CONFIG, "no split lists it")
        yield Row(stem, archive, f"{folder}/{stem}", dropped=dropped)
