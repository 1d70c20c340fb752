"""What a Parquet file takes in memory is known before it is read, whoever wrote it."""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import memory
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_glass.audit.verify import verify
from edge_glass.core import ledger, manifest, parquet
from edge_glass.core.errors import EdgeGlassError
from edge_glass.release import write_card
from edge_glass.release.diff import diff

MANY, LARGE = 2000, 60_000_000
SHARD = "train-00000-of-00001.parquet"
Reader = Callable[[Path, Path], str]
WORDS = pa.array([b"x" * 1_000_000])


def coded(path: Path, column: pa.Array, **options: Any) -> Path:
    pq.write_table(pa.table({"id": ["a"] * len(column), "x": column}), path, **options)
    return path


def repeated(count: int) -> pa.DictionaryArray:
    """One value of a MB, which stands in so many rows."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), WORDS)


def test_a_dictionary_that_unfolds_to_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = coded(tmp_path / "x.parquet", repeated(MANY))
    assert path.stat().st_size < 100_000
    memory.forget()
    before = memory.peak()
    with pytest.raises(EdgeGlassError, match=r"x\.parquet: row group 0 takes 2\.0 GB in memory"):
        list(parquet.rows(path))
    assert memory.peak() - before < 100_000


@pytest.mark.parametrize("shape", ["plain", "list", "struct"])
def test_what_fits_is_read_however_much_its_dictionary_could_unfold_to(
    tmp_path: Path, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["y" * 900_000, *["z"] * MANY]  # 900 kB times 2,001 does not fit, what is there does
    columns = {
        "plain": pa.array(texts),
        "list": pa.array([[t] for t in texts]),
        "struct": pa.array([{"bytes": t.encode(), "path": None} for t in texts]),
    }
    path = coded(tmp_path / "x.parquet", columns[shape])
    assert [row["x"] for row in parquet.rows(path)] == columns[shape].to_pylist()
    monkeypatch.setenv(parquet.SETTING, "900000")
    with pytest.raises(EdgeGlassError, match="row group 0 takes"):
        list(parquet.rows(path))


def test_pages_are_bounded_where_rows_are_read_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = pa.array([bytes(100_000)] * 100)
    options: dict[str, Any] = {"use_dictionary": False, "data_page_size": 1, "write_batch_size": 1}
    path = coded(tmp_path / "x.parquet", cells, compression="zstd", **options)
    monkeypatch.setenv(parquet.SETTING, "2000000")
    with parquet.opened(path) as file:
        assert sum(batch.num_rows for batch in file.iter_batches(5)) == 100
        with pytest.raises(EdgeGlassError, match="takes 10"):
            list(file.iter_batches(100))


def number(value: int, length: int) -> bytes:
    """A signed number as Thrift has it, drawn out to a length."""
    value *= 2
    return bytes(value >> 7 * at & 127 | 128 * (at < length - 1) for at in range(length))


def spoilt(path: Path, large: bytes) -> Path:
    """A file of a cell of 60 MB whose footer says that it takes nothing."""
    size = pq.read_metadata(pa.BufferReader(large)).row_group(0).column(1).total_uncompressed_size
    true = next(number(size, n) for n in (3, 4, 5) if size * 2 < 128**n)
    body, footer = large[: len(large) // 2], large[len(large) // 2 :]
    path.write_bytes(body + footer.replace(true, number(9, len(true))))
    assert pq.read_metadata(path).row_group(0).column(1).total_uncompressed_size == 9
    return path


@pytest.fixture(scope="module")
def lying(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lying")
    options: dict[str, Any] = {"use_dictionary": False, "compression": "zstd"}
    large = coded(folder / "large.parquet", pa.array([bytes(LARGE)]), **options)
    return spoilt(folder / "lying.parquet", large.read_bytes())


def test_a_footer_that_lies_is_not_believed(lying: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lying.stat().st_size < 20_000
    monkeypatch.setenv(parquet.SETTING, str(LARGE // 2))
    memory.forget()
    before = memory.peak()
    with pytest.raises(EdgeGlassError, match=r"lying\.parquet: row group 0 takes 60"):
        list(parquet.rows(lying))
    assert memory.peak() - before < 20_000


@pytest.fixture
def harmful(built: Path, tmp_path: Path, lying: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build with a shard that would take 60 MB where 30 MB are the most."""
    folder = tmp_path / "out" / "clotho_sample"
    shutil.copytree(built / "clotho_sample", folder)
    table = pq.read_table(folder / SHARD)
    row = table.slice(0, 1).set_column(
        table.schema.get_field_index("sound_link"), "sound_link", pa.array(["x" * LARGE])
    )
    pq.write_table(row.cast(table.schema), folder / SHARD, compression="zstd", use_dictionary=False)
    path = folder / manifest.FILE
    found = json.loads(path.read_bytes())
    (shard,) = found["splits"]["train"]["shards"]
    data = (folder / SHARD).read_bytes()
    shard |= {"sha256": sha256(data).hexdigest(), "bytes": len(data), "rows": 1}
    path.write_text(json.dumps(found))
    monkeypatch.setenv(parquet.SETTING, str(LARGE // 2))
    return folder


def verified(folder: Path, before: Path) -> str:
    try:
        return "\n".join(f"{finding.where}: {finding.what}" for finding in verify(folder))
    except EdgeGlassError as error:
        return str(error)


def compared(folder: Path, before: Path) -> str:
    with pytest.raises(EdgeGlassError) as error:
        list(diff(before, folder))
    return str(error.value)


def reported(folder: Path, before: Path) -> str:
    with pytest.raises(EdgeGlassError) as error:
        write_card.write_report(folder.parent)
    return str(error.value)


@pytest.mark.parametrize("reader", [verified, compared, reported])
def test_every_reader_tells_and_takes_little(reader: Reader, harmful: Path, built: Path) -> None:
    memory.forget()
    before = memory.peak()
    assert f"{SHARD}: row group 0 takes 60" in reader(harmful, built / "clotho_sample")
    assert memory.peak() - before < 45_000


FLIPS = """if True:
    import random, sys
    from pathlib import Path
    from edge_glass.core import parquet
    from edge_glass.core.errors import EdgeGlassError

    data, path, start = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), int(sys.argv[3])
    draw = random.Random(1)
    for number in range(600):
        spoilt, place = bytearray(data), draw.randrange(-len(data) // 2, 0)
        spoilt[place] ^= 1 << draw.randrange(8)
        whole = draw.choice([len(data), len(data), place])
        if number < start:
            continue
        print(number, end=" ", flush=True)
        path.write_bytes(spoilt[:whole])
        try:
            list(parquet.rows(path))
            print("read", flush=True)
        except EdgeGlassError as error:
            named = str(error).startswith(f"{path}: ")
            print("refused" if named else f"unnamed {error}", flush=True)
"""


def test_every_flip_is_an_error_with_the_files_name_or_harmless(
    built: Path, tmp_path: Path
) -> None:
    """Over a few footers pyarrow itself ends the process; then another one goes on."""
    counts, start = Counter[str](), 0
    while start < 600:
        run = [sys.executable, "-c", FLIPS, built / "clotho_sample" / ledger.FILE]
        done = subprocess.run(
            [*run, tmp_path / "x.parquet", str(start)], capture_output=True, text=True, check=False
        )
        lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
        assert done.returncode in (0, -signal.SIGABRT, -signal.SIGSEGV), done.stderr
        counts.update(line[1] if len(line) > 1 else "ended" for line in lines)
        start = int(lines[-1][0]) + 1
    assert counts.keys() <= {"read", "refused", "ended"}
    assert counts["refused"] > 300
    assert counts["ended"] < 30


def test_an_iterator_that_nobody_finishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a program it is closed when modules have lost what they imported."""
    pq.write_table(pa.table({"x": range(9)}), tmp_path / "t.parquet")
    with parquet.opened(tmp_path / "t.parquet") as file:
        batches = file.iter_batches(1)
        next(batches)
        monkeypatch.setattr(parquet, "pa", None)
        batches.close()  # type: ignore[attr-defined] # a generator
