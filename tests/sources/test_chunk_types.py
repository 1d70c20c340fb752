"""Chunks as others write them: text without its mark, small floats, names and endings."""

import gzip
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import chunk_records
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora.layouts import table_records
from edge_glass.sources import chunk_rows
from edge_glass.sources.table_layout import Layout

TABLE = Layout("c", {"URL": "VARCHAR", "TEXT": "VARCHAR", "N": "DOUBLE"}, ("URL",), delimiter="|")


def records(folder: Path) -> list[tuple[dict[str, Any], tuple[str, str] | None]]:
    return [(record, why) for _, record, why, _ in chunk_records.records(folder, TABLE)]


def column(values: list[Any], kind: pa.DataType, folder: Path) -> list[Any]:
    """The texts of a Parquet file whose texts are of some type, None where the row is dropped."""
    urls = pa.array([f"u{n}" for n in range(len(values))])
    pq.write_table(pa.table({"URL": urls, "TEXT": pa.array(values, kind)}), folder / "a.parquet")
    return [why or record["TEXT"] for record, why in records(folder)]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.binary()),
        pa.dictionary(pa.int8(), pa.string()),
    ],
)
def test_text_of_any_arrow_type(kind: pa.DataType, tmp_path: Path) -> None:
    values = ["café", None, "a"]
    assert column(values, kind, tmp_path) == values


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    good, bad = column([b"a", b"caf\xe9"], pa.binary(), tmp_path)
    assert good == "a"
    assert bad == ("bad_encoding", "not UTF-8: b'caf\\xe9'")


@pytest.mark.parametrize("value", [["a"], {"a": "b"}, True])
def test_what_is_neither_text_nor_number_is_malformed(value: Any, tmp_path: Path) -> None:
    kind = pa.array([value]).type
    dropped, kept = column([value, None], kind, tmp_path)
    assert dropped[0] == "malformed_row"
    assert dropped[1].startswith(f"TEXT: expected text or a number, found {str(kind)[:4]}")
    assert kept is None


def test_float16(tmp_path: Path) -> None:
    table = pa.table({"URL": ["u"], "N": pa.array([np.float16(0.5)])})
    pq.write_table(table, tmp_path / "a.parquet")
    assert records(tmp_path)[0][0]["N"] == 0.5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.CSV", "url|Caption|n\nu|a, b|1\n"),
        ("a.tsv", "image_url\ttext\tN\nu\ta, b\t1\n"),
        ("a.csv.gz", "URL|alt_text|N\nu|a, b|1\n"),
        ("a.Csv.ZST", "URL|TEXT|N\nu|a, b|1\n"),
        ("a.tsv.bz2", "URL\tTEXT\tN\nu\ta, b\t1\n"),
    ],
)
def test_endings_and_names_of_columns(name: str, text: str, tmp_path: Path) -> None:
    packed = {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}.get(name.lower().rpartition(".")[2])
    with pa.output_stream(str(tmp_path / name), compression=packed) as file:
        file.write(text.encode())
    assert records(tmp_path) == [({"URL": "u", "TEXT": "a, b", "N": 1.0}, None)]


def test_a_truncated_zst_says_where_it_ends(tmp_path: Path) -> None:
    rows = "".join(f"u{n}|text {n * 7919 % 1013}|{n}\n" for n in range(50_000))
    whole = pa.compress(f"URL|TEXT|N\n{rows}".encode(), "zstd", asbytes=True)
    (tmp_path / "a.csv.zst").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Exception, match=r"a\.csv\.zst: row \d+: from here on: "):
        records(tmp_path)


