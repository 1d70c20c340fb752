"""Tables of one's own in batches: the same bytes as of their records one at a time."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_glass.audit.verify import verify
from edge_glass.core.spec import Own, Spec
from edge_glass.corpora import catalog, own, own_batches, own_files
from edge_glass.corpora.corpus import Corpus
from edge_glass.corpora.key_profile import KeyProfile
from edge_glass.corpora.layouts import table_batches
from edge_glass.corpora.understand import Choices, understand
from edge_glass.pipeline.build import build
from edge_glass.sources.obtain import obtain

FEW = st.sampled_from(
    ["", " ", "a", "b", "é\u2028", "x" * 50, '"', "\\", "\0", "\x7f", "😀", "0.3"]
)


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
        assert len(parts) == 3
        same_rows_both_ways(corpus, split)


def pack(path: Path, rows: list[list[str]]) -> None:
    """Write records of `KEYS` as the name of a file says; the first row alone is sure to be one."""
    named = [dict(zip(KEYS, row, strict=True)) for row in rows]
    kind = path.name.partition(".")[2].removesuffix(".gz")
    text = io.StringIO(newline="")
    if kind in ("csv", "tsv"):
        delimiter = "\t" if kind == "tsv" else ","
        csv.writer(text, delimiter=delimiter).writerows([KEYS, *rows])
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(named, SCHEMA), path, row_group_size=2)
        return
    else:
        lines = {"txt": map("".join, rows), "tab": map("\t".join, rows)}
        text.write("\n".join(lines.get(kind, map(json.dumps, named))))
        if kind == "json":
            text = io.StringIO(json.dumps(named))
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wb") as file:
        file.write(text.getvalue().encode(errors="surrogateescape"))


KEYS = ["url", "caption", "n"]
SCHEMA = pa.schema([(key, pa.string()) for key in KEYS])
FIELD = st.text('ab1.- é\t\n\r"\0,\u2003/', max_size=4) | st.sampled_from(
    ["1", "-0", "1.0", "http://a/1"]
)
PACKED = ["csv", "tsv", "txt", "tab", "parquet", "json", "jsonl", "csv.gz", "txt.gz", "jsonl.gz"]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(FIELD, min_size=3, max_size=3), max_size=6),
    st.sampled_from(PACKED),
    st.booleans(),
)
def test_rows_in_batches_are_those_of_records_however_a_table_is_packed(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], packing: str, fetched: bool
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    name = f"list.{packing}"
    pack(folder / name, [["http://a/0", "a", "0"], *rows])
    if packing == "tab":
        (folder / name).rename(folder / (name := "list.tsv"))
    keys = ["0", "1", "2"] if packing == "tab" else KEYS
    image = {"role": "image", "stored_as": "url"} if fetched else {"role": "text"}
    columns = {
        "image": image | {"key": keys[0]},
        "caption": {"role": "caption", "key": keys[1], "type": "[string]"},
        "n": {"role": "number", "key": keys[2], "type": "int64"},
    }
    sources: dict[str, Any] = {"data": {"path": name}}
    sources |= {"fetched": {"fetch": "image", "row_bytes": 1000}} if fetched else {}
    layout = "tsv" if packing == "tab" else "table"
    corpus = own_corpus(folder, columns=columns, sources=sources, layout=layout)
    same_rows_both_ways(corpus, "train")


def same_rows_both_ways(corpus: Corpus, split: str) -> None:
    """The rows of a split, in batches and as records; the text of those that are dropped may go."""
    raw = obtain(corpus.request(), facts=False)
    assert corpus.parts(split, raw) and corpus.batched(raw)
    batched = [*corpus.source_rows(split, raw)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own.OwnCorpus, "parts", lambda *_: [])
        alone = [*corpus.source_rows(split, raw)]
    for row in alone:
        row.fields.pop(own_files.NAMED, None)
    assert [(row.id, row.row, row.dropped) for row in batched] == [
        (row.id, row.row, row.dropped) for row in alone
    ]
    assert repr([r for r in batched if not r.dropped]) == repr([r for r in alone if not r.dropped])


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
@example(['{"id": "\\u0000", "note": "\\ud800"}'], 1)
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
