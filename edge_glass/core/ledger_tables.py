"""Many entries of a ledger at a time: out of batches of rows, and into row groups."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import ledger
from edge_glass.core.row import DETAIL, OUTCOME, PLACE, SOURCE

GROUP_ROWS = 20_000
# columns of few words, or none; elsewhere a dictionary is tried for nothing
WORDS = ["source", "split", "outcome", "detail", "status", "url", "final_url", "etag", "caption"]


def of_rows(rows: pa.RecordBatch, split: str, digests: pa.Array, counts: np.ndarray) -> pa.Table:
    """Ledger entries of marked rows; `digests` are of the examples of those that are kept.

    `counts`: how many examples each of these has.
    """
    kept, schema = rows[OUTCOME].is_null(), ledger.schema()
    examples = np.zeros(len(kept), np.int64)
    examples[kept.to_numpy(zero_copy_only=False)] = counts
    ends = np.cumsum([0, *examples])
    texts = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), digests, mask=pc.invert(kept))
    columns: dict[str, Any] = {
        "source": rows[SOURCE],
        "row": rows[PLACE],
        "id": rows["id"],
        "split": pa.repeat(pa.scalar(split), len(kept)),
        "outcome": rows[OUTCOME].fill_null(str(ledger.Outcome.KEPT)),
        "detail": pc.if_else(kept, "", rows[DETAIL]),
        "text_digests": texts,
    }
    every = (columns.get(f.name, pa.nulls(len(kept), f.type)) for f in schema)
    return pa.Table.from_arrays(list(every), schema=schema)


def regrouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The row groups that a ledger is written in, whatever the batches that it comes in."""
    rows = ledger.schema().empty_table()
    for batch in batches:
        rows = pa.concat_tables([rows, pa.Table.from_batches([batch])])
        while rows.num_rows >= GROUP_ROWS:
            yield rows.slice(0, GROUP_ROWS).combine_chunks()
            rows = rows.slice(GROUP_ROWS)
    yield rows.combine_chunks()
