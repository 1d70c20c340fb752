"""Re-read everything that was built, and list all that is not as promised."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_glass.audit import clip_checks
from edge_glass.audit.cross_split import Sound, across_splits
from edge_glass.audit.published_counts import differences
from edge_glass.core import finished, interrupts, ledger, manifest, parquet
from edge_glass.core.key_digests import Keys
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.manifest import File, Manifest
from edge_glass.core.progress import Progress, Silent
from edge_glass.corpora import catalog
from edge_glass.media import audio, images

SLACK = 0.05  # seconds between the `duration` column and what decodes
REPEATED = 1000  # ids that are reported as repeated, if there are more of them
HOURS_SLACK = 0.1  # hours are published to a tenth


@dataclass(frozen=True)
class Finding:
    """Something not as promised; a note is upstream's doing and no fault of the build."""

    kind: Literal["error", "note"]
    config: str
    where: str  # file or row
    what: str


def verify(out: Path, progress: Progress | None = None) -> Iterator[Finding]:
    """Findings over every config built under `out`, as they are made.

    `out` may lie behind a URL (`places.at`): it is read as it is needed, never kept on disk.
    """
    built = manifest.built(out)
    for config, folder in built.items():
        made = manifest.read(folder)
        yield from (checked := _Config(config, folder, made, progress or Silent())).findings()
        if checked.faults:
            finished.suspect(folder)
    for orphan in sorted(
        {path.parent for path in out.glob("*/*-of-*.parquet")} - {*built.values()}
    ):
        what = f"shards without a {manifest.FILE}: build again, or delete the folder"
        yield Finding("error", orphan.name, orphan.name, what)


