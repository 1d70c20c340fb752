"""YFCC15M-Cls: JSON lines, and OpenAI's list joined with the metadata of YFCC100M."""

import bz2
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from kit import ROOT, Cli, entries, rows

from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.sources import table_join

SAMPLE = Path(__file__).parents[2] / "samples" / "yfcc15m_cls"
LIST, METADATA = "yfcc100m_subset_data.tsv.bz2", "yfcc100m_dataset.bz2"


def made(raw: Path, out: Path, base: str = "yfcc15m_cls", **overrides: Any) -> Path:
    variant = catalog.variant(base, overrides, "yfcc15m_cls_test" if overrides else None)
    build(variant, out, Options(raw=raw, unverified=True))
    return out / variant.name


def classes(folder: Path) -> dict[str, str]:
    return {id: row["class_name"] for id, row in rows(folder).items()}


def test_sample(built: Path) -> None:
    folder = built / "yfcc15m_cls_sample"
    assert classes(folder) == {
        "000/cat.jpg#n02123045": "tabby cat",  # of "Tabby-cat": any case, a word by itself
        "000/cat.jpg#n04590129": "window shade",
        "000/rocket.jpg#n03773504": "missile",  # two classes have this lemma
        "000/rocket.jpg#n04008634": "missile",
        "000/camera.jpg#n04069434": "reflex camera",
        "000/camera.jpg#n04479046": "trench coat",
        "000/camera.jpg#n04485082": "tripod",
    }
    outcomes = manifest.read(folder).splits["train"].outcomes
    # fault: a null caption ended the source's run
    dropped = {"blank_caption": 1, "malformed_row": 2, "missing_media": 1, "no_class": 1}
    assert outcomes == dropped | {"kept": 3}


def test_one_row_with_all_classes_by_the_longest_lemma(tmp_path: Path) -> None:
    folder = made(SAMPLE, tmp_path, "yfcc15m_cls_word")
    found = {row["id"]: row["class_names"] for row in rows(folder).values()}
    assert found["000/camera.jpg"] == ["reflex camera", "trench coat", "tripod"]
    assert found["000/gone.jpg"] == ["tiger shark"]
    assert found["000/rocket.jpg"] == ["missile"]  # of the class that has no other lemma
    cls = rows(made(SAMPLE, tmp_path, match="cls", class_mode="all"))
    assert cls["000/gone.jpg"]["class_names"] == ["tiger shark", "tiger"]


def test_some_classes_alone(tmp_path: Path) -> None:
    folder = made(SAMPLE, tmp_path, classes=["n04485082", "n02123045"])
    assert set(classes(folder).values()) == {"tabby cat", "tripod"}
    assert entries(folder)["000/rocket.jpg"]["outcome"] == "not_in_config"


def test_metadata_by_url(tmp_path: Path) -> None:
    build(catalog.variant("yfcc15m_cls_urls_sample"), tmp_path)
    folder = tmp_path / "yfcc15m_cls_urls_sample"
    found = rows(folder)
    assert list(found) == ["9004", "9000"]  # the order of the list, not of the metadata
    # the longest lemma wins, and a bracket stands between tiger and shark
    assert found["9004"]["caption"] == "a Tiger (shark) fin" and found["9004"]["labels"] == [292]
    assert found["9000"]["class_names"] == ["tabby cat", "stone wall"]
    assert found["9000"]["license"] == "Attribution License"
    told = {id: entry["outcome"] for id, entry in entries(folder).items()}
    assert told["9001"] == "removed" and told["9005"] == "missing_caption"