JSON = (
    '{"url": "u1", "text": "a, \\u00e9", "n": 1.5}\n\n'
    '{"URL": "u2", "caption": 7, "more": [1]}\n'  # a writer may leave out what is null
    "no JSON\n[1]\n"
    '{"URL": "u3", "TEXT": ["a"], "N": true}\n'
    '{"URL": "u4", "TEXT": "half \\ud800", "N": null}\n'
    '{"URL": "u5", "TEXT": null, "N": "x"}'
)


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.JSONL", "a.json", "a.ndjson", "a.jsonl.gz", "a.json.zst", "a.json.bz2"]
)
def test_json_lines(name: str, tmp_path: Path) -> None:
    packed = {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}.get(name.lower().rpartition(".")[2])
    with pa.output_stream(str(tmp_path / name), compression=packed) as file:
        file.write(JSON.encode())
    (tmp_path / "about.json").write_text('{\n "rows": 7\n}\n')  # no lines of objects
    found = list(chunk_records.records(tmp_path, TABLE))
    assert [where for where, *_ in found] == [f"{name} row {n}" for n in range(7)]
    assert [list(record.values()) for _, record, why, _ in found if not why] == [
        ["u1", "a, é", 1.5], ["u2", "7", None], ["u5", None, None]
    ]  # fmt: skip
    assert found[-1][3] == "N is no DOUBLE: x"
    assert [why for _, _, why, _ in found if why] == [
        ("malformed_row", "expected an object, found nothing"),
        ("malformed_row", "expected an object, found a list: [1]"),
        ("malformed_row", "N: expected text or a number, found a bool: True"),
        ("bad_encoding", "TEXT: not UTF-8: 'half \\ud800'"),
    ]


def test_a_column_that_no_line_has_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"URL": "u1"}\n{"URL": "u2"}\n')
    layout = replace(TABLE, required=("N",))
    found = [why for _, _, why, _ in chunk_records.records(tmp_path, layout)]
    assert found == [("missing_column", "no column N")] * 2


def test_a_truncated_json_gives_all_lines_before_it_says_where_it_ends(tmp_path: Path) -> None:
    rows = "".join(f'{{"URL": "u{n * 7919 % 1013}", "N": {n}}}\n' for n in range(20_000))
    whole = pa.compress(rows.encode(), "gzip", asbytes=True)
    half = whole[: len(whole) // 2]
    (tmp_path / "a.jsonl.gz").write_bytes(half)
    there = zlib.decompressobj(31).decompress(half).count(b"\n")
    read = []
    with pytest.raises(EdgeGlassError, match=rf"a\.jsonl\.gz: row {there}: from here on: "):
        for _, record, _, _ in chunk_records.records(tmp_path, TABLE):
            read.append(record["N"])
    assert read == list(range(there))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"address|note\nu|a\n"),
        ("a.csv", b"URL,TEXT\nu,a\n"),  # another delimiter
        ("a.csv", b"u1|a\nu2|b\n"),  # no header
        ("a.tsv.gz", gzip.compress(b"address\tnote\nu\ta\n", mtime=0)),
        ("a.jsonl", b'{"address": "u"}\n{"note": "a"}\n'),
        ("a.parquet", b""),
    ],
)
def test_no_column_of_the_table(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    if name.endswith("parquet"):
        pq.write_table(pa.table({"address": ["u"]}), tmp_path / name)
    with pytest.raises(EdgeGlassError) as error:
        records(tmp_path)
    there = {"a.csv": data.decode(errors="replace").partition("\n")[0].replace("|", ", ")}
    found = there.get(name, "address")
    assert f"{tmp_path / name}: none of the columns URL, TEXT, N; found {found}" in str(error.value)


@settings(max_examples=40, deadline=None)
@example(lines=[["c\xe9", "\xe9"], *[["a", "a", "zz"]] * 200], cut=0, packed=False)
@given(
    lines=st.lists(
        st.lists(st.sampled_from(["a", "", '"b"', '"', '"d,\n"', " ", "zz"]), max_size=4)
        | st.tuples(st.sampled_from(["a", "c\xe9"]), st.sampled_from(["", "\xe9", '"b"'])),
        max_size=60,
    ),
    cut=st.integers(0, 3),
    packed=st.booleans(),
)
def test_records_are_the_same_one_by_one_as_in_batches(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], cut: int, packed: bool
) -> None:
    text = "\n".join(map(",".join, [["x", "y"], *lines * 20])).encode("latin-1")
    path = tmp_path_factory.mktemp("table") / ("a.csv.gz" if packed else "a.csv")
    data = gzip.compress(text, mtime=0) if packed else text
    path.write_bytes(data[: -cut or None])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk_rows, "BLOCK", 1000)
        try:
            wanted: Any = [*chunk_records.in_batches(path, path.name)]
        except EdgeGlassError as error:
            wanted = str(error)
        try:
            alone: Any = [*table_records.read(path, path.name)]
        except EdgeGlassError as error:
            alone = str(error)
    assert alone == wanted
