"""Clips on disk: bytes under their sha256, and a record of what became of each section asked for.

A record holds no time and no host, so that two stores filled by the same answers are the same.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock

from edge_glass.core import records
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.ledger import Outcome
from edge_glass.core.retries import WITH_OTHER_TOOL
from edge_glass.core.schema import Plain

FINAL = {Outcome.KEPT, Outcome.REMOVED}


@dataclass(frozen=True, slots=True)
class Section(Plain):
    """What is asked for: seconds `start` to `end` of `url`, as audio or video."""

    url: str
    start: float
    end: float
    want: str

    @property
    def key(self) -> str:
        """Its name in the store."""
        text = json.dumps([self.url, float(self.start), float(self.end), self.want])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Record(Plain):
    """What became of a section; `tool` made it, `sha256` and `bytes` are those of a kept clip."""

    section: Section
    outcome: Outcome
    detail: str
    tool: str
    status: int | None = None
    suffix: str = ""
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class ClipStore:
    """A folder of clips that any number of processes share."""

    folder: Path

    def find(self, section: Section, tool: str) -> Record | None:
        """What is known of a section and would not come out otherwise with `tool`, else None."""
        record = records.parsed(self._record(section), Record)
        if record is None:
            return None
        if record.outcome == Outcome.KEPT:
            return record if self._whole(record) else None
        same = record.outcome in WITH_OTHER_TOOL and record.tool == tool
        return record if same or record.outcome in FINAL else None

    def keep(self, record: Record, clip: bytes | None = None) -> Record:
        """Write a record, its clip first. What may heal by itself is not written."""
        if clip is not None:
            digest = hashlib.sha256(clip).hexdigest()
            record = replace(record, bytes=len(clip), sha256=digest)
            with AtomicFile(self.path(record)) as file:
                file.write(clip)
        if record.outcome in FINAL | WITH_OTHER_TOOL:
            records.write(self._record(record.section), asdict(record))
        return record

    def path(self, record: Record) -> Path:
        """Where a kept clip lies."""
        assert record.sha256 is not None
        return self.folder / "clips" / record.sha256[:2] / f"{record.sha256}{record.suffix}"

    @contextmanager
    def alone(self, section: Section) -> Iterator[Path]:
        """A folder for work on a section that no other process works on; it is gone afterwards."""
        import shutil

        folder = self.folder / "work" / section.key
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                # whoever waits for this lock looks into the store before anything else
                Path(f"{folder}.lock").unlink(missing_ok=True)

    def _record(self, section: Section) -> Path:
        return self.folder / "records" / section.key[:2] / f"{section.key}.json"

    def _whole(self, record: Record) -> bool:
        return records.fault(self.path(record), record.bytes, record.sha256) is None
