"""Chunks of a table -> batches of records with aligned columns, in source order."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from itertools import count as counting
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from edge_glass.core import parquet
from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.core.libraries import duckdb, np, pc
from edge_glass.sources import chunk_text, json_text
from edge_glass.sources.chunk_text import LINES, REMEDY, Text, ending, labelled, opened
from edge_glass.sources.fields import preview
from edge_glass.sources.quoting import Quoting
from edge_glass.sources.table_layout import Layout, quoted

BLOCK = 2**22  # bytes of text parsed at a time; no record may be longer
ROWS = 50_000  # of a Parquet file read at a time
SHOWN = 200  # characters of the columns that a chunk has instead of ours

Broken = dict[int, tuple[str, str]]  # row of a batch -> outcome and detail
Record = tuple[int, list[str | None], tuple[str, str] | None]
Wrong = list[tuple[int, str]]  # records that are none: number, what is wrong
Piece = tuple[Wrong, Sequence[int], pa.RecordBatch]  # what is wrong before records, these


DAMAGE = (pa.ArrowException, OSError, EOFError, parquet.DamagedFile)
MARKS = ("row", "dropped", "detail")  # what every batch has before the columns of the layout


def read(
    path: Path,
    layout: Layout,
    connection: "duckdb.DuckDBPyConnection | None",
    select: str = "SELECT * FROM aligned",
) -> Iterator[pa.RecordBatch]:
    """Every record of a chunk: its number in it, why it is dropped, what is odd, its columns.

    `select` is what is wanted of these in SQL, of a row each. No connection is needed for a text
    table whose columns are all wanted, as text, whatever they hold.
    A chunk that cannot be read on gives one last row that says so, dropped as damaged_file.
    """
    done = 0
    try:
        kind = ending(path)
        reader = _parquet if kind == ".parquet" else _json if kind in LINES else _csv
        for there, batch in (item for item in reader(path, layout) if item[1].num_rows):
            done = max(done, (pc.max(batch["row"]).as_py() or 0) + 1)
            yield _aligned(batch, there, layout, connection, select)
    except DAMAGE as error:
        damaged = _marked([done], Outcome.DAMAGED_FILE, [_said(error)])
        yield _aligned(damaged, [], layout, connection, select)


def count(path: Path, layout: Layout) -> int:
    """How many records a chunk has, without what is in them. Raises what `read` tells in a row."""
    kind = ending(path)
    if kind == ".parquet":
        with parquet.opened(path) as file:
            _named(path, layout, file.schema_arrow.names)
            rows: int = file.metadata.num_rows
            return rows
    if kind in LINES:
        return sum(1 for _ in json_text.lines(path))
    _, pieces = _delimited(path, layout)
    return sum(len(wrong) + len(numbers) for wrong, numbers, _ in pieces)


def records(path: Path, layout: Layout) -> Iterator[Record]:
    """The same as `read` gives without a connection, one at a time: without Arrow's kernels.

    Args:
        path: of a text table.
        layout: its columns.

    Yields:
        The number of a record, its texts, and why it is dropped.

    Raises:
        SourceError: it is damaged from here on.
    """
    names, pieces = _delimited(path, layout)
    done = 0
    try:
        for wrong, numbers, batch in pieces:
            for number, detail in wrong:
                yield number, [None] * len(names), (Outcome.MALFORMED_ROW, detail)
            broken = Broken()
            columns = [_decoded(column.to_pylist(), broken) for column in batch.columns]
            for at, texts in enumerate(zip(*columns, strict=True)):
                yield numbers[at], [text or None for text in texts], broken.get(at)
            done = 1 + max([done - 1, *(number for number, _ in wrong), *numbers[-1:]])
    except DAMAGE as error:
        raise SourceError(f"{path}: row {done}: {_said(error)}. {REMEDY}") from None


def _numbers(start: int, count: int, wrong: Wrong) -> Sequence[int]:
    """So many numbers from `start` on that are none of records that are wrong."""
    others = {number for number, _ in wrong if number >= start}
    if not others:
        return range(start, start + count)
    return [*islice((number for number in counting(start) if number not in others), count)]


def _named(path: Path, layout: Layout, there: list[str]) -> dict[str, str]:
    """The columns of a chunk: our name -> theirs. Raises EdgeGlassError if it has none of ours."""
    names = layout.named(there)
    if there and not names:
        raise SourceError(
            f"{path}: none of the columns {', '.join(layout.columns)}; found "
            f"{', '.join(there)[:SHOWN]}. Is it a chunk of this table, with a header? Name its "
            "columns as these, or take it out of the folder."
        )
    return names


def _json(path: Path, layout: Layout) -> Iterator[tuple[list[str], pa.Table]]:
    start = 0
    schema = pa.schema([(name, pa.string()) for name in layout.columns])
    names = lru_cache(64)(lambda keys: layout.named([*keys]))
    there: set[str] = set()  # in any record so far: some writers leave out what is null
    for objects in map(json_text.values, chunk_text.line_blocks(path)):
        kinds = dict.fromkeys(tuple(item) for item in objects if isinstance(item, dict))
        if not there:
            _named(path, layout, [*dict.fromkeys(chain.from_iterable(kinds))])
        there |= {name for keys in kinds for name in names(keys)}
        broken: Broken = {}
        records = [_of_object(item, names, n, broken) for n, item in enumerate(objects)]
        rows = np.arange(start, start + len(objects))
        start += len(objects)
        table = pa.Table.from_pylist(records, schema)
        yield [name for name in layout.columns if name in there], _numbered(table, rows, broken)


def _of_object(
    item: Any, names: Callable[[tuple[str, ...]], dict[str, str]], row: int, broken: Broken
) -> dict[str, str]:
    """The columns of a line of JSON as text."""
    if not isinstance(item, dict):
        broken[row] = (Outcome.MALFORMED_ROW, f"expected an object, found {preview(item)}")
        return {}
    texts = {}
    for name, theirs in names(tuple(item)).items():
        value = item[theirs]
        text = value if isinstance(value, str) else json.dumps(value)
        if isinstance(value, bool | list | dict):
            detail = f"{name}: expected text or a number, found {preview(value)}"
            broken[row] = (Outcome.MALFORMED_ROW, detail)
        elif value is not None:
            texts[name] = text.encode(errors="replace").decode()
            if texts[name] != text:
                broken[row] = (Outcome.BAD_ENCODING, f"{name}: not UTF-8: {text[:40]!a}")
    return texts


def _parquet(path: Path, layout: Layout) -> Iterator[tuple[list[str], pa.Table]]:
    with parquet.opened(path) as file:
        names = _named(path, layout, file.schema_arrow.names)
        start = 0
        for batch in file.iter_batches(ROWS, columns=[*names.values()]):
            rows = np.arange(start, start + batch.num_rows)
            start += batch.num_rows
            broken: Broken = {}
            columns = [_plain(batch[theirs], ours, broken) for ours, theirs in names.items()]
            yield [*names], _numbered(pa.table(columns, names=[*names]), rows, broken)


def _plain(values: pa.Array, name: str, broken: Broken) -> pa.Array:
    """A column of a Parquet file as numbers or text; the rows that hold neither are malformed."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        table, bad = as_text(pa.table([values], names=[name]))
        broken |= bad
        return table[name].combine_chunks()
    if pa.types.is_float16(kind):
        return values.cast(pa.float32())
    if pa.types.is_nested(kind) or pa.types.is_boolean(kind):
        for row in np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False)):
            detail = f"{name}: expected text or a number, found {kind}"
            broken[int(row)] = (Outcome.MALFORMED_ROW, detail)
        return pa.nulls(len(values), pa.string())
    return values


