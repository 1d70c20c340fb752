"""Re-read everything that was built, and list all that is not as promised."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from edge_glass import catalog, ledger, manifest
from edge_glass.audit import clips
from edge_glass.keys import Keys
from edge_glass.ledger import Dropped, Outcome
from edge_glass.manifest import Manifest
from edge_glass.media import audio
from edge_glass.progress import Progress, Silent

SLACK = 0.05  # seconds between the `duration` column and what decodes
HOURS_SLACK = 0.1  # hours are published to a tenth


@dataclass(frozen=True)
class Finding:
    """Something not as promised; a note is upstream's doing and no fault of the build."""

    kind: Literal["error", "note"]
    config: str
    where: str  # file or row
    what: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def verify(out: Path, progress: Progress | None = None) -> Iterator[Finding]:
    """Findings over every config built under `out`, as they are made."""
    for config, folder in manifest.built(out).items():
        made = manifest.read(folder)
        yield from _Config(config, folder, made, progress or Silent()).findings()


class _Config:
    def __init__(self, name: str, folder: Path, made: Manifest, progress: Progress) -> None:
        self._name, self._folder, self._made, self._progress = name, folder, made, progress
        self._done = self._bad = 0

    def findings(self) -> Iterator[Finding]:
        broken = list(self._files())
        yield from broken
        if not broken:
            yield from self._rows()
            yield from self._ledger()
            yield from self._expected()

    def _error(self, where: str, what: str) -> Finding:
        self._bad += 1
        return Finding("error", self._name, where, what)

    # Files against the manifest

    def _files(self) -> Iterator[Finding]:
        promised = [s for split in self._made["splits"].values() for s in split["shards"]]
        promised.append(self._made["ledger"])
        present = {path.name for path in self._folder.iterdir()}
        for extra in sorted(present - {file["file"] for file in promised} - {manifest.FILE}):
            yield self._error(extra, "is in the folder but not in the manifest: delete it")
        for file in promised:
            path = self._folder / file["file"]
            if not path.is_file():
                yield self._error(file["file"], "is missing: build again")
            elif (found := _sha256(path)) != file["sha256"]:
                yield self._error(
                    file["file"],
                    f"sha256 is {found}, the manifest says {file['sha256']}: build again",
                )

    # Rows

    def _rows(self) -> Iterator[Finding]:
        total = sum(split["rows"] for split in self._made["splits"].values())
        with tempfile.TemporaryDirectory() as temp, Keys(Path(temp) / "ids") as ids:
            with self._progress.rows(
                f"verify {self._name}", total, lambda: (self._done, self._bad)
            ):
                for split, shard, example in self._examples():
                    ids.add(example["id"])
                    self._done += 1
                    for what in self._faults(example):
                        yield self._error(f"{shard}: {split} {example['id']}", what)
            for group in ids.groups():
                yield from self._repeated(group)

    def _examples(self, columns: list[str] | None = None) -> Iterator[tuple[str, str, Any]]:
        for split, facts in self._made["splits"].items():
            for shard in facts["shards"]:
                with pq.ParquetFile(self._folder / shard["file"]) as file:
                    for group in range(file.num_row_groups):
                        for example in file.read_row_group(group, columns).to_pylist():
                            yield split, shard["file"], example

    def _faults(self, example: dict[str, Any]) -> Iterator[str]:
        # the duration of a clip is that of its picture, and some have no sound
        duration = None if "fps" in example else example.get("duration")
        silent = (
            example.get("audio") is None and self._made["parameters"].get("require_audio") is False
        )
        yield from clips.faults(self._made["features"], example)
        for name, feature in self._made["features"].items():
            value = example[name]
            if isinstance(feature, dict) and feature.get("_type") == "Audio" and not silent:
                yield from self._audio_faults(value, duration)
            if name in ("caption", "captions", "text"):
                texts = value if isinstance(value, list) else [value]
                if not texts or not all(text and text.strip() for text in texts):
                    yield f"{name} is blank"
        if rate := example.get("sampling_rate"):  # a waveform
            yield from self._rate_fault(rate)
            yield from self._duration_fault(len(example["audio"]) / rate, duration)

    def _audio_faults(self, value: dict[str, Any] | None, duration: float | None) -> Iterator[str]:
        try:
            found = audio.check((value or {}).get("bytes") or b"")
        except Dropped as drop:
            yield f"audio does not decode: {drop.outcome} {drop.detail}"
            return
        yield from self._rate_fault(found.rate)
        channels = self._made["parameters"].get("channels")
        if channels and found.channels != channels:
            yield f"{found.channels} channels where the config promises {channels}"
        yield from self._duration_fault(found.seconds, duration)

    def _rate_fault(self, rate: int) -> Iterator[str]:
        promised = self._made["parameters"].get("sample_rate")
        if promised and rate != promised:
            yield f"{rate} Hz where the config promises {promised}"

    def _duration_fault(self, seconds: float, promised: float | None) -> Iterator[str]:
        if promised is not None and abs(seconds - promised) > SLACK:
            yield f"audio of {seconds:.3f} s where the column duration says {promised:.3f}"

    def _repeated(self, positions: list[int]) -> Iterator[Finding]:
        wanted, found = set(positions), []
        for position, (split, shard, example) in enumerate(self._examples(["id"])):
            if position in wanted:
                found.append(f"{split} in {shard}")
                name = example["id"]
        yield self._error(name, f"the id stands {len(found)} times: {'; '.join(found)}")

    # The ledger

    def _ledger(self) -> Iterator[Finding]:
        path = self._folder / ledger.FILE
        counts = ledger.count(path)
        for split, facts in self._made["splits"].items():
            if counts.get(split, {}) != facts["outcomes"]:
                yield self._error(
                    ledger.FILE,
                    f"{split} has {counts.get(split)}, the manifest says {facts['outcomes']}",
                )
            yield from self._balance(split, facts)
        yield from self._shared_audio(path)

    def _balance(self, split: str, facts: dict[str, Any]) -> Iterator[Finding]:
        kept, rows = facts["outcomes"].get(Outcome.KEPT, 0), facts["rows"]
        each = self._made["parameters"].get("caption_mode") == "each"
        if rows != kept and not (each and rows >= kept):
            yield self._error(ledger.FILE, f"{split}: {kept} rows kept, {rows} rows published")

    def _shared_audio(self, path: Path) -> Iterator[Finding]:
        """Rows of different splits whose media are the same, byte for byte."""
        kept = (
            row for row in ledger.read(path) if row["outcome"] == Outcome.KEPT and row["sha256"]
        )
        with tempfile.TemporaryDirectory() as temp, Keys(Path(temp) / "media") as keys:
            for row in kept:
                keys.add(row["sha256"])
            groups = {position: group[0] for group in keys.groups() for position in group}
        if not groups:
            return
        kept = (
            row for row in ledger.read(path) if row["outcome"] == Outcome.KEPT and row["sha256"]
        )
        shared: dict[int, list[tuple[str, str]]] = {}
        for position, row in enumerate(kept):
            if position in groups:
                shared.setdefault(groups[position], []).append((row["split"], row["id"]))
        for rows in shared.values():
            if len({split for split, _ in rows}) > 1:
                others = ", ".join(name for _, name in rows[1:])
                what = f"upstream's media is byte-identical in other splits: {others}"
                yield Finding("note", self._name, rows[0][1], what)

    # What upstream is known to hold

    def _expected(self) -> Iterator[Finding]:
        if self._made["parameters"].get("bundled"):
            return
        counts: dict[str, Counter[str]] = {}  # rows by split and source
        for row in ledger.read(self._folder / ledger.FILE, ["split", "source"]):
            counts.setdefault(row["split"], Counter())[row["source"]] += 1
        rows = sum(counts.values(), Counter[str]())
        sources = catalog.corpus(self._made["corpus"]).spec().sources
        for used in self._made["sources"]:
            expected = sources[used["file"]].rows
            if expected is not None and rows[used["file"]] != expected:
                what = f"{rows[used['file']]} rows, upstream publishes {expected}"
                yield self._unlike_upstream([used["file"]], used["file"], what)
        for split, found in counts.items() if self._everything() else ():
            hours = [sources[name].hours for name in found if name in sources]
            seconds = self._made["splits"][split]["figures"].get("seconds", 0)
            expected_hours = sum(filter(None, hours))
            if expected_hours and abs(seconds / 3600 - expected_hours) > HOURS_SLACK:
                what = f"{seconds / 3600:.1f} hours, upstream publishes {expected_hours:.1f}"
                yield self._unlike_upstream(list(found), split, what)

    def _everything(self) -> bool:
        """Whether nothing was left out on purpose, and each row was written once."""
        chosen = self._made["parameters"].get("subset") is None and self._made["limit"] is None
        return chosen and self._made["parameters"].get("caption_mode") != "each"

    def _unlike_upstream(self, names: list[str], where: str, what: str) -> Finding:
        published = {used["file"]: used["as_published"] for used in self._made["sources"]}
        if all(published.get(name) for name in names):
            return self._error(where, what)
        return Finding("note", self._name, where, what)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
