"""Batches of rows: outcomes for some of them, and the examples that they make."""

from typing import Any

from edge_glass.core.libraries import np, pa, pc
from edge_glass.core.row import DETAIL, OUTCOME


def marked(
    rows: "pa.RecordBatch", which: Any, outcome: str, detail: "str | pa.Array"
) -> "pa.RecordBatch":
    """A batch, some rows of it (a mask) with this outcome and detail instead of theirs."""
    mask = pa.array(which)
    for name, value in ((OUTCOME, str(outcome)), (DETAIL, detail)):
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, pc.if_else(mask, value, rows[name]))
    return rows


def spread(rows: "pa.RecordBatch", several: list[str]) -> "tuple[pa.RecordBatch, np.ndarray]":
    """The examples of rows, one for each item of the lists `several`, and how many each makes."""
    if not several:
        return rows, np.ones(len(rows), np.int64)
    parents = pc.list_parent_indices(rows[several[0]])
    examples = rows.take(parents)
    for name in several:
        at = rows.schema.get_field_index(name)
        examples = examples.set_column(at, name, pc.list_flatten(rows[name]))
    ids = pc.binary_join_element_wise(examples["id"], examples[several[0]], "#")
    examples = examples.set_column(rows.schema.get_field_index("id"), "id", ids)
    return examples, np.bincount(parents, minlength=len(rows))
