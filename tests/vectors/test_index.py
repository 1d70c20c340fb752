"""Indexes: what they find beside exact search, bytes, kills, filters; queries by rows."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import searchkit
from kit import Cli, kill, until
from searchkit import files, made, nearest

from edge_glass.core.errors import EdgeGlassError
from edge_glass.vectors import embed, index_build, recall, vector_index
from edge_glass.vectors.numbered_rows import Filter, Table
from edge_glass.vectors.query import Finder, Query
from edge_glass.vectors.stored_vectors import stored
from edge_glass.vectors.text_encoders import normal

ROWS = 30_000


ROOMS = os.pathsep.join(str(Path(__file__).parents[1] / room) for room in ("support", "vectors"))


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    found = searchkit.clustered(ROWS)
    found[[5, 17, 20_001]] = np.nan  # rows whose media could not be decoded
    return found


@pytest.fixture(scope="module")
def data(vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nsfw = [["UNLIKELY", "UNSURE", "NSFW", ""][n % 4] for n in range(ROWS)]
    splits, years = {"train": 25_000, "test": 5_000}, [2000 + n % 10 for n in range(ROWS)]
    out = tmp_path_factory.mktemp("data")
    return searchkit.write(out, {"caption": vectors}, splits, NSFW=nsfw, year=years)


@pytest.fixture(scope="module")
def exact(data: Path) -> Path:
    return made(data)


@pytest.fixture
def inverted(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same data with an inverted file, in parts of a shard each; its folder."""
    shutil.copytree(data.parent, tmp_path / "inverted", ignore=shutil.ignore_patterns("index"))
    monkeypatch.setattr(index_build, "EXACT", 0)
    made(tmp_path / "inverted" / "data")
    return tmp_path / "inverted" / "data"


def test_few_vectors_are_compared_one_by_one(data: Path, exact: Path, vectors: np.ndarray) -> None:
    facts = json.loads((exact / vector_index.FILE).read_text())
    assert (facts["kind"], facts["rows"]) == ("exact", ROWS - 3)
    finder = Finder(data)
    for row in (0, 16, 25_004):
        hits = finder.find(Query("row", row), k=20, unsafe=True, fold=False)
        assert [hit.row for hit in hits] == nearest(vectors, vectors[row], 20)
        assert hits[0].row == row and hits[0].score == pytest.approx(1, abs=1e-4)


def test_many_vectors_have_codes_in_lists_on_disk(
    inverted: Path, vectors: np.ndarray, cli: Cli
) -> None:
    facts = index_build.facts(vector_index.place(searchkit.only(inverted)))
    assert (facts["kind"], facts["rows"], facts["code"]) == ("inverted", ROWS - 3, "SQ8")
    assert facts["recall_at_10"]["caption"] >= 0.95 and facts["ms_a_query"]["caption"]["median"] > 0
    assert facts["bytes"] < ROWS * 32 * 4 / 2
    finder, hits, wanted = Finder(inverted), 0, 0
    assert len(cli("search", inverted, "--row", 7, "--json").json) == 10  # nothing else is printed
    for row in range(100, 30_000, 997):
        found = finder.find(Query("row", row), k=10, unsafe=True, fold=False)
        assert found[0].row == row
        hits += len({h.row for h in found} & set(nearest(vectors, vectors[row], 10)))
        wanted += 10
    assert hits / wanted > 0.93


def test_an_inverted_file_is_mapped_not_read(inverted: Path) -> None:
    one = searchkit.only(inverted)
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from edge_glass.vectors.stored_vectors import stored\n"
        "from edge_glass.vectors.vector_index import opened\n"
        "found = opened(stored(Path(sys.argv[1]))[0])\n"
        "print([l for l in open('/proc/self/maps') if 'train-00000.faiss' in l])\n"
        "import faiss\n"
        "lists = faiss.downcast_InvertedLists(found._parts[0][1].invlists)\n"
        "print('threads', lists.prefetch_nthread)"
    )
    run = [sys.executable, "-c", code, str(inverted)]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    assert "train-00000.faiss" in done.stdout and "threads 0" in done.stdout
    for path in vector_index.place(one).iterdir():
        assert str(inverted.parent).encode() not in path.read_bytes()


def test_the_same_bytes_whatever_the_threads_and_the_folder(
    inverted: Path, data: Path, tmp_path: Path
) -> None:
    shutil.copytree(data.parent, tmp_path / "b", ignore=shutil.ignore_patterns("index"))
    code = (
        "import sys\nfrom pathlib import Path\nimport test_index\n"
        "test_index.index_build.EXACT = 0\n"
        "test_index.made(Path(sys.argv[1]))"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "b" / "data")]
    env = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(
            str(Path(__file__).parents[1] / room) for room in ("support", "vectors")
        ),
    }
    subprocess.run(run, check=True, env=env)
    one, two = (vector_index.place(searchkit.only(f)) for f in (inverted, tmp_path / "b" / "data"))
    assert files(one) == files(two)


