"""Shards as they are promised to readers: docs/layout.md says why."""

import re
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_glass.core import shard_files
from edge_glass.core.manifest import File
from edge_glass.core.parquet_pages import pages
from edge_glass.core.shard_files import write_shard, write_table, write_text_shard
from edge_glass.media.features import arrow_schema
from edge_glass.pipeline import shard_plan

FEATURES = {
    "id": datasets.Value("string"),
    "image": datasets.Image(),
    "captions": [datasets.Value("string")],
}


def written(
    path: Path, sizes: list[int], captions: list[str] | None = None, first: int = 0
) -> File:
    """A shard of rows whose media have these sizes."""
    draw = np.random.default_rng(0)
    rows: list[dict[str, Any]] = [
        {
            "id": f"{number}",
            "image": {"bytes": draw.bytes(size), "path": None},
            "captions": [captions[number] if captions else f"row {number}"],
        }
        for number, size in enumerate(sizes, first)
    ]
    return write_shard(path, rows, arrow_schema(datasets.Features(FEATURES)))


def groups(path: Path) -> list[int]:
    footer = pq.read_metadata(path)
    return [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]


def test_row_groups_hold_100_rows_or_10_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    assert written(path, [10] * 5000).rows == 5000
    numbers = groups(path)
    assert min(numbers[:-1]) > 75 and max(numbers) <= 150 and 46 <= len(numbers) <= 54
    written(path, [10] * 4999, first=1)  # a row that goes changes the row group that it was in
    assert groups(path) == [numbers[0] - 1, *numbers[1:]]
    written(path, [3_000_000] * 7)
    assert groups(path) == [3, 3, 1]
    written(path, [10, 12_000_000, 10, 10])  # no row is too large, and none waits for it
    assert groups(path) == [1, 1, 2]
    room = shard_files.ROW_GROUP_BYTES - len("0row 01row 1") - 2 * 8  # a path each
    written(path, [room - 10, 10])
    assert groups(path) == [2]
    written(path, [room - 10, 11])
    assert groups(path) == [1, 1]
    assert written(path, []).rows == 0 and pq.read_table(path).num_rows == 0
    assert shard_plan.SHARD_BYTES == 500_000_000


def test_rows_without_media_are_bounded_to_the_byte_and_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_files, "TEXT_GROUP_ROWS", 4)
    monkeypatch.setattr(shard_files, "ROW_GROUP_BYTES", 100)
    schema = pa.schema([("text", pa.string())])  # without ids nothing but the bounds ends a group
    for sizes, expected in (([1] * 13, [6, 6, 1]), ([50, 50, 1], [2, 1]), ([50, 51, 1], [1, 2])):
        rows = [{"text": "x" * size} for size in sizes]
        one = write_shard(tmp_path / "rows", rows, schema)
        tables = iter([pa.Table.from_pylist(rows, schema)])
        other = write_text_shard(tmp_path / "table", tables, schema)
        assert one.sha256 == other.sha256
        assert groups(tmp_path / "rows") == groups(tmp_path / "table") == expected


