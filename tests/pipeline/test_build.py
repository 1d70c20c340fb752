"""The main job: what a build keeps, resumes, replaces and refuses."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from kit import Recorded
from rich.console import Console

from edge_glass.core import ledger, manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Shown
from edge_glass.corpora import catalog
from edge_glass.pipeline import worker
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.estimate import plan
from edge_glass.release.write_card import build


def ids(folder: Path) -> set[str]:
    shards = folder.glob("*-of-*.parquet")
    return {i for shard in shards for i in pq.read_table(shard, columns=["id"])["id"].to_pylist()}


def variant(name: str, **overrides: object) -> catalog.Variant:
    return catalog.variant("clotho_sample", overrides, name)


def test_a_subset_lies_inside_a_larger_one_and_the_rest_is_in_the_ledger(tmp_path: Path) -> None:
    kept = []
    for n in (2, 5, 0.8):
        made = build(variant(f"v{n}", subset=n), tmp_path)
        kept.append(ids(tmp_path / f"v{n}"))
        assert made.kept == len(kept[-1])
        assert made.outcomes().total() == 11
    assert [len(k) for k in kept] == [2, 5, 9]
    assert kept[0] < kept[1] < kept[2]
    other = build(variant("other_seed", subset=5, seed=1), tmp_path)
    assert ids(tmp_path / "other_seed") != kept[1]
    assert other.kept == 5


def test_a_build_whose_ledger_loses_a_row_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, entries = worker._Book.add, []

    def lose(book: worker._Book, entry: ledger.Entry) -> None:
        entries.append(entry)
        if len(entries) != 2:
            add(book, entry)

    monkeypatch.setattr(worker._Book, "add", lose)
    with pytest.raises(EdgeGlassError, match="v: test has 3 source rows, the ledger 2"):
        build(variant("v", splits=["test"]), tmp_path)
    assert len(entries) == 3 and not (tmp_path / "v").exists()


def test_splits_and_limit(tmp_path: Path) -> None:
    made = build(variant("some", splits=["test", "train"]), tmp_path, Options(limit=2))
    assert list(made.splits) == ["train", "test"]
    assert made.splits["train"].outcomes == {"beyond_limit": 3, "kept": 2} and made.limit == 2
    with pytest.raises(EdgeGlassError, match="no split dev; there are train, validation, test"):
        build(variant("none", splits=["dev"]), tmp_path)


@pytest.mark.parametrize("mode", ["all", "each", "first", "random"])
def test_caption_modes(mode: str, tmp_path: Path) -> None:
    build(variant(mode, caption_mode=mode), tmp_path)
    table = pq.read_table(tmp_path / mode / "train-00000-of-00001.parquet").to_pylist()
    if mode == "all":
        assert len(table) == 5 and all(len(row["captions"]) == 5 for row in table)
    elif mode == "each":
        assert [row["id"][-2:] for row in table] == ["#1", "#2", "#3", "#4", "#5"] * 5
        assert len({row["caption"] for row in table}) == 25
    else:
        assert len(table) == 5 and all(isinstance(row["caption"], str) for row in table)


def test_a_finished_build_is_left_alone(tmp_path: Path) -> None:
    build(variant("once"), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "once").iterdir()}
    build(variant("once"), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "once").iterdir()} == before


def test_other_parameters_replace_a_build_of_the_same_name(tmp_path: Path) -> None:
    build(variant("one", splits=["train"]), tmp_path)
    build(variant("one", splits=["test"]), tmp_path)
    assert {path.name for path in (tmp_path / "one").iterdir()} == {
        "test-00000-of-00001.parquet", ledger.FILE, manifest.FILE
    }  # fmt: skip
    assert not any((tmp_path / HIDDEN / "work").iterdir())


def test_drafts_beside_the_card_stay(tmp_path: Path) -> None:
    (draft := tmp_path / "README.md.draft.1.tmp").write_text("mine")
    build(catalog.variant("clotho_sample", {"splits": ["test"]}, "sample"), tmp_path)
    assert draft.read_text() == "mine"


def test_time_and_host_stand_in_the_run_log_alone(tmp_path: Path) -> None:
    build(variant("here"), tmp_path)
    (line,) = (tmp_path / HIDDEN / "runs.jsonl").read_text().splitlines()
    run = json.loads(line)
    assert run["result"] == "done" and run["host"]
    outputs = [p for p in tmp_path.rglob("*") if p.is_file() and HIDDEN not in p.parts]
    for path in outputs:
        data = path.read_bytes()
        assert str(tmp_path).encode() not in data
        assert run["start"][:16].encode() not in data


def test_two_builds_of_one_config_do_not_run_at_once(tmp_path: Path) -> None:
    (tmp_path / HIDDEN).mkdir()
    with (
        FileLock(tmp_path / HIDDEN / "busy.lock"),
        pytest.raises(EdgeGlassError, match="another build"),
    ):
        build(variant("busy"), tmp_path)


def test_plan_counts_what_is_here_and_touches_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = plan(catalog.variant("clotho_sample"), out)
    assert made.exact and made.rows == {"train": 5, "validation": 3, "test": 3}
    assert made.shards == {"train": 1, "validation": 1, "test": 1}
    assert made.fetch_bytes == 0 and not out.exists()


def test_plan_of_what_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path))
    made = plan(catalog.variant("clotho", {"splits": ["train"]}), tmp_path)
    assert made.rows == {"train": 3839} and not made.exact
    assert made.fetch_bytes == 4541582263 + 1336762 + 830797
    assert {source.state for source in made.sources} == {"to fetch"}


def test_progress_speaks_without_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_glass.core.progress.LOG_EVERY", 0.0)
    monkeypatch.setattr("edge_glass.core.progress.POLL_EVERY", 0.001)
    said = io.StringIO()
    with Shown(Console(file=said)).rows("build x", 10, lambda: (5, 1)):
        while "left" not in said.getvalue():
            pass
    assert "build x: 5 of 10 rows, 1 dropped" in said.getvalue()
    with Shown(Console(file=said)).bytes("fetch") as tick:
        tick("clips.7z", 5_100_000, 2_000_000_000)
        tick("list.csv", 812, None)
    assert "fetch: clips.7z 5.1 MB of 2 GB\nfetch: list.csv 812 bytes\n" in said.getvalue()


def test_reading_and_planning_are_told_and_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, then = Recorded(), Recorded()

    def stop(*_: object) -> None:
        raise EdgeGlassError("stopped")

    with monkeypatch.context() as patched, pytest.raises(EdgeGlassError, match="stopped"):
        patched.setattr(manifest.Manifest, "check_balance", stop)
        build(variant("v"), tmp_path, progress=first)
    assert first.said == [
        (what, total, (11, 0)) for what, total in (("read v", 0), ("plan v", 11), ("build v", 11))
    ]
    assert build(variant("v"), tmp_path, progress=then).outcomes().total() == 11
    assert [what for what, _, _ in then.said] == ["build v"]
