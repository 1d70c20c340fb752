"""Outputs behind a URL: the same bytes as on a disk, whole or absent, resumed."""

from pathlib import Path

import datasets
import pytest
from kit import Cli
from test_pixmo_cap import INTRANET, jpeg, listed, made
from wildsite import Site, page

from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.pipeline import remote_output, shard_plan, worker
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.remote_output import Away
from edge_glass.release import write_card
from edge_glass.release.write_card import build

VARIANT = catalog.variant("clotho_sample")
VARIANT_OF_URLS = catalog.variant("pixmo_cap")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 250_000)


def sent(there: Away, jobs: int = 1) -> None:
    build(VARIANT, there.staging, Options(jobs=jobs, away=there))
    write_card.write_report(there.staging, there)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_bytes(tmp_path: Path, jobs: int) -> None:
    build(VARIANT, tmp_path / "out")
    write_card.write_report(tmp_path / "out")
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
    make, made = worker.make, []

    def broken(tasks: list[worker.Task]) -> object:
        made.extend(task.name for task in tasks)
        if len(made) == 3:
            raise EdgeGlassError("stopped")
        return make(tasks)

    monkeypatch.setattr(worker, "make", broken)
    with pytest.raises(EdgeGlassError, match="stopped"):
        sent(there)
    assert not (tmp_path / "out" / "clotho_sample").exists()
    sent(there)
    assert len(made) == len(set(made)) + 1 and made[2] == made[3]
    assert (tmp_path / "out" / "clotho_sample" / "manifest.json").is_file()
    sent(there)
    assert len(made) == len(set(made)) + 1
    next((tmp_path / "out" / "clotho_sample").glob("train-*")).unlink()
    with pytest.raises(EdgeGlassError, match="is missing there or was changed"):
        sent(there)


@pytest.fixture
def fives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard for every five URLs."""
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 500_000_000)
    monkeypatch.setattr(shard_plan, "FETCHED_ROWS", 5)
    monkeypatch.setattr(shard_plan, "_chance", lambda size, weight: size >= 500_000_000)


def test_a_batch_of_shards_that_breaks_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fives: None
) -> None:
    """What is whole there is not fetched again, though nobody here was told of it."""
    count, there, put = 80, Away(f"file://{tmp_path}/there"), Away.put
    options = {"network": INTRANET, "unverified": True, "away": there}

    def breaks(away: Away, path: Path, name: str) -> None:
        if path.name.endswith("00006-of-00016.parquet"):  # the third of a batch of four
            raise OSError("the storage is gone")
        put(away, path, name)

    with Site({f"/{n}.jpg": page(jpeg(n)) for n in range(count)}) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/{n}.jpg" for n in range(count)])
        here = made(raw, tmp_path / "here")
        site.log.clear()
        with monkeypatch.context() as patched, pytest.raises(OSError, match="storage is gone"):
            patched.setattr(Away, "put", breaks)
            build(VARIANT_OF_URLS, there.staging, Options(raw, **options))
        before = len(site.log)
        build(VARIANT_OF_URLS, there.staging, Options(raw, jobs=2, **options))
        asked = [path for path in site.log if path.endswith(".jpg")]
        assert 35 <= before < count <= len(asked) <= count + 2 * 5
    assert files(tmp_path / "there" / here.name) == files(here)
    assert not list((tmp_path / "there").rglob("*.rows"))


def test_what_was_made_of_another_list_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fives: None
) -> None:
    there = Away(f"file://{tmp_path}/there")
    options = {"network": INTRANET, "unverified": True, "away": there}

    def stops(away: Away, tasks: list[worker.Task]) -> None:
        raise EdgeGlassError("stopped")

    with Site({f"/{n}.jpg": page(jpeg(n)) for n in range(40)}) as site:
        urls = [f"{site.url}/{n}.jpg" for n in range(40)]
        one, other = listed(tmp_path / "one", urls[:20]), listed(tmp_path / "other", urls[20:])
        with monkeypatch.context() as patched, pytest.raises(EdgeGlassError, match="stopped"):
            patched.setattr(Away, "collect", stops)
            build(VARIANT_OF_URLS, there.staging, Options(one, **options))
        assert list((tmp_path / "there").rglob("*.done.json"))
        build(VARIANT_OF_URLS, there.staging, Options(other, **options))
        here = made(other, tmp_path / "here")
    assert files(tmp_path / "there" / here.name) == files(here)


def test_storage_that_is_not_known(cli: Cli) -> None:
    shown = cli("build", "clotho_sample", "--out", "nothing://bucket/out")
    assert shown.code == 1 and "--out nothing://bucket/out: Protocol not known" in shown.err


def test_memory(tmp_path: Path) -> None:
    there = Away("memory://bucket/out")
    sent(there)
    there.get("clotho_sample/manifest.json", tmp_path / "manifest.json")
    assert (tmp_path / "manifest.json").stat().st_size > 1000
    assert remote_output.fsspec.filesystem("memory").exists("/bucket/out/README.md")