def _csv(path: Path, layout: Layout) -> Iterator[tuple[list[str], pa.Table]]:
    names, pieces = _delimited(path, layout)
    for wrong, rows, batch in pieces:
        if wrong:
            numbers, details = zip(*wrong, strict=True)
            yield [], _marked(list(numbers), Outcome.MALFORMED_ROW, list(details))
        if rows:
            table, broken = as_text(pa.Table.from_batches([batch]))
            table = table.rename_columns(names or table.column_names)
            yield names, _numbered(table, rows, broken)


def _delimited(path: Path, layout: Layout) -> tuple[list[str], Iterator[Piece]]:
    """Our names of the columns that are there, and the records in their order."""
    delimiter = "\t" if ending(path) == ".tsv" else layout.delimiter
    header, quoting = opened(path, delimiter)
    labels = labelled(header)
    names = _named(path, layout, labels)
    there = [header[labels.index(name)] for name in names.values()]
    wrong: Wrong = []  # of the records read ahead
    batches = _records(path, delimiter, header, there or header[:1], wrong, quoting)
    return [*names], _in_order(batches, wrong)


def _in_order(batches: Iterator[pa.RecordBatch], wrong: Wrong) -> Iterator[Piece]:
    """Batches, each with what is wrong before its last record; at the end the rest of that."""
    given, done, nothing = 0, 0, pa.record_batch([], pa.schema([]))
    try:
        for batch in batches:
            numbers = _numbers(done, batch.num_rows, wrong)
            # no later ones: how far ahead the reader is depends on the machine
            due = sum(number < numbers[-1] for number, _ in wrong)
            yield wrong[given:due], numbers, batch
            given, done = due, numbers[-1] + 1
    except pa.ArrowException:
        yield wrong[given:], (), nothing
        raise
    yield wrong[given:], (), nothing


def _records(
    path: Path,
    delimiter: str,
    header: list[str],
    wanted: list[str],
    wrong: Wrong,
    quoting: Quoting,
) -> Iterator[pa.RecordBatch]:
    def note(row: Any) -> str:
        detail = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        wrong.append((row.number - 2, detail))  # the header is record 1
        return "skip"

    with Text(path, quoting) as stream:
        if header:
            batches = pyarrow.csv.open_csv(
                stream,
                # records are numbered only where one thread reads them
                read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(header, pa.binary()), include_columns=wanted
                ),
            )
            yield from (batch for batch in batches if batch.num_rows)  # none where all are wrong
        else:
            stream.read(1)  # to see whether it is empty, or cannot be read
        if stream.fault:
            raise pa.ArrowInvalid(stream.fault)


