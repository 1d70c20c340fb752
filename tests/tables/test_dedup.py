"""Deduplication beside a plain loop over all rows, its traps, and its stops."""

import csv
import gzip
import io
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_kept_bytes import cut, flip

from edge_glass.core.errors import EdgeGlassError
from edge_glass.sources import table_chunks
from edge_glass.sources.table_layout import Layout
from edge_glass.tables import dedup, gather, scatter, stats
from edge_glass.tables.dedup import Wanted

LAYOUT = Layout(
    source="table",
    delimiter="|",
    columns={"url": "VARCHAR", "text": "VARCHAR", "width": "INTEGER", "score": "DOUBLE"},
    keys=("url", "text"),
    required=("score",),
    bounds={"score": (0, 1), "text": (1, 40), "width": (1, 1000)},
    counted=("url",),
    binned={"score": 0.1, "text": 10},
)
HEADER = ["width", "text", "score", "url"]


def lines(*records: list[Any], header: list[str] = HEADER) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter="|", lineterminator="\n").writerows([header, *records])
    return out.getvalue().encode()


def made(raw: Path, out: Path, **wishes: Any) -> dict[str, Any]:
    return dedup.dedup(raw, LAYOUT, out, Wanted(**({"parts": 3} | wishes)))


def parts(out: Path) -> list[list[dict[str, Any]]]:
    return [pq.read_table(path).to_pylist() for path in sorted((out / "metadata").iterdir())]


def book(out: Path) -> list[dict[str, Any]]:
    return [r for p in sorted((out / "ledger").iterdir()) for r in pq.read_table(p).to_pylist()]


