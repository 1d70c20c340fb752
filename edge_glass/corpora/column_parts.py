"""Parts of sources whose records Python reads: a builder says the columns of many at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.libraries import np, pa, pc
from edge_glass.core.row import DETAIL, OUTCOME, PLACE, SOURCE, Features, Part
from edge_glass.core.row_marks import marked
from edge_glass.media.features import arrow_schema
from edge_glass.sources import line_pieces
from edge_glass.sources.fields import Malformed, check_text
from edge_glass.sources.line_pieces import WHOLE, Span
from edge_glass.sources.raw import Raw

if TYPE_CHECKING:
    from edge_glass.corpora.corpus import Corpus

ROWS = 10_000  # in a batch
Values = dict[str, Any]  # column -> text in a list, or an Arrow array
Columns = Callable[[list[Any]], Values]  # of records
Records = Iterator[tuple[int, Any]]  # each with its position in the source
FIRST = {"line": 1, "item": 0}  # what the first one is called


@dataclass(frozen=True)
class ColumnPart:
    """Some records of a source, and what says their columns: text in lists, others in arrays.

    A row that cannot be read, or has no id, is called by its place.
    """

    source: str
    unit: str
    read: Callable[[], Records]
    columns: Columns
    features: Features

    def count(self) -> int:
        """How many rows there are."""
        return sum(1 for _ in self.read())

    def batches(self) -> "Iterator[pa.RecordBatch]":
        """The rows, marked."""
        records, first = self.read(), FIRST[self.unit]
        while block := [*islice(records, ROWS)]:
            where = pa.array([f"{self.unit} {at + first}" for at, _ in block], pa.string())
            rows = self._rows([record for _, record in block], where)
            marks = {SOURCE: pa.repeat(pa.scalar(self.source), len(block)), PLACE: where}
            arrays = [*marks.values(), *rows.columns]
            yield pa.RecordBatch.from_arrays(arrays, names=[*marks, *rows.schema.names])

    def _rows(self, records: list[Any], where: "pa.Array") -> "pa.RecordBatch":
        broken = np.array([isinstance(record, Malformed) for record in records])
        good = [record for record in records if not isinstance(record, Malformed)]
        rows = _batch(self.columns(good), arrow_schema(self.features).remove_metadata(), len(good))
        if broken.any():
            why = [r.reason if isinstance(r, Malformed) else None for r in records]
            rows = rows.take(pa.array(np.cumsum(~broken) - 1, mask=broken))
            rows = marked(rows, broken, Outcome.MALFORMED_ROW, pa.array(why, pa.string()))
        at = rows.schema.get_field_index("id")
        return rows.set_column(at, "id", pc.coalesce(rows["id"], where))


def _batch(said: Values, schema: "pa.Schema", count: int) -> "pa.RecordBatch":
    """Columns, outcomes and details; a text that cannot be written is one of a dropped row."""
    marks = {name: _texts(said.get(name, [None] * count))[0] for name in (OUTCOME, DETAIL)}
    texts = {f.name: said[f.name] for f in schema if isinstance(said[f.name], list)}
    written = {name: _texts(values) for name, values in texts.items()}
    every = [written[f.name][0] if f.name in texts else said[f.name].cast(f.type) for f in schema]
    rows = pa.RecordBatch.from_arrays([*marks.values(), *every], names=[*marks, *schema.names])
    if all(plain for _, plain in written.values()):
        return rows
    why = pa.array(
        [_fault(filter(None, row)) for row in zip(*texts.values(), strict=True)], pa.string()
    )
    bad = pc.and_(why.is_valid(), rows[OUTCOME].is_null())
    return marked(rows, bad, Outcome.BAD_ENCODING, why)


def _texts(values: list[str | None]) -> "tuple[pa.Array, bool]":
    """Texts as they can be written, and whether all of them can without a change."""
    from edge_glass.core.arrow_columns import text_bytes

    try:
        texts = pa.array(values, pa.string())
    except UnicodeEncodeError:
        cleaned = (v and v.encode(errors="backslashreplace").decode() for v in values)
        return pa.array([*cleaned], pa.string()), False
    return texts, bool(text_bytes(texts)[1].all())


def _fault(texts: Iterable[str]) -> str | None:
    try:
        check_text(*texts)
    except Dropped as drop:
        return drop.detail
    return None


def of_lines(corpus: "Corpus", raw: Raw, source: str, width: int, columns: Columns) -> list[Part]:
    """The lines of a text file without a header.

    Args:
        corpus: whose rows they are.
        raw: its sources.
        source: the file's name in the YAML.
        width: fields of a line, between tabs.
        columns: makes columns of the fields of many lines at once.

    Returns:
        Pieces of the file, each read by one process.
    """
    spans = _spans(raw, source, "", empty=True)
    readers = [partial(raw.tsv, source, width, span) for span in spans]
    return [ColumnPart(source, "line", reader, columns, corpus.row_features) for reader in readers]


def of_objects(
    corpus: "Corpus",
    raw: Raw,
    source: str,
    name: str,
    kinds: Mapping[str, Any],
    columns: Columns,
    *,
    required: Sequence[str],
) -> list[Part]:
    """The objects of a JSON file, see `Raw.objects`.

    Args:
        corpus: whose rows they are.
        raw: its sources.
        source: the file's name in the YAML, or that of an archive or folder that has it.
        name: of the file; `.jsonl` has an object a line.
        kinds: key -> feature that its values fit.
        columns: makes columns of the values of many objects at once.
        required: keys whose values are never null.

    Returns:
        Pieces of the file, each read by one process; a list is one piece.
    """
    unit = "line" if name.endswith(".jsonl") else "item"
    spans = _spans(raw, source, name, empty=False) if unit == "line" else (WHOLE,)
    readers = [partial(raw.objects, source, name, kinds, required, span) for span in spans]
    return [ColumnPart(source, unit, reader, columns, corpus.row_features) for reader in readers]


def _spans(raw: Raw, source: str, name: str, *, empty: bool) -> tuple[Span, ...]:
    """The pieces of a text that are read apart; all of it in an archive, or where lines count."""
    if source in raw.expected or source in raw.places:
        return (WHOLE,)
    with raw.file(source, name) as path:
        return line_pieces.spans(path, empty)


def of_table(corpus: "Corpus", source: str, path: Path, columns: Columns) -> list[Part]:
    """The rows of a Parquet file that stands for the lines of a source.

    Args:
        corpus: whose rows they are.
        source: the name of those lines in the YAML.
        path: of the Parquet file.
        columns: makes columns of many rows at once.

    Returns:
        Its row groups, each read by one process.
    """
    from edge_glass.core import parquet

    with parquet.opened(path) as file:
        rows = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    starts = zip(range(len(rows)), accumulate(rows, initial=0), strict=False)
    readers = [partial(_group, path, *start) for start in starts]
    return [ColumnPart(source, "line", reader, columns, corpus.row_features) for reader in readers]


def _group(path: Path, group: int, start: int) -> Records:
    from edge_glass.core import parquet

    with parquet.opened(path) as file:
        for batch in file.iter_batches(ROWS, [group]):
            yield from enumerate(batch.to_pylist(), start)
            start += batch.num_rows
