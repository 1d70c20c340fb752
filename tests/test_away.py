"""Outputs behind a URL: the same bytes as on a disk, whole or absent, resumed."""

from pathlib import Path

import datasets
import pytest
from kit import Cli

from edge_glass import away, catalog, orders, present, work
from edge_glass.away import Away
from edge_glass.build import Options, build
from edge_glass.errors import EdgeGlassError

VARIANT = catalog.variant("clotho_sample")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(orders, "SHARD_BYTES", 250_000)


def sent(there: Away, jobs: int = 1) -> None:
    build(VARIANT, there.staging, Options(jobs=jobs, away=there))
    present.drawn(there.staging, there)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_bytes(tmp_path: Path, jobs: int) -> None:
    build(VARIANT, tmp_path / "out")
    present.drawn(tmp_path / "out")
    there = Away(f"file://{tmp_path}/there/out")
    sent(there, jobs)
    found = files(tmp_path / "there" / "out")
    assert {name for name in found if "/" not in name} == {"README.md", "report.html"}
    assert {k: v for k, v in found.items() if k.startswith("clotho_sample/")} == {
        f"clotho_sample/{k}": v for k, v in files(tmp_path / "out" / "clotho_sample").items()
    }
    assert found["plots/clotho_sample.png"].startswith(b"\x89PNG")
    assert found["README.md"] == (tmp_path / "out" / "README.md").read_bytes()
    assert not list(there.staging.rglob("*-of-*.parquet"))
    train = datasets.load_dataset(str(tmp_path / "there" / "out"), "clotho_sample", split="train")
    assert len(train) == 5


def test_a_stopped_build_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Away(f"file://{tmp_path}/out")
    make, made = work.make, []

    def broken(tasks: list[work.Task]) -> object:
        made.extend(task.name for task in tasks)
        if len(made) == 3:
            raise EdgeGlassError("stopped")
        return make(tasks)

    monkeypatch.setattr(work, "make", broken)
    with pytest.raises(EdgeGlassError, match="stopped"):
        sent(there)
    assert not (tmp_path / "out" / "clotho_sample").exists()
    sent(there)
    assert len(made) == len(set(made)) + 1 and made[2] == made[3]
    assert (tmp_path / "out" / "clotho_sample" / "manifest.json").is_file()
    sent(there)
    assert len(made) == len(set(made)) + 1
    next((tmp_path / "out" / "clotho_sample").glob("train-*")).unlink()
    with pytest.raises(EdgeGlassError, match="is there no more"):
        sent(there)


def test_storage_that_is_not_known(cli: Cli) -> None:
    shown = cli("build", "clotho_sample", "--out", "nothing://bucket/out")
    assert shown.code == 1 and "--out nothing://bucket/out: Protocol not known" in shown.err


def test_memory(tmp_path: Path) -> None:
    there = Away("memory://bucket/out")
    sent(there)
    there.get("clotho_sample/manifest.json", tmp_path / "manifest.json")
    assert (tmp_path / "manifest.json").stat().st_size > 1000
    assert away.fsspec.filesystem("memory").exists("/bucket/out/README.md")
