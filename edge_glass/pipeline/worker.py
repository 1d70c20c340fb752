"""Orders -> shards with their ledgers: what a worker process does."""

import ctypes
import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import interrupts, ledger, ledger_tables, records, row_counts
from edge_glass.core.atomic_files import AtomicFile, link
from edge_glass.core.columns import CAPTIONS
from edge_glass.core.ledger import Dropped, Entry, Outcome
from edge_glass.core.manifest import File, WorkRecord
from edge_glass.core.revisions import Revisions
from edge_glass.core.row import OUTCOME, Example, Row
from edge_glass.core.row_digests import RowDigests
from edge_glass.core.row_marks import spread
from edge_glass.core.shard_files import shard_figures, write_shard, write_text_shard
from edge_glass.corpora.catalog import Variant
from edge_glass.corpora.corpus import Corpus
from edge_glass.media.features import arrow_schema
from edge_glass.pipeline import replay, shard_plan
from edge_glass.pipeline.replay import Before, Replay
from edge_glass.pipeline.shard_plan import Order
from edge_glass.sources import prefetch
from edge_glass.sources.fields import Columns
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_fetch import Fetched
from edge_glass.sources.row_media import Media

LEDGER_BATCH = 10_000
COLLECT = (20_000, 20, 50)  # with Python's own 700 it is a tenth of the time for small rows


@dataclass(frozen=True)
class Task:
    """A shard to be made: everything a process needs to know of it."""

    variant: Variant
    raw: Raw
    folder: Path
    order: Order
    name: str  # of the shard
    before: Before | None = None  # what an earlier build made of it, where only failures are redone
    revisions: Revisions | None = None

    def __str__(self) -> str:
        return f"{self.variant.name}/{self.name}"

    @property
    def record(self) -> Path:
        """The file that says that the shard and its ledger are whole."""
        return self.folder / f"{self.order.stem}.done.json"

    @property
    def ledger(self) -> Path:
        """The file of the ledger of its rows."""
        return self.folder / f"{self.order.stem}.ledger"


def make(tasks: Sequence[Task]) -> Iterator[WorkRecord]:
    """Write shards with their ledgers, one after another; gives the record of each that is whole.

    What a shard needs of the network is asked for while the one before it waits for its last rows.
    """
    first, corpus = tasks[0], tasks[0].variant.builder()
    if first.order.batched and corpus.whole and not (first.before or first.revisions):
        yield from map(_make_of_batches, tasks)
        return
    replays: dict[str, Replay] = {}
    shards = _shards(tasks, replays, corpus.fetched)
    with closing(prefetch.media(shards, first.raw)) as rows:
        for task in tasks:
            yield _make(task, islice(rows, task.order.rows), replays)


def _shards(
    tasks: Sequence[Task], replays: dict[str, Replay], archive: str
) -> Iterator[Iterable[Row]]:
    for task in tasks:
        rows = shard_plan.read(task.folder, task.order, archive)
        if task.revisions:
            rows = task.revisions.marked(rows)
        if task.before:
            replay = replays[task.name] = Replay(task.before)
            rows = replay.marked(rows)
        yield rows


def _make(task: Task, rows: Iterable[tuple[Row, Media]], replays: dict[str, Replay]) -> WorkRecord:
    corpus = task.variant.builder()
    schema = arrow_schema(corpus.columns())
    with _book(task.ledger) as book, _few_to_collect(), interrupts.guarded():
        examples = _examples(task, corpus, rows, replays, book, RowDigests(schema))
        shard = write_shard(task.folder / task.name, examples, schema)
    replays.pop(task.name, None)
    record = _recorded(task, shard, book)
    _give_back()
    return record


def _make_of_batches(task: Task) -> WorkRecord:
    corpus = task.variant.builder()
    schema = arrow_schema(corpus.columns())
    with _book(task.ledger) as book:
        tables = _kept(task, corpus, schema, book)
        shard = write_text_shard(task.folder / task.name, tables, schema)
    return _recorded(task, shard, book)


def _kept(task: Task, corpus: Corpus, schema: pa.Schema, book: "_Book") -> Iterator[pa.Table]:
    """Rows that are kept; on the side what became of each goes into the book."""
    several = [*corpus.several()]
    check, digests = Columns(corpus.columns(), several), RowDigests(schema)
    for batch in shard_plan.read_batches(task.folder, task.order):
        rows = check.marked(batch)
        examples, counts = spread(rows.filter(rows[OUTCOME].is_null()), several)
        table = pa.Table.from_batches([examples]).select(schema.names)
        texts = digests.of_table(table)
        book.add_table(ledger_tables.of_rows(rows, task.order.split, texts, counts))
        row_counts.count(batch.num_rows, batch.num_rows - len(counts))
        yield table.cast(schema)


def _recorded(task: Task, shard: File, book: "_Book") -> WorkRecord:
    outcomes, warnings = dict(book.outcomes), dict(book.warnings)
    figures = shard_figures(task.folder / task.name)
    record = WorkRecord(task.order.split, shard, outcomes, warnings, figures, book.file())
    records.write(task.record, record.plain())
    return record