class _Config:
    def __init__(self, name: str, folder: Path, made: Manifest, progress: Progress) -> None:
        self._name, self._folder, self._made, self._progress = name, folder, made, progress
        self._done = self.faults = 0
        self._unreadable: set[str] = set()  # files that are not what the manifest says
        self._told: set[str] = set()  # rows whose sound stands in another split

    def findings(self) -> Iterator[Finding]:
        yield from self._files()
        yield from self._rows()
        if ledger.FILE not in self._unreadable:
            yield from self._ledger()
            yield from self._same_files()
            yield from self._expected()

    def _error(self, where: str, what: str) -> Finding:
        self.faults += 1
        return Finding("error", self._name, where, what)

    # Files against the manifest

    def _files(self) -> Iterator[Finding]:
        promised = self._made.files()
        present = {path.name for path in self._folder.iterdir()}
        for extra in sorted(present - {file.file for file in promised} - {manifest.FILE}):
            yield self._error(extra, "is in the folder but not in the manifest: delete it")
        for file in promised:
            if what := self._fault_of(file):
                self._unreadable.add(file.file)
                yield self._error(file.file, f"{what}: build again")

    def _fault_of(self, file: File) -> str | None:
        path = self._folder / file.file
        if not path.is_file():
            return "is missing"
        if (found := _sha256(path)) != file.sha256:
            return f"sha256 is {found}, the manifest says {file.sha256}"
        with parquet.opened(path) as opened:
            rows, columns = opened.metadata.num_rows, opened.schema_arrow.names
        if rows != file.rows:
            return f"has {rows} rows, the manifest says {file.rows}"
        wanted = list(self._made.features)
        if file.file != ledger.FILE and columns != wanted:
            return f"has the columns {', '.join(columns)}, the manifest says {', '.join(wanted)}"
        return None

    # Rows

    def _rows(self) -> Iterator[Finding]:
        with (
            tempfile.TemporaryDirectory() as temp,
            Keys(Path(temp) / "ids") as ids,
            Keys(Path(temp) / "sounds") as sounds,
            interrupts.guarded(),
        ):
            with self._progress.rows(
                f"verify {self._name}", self._made.rows, lambda: (self._done, self.faults)
            ):
                before = ("", "")
                for split, shard, example in self._examples():
                    ids.add(example["id"])
                    self._done += 1
                    sound = Sound()
                    with interrupts.held:
                        faults = list(self._faults(example, sound))
                    for what in faults:
                        yield self._error(f"{shard}: {split} {example['id']}", what)
                    key = (split, sound.digest() if sound.heard else "")
                    # the captions of a clip follow each other, a row each: it counts once
                    sounds.add(key[1] if key[1] and key != before else f"row {self._done}")
                    before = key
            yield from self._repeated(list(islice(ids.groups(), REPEATED)))
            for id, others in across_splits(sounds, self._ids):
                self._told.add(id)
                what = f"another split has the same sound, sample for sample: {', '.join(others)}"
                yield Finding("note", self._name, id, what)

    def _ids(self) -> Iterator[tuple[str, str]]:
        for split, _, example in self._examples(["id"]):
            yield split, example["id"]

    def _examples(self, columns: list[str] | None = None) -> Iterator[tuple[str, str, Any]]:
        for split, facts in self._made.splits.items():
            for shard in facts.shards:
                if shard.file in self._unreadable:
                    continue
                for example in parquet.rows(self._folder / shard.file, columns):
                    yield split, shard.file, example

    def _faults(self, example: dict[str, Any], sound: Sound) -> Iterator[str]:
        # the duration of a clip is that of its picture, and some have no sound
        duration = None if "fps" in example else example.get("duration")
        silent = (
            example.get("audio") is None and self._made.parameters.get("require_audio") is False
        )
        yield from clip_checks.faults(self._made.features, example)
        for name, feature in self._made.features.items():
            value = example[name]
            if isinstance(feature, dict) and feature.get("_type") == "Audio" and not silent:
                yield from self._audio_faults(value, duration, sound)
            if isinstance(feature, dict) and feature.get("_type") == "Image":
                yield from self._image_faults(value, example)
            if isinstance(feature, dict) and _of_images(feature):
                for image in value:
                    yield from self._image_faults(image, {})
            if name in ("caption", "captions", "text"):
                texts = value if isinstance(value, list) else [value]
                if not texts or not all(text and text.strip() for text in texts):
                    yield f"{name} is blank"
        if rate := example.get("sampling_rate"):  # a waveform
            sound.hear(np.array(example["audio"], dtype=np.float32))
            yield from self._rate_fault(rate)
            yield from self._duration_fault(len(example["audio"]) / rate, duration)

    def _audio_faults(
        self, value: dict[str, Any] | None, duration: float | None, sound: Sound
    ) -> Iterator[str]:
        try:
            found = audio.check((value or {}).get("bytes") or b"", sound.hear)
        except Dropped as drop:
            yield f"audio does not decode: {drop.outcome} {drop.detail}"
            return
        yield from self._rate_fault(found.rate)
        channels = self._made.parameters.get("channels")
        if channels and found.channels != channels:
            yield f"{found.channels} channels where the config promises {channels}"
        yield from self._duration_fault(found.seconds, duration)

    def _image_faults(self, value: dict[str, Any] | None, row: dict[str, Any]) -> Iterator[str]:
        try:
            found = images.check((value or {}).get("bytes") or b"")
        except Dropped as drop:
            yield f"image does not decode: {drop.outcome} {drop.detail}"
            return
        promised = row.get("width", found.width), row.get("height", found.height)
        if promised != (found.width, found.height):
            yield f"{found.width}x{found.height} pixels where the columns say {promised}"

    def _rate_fault(self, rate: int) -> Iterator[str]:
        promised = self._made.parameters.get("sample_rate")
        if promised and rate != promised:
            yield f"{rate} Hz where the config promises {promised}"

    def _duration_fault(self, seconds: float, promised: float | None) -> Iterator[str]:
        if promised is not None and abs(seconds - promised) > SLACK:
            yield f"audio of {seconds:.3f} s where the column duration says {promised:.3f}"

    def _repeated(self, groups: list[list[int]]) -> Iterator[Finding]:
        owners = {position: group[0] for group in groups for position in group}
        found: dict[int, list[str]] = {}
        names = {}
        for position, (split, shard, example) in enumerate(
            self._examples(["id"]) if owners else ()
        ):
            if position in owners:
                found.setdefault(owners[position], []).append(f"{split} in {shard}")
                names[owners[position]] = example["id"]
        for first, places in found.items():
            what = f"the id stands {len(places)} times: {'; '.join(places)}"
            yield self._error(names[first], what)

    # The ledger

    def _ledger(self) -> Iterator[Finding]:
        counts = ledger.count(self._folder / ledger.FILE)
        for split in sorted(counts.keys() | self._made.splits.keys()):
            facts = self._made.splits.get(split)
            promised, rows = (facts.outcomes, facts.rows) if facts else ({}, 0)
            if (found := counts.get(split, {})) != promised:
                what = f"{split} has {found}, the manifest says {promised}"
                yield self._error(ledger.FILE, what)
            kept = found.get(Outcome.KEPT, 0)
            if rows < kept or (rows > kept and not self._made.each_example):
                yield self._error(ledger.FILE, f"{split}: {kept} rows kept, {rows} rows published")

    def _kept(self) -> Iterator[dict[str, Any]]:
        for row in ledger.with_outcome(self._folder / ledger.FILE, Outcome.KEPT):
            if row["sha256"]:
                yield row

    def _same_files(self) -> Iterator[Finding]:
        """Rows of different splits whose media are the same at upstream, byte for byte."""
        with tempfile.TemporaryDirectory() as temp, Keys(Path(temp) / "media") as keys:
            for row in self._kept():
                keys.add(row["sha256"])
            names = ((row["split"], row["id"]) for row in self._kept())
            for id, others in across_splits(keys, lambda: names):
                if id in self._told:
                    continue
                what = f"upstream has the same bytes in another split: {', '.join(others)}"
                yield Finding("note", self._name, id, what)

    # What upstream is known to hold

    def _expected(self) -> Iterator[Finding]:
        if self._made.parameters.get("bundled"):
            return
        if self._made.corpus not in catalog.corpora():
            return  # somebody else's, and not installed here
        counts: dict[str, Counter[str]] = {}  # rows by split and source
        for row in ledger.read(self._folder / ledger.FILE, ["split", "source"]):
            counts.setdefault(row["split"], Counter())[row["source"]] += 1
        rows = sum(counts.values(), Counter[str]())
        sources = catalog.corpus(self._made.corpus).spec().sources
        for used in self._made.sources:
            name = used.file
            expected = sources[name].rows if name in sources else None
            if expected is not None and rows[name] != expected:
                what = f"{rows[name]} rows, upstream publishes {expected}"
                yield self._unlike_upstream([name], name, what)
        published = self._made.rows
        expected = catalog.corpus(self._made.corpus).spec().expected.published.get(self._name)
        if expected not in (None, published) and self._made.limit is None:
            what = f"{published} rows, a full build is known to have {expected}"
            yield self._unlike_upstream(self._all_sources(), self._name, what)
        for split, found in counts.items() if self._everything() else ():
            hours = [sources[name].hours for name in found if name in sources]
            seconds = self._made.splits[split].figures.seconds or 0
            expected_hours = sum(filter(None, hours))
            if expected_hours and abs(seconds / 3600 - expected_hours) > HOURS_SLACK:
                what = f"{seconds / 3600:.1f} hours, upstream publishes {expected_hours:.1f}"
                yield self._unlike_upstream(list(found), split, what)

        if self._everything() and self._made.parameters.get("splits") is None:
            known = catalog.corpus(self._made.corpus).spec().expected
            for where, what in differences(self._folder, self._made, known, self._unreadable):
                yield self._unlike_upstream(self._all_sources(), where, what)

    def _everything(self) -> bool:
        """Whether nothing was left out on purpose, and each row was written once."""
        chosen = self._made.parameters.get("subset") is None and self._made.limit is None
        return chosen and self._made.parameters.get("caption_mode") != "each"

    def _all_sources(self) -> list[str]:
        return [source.file for source in self._made.sources]

    def _unlike_upstream(self, names: list[str], where: str, what: str) -> Finding:
        published = {used.file: used.as_published for used in self._made.sources}
        if all(published.get(name) for name in names):
            return self._error(where, what)
        return Finding("note", self._name, where, what)


def _of_images(feature: dict[str, Any]) -> bool:
    """Whether a column is a list of images, as the slides of a deck are written."""
    inner = feature.get("feature")
    return isinstance(inner, dict) and inner.get("_type") == "Image"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
