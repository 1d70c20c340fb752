"""Texts are corrected: the rows say so, the ledger holds, and the table of edits is published."""

import json
import shutil
from pathlib import Path

import datasets
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Hub
from kit import Cli, build_clotho, client, entries, rows
from releases import REPO, SAMPLE, push, sent, tags

import edge_glass as eg
from edge_glass.core import manifest
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.manifest import EDITS
from edge_glass.release.checks_papers import verify

WHO = {"who": "an editor", "why": "a slip of the pen"}


@pytest.fixture
def out(in_pieces: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(in_pieces, tmp_path / "data"))


def edits(folder: Path, *cells: tuple[str, str, object]) -> Path:
    told = [
        {"id": id, "column": column, "value": v if isinstance(v, str) else json.dumps(v)} | WHO
        for id, column, v in cells
    ]
    path = folder / "edits-of-mine.parquet"
    pq.write_table(pa.Table.from_pylist(told), path)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_shards_with_such_rows_are_written_anew(out: Path, tmp_path: Path, cli: Cli) -> None:
    folder = out / SAMPLE
    held, before = rows(folder), manifest.read(folder)
    id = sorted(held)[0]
    captions = ["A corrected caption.", *held[id]["captions"][1:]]
    path = edits(tmp_path, (id, "captions", captions), (id, "license", "CC0"))
    done = cli("amend", out, "--edits", path, "--jobs", 1)
    assert done.code == 0, done.err
    held[id] |= {"captions": captions, "license": "CC0"}
    assert rows(folder) == held
    made = manifest.read(folder)
    assert len(set(made.digests()) - set(before.digests())) == 1
    assert made.licences()["CC0"] == 1 and made.outcomes() == before.outcomes()
    assert not [each for each in verify(out) if each.kind == "error"]
    assert pq.read_table(folder / EDITS).to_pylist()[0]["who"] == "an editor"
    (origin,) = eg.why(out, id)
    assert [edit["column"] for edit in origin.edits] == ["captions", "license"]
    once = files(folder)
    (told,) = cli("amend", out, "--edits", path, "--json").json  # a second time: nothing is new
    assert told["config"] == SAMPLE
    assert files(folder) == once


def test_a_later_build_and_an_appended_one_keep_them(clotho: Path, tmp_path: Path) -> None:
    folder = build_clotho(clotho, tmp_path / "data", splits=["train"])
    id = sorted(rows(folder))[0]
    eg.amend(tmp_path / "data", edits(tmp_path, (id, "manufacturer", "another.wav")))
    kept = files(folder)
    shutil.rmtree(tmp_path / "data" / ".edge_glass")
    next(folder.glob("train-*")).unlink()
    build_clotho(clotho, tmp_path / "data", splits=["train"])
    assert files(folder) == kept
    more = build_clotho(clotho, tmp_path / "more", splits=["test"])
    eg.append(tmp_path / "data", more.parent)
    assert rows(folder)[id]["manufacturer"] == "another.wav"


def test_the_last_edit_of_a_cell_holds_and_a_withdrawn_row_has_none(
    out: Path, tmp_path: Path
) -> None:
    id = sorted(rows(out / SAMPLE))[0]
    for value in ("one", "two", "one"):
        eg.amend(out, edits(tmp_path, (id, "manufacturer", value)))
        assert rows(out / SAMPLE)[id]["manufacturer"] == value
    assert manifest.read(out / SAMPLE).tables[0].rows == 3
    eg.withdraw(out, ids=[id])
    assert EDITS not in files(out / SAMPLE)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (("nobody", "captions", ["x"]), "1 ids are in no shard"),
        (("", "nothing", "x"), "no column that can be amended"),
        (("", "id", "x"), "no column that can be amended"),
        (("", "audio", "x"), "only texts can be amended"),
        (("", "captions", "no JSON"), "a list of texts"),
    ],
)
def test_what_cannot_be_amended(
    out: Path, tmp_path: Path, cell: tuple[str, str, object], told: str
) -> None:
    before, id = files(out / SAMPLE), sorted(rows(out / SAMPLE))[0]
    with pytest.raises((ConfigError, DataError), match=told):
        eg.amend(out, edits(tmp_path, (cell[0] or id, *cell[1:])))
    assert files(out / SAMPLE) == before


def test_the_next_version_of_a_dataset(hub: Hub, out: Path, tmp_path: Path) -> None:
    push(hub, out, "1.0.0")
    size = sum(shard.bytes for shard in manifest.read(out / SAMPLE).shards())
    id = sorted(rows(out / SAMPLE))[0]
    path = edits(tmp_path, (id, "manufacturer", "another.wav"))
    hub.reset_log()
    eg.amend(REPO, path, version="1.1.0")
    assert sent(hub) < size / 2
    eg.amend(out, path)
    ours = files(out / SAMPLE)
    assert {name: hub.read(REPO, f"{SAMPLE}/{name}", "v1.1.0") for name in ours} == ours
    code = (
        "import json, datasets; d = datasets.load_dataset('org/edge-glass', 'clotho_sample_edits',"
        " revision='v1.1.0', split='edits'); print(json.dumps(d[0]))"
    )
    assert client(hub, code)["why"] == "a slip of the pen"
    table = eg.load("clotho_sample_edits", REPO, version="1.1.0", split="edits")
    assert table[0]["who"] == "an editor"
    assert entries(out / SAMPLE)[id]["outcome"] == "kept"


def test_a_list_that_was_empty_is_amended_as_a_list(tmp_path: Path) -> None:
    features = {name: datasets.Value("string") for name in ("id", "note")}
    features["captions"] = [datasets.Value("string")]
    empty = [{"id": "a", "note": None, "captions": None}]
    folder = planted.corpus(
        tmp_path / "data", "texts", {"train": empty}, features=datasets.Features(features)
    )
    path = edits(tmp_path, ("a", "captions", ["one", "two"]), ("a", "note", '["as it is"]'))
    eg.amend(tmp_path / "data", path)
    assert rows(folder)["a"] == {"id": "a", "note": '["as it is"]', "captions": ["one", "two"]}
    with pytest.raises(ConfigError, match="it holds lists of texts"):
        eg.amend(tmp_path / "data", edits(tmp_path, ("a", "captions", "[" * 100_000)))


def test_a_version_follows_one_of_which_rows_were_withdrawn_and_amended(
    hub: Hub, out: Path, tmp_path: Path
) -> None:
    gone, id, *_ = sorted(rows(out / SAMPLE))
    push(hub, out, "1.0.0")
    eg.withdraw(REPO, ids=[gone], version="1.1.0", certificate=tmp_path)
    path = edits(tmp_path, (id, "license", "CC0"))
    eg.amend(REPO, path, version="1.2.0")
    with pytest.raises(DataError, match="nothing is new since its last version"):
        eg.amend(REPO, path, version="1.3.0")
    eg.amend(REPO, edits(tmp_path, (id, "license", "CC-BY")), version="1.3.0")
    eg.append(REPO, out, version="1.4.0")
    assert tags(hub) == {"v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"}
