"""A test for any corpus, ours or yours: a field of its tables may hold anything.

def test_rows_of_any_type(tmp_path):
    assert rows_of_any_type("birds_sample", tmp_path) == []
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq

from edge_glass.audit.changed_records import MARK, Change, Table, tables
from edge_glass.core import ledger
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import EntryRow, Outcome
from edge_glass.corpora import catalog
from edge_glass.corpora.selection import Selection
from edge_glass.pipeline.build import build
from edge_glass.sources.obtain import find

NEVER_RIGHT = ("boolean", "list", "object")  # where text or a number belongs


@dataclass(frozen=True)
class _Built:
    """What a build of a changed sample came to."""

    error: Exception | None = None
    rows: Sequence[EntryRow] = ()  # of its ledger
    text: str = ""  # of its shards, without media


def rows_of_any_type(config: str, folder: Path) -> list[str]:
    """What goes wrong when fields of a bundled config's tables and JSON hold anything.

    They hold null, a number, a boolean, a list, an object, nothing, bytes, a megabyte, or are
    absent. Each table of the sample gets, beside its own, a record for each of its fields and each
    kind of value. No build may end in a traceback; its ledger balances; the other rows fare as
    before; a record that cannot be kept right is malformed_row and names its field.

    Args:
        config: one whose sample is bundled.
        folder: where it is built.

    Returns:
        Problems, a sentence each; none if all is well.

    Raises:
        EdgeGlassError: the sample cannot be built as it is.
    """
    kind = catalog.corpus(catalog.variant(config).corpus)
    sample = kind.room("samples") / kind.corpus
    before, unread = _built(config, sample, folder / "as-it-is"), _unread(config, sample)
    if before.error:
        raise before.error
    return [
        f"{config}: {table.name}: {problem}"
        for table in tables(sample)
        if not unread & {sample / table.name, *(sample / table.name).parents}
        for changes in table.rounds()
        for problem in _problems(config, sample, folder, table, changes, before)
    ]


def _unread(config: str, sample: Path) -> set[Path]:
    """The sources in a sample that the config is not made of."""
    variant = catalog.variant(config)
    kind = catalog.corpus(variant.corpus)
    used = variant.builder().request().sources
    others = {name: source for name, source in kind.spec().sources.items() if name not in used}
    paths = {find(sample, name, source) for name, source in others.items()}
    return {path for path in paths if path is not None and path != sample}


def _problems(
    config: str, sample: Path, folder: Path, table: Table, changes: list[Change], before: _Built
) -> Iterator[str]:
    changed = folder / "changed" / sample.name
    shutil.copytree(sample, changed)
    table.write(changed, changes)
    after = _built(config, changed, folder / "built")
    shutil.rmtree(folder / "changed")
    shutil.rmtree(folder / "built", ignore_errors=True)
    if after.error and len(changes) > 1:  # which one was it?
        for half in (changes[: len(changes) // 2], changes[len(changes) // 2 :]):
            yield from _problems(config, sample, folder, table, half, before)
    elif after.error:
        known = isinstance(after.error, EdgeGlassError) and changes[0].field in str(after.error)
        if not known:
            yield f"{changes[0]}: {after.error!r:.300}"
    else:
        yield from _wrong_rows(table, changes, before, after)


def _wrong_rows(
    table: Table, changes: list[Change], before: _Built, after: _Built
) -> Iterator[str]:
    if table.typed and (at := after.text.find(MARK)) >= 0:
        yield f"a list or an object became text: …{after.text[max(0, at - 60) : at + 60]}…"
    own: dict[tuple[str, str], list[str]] = {}
    for row in before.rows:
        own.setdefault(_place(row), []).append(row["outcome"])
    added = []
    for row in after.rows:
        if not (outcomes := own.get(_place(row))):
            added.append(row)
        elif (outcome := outcomes.pop(0)) != row["outcome"]:
            named = any(change.field in row["detail"] for change in changes)
            if (table.added or row["outcome"] == Outcome.MALFORMED_ROW) and not named:
                yield f"row {row['row']} was {outcome}: {row['outcome']}: {row['detail']:.100}"
    if len(added) == len(changes):  # else the table says more of rows that others name
        for change, row in zip(changes, added, strict=True):
            yield from _wrong_row(table, change, row)


def _wrong_row(table: Table, change: Change, row: EntryRow) -> Iterator[str]:
    outcome, detail = row["outcome"], row["detail"]
    if outcome == Outcome.MALFORMED_ROW:
        says_which = change.field in detail or "fields where" in detail or detail.startswith("''")
        # of which field an id is, the builder alone knows; null is empty text in CSV
        blank = change.kind in ("null", "empty") and detail == "id: expected text, found nothing"
        if table.has_names and not (says_which or blank):
            yield f"{change}: the detail does not name it: {detail:.100}"
    elif outcome != Outcome.KEPT and table.typed and change.kind in NEVER_RIGHT:
        yield f"{change}: is {outcome}, not {Outcome.MALFORMED_ROW}"


def _place(row: EntryRow) -> tuple[str, str]:
    return row["source"], row["row"]


def _built(config: str, sample: Path, out: Path) -> _Built:
    """Build a bundled config of another sample than its own."""
    variant = catalog.variant(config)
    kind = catalog.corpus(variant.corpus)
    room, rooms = kind.room, {"samples": sample.parent}
    with (
        mock.patch.object(kind, "room", staticmethod(lambda name: rooms.get(name) or room(name))),
        mock.patch.object(os, "fsync", lambda _: None),  # it is all thrown away
        _ids_may_repeat(),
    ):
        try:
            build(variant, out)
        except Exception as error:  # a builder of others may raise anything
            return _Built(error)
    text = "\n".join(map(_text, sorted((out / config).glob("*-of-*.parquet"))))
    return _Built(None, list(ledger.read(out / config / ledger.FILE)), text)


def _text(shard: Path) -> str:
    schema = pq.read_schema(shard)
    plain = [field.name for field in schema if "binary" not in str(field.type)]
    return str(pq.read_table(shard, columns=plain).to_pylist())


@contextmanager
def _ids_may_repeat() -> Iterator[None]:
    """The added records have the ids of those that they are changed from."""
    of = Selection.of

    def lenient(*args: Any, **kwargs: Any) -> Selection:
        selection = of(*args, **kwargs)
        none = {split: places[:0] for split, places in selection.duplicates.items()}
        return replace(selection, duplicates=none)

    with mock.patch.object(Selection, "of", lenient):
        yield
