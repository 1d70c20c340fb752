"""Rows in batches: shards, ledger and manifest have the bytes that rows one at a time give."""

import json
import os
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
from edge_glass.core.spec import Own, Spec
from edge_glass.corpora import catalog, own, own_batches, own_files
from edge_glass.corpora.corpus import Corpus
from edge_glass.corpora.key_profile import KeyProfile
from edge_glass.corpora.layouts import table_batches
from edge_glass.corpora.understand import Choices, understand
from edge_glass.media.features import Features, Sequence, Value, arrow_schema
from edge_glass.pipeline import row_batches, shard_plan, worker
from edge_glass.pipeline.build import Options, build
from edge_glass.sources.obtain import obtain

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


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


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
@pytest.mark.parametrize("limit", [None, 4])
def test_the_sample(tmp_path: Path, nsfw: str, subset: float | None, limit: int | None) -> None:
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
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(shard_files, "TEXT_GROUP_ROWS", 3)
        patch.setattr(shard_files, "ROW_GROUP_BYTES", 200)
        one = shard_files.write_shard(folder / "rows", rows, schema)
        other = shard_files.write_text_shard(folder / "table", iter([table[:1], table[1:]]), schema)
    assert one == other and pq.read_table(folder / "table").num_rows == len(rows)


CSV = """id,caption,n,score,kind,split,note
a,one,1,0.5,cat,train,x
b,"two
lines",02,1.,dog,test,
c, ,3,nan,cat,train,é
d,four,4.0,1e400,bird,dev,\0
a,again,5,.5,cat,train,x
f,few fields,6
g,true,-0,-0,,other,true
"""
JSON = r"""{"id": "a", "caption": "one", "n": 1, "score": 0.5, "kind": "cat", "split": "train"}
{"id": "b", "caption": "half \ud83d \u0000", "n": 2, "score": 1, "kind": "dog", "split": "test"}
{"id": 3, "caption": " ", "n": -0, "score": NaN, "kind": "cat", "split": "train", "note": "\ud83d"}

{"id": "d", "caption": ["four", "x"], "n": 4.0, "score": 1e400, "kind": true, "split": null}
{"id": "a", "caption": "again", "n": 99999999999999999999, "score": 0.5, "kind": "x", "split": "t"}
{"id": "a", "id": "g", "caption": null, "deep": {"a": [1]}, "n": {"a": 1}, "split": "train"}
no JSON
["a", "list"]
{"id": "hBYTE", "caption": "BYTE", "kind": "cat", "split": "train", "deep": ["\udcff"]}
{"id": null, "caption": 7, "kind": "cat", "split": "train", "n": false}
{}
{"id": "z", "cap""".replace("BYTE", "\udcff")
LISTED = [line for line in JSON.splitlines() if line[:1] in ("{", "[") and line[-1] in "}]"]
TYPED = {
    "url": ["http://a.example/1.jpg", None, "http://a.example/1.jpg", "/x.jpg", "http://a/é", "x"],
    "caption": [["a", "b"], [], None, ["c"], ["d"], [" "]],
    "n": [1, -1, 7, None, 0, 2],
    "share": [0.1, 1.0, None, float("nan"), -0.0, 2.5],
    "big": pa.array([2**62, 1, None, 0, 5, 6], pa.uint64()),
    "word": pa.array(["x", "y", None, "x", "y", "z"]).dictionary_encode(),
    "deep": [{"a": [1]}, None, {"a": [2]}, {"a": []}, {"a": [3]}, {"a": [4, 5]}],
}
COLUMNS: dict[str, dict[str, Any]] = {
    "caption": {"role": "caption", "type": "[string]"},
    "n": {"role": "label", "names": ["zero", "one", "two"]},
    "score": {"role": "number", "key": "share", "type": "float64"},
    "big": {"role": "number", "type": "int64"},
    "text": {"role": "text", "key": "{word}-{n}"},
    "first": {"role": "number", "key": "deep.a.0", "type": "int64"},
    "said": {"role": "text", "key": "deep", "type": "json"},
}
RULES: list[dict[str, Any]] = [
    {},
    {"by": "key", "key": "word", "names": {"train": ["x"], "test": ["y"]}},
    {"by": "share", "names": {"train": [], "test": []}, "shares": {"train": 0.5, "test": 0.5}},
    {"by": "pattern", "pattern": "([12])$", "names": {"train": ["2"], "test": ["1"]}},
]


def own_corpus(home: Path, **said: Any) -> Corpus:
    columns = {name: {"key": name} | column for name, column in said.pop("columns").items()}
    spec = Spec.model_validate(
        {
            "title": "t",
            "version": "1.0.0",
            "licence": "x",
            "licence_tag": "other",
            "layout": "table",
        }
        | {"columns": columns, "configs": {"list": {}}}
        | said
    )
    kind = own.corpus(Own.of("list", spec, home))
    return kind.of(kind.configure("list", "list"))