def test_a_build_that_was_killed_goes_on(inverted: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data.parent, tmp_path / "c", ignore=shutil.ignore_patterns("index"))
    folder = tmp_path / "c" / "data"
    code = (
        "import sys\nfrom pathlib import Path\nimport test_index\n"
        "test_index.index_build.EXACT = 0\n"
        "test_index.made(Path(sys.argv[1]))"
    )
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join(
            str(Path(__file__).parents[1] / room) for room in ("support", "vectors")
        )
    }
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], env=env)
    place = vector_index.place(searchkit.only(folder))
    work = place.with_name(f".{place.name}.tmp")
    until((work / "final" / "train-00001.faiss").is_file, process)
    kill(process)
    assert not (place / vector_index.FILE).is_file()
    first = (work / "final" / "train-00000.faiss").stat().st_mtime_ns
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, env=env)
    assert files(place) == files(vector_index.place(searchkit.only(inverted)))
    assert not work.exists() and (place / "train-00000.faiss").stat().st_mtime_ns == first


def test_threads_are_what_they_were_after_ctrl_c(
    inverted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    stored, faiss = searchkit.only(inverted), vector_index.library()
    index, queries = vector_index.opened(stored), recall.queries(stored, [])
    monkeypatch.setattr(recall.time, "perf_counter", stopped)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    with pytest.raises(KeyboardInterrupt):
        recall._timed(index, queries)
    found = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(before)
    assert found == 3


@pytest.mark.parametrize("name", [vector_index.FILE, "train-00000.rows.npy", "train-00000.npy"])
def test_an_index_with_a_flipped_bit_is_refused_and_made_again(
    exact: Path, data: Path, name: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(data.parent, tmp_path / "copy")) / "data"
    place = vector_index.place(searchkit.only(folder))
    raw = bytearray((place / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (place / name).write_bytes(raw)
    with pytest.raises(EdgeGlassError, match="delete it and run `edge-glass index` again"):
        vector_index.opened(searchkit.only(folder))
    assert files(made(folder)) == files(exact)


def test_an_index_is_made_once_and_again_when_the_embeddings_change(
    exact: Path, data: Path
) -> None:
    before = (exact / vector_index.FILE).stat().st_mtime_ns
    assert made(data) == exact and (exact / vector_index.FILE).stat().st_mtime_ns == before
    settings = exact.parents[1] / embed.FILE
    text = settings.read_text()
    try:
        settings.write_text(text.replace('"revision": "0"', '"revision": "1"'))
        with pytest.raises(EdgeGlassError, match="have changed since"):
            vector_index.opened(searchkit.only(data))
    finally:
        settings.write_text(text)


@pytest.mark.parametrize("kind", ["exact", "inverted"])
def test_filters(
    kind: str, data: Path, vectors: np.ndarray, request: pytest.FixtureRequest
) -> None:
    folder = data if request.getfixturevalue(kind) and kind == "exact" else None
    finder = Finder(folder or request.getfixturevalue("inverted"))
    filters = [Filter.parsed(text) for text in ("split=test", "year>=2008", "caption~n 2999")]
    hits = finder.find(Query("row", 7), k=50, filters=filters, fold=False)
    # of rows 29990 to 29999 those of 2008 and 2009; of these UNLIKELY alone
    assert sorted(hit.row for hit in hits) == [n for n in (29_998, 29_999) if n % 4 == 0]
    hits = finder.find(Query("row", 7), k=50, filters=filters, unsafe=True, fold=False)
    assert sorted(hit.row for hit in hits) == [29_998, 29_999]


def test_what_is_not_marked_as_safe_is_hidden(data: Path, exact: Path) -> None:
    finder = Finder(data)
    hits = finder.find(Query("row", 3), k=100, fold=False)
    assert len(hits) == 100 and {hit.row % 4 for hit in hits} == {0}
    shown = finder.find(Query("row", 3), k=100, unsafe=True, fold=False)
    assert {hit.row % 4 for hit in shown} == {0, 1, 2, 3}


def test_filters_that_cannot_be(data: Path, exact: Path) -> None:
    table = Table(data)
    for text, why in (("nothing", "write column=value"), ("colour=red", "no column colour")):
        with pytest.raises(EdgeGlassError, match=why):
            table.passing([Filter.parsed(text)], True)
    with pytest.raises(EdgeGlassError, match="the column holds int64"):
        table.passing([Filter.parsed("year=red")], True)


def test_doubles_are_shown_once(tmp_path: Path) -> None:
    vectors = searchkit.clustered(300, clusters=300)
    vectors[100:110] = vectors[100] + 1e-4
    folder = searchkit.write(tmp_path, {"caption": vectors})
    made(folder)
    finder = Finder(folder)
    [first, *others] = finder.find(Query("row", 104), k=5)
    assert {first.row, *first.like_it} == set(range(100, 110))
    assert not {hit.row for hit in others} & set(range(100, 110)) and len(others) == 4
    assert len(finder.find(Query("row", 104), k=5, fold=False)[0].like_it) == 0


def test_vectors_in_the_layout_of_clip_retrieval(tmp_path: Path, vectors: np.ndarray) -> None:
    few = np.nan_to_num(vectors[:500])
    for layout in ("parquet", "clip-retrieval"):
        folder = searchkit.write(tmp_path / layout, {"caption": few}, None, 120, layout)  # type: ignore[arg-type]
        made(folder)
        hits = Finder(folder).find(Query("row", 321), k=10, fold=False)
        assert [hit.row for hit in hits] == nearest(few, few[321], 10)
        one = searchkit.only(folder)
        np.testing.assert_allclose(normal(one.vector(321)[None]), normal(few[[321]]), atol=2e-3)
        with pytest.raises(EdgeGlassError, match="row 5 has no caption embedding"):
            one.vector(5)


@pytest.mark.parametrize(
    ("rows", "memory", "lists", "code"),
    [
        (1_000_000, 4 * 10**9, 4096, "SQ8"),
        (1_000_000, 3 * 10**8, 2048, "SQ6"),
        (1_000_000, 2 * 10**8, 1024, "SQ4"),
        (400_000_000, 4 * 10**9, 16_384, "SQ4"),
    ],
)
def test_plans_follow_from_size_and_budget(rows: int, memory: int, lists: int, code: str) -> None:
    found = index_build.plan(rows, 384, memory)
    assert (found.lists, found.code) == (lists, code)
    assert found.sample * 384 * 4 <= memory / 2 and found.sample <= rows


def test_the_command_line(data: Path, exact: Path, vectors: np.ndarray, cli: Cli) -> None:
    [facts] = cli("index", data, "--json").json
    assert (facts["name"], facts["rows"]) == ("caption:planted", ROWS - 3)
    assert "caption:planted" in cli("index", data).out
    found = cli("search", data, "--row", 12, "--json", "--nsfw", "--k", 3).json
    assert [hit["row"] for hit in found] == nearest(vectors, vectors[12], 3)
    assert found[0]["caption"] == "caption 12" and found[0]["id"] == "row 12"
    shown = cli("search", data, "--row", 12, "--filter", "split=test").out
    assert max(map(len, shown.splitlines())) <= 80 and "caption" in shown
    for arguments, why in (
        (["--row", 5], "row 5 has no caption embedding"),
        (["--row", 30_000], "no row 30000"),
        ([], "give one of"),
        (["a text", "--row", 1], "give one of"),
        (["--image", __file__], "no index takes image"),
        (["--row", 1, "--in", "plot"], "in plot"),
    ):
        done = cli("search", data, *arguments)
        assert done.code == 1 and why in " ".join(done.err.split())


def test_captions_cannot_steer_a_terminal(tmp_path: Path, cli: Cli) -> None:
    captions = ["\x1b[2Jgone [red]x[/red]", "\x9b31mred", "plain"]
    folder = searchkit.write(tmp_path, {"caption": searchkit.clustered(3)}, caption=captions)
    made(folder)
    shown = cli("search", folder, "--row", 0).out
    assert "\x1b[2J" not in shown and "\x9b" not in shown
    assert "[red]x[/red]" in shown and "\\x1b[2Jgone" in shown


def test_what_is_not_there(tmp_path: Path, cli: Cli) -> None:
    folder = searchkit.write(tmp_path, {"caption": searchkit.clustered(300)}, None, 100)
    assert "run `edge-glass index`" in " ".join(cli("search", folder, "--row", 1).err.split())
    [one] = stored(folder)
    one.files()[1].unlink()
    done = cli("index", folder)
    assert done.code == 1 and "1 of 3 shards are not embedded" in " ".join(done.err.split())
    shutil.rmtree(one.folder)
    assert "no embeddings: make them" in " ".join(cli("index", folder).err.split())


def test_embeddings_of_another_build(tmp_path: Path, cli: Cli) -> None:
    folder = searchkit.write(tmp_path, {"caption": searchkit.clustered(300)})
    text = (folder / "manifest.json").read_text()
    digest = json.loads(text)["splits"]["train"]["shards"][0]["sha256"]
    (folder / "manifest.json").write_text(text.replace(digest, "0" * 64))
    assert "made of another build" in " ".join(cli("index", folder).err.split())


def test_the_ledger_of_a_row(data: Path) -> None:
    entry = Table(data).entry(25_003)
    assert entry is not None and (entry["id"], entry["row"]) == ("row 25003", "25003")


def test_row_groups_of_embeddings_stay_small(data: Path) -> None:
    for path in searchkit.only(data).files():
        made = pq.read_metadata(path)
        assert max(made.row_group(n).num_rows for n in range(made.num_row_groups)) <= 8192
