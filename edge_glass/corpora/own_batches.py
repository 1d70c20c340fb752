"""Rows of tables as batches: what `own` says of a record, said of many at a time in Arrow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core.key_digests import digits
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import DETAIL, MEDIA, OUTCOME, PLACE, SOURCE
from edge_glass.core.spec import KINDS, Column, Spec
from edge_glass.corpora.key_profile import FLOAT, WHOLE
from edge_glass.corpora.layouts import split_lists, tables, values
from edge_glass.corpora.layouts.record import Files
from edge_glass.corpora.layouts.table_batches import Batch, Said, batches, pieces, values_of
from edge_glass.corpora.layouts.tables import Broken
from edge_glass.corpora.own_files import SPAN
from edge_glass.media.features import Sequence, Value, arrow_type
from edge_glass.sources.fields import Columns, fits, preview

TEXTS = Sequence(Value("string"))
TEXT = pa.types.is_string
Odd = dict[int, dict[str, Any]]  # record -> its values that are no UTF-8, by column


@dataclass(frozen=True)
class TablePart:
    """Some or all rows of one table, for one split."""

    spec: Spec
    files: Files
    name: str
    groups: range | None  # of a Parquet file
    split: str
    url: str | None  # the column that is fetched
    whole: bool  # the columns are those of examples

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, marked."""
        ours = [*self.spec.splits.names].index(self.split)
        with self.files.local(self.name) as path:
            for batch in batches(path, self.name, str(self.spec.layout), self.groups):
                split = self._splits(batch)
                taken = (split == ours) | ((split < 0) & (ours == 0))
                if taken.all():
                    yield self._rows(batch, split < 0)
                elif taken.any():
                    yield self._rows(batch.filter(taken), split[taken] < 0)

    def _splits(self, batch: Batch) -> np.ndarray:
        """The number of each record's split, -1 where it has none."""
        rule, names = self.spec.splits, [*self.spec.splits.names]
        if rule.by in ("all", "folder"):
            every = [batch.folder]
        else:
            every = values_of(_said(rule.key, batch) if rule.key else batch.where)
        splits = {each: self._split_of(each) for each in {*map(str, every)}}
        numbers = {e: -1 if split is None else names.index(split) for e, split in splits.items()}
        places = np.fromiter((numbers[str(each)] for each in every), np.int64, len(every))
        return np.broadcast_to(places, len(batch.where))

    @cached_property
    def _split_of(self) -> Callable[[str], str | None]:
        return split_lists.splitter(self.spec.splits, [self.files])

    @cached_property
    def _columns(self) -> dict[str, Column]:
        columns = sorted(self.spec.columns.items(), key=lambda pair: pair[1].role != "id")
        return {name: column for name, column in columns if column.role not in KINDS}

    def _named(self, role: str) -> list[str]:
        return [name for name, column in self._columns.items() if column.role == role]

    def _rows(self, batch: Batch, outside: np.ndarray) -> pa.RecordBatch:
        lost, where, blank, odd = dict(batch.lost), batch.where, Broken(), Odd()
        for at in map(int, np.flatnonzero(outside)):
            why = values.no_split(self.spec.splits, batch.folder)
            lost.setdefault(at, (Outcome.NOT_IN_CONFIG, why))
        fields = {n: _cast(n, column, batch, lost, odd) for n, column in self._columns.items()}
        ids, media = where, dict[str, pa.Array]()
        if self.url:
            urls = _texts(self.url, _said(self.spec.columns[self.url].key, batch), odd)
            for at in map(int, np.flatnonzero(_is_null(urls))):
                lost.setdefault(at, (Outcome.MISSING_MEDIA, "the record names none"))
            media, ids = {MEDIA: urls}, _digests(urls, fields.get("caption"))
        reasons = {at: self._why_odd(at, odd[at], fields) for at in odd} if odd else Broken()
        for name in self._named("id"):
            named = fields.pop(name)
            nameless = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(named), ""), True)
            ids = pc.if_else(nameless, ids, named)
        if self.url:  # no place of the user's
            ids = pc.if_else(pc.starts_with(ids, "/"), where, ids)
        for name in self._named("caption") if self.whole else ():
            fields["caption"], blank = _first_of(fields.pop(name))
        ids = _with({at: where[at].as_py() for at in lost}, ids)
        reasons |= blank | lost
        marks = {
            SOURCE: pa.repeat(self.files.source, len(where)),
            PLACE: where,
            OUTCOME: _with({at: str(r[0]) for at, r in reasons.items()}, _nulls(where)),
            DETAIL: _with({at: r[1] for at, r in reasons.items()}, _nulls(where)),
        }
        return pa.RecordBatch.from_pydict(marks | media | {"id": ids} | fields)

    def _why_odd(
        self, at: int, unwritten: dict[str, Any], fields: dict[str, pa.Array]
    ) -> tuple[str, str]:
        """What is wrong with a record that has these values, which are no UTF-8."""
        features = {n: _feature(column) for n, column in self._columns.items()}
        record = {n: fields[n][at].as_py() for n in features} | unwritten
        url = dict.fromkeys(unwritten.keys() - features, Value("string"))
        try:
            Columns(features | url).check(record)
        except Dropped as drop:
            return drop.outcome, _escaped(drop.detail)
        raise AssertionError(f"{record!a} is UTF-8")


