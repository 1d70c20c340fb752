"""Media read from the file where they stand: the same bytes as pyarrow's, or left to pyarrow."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.shard_files import write_shard
from edge_glass.core.stored_media import Stored
from edge_glass.media.features import Features, Image, Value, arrow_schema
from edge_glass.train import loader
from edge_glass.train.row_groups import Place

PLAIN = {"compression": "none", "use_dictionary": False}
NAME = "train-00000-of-00001.parquet"


def values(rows: int, draw: np.random.Generator) -> list[bytes | None]:
    """Of many sizes: nothing, less and more than a page of memory, more than a page of Parquet."""
    sizes = [0, 1, 5000, 100_000, 2_000_000]
    return [draw.bytes(sizes[int(draw.integers(len(sizes)))]) for _ in range(rows)]


def written(folder: Path, media: list[bytes | None], **how: Any) -> Path:
    folder.mkdir()
    kind = pa.struct({"bytes": how.pop("kind", pa.binary()), "path": pa.string()})
    cells = pa.array([{"bytes": value, "path": None} for value in media], kind)
    table = pa.table({"id": range(len(media)), "image": cells})
    pq.write_table(table, folder / NAME, row_group_size=7, **how)
    return folder


def found(place: Place) -> list[bool]:
    return [bool(place.stored(group)) for group in range(len(place.shape.rows))]


def read(folder: Path) -> list[bytes | None]:
    return [value for batch in loader(folder, shuffle=False) for value in batch["image"]]


def opened() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_shards_of_a_build_are_read_where_they_stand(tmp_path: Path) -> None:
    media = values(60, np.random.default_rng(0))
    schema = arrow_schema(Features({"id": Value("int64"), "image": Image()}))
    rows = ({"id": i, "image": {"bytes": v, "path": None}} for i, v in enumerate(media))
    write_shard(tmp_path / "a" / NAME, rows, schema)
    assert all(found(Place([tmp_path / "a"], "train", None)))
    assert read(tmp_path / "a") == media
    batches = list(loader(tmp_path / "a", batch_size=7))
    assert {i: v for b in batches for i, v in zip(b["id"], b["image"], strict=True)} == dict(
        enumerate(media)
    )


@pytest.mark.parametrize(
    "how, there",
    [
        (PLAIN, True),
        (PLAIN | {"data_page_size": 1000}, True),
        (PLAIN | {"write_page_checksum": True}, True),
        (PLAIN | {"data_page_version": "2.0"}, False),
        (PLAIN | {"use_dictionary": True}, False),
        (PLAIN | {"compression": "zstd"}, False),
        ({"compression": "none", "use_dictionary": False,
          "column_encoding": {"image.bytes": "DELTA_LENGTH_BYTE_ARRAY"}}, False),
    ],
)  # fmt: skip
def test_other_kinds_of_pages_are_left_to_pyarrow(
    tmp_path: Path, how: dict[str, Any], there: bool
) -> None:
    media = values(30, np.random.default_rng(1))
    folder = written(tmp_path / "a", media, **how)
    assert found(Place([folder], "train", None)) == [there] * 5
    assert read(folder) == media


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_row_groups_with_nulls_are_left_to_pyarrow(tmp_path: Path, kind: pa.DataType) -> None:
    media = values(30, np.random.default_rng(2))
    media[3] = media[29] = None
    folder = written(tmp_path / "a", media, kind=kind, **PLAIN)
    assert found(Place([folder], "train", None)) == [False, True, True, True, False]
    assert read(folder) == media


def test_damage_is_what_pyarrow_says_it_is(tmp_path: Path) -> None:
    """Bytes are changed where headers and levels stand; rows are the same, or pyarrow refuses."""
    media: list[bytes | None] = [bytes([65 + i]) * (20 + i) for i in range(7)]
    path = written(tmp_path / "a", media, **PLAIN, write_statistics=False) / NAME
    whole, column = path.read_bytes(), pq.read_metadata(path).row_group(0).column(1)
    draw, refused = np.random.default_rng(0), 0
    for _ in range(300):
        data = bytearray(whole)
        at = column.data_page_offset + int(draw.integers(60))
        for more in range(int(draw.integers(1, 4))):
            data[at + more] = int(draw.choice([0, 0x1C, 0x7F, 0x80, 0xFF, draw.integers(256)]))
        path.write_bytes(data)
        try:
            expected = pq.read_table(path)["image"].to_pylist()
        except (pa.ArrowException, OSError):
            expected, refused = [], refused + 1
        given = read(path.parent)
        if expected and given:  # a header that is odd is refused before pyarrow reads it
            assert given == [(value or {}).get("bytes") for value in expected]
        else:
            assert given in ([], [value for value in media if value])
    assert 20 < refused < 280


def test_a_shard_cut_short_under_a_reader_ends_it(tmp_path: Path) -> None:
    media: list[bytes | None] = [bytes([65 + i]) * 5000 for i in range(7)]
    path = written(tmp_path / "a", media, **PLAIN) / NAME
    batches = loader(path.parent, columns=["image"], batch_size=2, shuffle=False, prefetch=1)
    given = []
    with pytest.raises(EdgeGlassError, match=NAME):
        for batch in batches:
            given.extend(batch["image"])
            os.truncate(path, 20_000)
    assert given == media[: len(given)] and not batches.skipped


def test_files_are_closed_when_an_epoch_ends(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", values(70, np.random.default_rng(3)), **PLAIN)
    batches = loader([folder] * 20, columns=["image"])
    before = opened()
    for _ in batches:
        assert opened() < before + 30
    assert opened() <= before


def test_a_file_that_is_being_closed_is_given_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be another file's a moment later, and that one's bytes be read as media."""
    media = values(14, np.random.default_rng(3))
    place, close = Place([written(tmp_path / "a", media, **PLAIN)], "train", None), os.close
    late: list[Stored] = []

    def closing(number: int) -> None:
        if number in numbers:  # as another thread may, at this moment
            late.append(place.stored(1)["image"])
        close(number)

    monkeypatch.setattr(os, "close", closing)
    first = [place.stored(0)["image"]]
    numbers = {first[0]._file.number}
    first.clear()
    assert [late[0].read(row) for row in range(7)] == media[7:]