def as_text(table: pa.Table) -> tuple[pa.Table, Broken]:
    """Bytes as text; the rows (by number in the table) that hold something else."""
    try:
        return table.cast(pa.schema([(name, pa.string()) for name in table.column_names])), {}
    except pa.ArrowInvalid:
        broken: Broken = {}
        texts = (_decoded(table[name].to_pylist(), broken) for name in table.column_names)
        columns = [pa.array(each, pa.string()) for each in texts]
        return pa.table(columns, names=table.column_names), broken


def _said(error: Exception) -> str:
    """What is said of a chunk that is damaged; raises what is the disk's fault."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error
    said = " ".join(f"{getattr(error, 'detail', error)}".split())[:200]
    return f"from here on: {said}"


def _decoded(values: list[bytes | None], broken: Broken) -> list[str | None]:
    texts: list[str | None] = []
    for number, value in enumerate(values):
        text = None if value is None else value.decode(errors="replace")
        texts.append(text)
        if value is not None and text is not None and text.encode() != value:
            broken[number] = (Outcome.BAD_ENCODING, f"not UTF-8: {value[:40]!a}")
    return texts


def _numbered(table: pa.Table, rows: Any, broken: Broken) -> pa.Table:
    dropped = details = pa.nulls(table.num_rows, pa.string())
    if broken:
        marks = [broken.get(number, (None, "")) for number in range(table.num_rows)]
        dropped, details = (pa.array(each, pa.string()) for each in zip(*marks, strict=True))
    columns = [pa.array(rows, pa.int64()), dropped, details, *table.columns]
    return pa.table(columns, names=[*MARKS, *table.column_names])


def _marked(rows: list[int], outcome: str, details: list[str]) -> pa.Table:
    return pa.table(
        [pa.array(rows, pa.int64()), pa.array([outcome] * len(rows)), pa.array(details)],
        names=list(MARKS),
    )


def _is_blank(column: str) -> str:
    """SQL: few texts are trimmed; one that begins with a visible letter of ASCII is not blank."""
    visible = f"{column} >= '!' AND {column} < chr(127)"
    return f"CASE WHEN {visible} THEN false ELSE trim(coalesce({column}, '')) = '' END"


def _aligned(
    table: pa.Table,
    there: list[str],
    layout: Layout,
    connection: "duckdb.DuckDBPyConnection | None",
    select: str,
) -> pa.RecordBatch:
    """What is wanted of the marks and all columns of the layout, out of those that are there."""
    if connection is None:
        return _texts(table, layout)
    connection.register("chunk", table)
    result = connection.sql(f"{_aligned_sql(table.schema, there, layout)} {select}")
    return result.to_arrow_table().combine_chunks().to_batches()[0]


def _aligned_sql(schema: pa.Schema, there: list[str], layout: Layout) -> str:
    """SQL: the table `aligned`, out of `chunk`."""
    missing = [name for name in layout.required if name not in there]
    typed = [n for n in there if schema.field(n).type == layout.published().field(n).type]
    numbers = [n for n in there if layout.columns[n] != "VARCHAR" and n not in typed]
    raw = [f"CAST({quoted(n)} AS VARCHAR) AS {quoted(f'raw {n}')}" for n in numbers]
    blank = {name: _is_blank(quoted(name)) for name in layout.keys}
    empty = " ".join(f"WHEN {test} THEN 'no {name}'" for name, test in blank.items())
    return f"""
        WITH typed AS (
            SELECT row, dropped, detail AS said, {", ".join([layout.aligned(there, typed), *raw])}
            FROM chunk
        ), aligned AS (
        SELECT row,
            CASE
                WHEN dropped IS NOT NULL THEN dropped
                WHEN {bool(missing)} THEN '{Outcome.MISSING_COLUMN}'
                WHEN {" OR ".join(blank.values()) or "false"} THEN '{Outcome.BLANK_FIELD}'
            END AS dropped,
            CASE
                WHEN dropped IS NOT NULL THEN said
                WHEN {bool(missing)} THEN 'no column {", ".join(missing)}'
                {empty}
                ELSE {layout.warnings(there, typed)}
            END AS detail,
            {", ".join(map(quoted, layout.columns))}
        FROM typed
        )
    """


def _texts(table: pa.Table, layout: Layout) -> pa.RecordBatch:
    """The marks and all columns, an empty text being null."""
    row, dropped, detail, *texts = table.columns
    texts = [pc.if_else(pc.equal(text, ""), None, text) for text in texts]
    texts = texts or [pa.nulls(table.num_rows, pa.string())] * len(layout.columns)
    columns = [row, dropped, pc.if_else(pc.is_valid(dropped), detail, ""), *texts]
    return pa.table(columns, names=[*MARKS, *layout.columns]).combine_chunks().to_batches()[0]