def table_parts(spec: Spec, every: list[Files], split: str, whole: bool) -> list[TablePart]:
    """The rows of a split; none where records name files or seconds."""
    columns = spec.columns.values()
    media = {name: column for name, column in spec.columns.items() if column.role in KINDS}
    ways = [column.stored_as for column in media.values()]
    plain = all(c.role not in SPAN and (c.role != "id" or c.type == "string") for c in columns)
    if ways not in ([], ["url"]) or not plain or any(files.archived for files in every):
        return []
    return [
        TablePart(spec, files, name, groups, split, next(iter(media), None), whole)
        for files in every
        for name in tables.names(files)
        for groups in pieces(files, name)
    ]


def _said(key: values.Key, batch: Batch, pattern: str | None = None) -> Said:
    """What the records say under a key; see `values.at`."""
    if pattern is None and isinstance(key, str) and values.is_plain(key):
        return batch.values.get(key, _nulls(batch.where))
    value_of = values.getter(key, pattern)
    return [value_of(record.values) for record in batch.records()]


def _feature(column: Column) -> Any:
    return TEXTS if column.role == "caption" else values.feature(column)


def _cast(name: str, column: Column, batch: Batch, lost: Broken, odd: Odd) -> pa.Array:
    """A column's values; one that does not fit loses its record, one no UTF-8 makes it odd."""
    said = _said(column.key, batch, column.pattern)
    feature = _feature(column)
    kind = arrow_type(feature)
    plain = None if isinstance(said, list) else _plain(column, said, kind)
    if not isinstance(said, list) and plain is not None and plain.null_count == said.null_count:
        return plain
    listed = [None] * len(said) if plain is None else plain.to_pylist()
    for at, value in enumerate(values_of(said)):
        if value is not None and listed[at] is None:
            try:
                one = values.cast(name, column, value)
                if not fits(kind)(one):
                    detail = f"{name}: expected {column.type}, found {preview(one)}"
                    raise Dropped(Outcome.MALFORMED_ROW, detail)
                listed[at] = one
            except Dropped as drop:
                lost.setdefault(at, (drop.outcome, drop.detail))
    return _written(name, listed, feature, odd)


def _written(name: str, listed: list[Any], feature: Any, odd: Odd) -> pa.Array:
    """Values; what is no UTF-8 is escaped, and makes its record odd."""
    try:
        return pa.array(listed, arrow_type(feature))
    except UnicodeEncodeError:
        for at, value in enumerate(listed):
            if value != (escaped := _escaped(value)):
                odd.setdefault(at, {})[name], listed[at] = value, escaped
        return pa.array(listed, arrow_type(feature))


