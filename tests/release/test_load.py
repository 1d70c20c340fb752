"""`edge_glass.load`: the version that was asked for, online or not, and audio without torch."""

import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from hub import Fault, Hub
from huggingface_hub import HfApi, constants
from kit import HORSE, build_clotho

import edge_glass
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.release import publish
from edge_glass.release.write_card import build

REPO = "org/edge-glass"
SAMPLE = "clotho_sample"
RATES = {"1.0.0": 44100, "2.0.0": 16000}


@pytest.fixture(scope="module")
def at_16_khz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample again under the same name, as a later version may have it."""
    out = tmp_path_factory.mktemp("at_16_khz")
    build(catalog.Variant("clotho", SAMPLE, SAMPLE, {"sample_rate": 16000}), out)
    build(catalog.variant("clotho_dcase_test_sample"), out)
    return out


@pytest.fixture
def released(
    hub: Hub, built: Path, at_16_khz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Hub:
    """A Hub with two versions, and a cache of `datasets` that is empty."""
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", hub.url)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    publish.push(built, [SAMPLE], REPO, "1.0.0")
    publish.push(at_16_khz, [SAMPLE, "clotho_dcase_test_sample"], REPO, "2.0.0")
    return hub


def rate(version: str | None, **more: object) -> int:
    loaded = edge_glass.load(SAMPLE, REPO, version, split="train", **more)
    return int(next(iter(loaded))["audio"]["sampling_rate"])


def unplug(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # where nobody listens


def break_down(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.fail(Fault(".*", "", times=9999, status=503))


def hang_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.fail(Fault(".*", "", times=9999, lost=True))


def test_the_function_is_not_the_module_of_its_name() -> None:
    import edge_glass.pipeline.build
    import edge_glass.release.load

    for _ in range(2):
        assert inspect.isfunction(edge_glass.load) and inspect.isfunction(edge_glass.build)


@pytest.mark.parametrize("go_down", [unplug, break_down, hang_up])
def test_a_version_stays_what_it_is_when_the_hub_goes_down(
    go_down: Callable[[Hub, pytest.MonkeyPatch], None], released: Hub, naps: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert {version: rate(version) for version in RATES} == RATES
    assert rate(None) == rate("v2.0.0") == 16000
    go_down(released, monkeypatch)
    assert {version: rate(version) for version in RATES} == RATES
    assert {version: rate(version, streaming=True) for version in RATES} == RATES
    assert rate(None) == 16000
    with pytest.raises(EdgeGlassError, match=r"version 3\.0\.0 is not \(all\) in the cache"):
        rate("3.0.0")
    with pytest.raises(EdgeGlassError, match=r"version 2\.0\.0 is not \(all\) in the cache"):
        edge_glass.load("clotho_dcase_test_sample", REPO, "2.0.0")
    with pytest.raises(EdgeGlassError, match="org/other: version main is not"):
        edge_glass.load(SAMPLE, "org/other")


def test_offline_by_the_clients_own_switch(released: Hub, built: Path) -> None:
    assert {version: rate(version) for version in RATES} == RATES
    code = f"""if True:
        import edge_glass
        for version, rate in {RATES}.items():
            for streaming in (False, True):
                loaded = edge_glass.load(
                    "{SAMPLE}", "{REPO}", version, split="train", streaming=streaming
                )
                rates = {{row["audio"]["sampling_rate"] for row in loaded}}
                assert rates == {{rate}}
        try:
            edge_glass.load("{SAMPLE}", "{REPO}", "3.0.0")
        except edge_glass.EdgeGlassError as error:
            print(error)
    """
    more = {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": constants.HF_HUB_CACHE,
        "HF_DATASETS_CACHE": str(datasets.config.HF_DATASETS_CACHE),
    }
    released.reset_log()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=released.env() | more, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "version 3.0.0 is not (all) in the cache" in done.stdout
    assert released.log == []


WITHOUT_TORCH = """
import sys
import edge_glass
row = edge_glass.load(sys.argv[1], sys.argv[2], split="train")[0]
print(row["id"], len(row["audio"]["array"]), "torch" in sys.modules)
"""


def test_audio_is_decoded_without_torch(released: Hub, built: Path) -> None:
    run = [sys.executable, "-c", WITHOUT_TORCH, SAMPLE, str(built)]
    said = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split(" ")
    loaded = edge_glass.load(SAMPLE, REPO, "1.0.0")
    assert list(loaded) == ["train", "validation", "test"]
    row = loaded["train"][0]
    assert row["id"] == HORSE
    assert row["audio"]["array"].dtype == np.float32
    assert len(row["audio"]["array"]) == round(row["duration"] * row["audio"]["sampling_rate"])
    assert said[-2:] == [str(len(row["audio"]["array"])), "False\n"]
    local = edge_glass.load(SAMPLE, built, split="train")
    assert np.array_equal(local[0]["audio"]["array"], row["audio"]["array"])
    assert local[:2]["id"] == loaded["train"][:2]["id"]


def test_streaming_reads_the_version(released: Hub) -> None:
    assert {version: rate(version, streaming=True) for version in RATES} == RATES
    ledger = edge_glass.load(f"{SAMPLE}_ledger", REPO, "1.0.0", streaming=True)["ledger"]
    assert [row["outcome"] for row in ledger] == ["kept"] * 11


def test_ledgers_load_as_configs(released: Hub, built: Path) -> None:
    for repo, version in ((REPO, "1.0.0"), (built, None)):
        ledger = edge_glass.load(f"{SAMPLE}_ledger", repo, version, split="ledger")
        assert (ledger.num_rows, ledger[0]["id"], ledger[0]["outcome"]) == (11, HORSE, "kept")


@pytest.mark.parametrize("streaming", [False, True])
def test_what_is_not_on_the_hub(streaming: bool, released: Hub) -> None:
    def load(name: str, repo: str = REPO, version: str | None = "1.0.0") -> None:
        edge_glass.load(name, repo, version, streaming=streaming)

    with pytest.raises(EdgeGlassError, match=r"org/edge-glass: version 9\.0\.0 does not exist"):
        load(SAMPLE, version="9.0.0")
    with pytest.raises(EdgeGlassError, match="no config clotho; there are clotho_sample, clotho_s"):
        load("clotho")
    with pytest.raises(EdgeGlassError, match="org/none: no such dataset, or `hf auth login`"):
        load(SAMPLE, repo="org/none")
    HfApi().delete_file("README.md", REPO, repo_type="dataset")
    with pytest.raises(EdgeGlassError, match=r"version main: no README\.md: nothing was built"):
        load(SAMPLE, version=None)


def test_what_is_not_on_the_disk(built: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match="no config clotho; there are"):
        edge_glass.load("clotho", built)
    with pytest.raises(EdgeGlassError, match="a folder, which has no versions"):
        edge_glass.load(SAMPLE, built, "1.0.0")
    with pytest.raises(EdgeGlassError, match=r"no README\.md"):
        edge_glass.load(SAMPLE, tmp_path)
    with pytest.raises(EdgeGlassError, match="no such folder"):
        edge_glass.load(SAMPLE, tmp_path / "none")


def test_a_split_without_rows_is_left_out(
    clotho: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    for path in (clotho / "development").iterdir():
        path.write_bytes(b"")
    out = build_clotho(clotho, tmp_path / "out").parent
    assert list(edge_glass.load("clotho", out)) == ["validation", "test"]
    assert edge_glass.load("clotho_ledger", out, split="ledger").num_rows == 11


def test_a_part_of_a_version_in_the_cache_is_no_version(
    released: Hub, naps: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.fail(Fault("GET", r"/resolve/.*/train-0", times=9999, status=500))
    with pytest.raises(EdgeGlassError, match=r"version 1\.0\.0 is not \(all\) in the cache"):
        rate("1.0.0")
    # as clients leave it that keep no lists of files
    shutil.copytree(
        constants.HF_HUB_CACHE, tmp_path / "older", symlinks=True,
        ignore=shutil.ignore_patterns("trees"),
    )  # fmt: skip
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "older"))
    unplug(released, monkeypatch)
    with pytest.raises(EdgeGlassError, match=r"lacks (train-00000|manifest\.json)"):
        rate("1.0.0")
