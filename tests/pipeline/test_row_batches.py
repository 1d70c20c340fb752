"""Rows in batches: shards, ledger and manifest have the bytes that rows one at a time give."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Cli, Recorded

from edge_glass.audit.verify import verify
from edge_glass.core import ledger_tables, manifest, shard_files
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import MARKS
from edge_glass.core.row_digests import RowDigests
from edge_glass.corpora import catalog
from edge_glass.corpora.corpus import Corpus
from edge_glass.media.features import Features, Sequence, Value, arrow_schema
from edge_glass.pipeline import row_batches, shard_plan, worker
from edge_glass.pipeline.build import Options, build

BASE = "laion400m_metadata"
HEADER = "SAMPLE_ID|URL|TEXT|HEIGHT|WIDTH|LICENSE|NSFW|similarity"
FEW = st.sampled_from(
    ["", " ", "a", "b", "é\u2028", "x" * 50, '"', "\\", "\0", "\x7f", "😀", "0.3"]
)
FIELD = FEW | st.text(st.characters(codec="utf-8", exclude_characters="|\r\n"), max_size=8)
NUMBER = FEW | st.sampled_from(["512.0", "1e-7", "nan", "6016", "1e300", "-1", "99999999999"])
NSFW = st.sampled_from(["UNLIKELY", "NSFW", ""])
ROW = st.tuples(NUMBER, FIELD, FIELD, NUMBER, NUMBER, FIELD, NSFW, NUMBER).map("|".join)
LINE = ROW | st.sampled_from(["a|b", ""])


def both_ways(
    raw: Path | None, out: Path, limit: int | None = None, base: str = BASE, **parameters: Any
) -> dict[str, bytes]:
    """The files of a build, by name: the same whether rows come in batches or one at a time."""
    variant = catalog.variant(base, parameters, "laion400m_test" if parameters else None)
    made = {}
    for batched in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            other = (worker, "_make") if batched else (row_batches, "write_part")
            patch.setattr(*other, lambda *_: pytest.fail("the other way"))
            if not batched:
                patch.setattr(Corpus, "batched", lambda *_: False)
            build(variant, out / str(batched), Options(raw=raw, limit=limit), shown := Recorded())
        folder = out / str(batched) / variant.name
        outcomes = manifest.read(folder).outcomes()
        done = outcomes.total(), outcomes.total() - outcomes["kept"]
        assert shown.said[-1] == (f"build {variant.name}", done[0], done)
        made[batched] = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        assert list(verify(folder)) == []
    assert made[True] == made[False]
    return made[True]


def chunks(folder: Path, *texts: str) -> Path:
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.csv").write_bytes(f"{HEADER}\n{text}\n".encode())
    return folder


@pytest.mark.parametrize("nsfw", ["keep", "flag", "drop"])
@pytest.mark.parametrize("subset", [None, 3, 0.5])
def test_the_sample(tmp_path: Path, nsfw: str, subset: float | None) -> None:
    limit = None if (nsfw == "flag") == (subset == 3) else 4  # each with each of the others
    more = {"nsfw": nsfw, "subset": subset, "bundled": True}
    files = both_ways(None, tmp_path, limit, **more)
    assert len(files) == 3


@settings(deadline=None, max_examples=10)
@given(st.lists(st.lists(LINE, max_size=12), min_size=1, max_size=3), st.sampled_from([1, 3, 10]))
def test_any_table(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]], most: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    raw = chunks(folder / "raw", *map("\n".join, texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_plan, "SHARD_BYTES", 1000 * most)
        patch.setattr(shard_files, "TEXT_GROUP_ROWS", 2)
        patch.setattr(ledger_tables, "GROUP_ROWS", 5)
        both_ways(raw, folder / "out", nsfw="flag", subset=7)


def test_many_rows_in_several_row_groups_and_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 1000 * 1500)
    monkeypatch.setattr(shard_files, "ROW_GROUP_BYTES", 50_000)
    rows = [f"{n}|http://a.example/{n}|caption {n}|1|2|?|UNLIKELY|0.{n}" for n in range(4000)]
    files = both_ways(
        chunks(tmp_path / "raw", "\n".join(rows[:2500]), "\n".join(rows[2400:])), tmp_path
    )
    assert [name for name in files if "-of-" in name] == [
        f"train-0000{n}-of-00003.parquet" for n in range(3)
    ]
    outcomes = manifest.read(tmp_path / "True" / BASE).outcomes()
    assert outcomes == {"kept": 4000, "duplicate_id": 100}


def test_a_row_that_is_larger_than_a_shard_has_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 1)
    files = both_ways(None, tmp_path, bundled=True)
    kept = manifest.read(tmp_path / "True" / "laion400m_test").outcomes()["kept"]
    assert len([name for name in files if "-of-" in name]) == kept > 3


def test_two_processes_make_the_same(tmp_path: Path) -> None:
    rows = [f"{n}|http://a.example/{n}|caption {n}|1|2|?|UNLIKELY|0.3" for n in range(300)]
    raw = chunks(tmp_path / "raw", *("\n".join(rows[n : n + 100]) for n in (0, 100, 200)))
    made = []
    for jobs in (1, 2):
        build(catalog.variant(BASE), tmp_path / f"{jobs}", Options(raw=raw, jobs=jobs))
        made.append({p.name: p.read_bytes() for p in (tmp_path / f"{jobs}" / BASE).iterdir()})
    assert made[0] == made[1]


def test_a_row_that_was_withdrawn_stays_so(cli: Cli, tmp_path: Path) -> None:
    config, out, ids = "laion400m_metadata_sample", tmp_path / "out", tmp_path / "ids"
    assert cli("build", config, "--out", out).code == 0
    [shard] = (out / config).glob("*-of-*.parquet")
    gone = pq.read_table(shard)["id"][1].as_py()
    ids.write_text(gone)
    assert cli("withdraw", out, "--ids", ids).code == 0
    assert cli("build", config, "--out", out, "--rebuild").code == 0
    assert manifest.read(out / config).outcomes()["withdrawn"] == 1
    assert gone not in pq.read_table(shard)["id"].to_pylist() and list(verify(out)) == []


def test_rows_of_a_damaged_plan_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "rows").open("wb") as file:
        file.write(b"no batch")
    with pytest.raises(EdgeGlassError, match=r"damaged \(its sha256 is another\): run the same"):
        list(row_batches.read(tmp_path / "rows", "0" * 64))


@dataclass(frozen=True)
class Given:
    """Batches as a corpus gives them."""

    rows: pa.RecordBatch

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield self.rows[:0]
        yield self.rows


def keyed(folder: Path, ids: list[str | None], **columns: Any) -> list[dict[str, Any]]:
    marks = {mark: pa.array([f"{n}" for n in range(len(ids))]) for mark in MARKS}
    marks[MARKS[2]] = pa.nulls(len(ids), pa.string())
    rows = pa.RecordBatch.from_pydict(marks | {"id": pa.array(ids, pa.string())} | columns)
    schema = pa.schema([("id", pa.string()), ("n", pa.int32())])
    reading = row_batches.Reading(Given(rows), "train", 0, schema, folder / "part")
    row_batches.write_part(reading)
    return [row for batch in row_batches.read(reading.file) for row in batch.to_pylist()]


def test_a_row_without_an_id_is_malformed(tmp_path: Path) -> None:
    rows = keyed(tmp_path, ["a", None, "", " \u2003\x1f"], n=pa.array([1, 2, 3, 4]))
    assert [row["id"] for row in rows] == ["a", "train/1", "train/2", "train/3"]
    assert rows[0]["row.outcome"] is None
    for row in rows[1:]:
        assert row["row.outcome"] == Outcome.MALFORMED_ROW
        assert row["row.detail"] == "id: expected text, found nothing"


def test_columns_are_those_that_are_promised(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="are promised"):
        keyed(tmp_path, ["a"])
    with pytest.raises(pa.ArrowInvalid, match="not in range"):
        keyed(tmp_path, ["a"], n=pa.array([2**40]))


EVERY = Features(
    {
        "id": Value("string"),
        "text": Value("string"),
        "number": Value("float64"),
        "narrow": Value("float32"),
        "whole": Value("int64"),
        "small": Value("uint8"),
        "true": Value("bool"),
        "tags": Sequence(Value("string")),
        "boxes": [{"x": Value("int32"), "name": Value("string")}],
        "day": Value("date32"),
    }
)
RECORD = st.fixed_dictionaries(
    {
        "id": st.text(st.characters(codec="utf-8")),
        "text": st.none() | st.text(st.characters(codec="utf-8")),
        "number": st.none() | st.floats(),
        "narrow": st.none() | st.floats(width=32),
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "small": st.none() | st.integers(0, 255),
        "true": st.none() | st.booleans(),
        "tags": st.none() | st.lists(st.none() | st.text(st.characters(codec="utf-8")), max_size=3),
        "boxes": st.lists(
            st.fixed_dictionaries({"x": st.integers(0, 9), "name": st.none() | st.just("é")}),
            max_size=2,
        ),
        "day": st.none() | st.dates(),
    }
)


@settings(deadline=None)
@given(st.lists(RECORD, max_size=8), st.integers(0, 3))
def test_digests_and_row_groups_of_tables_are_those_of_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], skipped: int
) -> None:
    schema = arrow_schema(EVERY)
    table = pa.Table.from_pylist(rows, schema).slice(skipped)
    rows = rows[skipped:]
    digests = RowDigests(schema)
    assert digests.of_table(table).to_pylist() == [digests.of(row)[0] for row in rows]
    weights = sum(map(shard_files._weights, table.columns), np.zeros(len(rows), np.int64))
    assert weights.tolist() == [sum(map(shard_files._weight, row.values())) for row in rows]
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_files, "TEXT_GROUP_ROWS", 3)
        patch.setattr(shard_files, "ROW_GROUP_BYTES", 200)
        one = shard_files.write_shard(folder / "rows", rows, schema)
        other = shard_files.write_text_shard(folder / "table", iter([table[:1], table[1:]]), schema)
    assert one.sha256 == other.sha256 and pq.read_table(folder / "table").num_rows == len(rows)