def _escaped(value: Any) -> Any:
    if isinstance(value, list):
        return [*map(_escaped, value)]
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _plain(column: Column, said: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Values as Arrow reads them, null where Python might read another; None: all are such."""
    is_text, whole = TEXT(said.type), pa.types.is_signed_integer(said.type)
    if pa.types.is_null(said.type):
        plain = said.cast(kind)
    elif column.role == "caption":
        plain = _lists_of_one(said) if is_text else None
    elif column.names is not None:
        plain = _classes(column.names, said) if is_text or whole else None
    elif said.type == kind and column.type != "json":
        plain = said
    elif is_text:
        numeral = {"int64": WHOLE, "float64": FLOAT}.get(column.type)
        plain = _matching(numeral, said) if numeral else None
    elif whole:
        plain = said if column.type in ("int64", "float64", "string") else None
    else:
        plain = said if pa.types.is_floating(said.type) and column.type == "float64" else None
    return None if plain is None else plain.cast(kind, safe=False)


def _lists_of_one(texts: pa.Array) -> pa.Array:
    ends = pa.array(np.cumsum([0, *~_is_null(texts)]), pa.int32())
    return pa.ListArray.from_arrays(ends, texts.drop_null(), mask=texts.is_null())


def _classes(names: list[str], said: pa.Array) -> pa.Array:
    """The numbers of classes, by their names or as they are."""
    if TEXT(said.type):
        return pc.index_in(said, pa.array(names, pa.string()))
    return _where(pc.and_(pc.greater_equal(said, 0), pc.less(said, len(names))), said)


def _matching(pattern: Any, texts: pa.Array) -> pa.Array:
    return _where(pc.match_substring_regex(texts, f"^(?:{pattern.pattern})$"), texts)


def _where(fits: pa.Array, said: pa.Array) -> pa.Array:
    return pc.if_else(fits, said, pa.scalar(None, said.type))


def _texts(name: str, said: Said, odd: Odd) -> pa.Array:
    if not isinstance(said, list) and TEXT(said.type):
        return said
    texts = [None if each is None else str(each) for each in values_of(said)]
    return _written(name, texts, Value("string"), odd)


def _first_of(captions: pa.Array) -> tuple[pa.Array, Broken]:
    """The first caption of each row, and the rows where all are blank."""
    counts = np.asarray(pc.list_value_length(captions).fill_null(0))
    texts, ends = captions.flatten(), np.cumsum(counts)
    said = np.asarray(pc.not_equal(pc.utf8_trim_whitespace(texts), ""))
    said_before = np.concatenate([[0], np.cumsum(said)])
    blank = np.flatnonzero(said_before[ends] == said_before[ends - counts])
    firsts = texts.take(pa.array(ends - counts, mask=counts == 0))
    return firsts, {int(at): (Outcome.BLANK_CAPTION, "") for at in blank}


def _digests(urls: pa.Array, captions: pa.Array | None) -> pa.Array:
    """An id out of each URL and its captions."""
    texts = urls
    if captions is not None:
        several = _where(pc.greater(pc.list_value_length(captions), 0), captions)
        lines = pc.binary_join(captions, "\n")
        both = pc.binary_join_element_wise(urls, lines, "\n")
        texts = pc.coalesce(pc.if_else(several.is_valid(), both, None), urls)
    return digits(texts.fill_null(""))


def _nulls(like: pa.Array) -> pa.Array:
    return pa.nulls(len(like), pa.string())


def _is_null(array: pa.Array) -> np.ndarray:
    nulls: np.ndarray = array.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _with(some: dict[int, str], texts: pa.Array) -> pa.Array:
    """Texts with some others in their places."""
    if not some:
        return texts
    places = sorted(some)
    mask = np.zeros(len(texts), bool)
    mask[places] = True
    instead = pa.array([some[at] for at in places], pa.string())
    return pc.replace_with_mask(texts, pa.array(mask), instead)