def test_row_groups_have_the_usual_rows_on_average() -> None:
    usual = 10_000
    ends = shard_files._chance(np.arange(1, shard_files._most_rows(usual)), usual).clip(0)
    assert 1 + np.cumprod(1 - ends).sum() == pytest.approx(usual, rel=0.002)
    assert not ends[: 3 * usual // 4].any() and ends[3 * usual // 4] > 0


def test_a_row_of_media_is_a_page_also_beside_lists_and_numbers(tmp_path: Path) -> None:
    features = datasets.Features(FEATURES | {"share": datasets.Value("float32")})
    media = {"bytes": b"x" * 40_000, "path": None}
    rows = [{"id": f"{n}", "image": media, "captions": ["a", "b"], "share": 0.5} for n in range(3)]
    write_shard(tmp_path / "shard.parquet", rows, arrow_schema(features))
    group = pq.read_metadata(tmp_path / "shard.parquet").row_group(0)
    data = (tmp_path / "shard.parquet").read_bytes()
    (chunk,) = [c for c in map(group.column, range(5)) if c.path_in_schema == "image.bytes"]
    start = chunk.data_page_offset
    end = start + chunk.total_compressed_size
    found = pages(lambda at, size: data[at : at + size], start, end)
    assert [page.values for page in found] == [1, 1, 1]


def test_media_are_plain_and_text_is_compressed(tmp_path: Path) -> None:
    done = written(tmp_path / "shard.parquet", [500] * 10)
    assert done.bytes == (tmp_path / "shard.parquet").stat().st_size
    group = pq.read_metadata(tmp_path / "shard.parquet").row_group(0)
    columns = {c.path_in_schema: c for c in map(group.column, range(group.num_columns))}
    media, text = columns.pop("image.bytes"), columns
    assert media.compression == "UNCOMPRESSED" and set(media.encodings) == {"PLAIN", "RLE"}
    assert not media.is_stats_set and not media.has_dictionary_page
    assert text.keys() == {"id", "image.path", "captions.list.element"}
    assert {column.compression for column in text.values()} == {"ZSTD"}
    assert text["id"].is_stats_set and text["id"].has_dictionary_page
    assert all(column.has_offset_index for column in [media, *text.values()])


def test_tables_are_compressed_and_some_columns_have_a_dictionary(tmp_path: Path) -> None:
    table = pa.table({"id": [f"{n}" for n in range(9)], "word": ["a"] * 9})
    done = write_table(tmp_path / "t.parquet", [table, table], table.schema, ["word"])
    assert (done.rows, done.bytes) == (18, (tmp_path / "t.parquet").stat().st_size)
    assert groups(tmp_path / "t.parquet") == [9, 9]
    group = pq.read_metadata(tmp_path / "t.parquet").row_group(1)
    ids, words = map(group.column, range(2))
    assert words.has_dictionary_page and not ids.has_dictionary_page
    assert {(c.compression, c.has_offset_index) for c in (ids, words)} == {("ZSTD", True)}
    write_table(tmp_path / "t.parquet", [table], table.schema)
    assert pq.read_metadata(tmp_path / "t.parquet").row_group(0).column(0).has_dictionary_page


def test_a_row_group_is_bounded_by_samples_of_sound_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_files, "ROW_GROUP_BYTES", 100)
    features = datasets.Features({"audio": datasets.Sequence(datasets.Value("float32"))})
    rows = [{"audio": np.zeros(number, dtype=np.float32)} for number in (10, 15, 25, 1)]
    write_shard(tmp_path / "t.parquet", rows, arrow_schema(features))
    assert groups(tmp_path / "t.parquet") == [2, 1, 1]


def test_a_row_more_leaves_most_pages_as_they_were(tmp_path: Path) -> None:
    """So that a new version sends the Hub little: pages are cut by content, not by number."""
    draw = np.random.default_rng(1)
    texts = [draw.bytes(20_000).hex() for _ in range(90)]
    written(tmp_path / "old.parquet", [0] * 90, texts)
    written(tmp_path / "new.parquet", [0] * 91, ["one more", *texts])
    old, new = (tmp_path / "old.parquet").read_bytes(), (tmp_path / "new.parquet").read_bytes()
    blocks = [old[at : at + 64] for at in range(0, len(old) - 64, len(old) // 50)]
    assert sum(block in new for block in blocks) > 25
    assert b"content_defined_chunking" in pq.read_metadata(tmp_path / "new.parquet").metadata


def test_columns_that_are_not_promised_are_refused(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.string())])
    for row in ({"id": "a", "more": 1}, {}):
        said = f"columns {sorted(row)} where ['id'] are promised"
        with pytest.raises(ValueError, match=re.escape(said)):
            write_shard(tmp_path / "shard.parquet", [row], schema)
    assert not list(tmp_path.iterdir())
