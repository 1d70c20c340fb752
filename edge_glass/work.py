"""One order -> one shard with its ledger: what a worker process does."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from edge_glass import ledger, orders, pool
from edge_glass.catalog import Variant
from edge_glass.corpus import Corpus, Example, Media, Row
from edge_glass.features import Features, arrow_schema
from edge_glass.fetch.raw import Raw
from edge_glass.ledger import Dropped, Entry, Outcome
from edge_glass.orders import Order
from edge_glass.shards import write_json, write_shard, write_table

LEDGER_BATCH = 10_000


@dataclass(frozen=True)
class Task:
    """A shard to be made: everything a process needs to know of it."""

    variant: Variant
    raw: Raw
    folder: Path
    order: Order
    name: str  # of the shard

    def __str__(self) -> str:
        return f"{self.variant.name}/{self.name}"

    @property
    def record(self) -> Path:
        """The file that says that the shard and its ledger are whole."""
        return self.folder / f"{self.order.stem}.done.json"

    @property
    def ledger(self) -> Path:
        return self.folder / f"{self.order.stem}.ledger.parquet"


def make(task: Task) -> dict[str, Any]:
    """Write a shard, then its ledger, then its record, which is returned."""
    corpus = task.variant.builder(str(task.folder.parents[1] / "datasets"))
    entries = _Entries(task)
    schema = arrow_schema(Features(corpus.columns()))
    written = write_shard(task.folder / task.name, entries.examples(corpus), schema)
    write_table(task.ledger, entries.tables(), ledger.SCHEMA)
    record = {"split": task.order.split, "shard": asdict(written) | {"file": task.name}}
    record |= {"outcomes": dict(sorted(entries.outcomes.items()))}
    write_json(task.record, record)
    return record


def finished(task: Task) -> dict[str, Any] | None:
    """The record of a shard that is whole, None if it is still to be made."""
    try:
        record: dict[str, Any] = json.loads(task.record.read_text())
    except FileNotFoundError:
        return None
    return record


class _Entries:
    """Examples of an order's rows, and on the side what became of each row."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._entries: list[Entry] = []
        self.outcomes: Counter[str] = Counter()

    def examples(self, corpus: Corpus) -> Iterator[Example]:
        for row in orders.read(self._task.folder, self._task.order):
            media = Media(self._task.raw, row)
            try:
                if row.dropped:
                    raise Dropped(Outcome(row.dropped[0]), row.dropped[1])
                # a row is all there or not at all: no example leaves before the last is made
                examples = list(corpus.examples(row, media))
            except Dropped as drop:
                self._note(row, media, drop.outcome, drop.detail)
                continue
            self._note(row, media, Outcome.KEPT, "; ".join(media.notes))
            yield from examples

    def _note(self, row: Row, media: Media, outcome: Outcome, detail: str) -> None:
        self._entries.append(
            Entry(
                source=row.source,
                row=_clean(row.row),
                id=_clean(row.id),
                split=self._task.order.split,
                outcome=outcome,
                detail=_clean(detail),
                bytes=media.size or None,
                sha256=media.sha256,
            )
        )
        self.outcomes[outcome] += 1
        pool.count(1, outcome != Outcome.KEPT)

    def tables(self) -> Iterator[pa.Table]:
        for start in range(0, max(1, len(self._entries)), LEDGER_BATCH):
            yield ledger.to_table(self._entries[start : start + LEDGER_BATCH])


def _clean(text: str) -> str:
    """Text that fits UTF-8: a byte that was no text is shown as \\udcXX."""
    return text.encode(errors="backslashreplace").decode()