@pytest.mark.parametrize("fetched", [True, False])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("by", "all"))
def test_rows_of_a_table_are_those_of_its_records(
    tmp_path: Path, rule: dict[str, Any], fetched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table(TYPED), tmp_path / "list.parquet", row_group_size=2)
    monkeypatch.setattr(table_batches, "PIECE", 3)
    columns = COLUMNS | (
        {"image": {"role": "image", "key": "url", "stored_as": "url"}} if fetched else {}
    )
    sources: dict[str, Any] = {"data": {"path": "list.parquet"}}
    sources |= {"fetched": {"fetch": "image", "row_bytes": 1000}} if fetched else {}
    corpus = own_corpus(tmp_path, columns=columns, splits=rule, sources=sources)
    raw = obtain(corpus.request(), facts=False)
    for split in corpus.splits():
        parts = corpus.parts(split, raw)
        assert len(parts) == 3 and corpus.batched(raw)
        batched = [*corpus.source_rows(split, raw)]
        with monkeypatch.context() as patch:
            patch.setattr(own.OwnCorpus, "parts", lambda *_: [])
            alone = [*corpus.source_rows(split, raw)]
        for row in alone:
            row.fields.pop(own_files.NAMED, None)
        assert [(row.id, row.row, row.dropped) for row in batched] == [
            (row.id, row.row, row.dropped) for row in alone
        ]
        assert repr([r for r in batched if not r.dropped]) == repr(
            [r for r in alone if not r.dropped]
        )


@pytest.mark.parametrize("split", [None, "train:0.5,test:0.5 by kind"])
@pytest.mark.parametrize("packing", ["csv", "txt", "parquet", "jsonl", "json"])
def test_a_table_of_ones_own_has_the_bytes_of_its_records(
    tmp_path: Path, split: str | None, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"list.{packing}"
    monkeypatch.setattr(table_batches, "ROWS", 3)
    texts = {"csv": CSV, "txt": "one\n\n two\udcff \ntwo\n\0\n"}
    texts |= {"jsonl": JSON, "json": f"[{','.join(LISTED)}]"}
    path.write_text(texts.get(packing, ""), errors="surrogateescape")
    roles = {"url": "text"} if packing == "txt" else {}
    rule = split if packing in ("csv", "json", "jsonl") else "all"
    if packing == "parquet":
        typed = {key: values for key, values in TYPED.items() if key not in ("url", "deep")}
        pq.write_table(pa.table(typed), path)
    own_both_ways(path, Choices(split=rule or "key=split", roles=roles))


def own_both_ways(path: Path, choices: Choices) -> None:
    """A build of data of one's own: the same whether rows come in batches or one at a time."""
    variant = catalog.variant(str(path), {}, None, understand(path, choices).own)
    corpus, made = variant.builder(), dict[bool, dict[str, bytes]]()
    assert corpus.parts("train", obtain(corpus.request(), facts=False))
    for batched in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not batched:
                patch.setattr(own.OwnCorpus, "parts", lambda *_: [])
            build(variant, path.parent / f"{batched}")
        folder = path.parent / f"{batched}" / path.stem
        made[batched] = {p.name: p.read_bytes() for p in sorted(folder.iterdir())}
        assert list(verify(folder)) == []
    assert made[True] == made[False]


PLAIN = st.none() | st.booleans() | FEW | st.sampled_from(["\ud800", "\udcff"])
NUMBERS = st.integers(-3, 3) | st.floats() | st.sampled_from([2**63, -(2**70), 1e300])
ANY = PLAIN | NUMBERS | st.lists(PLAIN | NUMBERS, max_size=2) | st.dictionaries(FEW, NUMBERS)
OBJECT = st.fixed_dictionaries(
    {"id": PLAIN.filter(lambda id: str(id).strip() != "") | NUMBERS},
    optional={"note": ANY, "n": NUMBERS, "a.b": PLAIN, "a": ANY},
)
WRITTEN = st.one_of(
    OBJECT.map(json.dumps),
    OBJECT.map(lambda item: json.dumps(item, ensure_ascii=False)),
    st.sampled_from(
        ["", " ", "7", "null", "{", '{"n": 1}{"n": 2}', '{"n": 01}', '{"n": 1, "n": 2}']
    ),
)


@settings(deadline=None, max_examples=5)
@given(st.lists(WRITTEN, max_size=8), st.integers(1, 9))
def test_lines_of_json_have_the_bytes_of_their_records(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], most: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "list.jsonl"
    text = "\n".join(['{"id": "0", "n": 1, "note": "first"}', *lines])
    path.write_text(text, errors="surrogatepass")
    roles = {"id": "id", "note": "text", "n": "number"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_batches, "ROWS", most)
        own_both_ways(path, Choices(split="all", roles=roles))


CAPTION = st.none() | st.sampled_from(["", " ", "\u2003", "\x1c", "a", " b", "\x85", "é"])


@given(st.lists(st.none() | st.lists(CAPTION.filter(lambda text: text is not None), max_size=3)))
def test_the_first_caption_and_the_blank_ones_are_those_of_each_row(
    rows: list[list[str] | None],
) -> None:
    captions, blank = own_batches._first_of(pa.array(rows, pa.list_(pa.string())))
    assert captions.to_pylist() == [texts[0] if texts else None for texts in rows]
    assert [*blank] == [n for n, t in enumerate(rows) if not any(x.strip() for x in t or ())]


COLUMN = st.one_of(
    st.lists(st.none() | FEW | st.sampled_from(["1", "-0", "01", "1.", ".5e3", "True", "1e400"])),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.none() | st.floats()),
    st.lists(st.none() | st.booleans()),
    st.lists(st.lists(st.integers(0, 3), max_size=2)),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(COLUMN, max_size=3), st.booleans())
def test_profiles_of_columns_are_those_of_their_values(columns: list[Any], text: bool) -> None:
    many, alone = KeyProfile(), KeyProfile()
    for values in columns:
        many.add_column(pa.array(values), text)
        for value in values:
            if value is not None:
                alone.add(value, text)
    assert repr(many) == repr(alone)