def test_metadata_with_a_folder_of_images(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(SAMPLE, raw)
    hash = "000abc00000000000000000000000000"
    target = raw / "images" / hash[:3] / hash[3:6] / f"{hash[:32]}.jpg"
    target.parent.mkdir(parents=True)
    shutil.copyfile(SAMPLE / "images" / "000" / "cat.jpg", target)
    settings: dict[str, Any] = {"source": "metadata", "text": ["title"]}
    folder = made(raw, tmp_path, "yfcc15m_cls_images", **settings)
    [(id, row)] = rows(folder).items()
    assert (id, row["class_name"]) == ("9000#n02123045", "tabby cat")
    assert row["caption"] == "Chelsea, my tabby cat"


def test_the_source_s_tsv(built: Path, cli: Cli, tmp_path: Path) -> None:
    cli("export", built / "yfcc15m_cls_sample", "--out", tmp_path, "--format", "tsv")
    lines = (tmp_path / "train" / "yfcc15m_cls_sample.tsv").read_text().splitlines()
    assert lines[1] == "000/cat.jpg\t281\tMy Tabby-cat on the window shade again"
    assert len(lines) == 8


def test_wrong_parameters() -> None:
    with pytest.raises(EdgeGlassError, match="JSON lines have none"):
        catalog.variant("yfcc15m_cls", {"images": "urls"}, "yfcc15m_cls_x")


def tables(folder: Path, listed: str, table: str) -> tuple[table_join.Table, table_join.Table]:
    (folder / "list.tsv.bz2").write_bytes(bz2.compress(listed.encode()))
    (folder / "table.tsv").write_text(table)
    one = table_join.Table(folder / "list.tsv.bz2", {1: {0: "id"}})
    return one, table_join.Table(folder / "table.tsv", {3: {0: "id", 2: "text"}})


def read(
    listed: table_join.Table, table: table_join.Table, folder: Path
) -> list[dict[str, str | None]]:
    """The joined rows, without `wrong` where nothing is."""
    rows = pq.read_table(table_join.joined(listed, table, "id", folder)).to_pylist()
    return [{k: v for k, v in row.items() if k != "wrong" or v} for row in rows]


def test_joins(tmp_path: Path) -> None:
    two = tables(tmp_path, "3\n1\n2\n1\n", '1\tx\t"one\n9\tx\tnine\n1\tx\tagain\n3\tx\n3\tx\té\n')
    wanted = [{"id": "3", "text": "é"}, {"id": "1", "text": '"one'}, {"id": "2", "text": None}]
    wanted.append({"id": "1", "text": '"one'})
    assert read(*two, tmp_path / "kept") == wanted
    [kept] = (tmp_path / "kept").glob("*.parquet")
    before = kept.stat().st_mtime_ns
    assert read(*two, tmp_path / "kept") == wanted
    assert kept.stat().st_mtime_ns == before  # it is made once
    more = tables(tmp_path, "3\n", "3\tx\tother now\n")
    assert read(*more, tmp_path / "kept") == [{"id": "3", "text": "other now"}]


def test_lines_that_cannot_be_read_are_rows(tmp_path: Path) -> None:
    two = tables(tmp_path, "3\n1\tmore\n2", "3\tx\tthree\r\n2\tx\t\xff\r\n")
    (tmp_path / "table.tsv").write_bytes(b"3\tx\tthree\r\n2\tx\t\xff\r\n")
    assert read(*two, tmp_path / "kept") == [
        {"id": "3", "text": "three"},
        {"id": None, "text": None, "wrong": "2 fields where others have 1"},
        {"id": "2", "text": "\ufffd", "wrong": "text is not UTF-8: b'\\xff'"},
    ]


@pytest.mark.parametrize("left_out", [(), (0, 2), (0,)])
def test_releases_of_the_metadata(left_out: tuple[int, ...], tmp_path: Path, cli: Cli) -> None:
    """25 columns, 23 as at first; any other width is one error, not rows without metadata."""
    raw = Path(shutil.copytree(ROOT / "samples" / "yfcc15m_cls", tmp_path / "raw"))
    path = raw / "yfcc100m_dataset.bz2"
    lines = [line.split("\t") for line in bz2.decompress(path.read_bytes()).decode().splitlines()]
    kept = [[cell for n, cell in enumerate(line) if n not in left_out] for line in lines]
    path.write_bytes(bz2.compress("".join("\t".join(line) + "\n" for line in kept).encode()))
    run = ["build", "yfcc15m_cls", "--raw", raw, "--out", tmp_path / "out", "--unverified"]
    run += ["--set", "source=metadata", "--set", "images=none", "--name", "yfcc15m_cls_x"]
    said = cli(*run, "--jobs", 1)
    if len(left_out) == 1:
        assert said.code == 1
        assert "expected lines of 23 or 25 fields between tabs, found 24" in said.err
    else:
        assert said.code == 0, said.err
        captions = {row["caption"] for row in rows(tmp_path / "out" / "yfcc15m_cls_x").values()}
        assert "Chelsea, my tabby cat She sits on a stone wall!" in captions


def test_a_damaged_list(tmp_path: Path) -> None:
    two = tables(tmp_path, "1\n" * 9, "1\tx\tone\n")
    path = tmp_path / "list.tsv.bz2"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(EdgeGlassError, match=r"list\.tsv\.bz2.*Get the file again"):
        table_join.joined(*two, "id", tmp_path / "kept")
    assert list((tmp_path / "kept").glob("*.parquet")) == []
