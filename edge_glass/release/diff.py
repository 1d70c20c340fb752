"""What changed between two builds: rows added and removed, columns changed, reasons that moved."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from edge_glass.core import finished, ledger, manifest, parquet, plots
from edge_glass.core.errors import DataError
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Manifest
from edge_glass.core.row import JsonObject
from edge_glass.core.visible import Result, Summary

BUCKET = 50_000  # rows that are compared at a time
BUCKETS = 200  # files that are open at a time
SHOWN = 100  # ids of each kind of difference
ABSENT = "absent"

Record = tuple[str, JsonObject]  # split and id, what is compared


@dataclass(repr=False)
class Difference(Result):
    """One config in two builds.

    Kinds of difference are `added`, `removed`, `changed COLUMN`, `REASON -> REASON` (of rows in the
    ledger), `ledger COLUMN`, and `order`: where all rows are there, those in another place.
    """

    config: str
    identical: bool = False  # all bytes of data
    rows: dict[str, int] = field(default_factory=dict)  # how many, by kind
    ids: dict[str, list[str]] = field(default_factory=dict)  # by kind, the first hundred
    inputs: dict[str, list[Any]] = field(default_factory=dict)  # name -> old and new value
    outcomes: dict[str, list[int]] = field(default_factory=dict)  # how many rows, old and new

    def _summary(self) -> Summary:
        title = f"{self.config}: {'identical' if self.identical else 'not the same'}"
        return Summary(title, ("difference", "rows"), self.rows.items())

    def note(self, kind: str, key: str) -> None:
        """One more row of this kind."""
        self.rows[kind] = self.rows.get(kind, 0) + 1
        if self.rows[kind] <= SHOWN:
            self.ids.setdefault(kind, []).append(key.split("\0")[1])


def diff(old: Path, new: Path) -> Iterator[Difference]:
    """Compare every config of both builds. Raises DataError if one is in one of them alone."""
    before, after = folders(old, new)
    if alone := sorted(before.keys() ^ after.keys()):
        raise DataError(
            f"{old} and {new} do not both have {', '.join(alone)}: "
            f"to compare one config alone, give {old}/CONFIG and {new}/CONFIG"
        )
    for config, folder in before.items():
        yield compare(config, folder, after[config])


def folders(old: Path, new: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Config -> folder of two places; an only config of each is the same, whatever it is called."""
    before, after = manifest.built(old), manifest.built(new)
    if len(before) == len(after) == 1:
        after = dict(zip(before, after.values(), strict=True))
    return before, after