def take_over(task: Task, folder: Path, shard: File, start: int) -> None:
    """Take a shard as it is from a build in `folder`, its rows begin at `start` of the ledger."""
    with _book(task.ledger) as book:
        for entry in replay.entries(folder, start, task.order.rows):
            book.add(entry)
    target = task.folder / task.name
    target.unlink(missing_ok=True)
    link(folder / shard.file, target)
    _recorded(task, shard, book)


@contextmanager
def _few_to_collect() -> Iterator[None]:
    """The garbage collector looks less often, and not at all that was there before."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _give_back() -> None:
    """Return what is free to the system: the leftovers of many shards would add up."""
    pa.default_memory_pool().release_unused()
    with suppress(AttributeError, OSError):  # other C libraries do without
        ctypes.CDLL(None).malloc_trim(0)


def finished(task: Task) -> WorkRecord | None:
    """The record of a shard that is whole, None if it is still to be made."""
    return records.parsed(task.record, WorkRecord)


def forget_damaged(task: Task, shard: bool) -> None:
    """Remove the record of a shard if it, or its ledger, is not what the record says.

    `shard`: whether the shard itself is here, not on storage elsewhere.
    """
    record = finished(task)
    files = {task.ledger: record.ledger} if record else {}
    if record and shard:
        files[task.folder / task.name] = record.shard
    if record is None or any(records.fault(p, f.bytes, f.sha256) for p, f in files.items()):
        task.record.unlink(missing_ok=True)


class _Book:
    """The ledger of one shard while it is written: a batch of entries in memory at a time."""

    def __init__(self, whole: AtomicFile, writer: pa.ipc.RecordBatchStreamWriter) -> None:
        self._whole, self._writer = whole, writer
        self._entries: list[Entry] = []
        self.outcomes: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.outcomes[entry.outcome] += 1
        if entry.outcome == Outcome.KEPT:
            self.warnings.update(ledger.warnings(entry.detail))
        if len(self._entries) == LEDGER_BATCH:
            self.flush()

    def add_table(self, entries: pa.Table) -> None:
        """Many entries, none of them kept with a detail."""
        for count in pc.value_counts(entries["outcome"]).to_pylist():
            self.outcomes[count["values"]] += count["counts"]
        self._writer.write_table(entries)

    def flush(self) -> None:
        self._writer.write_table(ledger.to_table(self._entries))
        self._entries = []

    def file(self) -> File:
        """The ledger, once it is written."""
        rows = self.outcomes.total()
        return File(rows, self._whole.size, self._whole.sha256, ledger.FILE)


@contextmanager
def _book(path: Path) -> Iterator[_Book]:
    with (
        AtomicFile(path) as whole,
        pa.ipc.new_stream(whole, ledger.schema()) as writer,
    ):
        book = _Book(whole, writer)
        yield book
        book.flush()


def _examples(
    task: Task,
    corpus: Corpus,
    rows: Iterable[tuple[Row, Media]],
    replays: dict[str, Replay],
    book: _Book,
    digests: RowDigests,
) -> Iterator[Example]:
    """Examples of an order's rows; on the side what became of each row goes into the book."""
    for row, media in rows:
        status = media.fetched.status if media.fetched else None
        known = replays[task.name].take(row, status) if task.before else None
        entry, examples = known or _worked(corpus, task.order.split, row, media)
        if task.revisions:
            examples = task.revisions.applied(entry, examples)
        if entry.outcome == Outcome.KEPT and entry.text_digests is None:
            entry.text_digests, entry.media_digests = digests.of_all(examples, entry.sha256)
        book.add(entry)
        row_counts.count(1, entry.outcome != Outcome.KEPT)
        yield from examples


def _worked(corpus: Corpus, split: str, row: Row, media: Media) -> tuple[Entry, list[Example]]:
    """The ledger's entry of a row, and its examples."""
    outcome, detail, examples = _outcome(corpus, row, media)
    far = media.fetched or Fetched("")
    entry = Entry(
        source=row.source,
        row=_clean(row.row),
        id=_clean(row.id),
        split=split,
        outcome=outcome,
        detail=_clean(detail),
        url=None if media.url is None else _clean(media.url),
        status=far.status,
        bytes=media.size or None,
        sha256=media.sha256,
        final_url=far.final_url,
        etag=far.etag,
        last_modified=far.last_modified,
        caption=_caption(row) if media.url and outcome != Outcome.KEPT else None,
        media=_files(row),
    )
    return entry, examples


def _files(row: Row) -> list[str] | None:
    """The files of a row; what is fetched has a URL instead."""
    if row.media is None or row.fetch_request is not None:
        return None
    source, name = row.media
    return [_clean(f"{source}/{each}") for each in (name, *row.extra_members)]


def _caption(row: Row) -> str | None:
    """The text of a source row; of several the first."""
    texts = next((row.fields[name] for name in CAPTIONS if row.fields.get(name)), None)
    text = texts[0] if isinstance(texts, list) else texts
    return None if text is None else _clean(str(text))


def _outcome(corpus: Corpus, row: Row, media: Media) -> tuple[Outcome, str, list[Example]]:
    if row.dropped:
        return Outcome(row.dropped[0]), row.dropped[1], []
    try:
        examples = corpus.all_examples(row, media)
    except Dropped as drop:
        return drop.outcome, drop.detail, []
    return Outcome.KEPT, "; ".join(media.notes), examples


def _clean(text: str) -> str:
    """Text that fits UTF-8: a byte that was no text is shown as an escape."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
