"""The rows of a ledger that are kept: one after another, or many at once as columns."""

from collections import deque
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core.ledger import EntryRow
from edge_glass.core.row_digests import RowDigests
from edge_glass.pipeline.replay import of

STEP = 1000  # rows that are made Python of at a time
# text that is more than white space and control characters; what is less is looked at row by row
PRINTED = r"[^\x00-\x20\x7f-\xa0\p{Z}]"


class KeptRows:
    """A place in the rows of `tables`, which are read as they are needed."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self._table, self._at = tables, pa.table({}), 0
        self._listed: deque[EntryRow] = deque()

    def ahead(self, rows: int) -> list[EntryRow]:
        """The next rows, which are not taken, as Python's; fewer at the end."""
        if (listed := len(self._listed)) < rows:
            more = self.peek(max(rows, STEP)).slice(listed)
            self._listed.extend(more.to_pylist())
        return [*islice(self._listed, rows)]

    def peek(self, rows: int) -> pa.Table:
        """The next rows, which are not taken; fewer at the end."""
        while len(self._table) - self._at < rows and (more := next(self._tables, None)) is not None:
            left = self._table.slice(self._at)
            self._table, self._at = pa.concat_tables([left, more], promote_options="default"), 0
        # a slice of what has no columns is as long as it is asked to be
        return self._table.slice(self._at, rows) if self._table.num_columns else self._table

    def skip(self, rows: int) -> None:
        """Take rows that were looked at."""
        self._at += rows
        for _ in range(min(rows, len(self._listed))):
            self._listed.popleft()


def examples(rows: int, kept: pa.Table) -> tuple[int, int]:
    """How many whole rows of a ledger give so many rows of shards, or a few less, and how many."""
    if "text_digests" not in kept.column_names:
        return 0, 0
    each = pc.list_value_length(kept["text_digests"]).fill_null(0).to_numpy()
    ends = np.cumsum(each)
    count = int(np.searchsorted(ends, rows, "right"))
    return (count, int(ends[count - 1])) if count and each[:count].all() else (0, 0)


def alike(rows: pa.Table, split: str, kept: pa.Table, digests: RowDigests) -> bool:
    """Whether rows are the examples of rows of a ledger, one after another, and without media."""
    texts = kept["text_digests"].combine_chunks()
    ids = kept["id"].take(pc.list_parent_indices(texts))
    return bool(
        all(kept[name].null_count == len(kept) for name in ("sha256", "media_digests"))
        and pc.all(pc.equal(kept["split"], split)).as_py()
        and (ids.equals(rows["id"]) or all(map(of, rows["id"].to_pylist(), ids.to_pylist())))
        and pc.list_flatten(texts).equals(digests.of_table(rows))
    )


def printed(texts: pa.ChunkedArray) -> bool:
    """Whether each text, and each of a list of texts, has letters; none is null, no list empty."""
    if pa.types.is_list(texts.type):
        some = pc.all(pc.greater(pc.list_value_length(texts), 0)).as_py()
        return bool(some and not texts.null_count and printed(pc.list_flatten(texts)))
    return not texts.null_count and bool(pc.all(pc.match_substring_regex(texts, PRINTED)).as_py())
