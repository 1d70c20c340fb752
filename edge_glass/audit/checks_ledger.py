"""Checks of the ledger against the shards, and of the manifest's counts against both."""

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from edge_glass.audit.checked_build import MOST, CheckedBuild, Finding, repeated
from edge_glass.core import ledger, parquet
from edge_glass.core.key_digests import KeySet
from edge_glass.core.ledger import Outcome
from edge_glass.core.units import ROUNDED


def repeated_id(build: CheckedBuild) -> Iterator[Finding]:
    """An id stands more than once in the shards."""
    for rows in repeated(islice(build.ids.groups(), MOST), build.examples(["id"])):
        places = "; ".join(f"{split} in {shard}" for split, shard, _ in rows)
        id = str(rows[0][2]["id"])
        yield build.error(id, f"the id stands {len(rows)} times: {places}")


def moved_row(build: CheckedBuild) -> Iterator[Finding]:
    """A row stands in another place than the ledger has it."""
    kept = {_source_id(id): split for split, id, shard in build.unpaired if not shard}
    for split, id, shard in build.unpaired:
        if shard and (there := kept.get(_source_id(id))):
            yield build.error(f"{shard}: {split} {id}", f"its place is another one of {there}")


def unpaired_row(build: CheckedBuild) -> Iterator[Finding]:
    """A row of a shard is not among the kept ones of the ledger, or the other way round."""
    here = {_source_id(id) for _, id, shard in build.unpaired if shard}
    kept = {_source_id(id) for _, id, shard in build.unpaired if not shard}
    for split, id, shard in build.unpaired:
        if shard and _source_id(id) not in kept:
            yield build.error(f"{shard}: {split} {id}", "the ledger has no such row that is kept")
        elif not shard and _source_id(id) not in here:
            yield build.error(f"{ledger.FILE}: {split} {id}", "is kept, and in no shard")
    if len(build.unpaired) == MOST:
        yield build.error(ledger.FILE, f"{MOST} rows and more do not stand beside the shards'")


def _source_id(id: str) -> str:
    """The id of a source row, out of that of an example of several."""
    stem, mark, number = id.rpartition("#")
    return stem if mark and number.isdecimal() else id


def missing_examples(build: CheckedBuild) -> Iterator[Finding]:
    """A source row has fewer examples in the shards than the ledger has digests of."""
    for where, what in build.incomplete:
        yield build.error(where, what)


def other_outcomes(build: CheckedBuild) -> Iterator[Finding]:
    """The manifest's outcomes of a split are not those of the ledger."""
    yield from _differing(build, "outcomes")


def _differing(build: CheckedBuild, name: str) -> Iterator[Finding]:
    for split in sorted(build.splits.keys() | build.manifest.splits.keys()):
        counts = dict(sorted(getattr(build.splits[split], name).items()))
        facts = build.manifest.splits.get(split)
        promised = getattr(facts, name) if facts else {}
        if counts != promised and ledger.FILE not in build.damaged:
            what = f"{split} has {counts}, the manifest says {promised}"
            yield build.error(ledger.FILE, what)


def other_kept(build: CheckedBuild) -> Iterator[Finding]:
    """A split has fewer or more rows than the ledger keeps for it."""
    for split, facts in build.manifest.splits.items():
        kept = build.splits[split].outcomes[Outcome.KEPT]
        differ = facts.rows < kept or (facts.rows > kept and not build.manifest.each_example)
        if differ and ledger.FILE not in build.damaged:
            what = f"{split}: {kept} rows kept, {facts.rows} rows published"
            yield build.error(ledger.FILE, what)


def other_plan(build: CheckedBuild) -> Iterator[Finding]:
    """The ledger has fewer or more rows of a split than were read of its sources."""
    for split, facts in build.manifest.splits.items():
        rows = build.splits[split].outcomes.total()
        if facts.planned not in (None, rows) and ledger.FILE not in build.damaged:
            what = f"{split}: {rows} rows, {facts.planned} were read of the sources"
            yield build.error(ledger.FILE, what)


def repeated_source_row(build: CheckedBuild) -> Iterator[Finding]:
    """A source row stands in the ledger more than once, in one split or in several."""
    every = ledger.read(build.folder / ledger.FILE, ["split", "source", "row"])
    for first, *others in repeated(islice(build.ledger_rows.groups(), MOST), every):
        for row in others:
            same = row["split"] == first["split"]
            there = "twice" if same else f"and in {first['split']}, too"
            where = f"{ledger.FILE}: {row['split']}"
            yield build.error(where, f"{row['row']} of {row['source']} stands there {there}")


def claimed_leftover(build: CheckedBuild) -> Iterator[Finding]:
    """A file that no record names, as the ledger has it, is the media of a row."""
    # a list that was appended may name what the one before it did not
    left_over = any(seen.outcomes[Outcome.MISSING_CAPTION] for seen in build.splits.values())
    if left_over and not build.manifest.appended:
        claimed: dict[str, str] = {}  # file -> split
        with tempfile.TemporaryDirectory() as temp:
            left = KeySet.of(Path(temp, "left"), (file for _, file in _files(build, left=True)))
            for split, file in _files(build, left=False):
                if len(claimed) < MOST and file in left:
                    claimed.setdefault(file, split)
        for split, file in _files(build, left=True) if claimed else ():
            if there := claimed.get(file):
                what = f"{file} is left over there, and the media of a row in {there}"
                yield build.error(f"{ledger.FILE}: {split}", what)


def _files(build: CheckedBuild, left: bool) -> Iterator[tuple[str, str]]:
    """Split and name of each file: those that are left over, or those of rows."""
    path = build.folder / ledger.FILE
    if "media" in parquet.schema(path).names:  # earlier releases did not write it
        for row in ledger.read(path, ["split", "source", "row", "outcome", "media"]):
            if left and row["outcome"] == Outcome.MISSING_CAPTION and not row["media"]:
                yield row["split"], f"{row['source']}/{row['row']}"
            elif not left:
                yield from ((row["split"], file) for file in row["media"] or ())


def other_warnings(build: CheckedBuild) -> Iterator[Finding]:
    """The manifest's warnings are not those that the ledger's details give."""
    yield from _differing(build, "warnings")


def other_seconds(build: CheckedBuild) -> Iterator[Finding]:
    """The manifest's seconds of a split are not the sum of its durations."""
    for split, facts in build.manifest.splits.items():
        seconds, promised = build.splits[split].seconds, facts.figures.seconds or 0
        if build.whole(split) and abs(seconds - promised) > ROUNDED:
            yield build.error(split, f"{seconds:.3f} s of sound, the manifest says {promised:.3f}")


def other_licences(build: CheckedBuild) -> Iterator[Finding]:
    """The manifest's licences of a split are not those of its rows."""
    for split, facts in build.manifest.splits.items():
        licences = dict(sorted(build.splits[split].licences.items()))
        if build.whole(split) and licences != facts.figures.licences:
            what = f"licences {licences}, the manifest says {facts.figures.licences}"
            yield build.error(split, what)
