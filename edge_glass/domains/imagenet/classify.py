"""Rows of one class out of captions, and how near they are to its definition: steps of LAIONet.

Shirali and Hardt, *What Makes ImageNet Look Unlike LAION* (2023): (1) the lemmas of the classes are
looked for in captions, (2) rows of one class alone stay, (3) a text encoder says how similar a
caption and `<lemma> which is <definition>` are. (4) The threshold and the rule of NSFW, (5) images
and (6) folders of classes are the builder's, the fetch engine's and export's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import duck, parquet
from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.domains.imagenet import INDEX, SIMILARITY, caption_match
from edge_glass.domains.imagenet.classes import imagenet, labels
from edge_glass.sources import chunk_rows, table_chunks
from edge_glass.sources.chunk_text import REMEDY
from edge_glass.sources.table_layout import Layout

if TYPE_CHECKING:
    from edge_glass.vectors.text_encoders import Vectors

RELEASED = re.compile(r"part-(\d{5})-[0-9a-f]{8}-.*\.parquet")  # as Spark names the parts
ROWS_OF_PART = 100_000_000  # what the index of a part's first row is a multiple of
ROWS = 20_000  # at a time
OUTCOMES = pa.array(map(str, (Outcome.NO_CLASS, Outcome.KEPT, Outcome.SEVERAL_CLASSES)))


def captions(layout: Layout) -> Layout:
    """The table as one of captions: with the index of its rows, whatever other columns it lacks."""
    return replace(layout, columns=layout.columns | {INDEX: "BIGINT"}, required=())


def tables(path: Path, layout: Layout, work: Path) -> Iterator[pa.Table]:
    """All rows of a chunk of captions, each with its index. Raises EdgeGlassError for damage."""
    with duck.connected(table_chunks.MEMORY, work) as connection:
        for batch in chunk_rows.read(path, captions(layout), connection):
            yield _indexed(pa.Table.from_batches([batch]), path)


def _indexed(table: pa.Table, path: Path) -> pa.Table:
    """The table with the index of its rows: part * 100,000,000 + row, if a file has none itself."""
    released = RELEASED.fullmatch(path.name)
    if not released:
        return table
    first = pa.scalar(int(released[1]) * ROWS_OF_PART)
    values = pc.coalesce(table[INDEX], pc.add(table["row"], first))
    return table.set_column(table.column_names.index(INDEX), INDEX, values)


@dataclass(frozen=True)
class Matched:
    """Steps 1 and 2: rows whose captions name one class, with its `wnid`."""

    layout: Layout
    rule: caption_match.Rule

    def schema(self, raw: Path) -> pa.Schema:
        """The columns of the table, and `wnid`."""
        return captions(self.layout).published().append(pa.field("wnid", pa.string()))

    def rows(self, path: Path, work: Path) -> Iterator[pa.Table]:
        """All rows of a chunk, each with what became of it. Raises EdgeGlassError for damage."""
        yield from (self._of(table, path) for table in tables(path, self.layout, work))

    def libraries(self) -> dict[str, str]:
        """What finds the lemmas."""
        return {"ahocorasick_rs": version("ahocorasick_rs"), "duckdb": version("duckdb")}

    def _of(self, table: pa.Table, path: Path) -> pa.Table:
        dropped, detail = (table[name].combine_chunks() for name in ("dropped", "detail"))
        if pc.any(pc.equal(dropped, Outcome.DAMAGED_FILE)).as_py():
            raise SourceError(f"{path}: {detail[-1]}. {REMEDY}")
        matches = caption_match.column(self.rule, table[self.layout.caption].combine_chunks())
        counts = matches.value_lengths().to_numpy()
        every = pa.array([*labels()], pa.string()).take(matches.values)
        several = pc.binary_join(pa.ListArray.from_arrays(matches.offsets, every), ", ")
        one = pa.array(matches.offsets.to_numpy()[:-1], mask=counts == 0)
        columns = {
            "wnid": every.take(one),
            "outcome": pc.coalesce(dropped, OUTCOMES.take(pa.array(np.minimum(counts, 2)))),
            "detail": pc.if_else(pc.and_(dropped.is_null(), pa.array(counts > 1)), several, detail),
        }
        table = table.drop_columns([name for name in columns if name in table.column_names])
        for name, values in columns.items():
            table = table.append_column(name, values)
        return table


@dataclass(frozen=True)
class Scored:
    """Step 3: the similarity of a caption and its class's definition; none is left out."""

    encoder: str
    text: str = "TEXT"

    def schema(self, raw: Path) -> pa.Schema:
        """The columns of the parts, and the similarity.

        Raises SourceError if rows have no classes yet.
        """
        there = parquet.schema(table_chunks.files(raw)[0]).remove_metadata()
        if missing := {self.text, "wnid"} - set(there.names):
            raise SourceError(
                f"{raw}: no column {', '.join(sorted(missing))}: do `edge-glass match` first"
            )
        position = there.get_field_index(SIMILARITY)
        there = there if position < 0 else there.remove(position)
        return there.append(pa.field(SIMILARITY, pa.float64()))

    def rows(self, path: Path, work: Path) -> Iterator[pa.Table]:
        """All rows of a part; a similarity that it has already is taken as it is."""
        row = 0
        with parquet.opened(path) as file:
            for batch in file.iter_batches(ROWS):
                table = pa.Table.from_batches([batch])
                if SIMILARITY not in table.column_names:
                    table = table.append_column(SIMILARITY, self._similarity(table))
                count = table.num_rows
                table = table.append_column("row", pa.array(np.arange(row, row + count)))
                kept = pa.array([Outcome.KEPT] * count, pa.string())
                table = table.append_column("outcome", kept)
                yield table.append_column("detail", pa.array([""] * count, pa.string()))
                row += count

    def libraries(self) -> dict[str, str]:
        """What encodes the texts."""
        from edge_glass.vectors import text_encoders

        return text_encoders.libraries(self.encoder)

    def _similarity(self, table: pa.Table) -> pa.Array:
        from edge_glass.vectors import text_encoders

        texts, wanted = table[self.text].to_pylist(), table["wnid"].to_pylist()
        similarities = np.empty(len(texts))
        order = np.argsort([len(text) for text in texts], kind="stable")  # alike in one batch
        vectors = text_encoders.encoded(self.encoder, [texts[i] for i in order])
        classes = _queries(self.encoder)[[labels()[wanted[i]] for i in order]]
        similarities[order] = np.einsum("ij,ij->i", vectors, classes)
        return pa.array(similarities.round(6))


@cache
def _queries(encoder: str) -> "Vectors":
    from edge_glass.vectors import text_encoders

    return text_encoders.encoded(encoder, [synset.query for synset in imagenet()])
