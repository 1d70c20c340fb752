"""Which rows a withdrawal takes: those that were named, in all their examples, and no others."""

from pathlib import Path

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
from kit import ROOT, Cli, build_clotho, build_raw, rows

import edge_glass as eg
from edge_glass.core import manifest, parquet
from edge_glass.core.atomic_files import write_json
from edge_glass.core.errors import ConfigError, EdgeGlassError
from edge_glass.release.checks_papers import verify
from edge_glass.release.residue import Traces
from edge_glass.release.withdraw import Request
from edge_glass.vectors import embed
from edge_glass.vectors.embedding_files import Target


def captions(out: Path, *ids: str) -> Path:
    """A build of a row for each id."""
    return planted.corpus(out, "texts", {"train": [{"id": n, "caption": f"of {n}"} for n in ids]})


def assert_whole(out: Path) -> None:
    assert not [each for each in verify(out) if each.kind == "error"]


@pytest.mark.parametrize("id", ["track", "track#3"])
def test_a_row_whose_id_begins_like_another_stays(tmp_path: Path, id: str) -> None:
    """Records of subtitles, for instance, are called so, each by itself."""
    folder = captions(tmp_path, "track", "track#3", "other")
    eg.withdraw(tmp_path, ids=[id])
    assert rows(folder).keys() == {"track", "track#3", "other"} - {id}
    assert_whole(tmp_path)


def test_all_examples_of_a_row_with_several_classes_go(tmp_path: Path) -> None:
    raw = ROOT / "samples" / "yfcc15m_cls"
    folder = build_raw("yfcc15m_cls", raw, tmp_path, match="cls", class_mode="each")
    id = next(iter(rows(folder)))
    source = id.rpartition("#")[0]
    assert source and not id.rpartition("#")[2].isdecimal()
    done = eg.withdraw(tmp_path, ids=[id])
    assert done.search and done.search.residue == ()
    assert rows(folder) and not [one for one in rows(folder) if one.startswith(f"{source}#")]
    assert_whole(tmp_path)


def test_vectors_of_all_examples_of_a_row_go(clotho: Path, tmp_path: Path) -> None:
    folder = build_clotho(clotho, tmp_path / "data", caption_mode="each", splits=["train"])
    target, built = tmp_path / "data" / "embeddings" / folder.name / "m", manifest.read(folder)
    model, encoded = {"name": "m", "revision": "0"}, {"caption": {"modality": "text", "dim": 2}}
    data = {shard.file: shard.sha256 for shard in built.shards()}
    about = {"config": folder.name, "data": data, "model": model, "layout": "parquet"}
    write_json(target / embed.FILE, about | {"encoded": encoded})
    (shard,) = built.shards()
    one = Target("parquet", target, 0, 1, folder / shard.file)
    one.write({"caption": iter([np.ones((shard.rows, 2), dtype=np.float32)])}, encoded)
    done = eg.withdraw(tmp_path / "data", ids=[next(iter(rows(folder))).rpartition("#")[0]])
    assert done.search and done.search.residue == ()
    left = pq.read_table(target / shard.file)["id"].to_pylist()
    assert left == parquet.table(folder / shard.file)["id"].to_pylist() and left


@pytest.mark.parametrize(
    "where",
    [
        "1=1); COPY (SELECT 1) TO '{0}/stolen.csv'; SELECT (1",
        "1=1); ATTACH '{0}/stolen.db'; SELECT (1",
        "1=1); INSTALL httpfs; SELECT (1",
        "false); SELECT id FROM rows; --",
        "false) UNION SELECT 'a' WHERE (1=1",
        "id IN (SELECT column0 FROM read_csv('{0}/ids.csv', header=false))",
        "id IN (SELECT content FROM read_text('{0}/ids.csv'))",
        "length(caption) > (SELECT avg(length(caption)) FROM rows)",
        "id = 'a', id = 'b'",
        "",
    ],
)
def test_sql_is_one_expression_over_a_row_and_reads_no_file(tmp_path: Path, where: str) -> None:
    folder = captions(tmp_path / "data", "a", "b")
    (tmp_path / "ids.csv").write_text("a")
    with pytest.raises(ConfigError, match="--where"):
        eg.withdraw(tmp_path / "data", where=where.format(tmp_path))
    assert rows(folder).keys() == {"a", "b"}
    assert {path.name for path in tmp_path.iterdir()} == {"data", "ids.csv"}


def test_a_text_is_no_list_of_ids(tmp_path: Path) -> None:
    folder = captions(tmp_path, "a", "b", "c")
    with pytest.raises(ConfigError, match="ids: expected a list"):
        eg.withdraw(tmp_path, ids="ab")
    assert rows(folder).keys() == {"a", "b", "c"}


def test_other_configs_that_have_the_row_can_follow(tmp_path: Path) -> None:
    for config in ("one", "two"):
        row = {"id": "the first of all", "caption": f"what {config} says of it"}
        planted.corpus(tmp_path, config, {"train": [row, {"id": "b", "caption": "stays"}]})
    with pytest.raises(EdgeGlassError, match=r"two/ledger\.parquet: ids"):
        eg.withdraw(tmp_path, "one", ids=["the first of all"])
    done = eg.withdraw(tmp_path, ids=["the first of all"])
    assert sorted(done.configs) == ["one", "two"] and done.search and not done.search.residue
    assert [*rows(tmp_path / "one")] == [*rows(tmp_path / "two")] == ["b"]
    assert_whole(tmp_path)


def test_a_reason_that_names_the_row_is_refused(tmp_path: Path) -> None:
    folder = captions(tmp_path, "Jane Doe", "b")
    with pytest.raises(ConfigError, match="the reason is published"):
        eg.withdraw(tmp_path, ids=["Jane Doe"], reason="Jane Doe asked for it")
    assert rows(folder).keys() == {"Jane Doe", "b"}
    eg.withdraw(tmp_path, ids=["Jane Doe"], reason="she asked for it")
    with pytest.raises(EdgeGlassError, match="or all that match were withdrawn before"):
        eg.withdraw(tmp_path, ids=["Jane Doe"], reason="another one")


def test_ids_are_read_as_editors_write_them(tmp_path: Path, cli: Cli) -> None:
    folder, path = captions(tmp_path / "data", "a", "é", "c"), tmp_path / "ids.txt"
    path.write_bytes("é\r\n".encode("latin-1"))
    done = cli("withdraw", tmp_path / "data", "--ids", path, "--jobs", 1)
    assert done.code == 1 and "ids.txt: is not UTF-8" in done.err
    path.write_bytes("é\r\na\r\n".encode("utf-8-sig"))
    assert cli("withdraw", tmp_path / "data", "--ids", path, "--jobs", 1).code == 0
    assert [*rows(folder)] == ["c"]


def test_a_bracket_of_an_address_is_one() -> None:
    entry = {"id": "a", "url": "https://example.com/a[1].jpg?size=2"}
    assert Request(url="https://example.com/a[1].jpg*").keys(entry, set())
    assert not Request(url="https://example.com/a[!2].jpg*").keys(entry, set())


def test_what_is_looked_for_is_noted_in_one_order() -> None:
    ids = {f"{number:02}" for number in range(30)}
    assert Traces(ids).plain() == {"ids": sorted(ids)}