def compare(config: str, old: Path, new: Path) -> Difference:
    """One config as it lies in two folders.

    Raises EdgeGlassError if a file of either is not what its manifest says.
    """
    before, after = manifest.read(old), manifest.read(new)
    finished.check(old, before.files())
    finished.check(new, after.files())
    data = [(build.splits, build.ledger, build.features) for build in (before, after)]
    identical = data[0] == data[1]
    difference = Difference(config, identical, inputs=_changed(_inputs(before), _inputs(after)))
    if identical:
        return difference
    difference.outcomes = _counted(before, after)
    buckets = min(max(before.ledger.rows, after.ledger.rows) // BUCKET + 1, BUCKETS)
    same = set(before.digests()) & set(after.digests())
    with tempfile.TemporaryDirectory() as temp:
        for compared, rows_of in ((_compare_rows, _rows), (_compare_outcomes, _outcomes)):
            sides = [
                _spilled(Path(temp, f"{number}{rows_of.__name__}"), buckets, rows_of(*side, same))
                for number, side in enumerate([(old, before), (new, after)])
            ]
            for left, right in zip(*sides, strict=True):
                compared(difference, left, right)
    if not {"added", "removed"} & set(difference.rows):
        unmoved = set(_places(before)) & set(_places(after))
        ids = _ids(old, before, unmoved), _ids(new, after, unmoved)
        for here, there in zip(*ids, strict=False):
            if here != there:
                difference.note("order", there)
    return difference


def _places(build: Manifest) -> Iterator[tuple[str, int, str]]:
    """Split, number of the first row and digest of each shard, in order."""
    for split, facts in build.splits.items():
        starts = accumulate((shard.rows for shard in facts.shards), initial=0)
        for start, shard in zip(starts, facts.shards, strict=False):
            yield split, start, shard.sha256


def _ids(folder: Path, build: Manifest, unmoved: set[tuple[str, int, str]]) -> Iterator[str]:
    """Split and id of each row, in order; without the rows of shards that are `unmoved`."""
    files = (shard.file for shard in build.shards())
    for place, file in zip(_places(build), files, strict=True):
        if place not in unmoved:
            for row in parquet.rows(folder / file, ["id"]):
                yield f"{place[0]}\0{row['id']}"


def _inputs(build: Manifest) -> JsonObject:
    """What went into a build, and what made it, by name."""
    flat: JsonObject = {key: getattr(build, key) for key in ("version", "limit", "builder")}
    for group in ("parameters", "features", "made_with"):
        flat |= {f"{group}.{name}": value for name, value in getattr(build, group).items()}
    named = {f"sources.{s.file}": s.sha256 or s.content or s.folder for s in build.sources}
    return flat | named


def _changed(before: JsonObject, after: JsonObject) -> dict[str, list[Any]]:
    pairs = {name: [before.get(name), after.get(name)] for name in before | after}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _counted(before: Manifest, after: Manifest) -> dict[str, list[int]]:
    """Outcomes with the rows that had them in each build; kept ones first, then the most."""
    old, new = before.outcomes(), after.outcomes()
    names = sorted(old | new, key=lambda name: (name != Outcome.KEPT, -new[name], name))
    return {name: [old[name], new[name]] for name in names}


def _rows(folder: Path, build: Manifest, same: set[str]) -> Iterator[Record]:
    """All rows of shards that are not among the `same`, their values as digests."""
    for split, shard in build.shards_by_split():
        if shard.sha256 not in same:
            for row in parquet.rows(folder / shard.file):
                yield f"{split}\0{row['id']}", {k: _digest(v) for k, v in row.items()}


def _outcomes(folder: Path, build: Manifest, same: set[str]) -> Iterator[Record]:
    # the rows themselves are compared, not their digests
    others = {"split", "id", "text_digests", "media_digests"}
    for row in ledger.read(folder / ledger.FILE):
        said = {name: value for name, value in row.items() if name not in others}
        yield f"{row['split']}\0{row['id']}", said


def _compare_rows(difference: Difference, old: JsonObject, new: JsonObject) -> None:
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            difference.note("removed", key)
        elif key not in old:
            difference.note("added", key)
        else:
            for column in _changed(old[key], new[key]):
                difference.note(f"changed {column}", key)


def _compare_outcomes(difference: Difference, old: JsonObject, new: JsonObject) -> None:
    absent = {"outcome": ABSENT}
    for key in sorted(old.keys() | new.keys()):
        changed = _changed(old.get(key, absent), new.get(key, absent))
        if outcomes := changed.get("outcome"):
            if set(outcomes) != {ABSENT, Outcome.KEPT}:  # those are added or removed
                difference.note(" -> ".join(outcomes), key)
        else:
            for column in changed:
                difference.note(f"ledger {column}", key)


def _spilled(folder: Path, count: int, records: Iterator[Record]) -> Iterator[JsonObject]:
    """Records in buckets that each fit in memory; on disk once the first one is asked for."""
    folder.mkdir()
    paths = [folder / str(number) for number in range(count)]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("w", encoding="utf-8")) for path in paths]
        for key, value in records:
            number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % count
            files[number].write(json.dumps([key, value]) + "\n")
    for path in paths:
        bucket: JsonObject = {}
        with path.open(encoding="utf-8") as file:
            for line in file:
                key, value = json.loads(line)
                while key in bucket:  # a second row of the same id
                    key += "\0"
                bucket[key] = value
        yield bucket


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode(errors="surrogatepass")).hexdigest()[:16]


def plot(differences: list[Difference], path: Path) -> None:
    """Write an SVG with a pair of bars, old and new, for each outcome of each config."""
    charts = []
    for one in differences:
        bars = []
        for name, (before, after) in one.outcomes.items():
            bars += [(f"{name}, old", before, 0), (f"{name}, new", after, 0)]
        charts.append(plots.bars(f"{one.config}: old and new", bars))
    plots.write_svg(path, charts)