def files(out: Path) -> dict[str, bytes]:
    found = (path for path in out.rglob("*") if path.is_file() and ".edge_glass" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def outcomes(out: Path) -> list[tuple[str, int, str]]:
    return sorted((row["source"], row["row"], row["outcome"]) for row in book(out))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """4,000 rows in four chunks of three kinds, two in five of them repeated."""
    random.seed(7)
    folder = tmp_path / "raw"
    (folder / "b").mkdir(parents=True)
    for number, name in enumerate(["a.csv", "b/0.parquet", "b/1.csv.gz", "c.csv"]):
        rows = [
            [
                random.randrange(1, 900),
                f'tëxt "{random.randrange(8)}"|\n',
                number / 10,
                f"u{n % 300}",
            ]
            for n in random.choices(range(10_000), k=1000)
        ]
        if name.endswith(".parquet"):
            columns = dict(zip(HEADER, zip(*rows, strict=True), strict=True))
            pq.write_table(pa.table({k: list(v) for k, v in columns.items()}), folder / name)
        else:
            data = lines(*rows)
            (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


def plain(raw: Path) -> tuple[list[tuple[str, str]], list[tuple[str, int, str]]]:
    """The keys that are kept, in source order, and what becomes of every row."""
    seen, kept, told = set(), [], []
    for path in table_chunks.files(raw):
        name = path.relative_to(raw).as_posix()
        if path.suffix == ".parquet":
            records = pq.read_table(path).to_pylist()
        else:
            data = path.read_bytes()
            text = gzip.decompress(data) if path.suffix == ".gz" else data
            records = list(csv.DictReader(io.StringIO(text.decode()), delimiter="|"))
        for number, record in enumerate(records):
            key = (record["url"], record["text"])
            told.append((name, number, "duplicate" if key in seen else "kept"))
            if key not in seen:
                seen.add(key)
                kept.append(key)
    return kept, sorted(told)


def test_the_first_of_equal_rows_stays(raw: Path, tmp_path: Path) -> None:
    summary = made(raw, tmp_path / "out")
    kept, told = plain(raw)
    assert outcomes(tmp_path / "out") == told
    found = [[(row["url"], row["text"]) for row in part] for part in parts(tmp_path / "out")]
    assert sorted(key for part in found for key in part) == sorted(kept)
    for part in found:
        assert part == [key for key in kept if key in set(part)]
        assert abs(len(part) - len(kept) / 3) < 0.15 * len(kept)
    assert summary["source"] == {"files": 4, "bytes": summary["source"]["bytes"], "rows": 4000}
    first = {
        (row["source"], row["row"]) for row in book(tmp_path / "out") if row["outcome"] == "kept"
    }
    for row in book(tmp_path / "out"):
        if row["outcome"] == "duplicate":
            name, _, number = row["detail"].removeprefix("of ").partition(" row ")
            assert (name, int(number)) in first


def test_the_same_bytes_whoever_does_the_work(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(raw, tmp_path / "one")
    monkeypatch.setattr(scatter, "SPAN_BYTES", 1)
    made(raw, tmp_path / "two", jobs=2, memory=10**9)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_shuffle_is_seeded(raw: Path, tmp_path: Path) -> None:
    made(raw, tmp_path / "plain")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        made(raw, tmp_path / name, seed=seed)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    flat = [
        [row["url"] + row["text"] for part in parts(tmp_path / n) for row in part]
        for n in ("plain", "a", "c")
    ]
    assert flat[0] != flat[1] != flat[2]
    assert sorted(flat[0]) == sorted(flat[1]) == sorted(flat[2])


def test_parts_are_chunks_again(raw: Path, tmp_path: Path) -> None:
    made(raw, tmp_path / "out")
    again = made(tmp_path / "out" / "metadata", tmp_path / "again", parts=1)
    assert again["outcomes"] == {"kept": len(plain(raw)[0])}


def test_a_stopped_run_goes_on(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(raw, tmp_path / "whole")
    work, calls = gather._part, []

    def broken(task: gather.Task) -> dict[str, Any]:
        calls.append(task.part)
        if calls == [0, 1]:
            raise OSError(28, "No space left on device", str(tmp_path / "out"))
        return work(task)

    monkeypatch.setattr(gather, "_part", broken)
    with pytest.raises(EdgeGlassError, match="the disk is full"):
        made(raw, tmp_path / "out")
    assert not (tmp_path / "out" / dedup.FILE).exists()
    monkeypatch.setattr(scatter, "_pieces", lambda *_: pytest.fail("read again"))
    made(raw, tmp_path / "out")
    assert calls == [0, 1, 1, 2]
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    made(raw, tmp_path / "out")
    assert calls == [0, 1, 1, 2] and not list((tmp_path / "out").rglob("span-*"))


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
@pytest.mark.parametrize("part", ["metadata", "ledger"])
def test_a_part_that_was_damaged_is_made_again(
    damage: Callable[[Path], None], part: str, raw: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out, write, again = tmp_path / "out", gather._part, list[int]()
    name = f"{part}/part-00001-of-00003.parquet"

    def stop(*_: object) -> None:
        damage(out / name)
        raise EdgeGlassError("stopped")

    def noted(task: gather.Task) -> Any:
        again.append(task.part)
        return write(task)

    with monkeypatch.context() as patch, pytest.raises(EdgeGlassError, match="stopped"):
        patch.setattr(dedup, "_summary", stop)
        made(raw, out)
    made(raw, tmp_path / "whole")
    monkeypatch.setattr(gather, "_part", noted)
    for _ in range(2):
        made(raw, out)
        assert again == [1] and files(out) == files(tmp_path / "whole")
    damage(out / name)
    made(raw, out)
    assert again == [1, 0, 1, 2] and files(out) == files(tmp_path / "whole")


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_piece_that_was_damaged_is_made_again(
    damage: Callable[[Path], None], raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write, again = tmp_path / "out", scatter._pieces, list[int]()

    def stop(task: gather.Task) -> Any:
        damage(next(task.run.work.glob("span-000001/pieces/bucket=2/*.parquet")))
        raise EdgeGlassError("stopped")

    def noted(task: scatter.Task, folder: Path) -> scatter.Record:
        again.append(task.span.number)
        return write(task, folder)

    monkeypatch.setattr(scatter, "SPAN_BYTES", 1)
    with monkeypatch.context() as patch, pytest.raises(EdgeGlassError, match="stopped"):
        patch.setattr(gather, "_part", stop)
        made(raw, out)
    made(raw, tmp_path / "whole")
    monkeypatch.setattr(scatter, "_pieces", noted)
    made(raw, out)
    assert again == [1] and files(out) == files(tmp_path / "whole")


def test_a_ledger_that_loses_a_row_does_not_balance(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = gather._part

    def lose(task: gather.Task) -> dict[str, Any]:
        record = work(task)
        record["outcomes"]["kept"] -= task.part == 1
        return record

    monkeypatch.setattr(gather, "_part", lose)
    with pytest.raises(EdgeGlassError, match="4000 rows were read and 3999 are in the ledger"):
        made(raw, tmp_path / "out")
    assert not (tmp_path / "out" / dedup.FILE).exists()


def test_traps_of_csv(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "0.csv").write_bytes(b"\xef\xbb\xbf" + lines([5, "a", 0.5, "u"], [5, "a", 0.5, "u"]))
    (raw / "1.csv").write_bytes(
        b"url|text|score|width\r\n"
        b"u|a|0.25|7\r\n\r\n"  # 0: again, and an empty line, which is no record
        b"u|b|6016.0|39580\r\n"  # 1: outliers
        b"u|c|0.5\r\n"  # 2: too few fields
        b"u|d|0.5|8|9\r\n"  # 3: too many
        b"\xff|e|0.5|8\r\n"  # 4: not UTF-8
        b"u||0.5|8\r\n"  # 5
        b' |"f ""g"" |\nh"|0.5|512.0\r\n'  # 6: no url
        b'u|"f ""g"" |\nh"|x|512.0\r\n'  # 7: quoted; a score that is none
        b'u|"never closed|0.5|8\r\n'  # 8: its quote opens nothing
    )
    (raw / "2.csv").write_bytes(lines(["u", "z"], header=["url", "text"]))
    for name, data in (("3.csv", b""), ("4.csv", b"url|text|score"), ("5.csv", b"text\n1\n2\n")):
        (raw / name).write_bytes(data)
    made(raw, tmp_path / "out", parts=1)
    assert outcomes(tmp_path / "out") == [
        ("0.csv", 0, "kept"), ("0.csv", 1, "duplicate"),
        ("1.csv", 0, "duplicate"), ("1.csv", 1, "kept"),
        ("1.csv", 2, "malformed_row"), ("1.csv", 3, "malformed_row"),
        ("1.csv", 4, "bad_encoding"), ("1.csv", 5, "blank_field"), ("1.csv", 6, "blank_field"),
        ("1.csv", 7, "kept"), ("1.csv", 8, "kept"),
        ("2.csv", 0, "missing_column"),
        ("5.csv", 0, "missing_column"), ("5.csv", 1, "missing_column"),
    ]  # fmt: skip
    rows = {row["text"]: row for row in parts(tmp_path / "out")[0]}
    assert rows["a"] == {"url": "u", "text": "a", "width": 5, "score": 0.5}
    assert rows['f "g" |\nh'] == {"url": "u", "text": 'f "g" |\nh', "width": 512, "score": None}
    details = {row["detail"] for row in book(tmp_path / "out") if row["outcome"] == "kept"}
    assert details == {"", "score 6016.0; width 39580", "score is no DOUBLE: x"}


def test_types_of_parquet_are_cast(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    columns = {
        "score": ["0.5", None],
        "width": [640.0, 1e12],
        "url": ["u", "v"],
        "text": ["t", "t"],
    }
    pq.write_table(pa.table(columns), tmp_path / "raw" / "0.parquet")
    made(tmp_path / "raw", tmp_path / "out", parts=1)
    [rows] = parts(tmp_path / "out")
    assert [(row["score"], row["width"]) for row in rows] == [(0.5, 640), (None, None)]
    assert book(tmp_path / "out")[1]["detail"] == "width is no INTEGER: 1000000000000.0"


@pytest.mark.parametrize("name", ["0.csv.gz", "0.parquet"])
def test_damaged_chunks(tmp_path: Path, name: str) -> None:
    (tmp_path / "raw").mkdir()
    random.seed(1)
    rows = [[1, f"{random.random()}", 0.5, "u"] for _ in range(300_000)]
    data = gzip.compress(lines(*rows), 1)
    (tmp_path / "raw" / name).write_bytes(data[: len(data) // 4 * 3])
    (tmp_path / "raw" / "1.csv").write_bytes(lines([1, "a", 0.5, "u"]))
    with pytest.raises(EdgeGlassError, match=rf"{name}: from here on: .* --skip-damaged"):
        made(tmp_path / "raw", tmp_path / "out", parts=1)
    found = made(tmp_path / "raw", tmp_path / "out", parts=1, skip_damaged=True)["outcomes"]
    assert found["damaged_file"] == 1
    assert (found["kept"] > 100_000) == name.endswith(".gz")
    [end] = [row for row in book(tmp_path / "out") if row["outcome"] == "damaged_file"]
    assert end["row"] == found["kept"] - 1


def test_statistics(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    rows = [[1, "a" * n, n / 20, "<script>" if n % 2 else ""] for n in range(1, 20)]
    rows += [[1, "x", 7, "u"], [1, "y", "", "u"]]
    (tmp_path / "raw" / "0.csv").write_bytes(lines(*rows))
    made(tmp_path / "raw", tmp_path / "out")
    found = json.loads((tmp_path / "out" / stats.FILE).read_text())
    assert found["rows"] == 12
    assert found["counts"] == {"url": {"<script>": 10, "u": 2}}
    assert found["bins"]["text"] == {"0.0": 7, "10.0": 5}
    assert found["bins"]["score"]["1.0"] == found["bins"]["score"]["(none)"] == 1
    page = (tmp_path / "out" / stats.PAGE).read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page and "<rect" in page


def test_statistics_of_images(tmp_path: Path) -> None:
    # read by hand: hosts without user, port and case; sides; quantiles of numbers and lengths
    table = Layout(
        source="t", columns={"URL": "VARCHAR", "TEXT": "VARCHAR", "WIDTH": "INTEGER",
        "HEIGHT": "INTEGER", "s": "DOUBLE"}, keys=("URL", "TEXT"),
        bounds={"WIDTH": (1, 20_000), "TEXT": (1, 5000), "s": (0, 1)},
        binned={"WIDTH": 200, "TEXT": 50, "s": 0.01},
    )  # fmt: skip
    urls = [f"https://u:p@CDN.a.example:80/{n}?x=http://b.example" for n in range(60)]
    urls += [f"http://b.example/{n}" for n in range(39)] + ["no address"]
    random.seed(2)
    rows = {"URL": urls, "TEXT": ["x" * n for n in range(1, 101)], "WIDTH": range(960, 1060)}
    rows |= {"HEIGHT": [256, 511, 512, 2000] * 25, "s": [n / 99 for n in range(99)] + [6016.0]}
    (tmp_path / "raw").mkdir()
    pq.write_table(pa.table({n: list(v) for n, v in rows.items()}), tmp_path / "raw" / "0.parquet")
    dedup.dedup(tmp_path / "raw", table, tmp_path / "out", dedup.Wanted(parts=3))
    found = json.loads((tmp_path / "out" / stats.FILE).read_text())
    assert found["counts"] == {"host": {"cdn.a.example": 60, "b.example": 39, "(none)": 1}}
    assert found["sizes"] == {
        "256": {"both": 100, "either": 100},
        "512": {"both": 50, "either": 100},
        "1024": {"both": 9, "either": 25 + 36 - 9},
    }
    wanted = {str(q): math.ceil(round(q * 100, 9)) for q in stats.QUANTILES}
    assert found["quantiles"]["TEXT"] == wanted
    assert found["quantiles"]["WIDTH"] == {q: n + 959 for q, n in wanted.items()}
    assert found["quantiles"]["s"] == {q: round((n - 1) / 99, 4) for q, n in wanted.items()}
    page = (tmp_path / "out" / stats.PAGE).read_text()
    assert "cdn.a.example" in page and ">WIDTH</th>" in page and "values" not in found


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_chunk_without_a_column_of_the_table(jobs: int, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "0.csv").write_bytes(lines([5, "a", 0.5, "u"]))
    (raw / "1.csv").write_text("address\nu\n")
    with pytest.raises(EdgeGlassError, match=r"1\.csv: none of the columns url, .*; found address"):
        made(raw, tmp_path / "out", jobs=jobs)


def test_no_chunks(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(EdgeGlassError, match="no chunk in it"):
        made(tmp_path / "raw", tmp_path / "out")
