"""Queries by texts, pictures and sounds through real encoders: a real one for sentences, tiny
models with real classes for the rest."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import searchkit
import tinymodels
from kit import ROOT, Cli, until
from test_encode import minilm

from edge_glass.core.errors import EdgeGlassError
from edge_glass.vectors.query import Finder, Query
from edge_glass.vectors.stored_vectors import stored

CLOTHO = ROOT / "samples" / "clotho"
POSTER = ROOT / "samples" / "mm_imdb" / "dataset" / "9900003.jpeg"


@pytest.fixture(scope="module")
def data(built: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clotho by MiniLM and a tiny Whisper, MM-IMDb and LAION by a tiny CLIP, indexed."""
    out = tmp_path_factory.mktemp("searched")
    whisper = tinymodels.whisper(tmp_path_factory.mktemp("whisper"))
    (out / "models").mkdir()
    for name, folder in (("minilm", minilm()), ("whisper", whisper), ("clip", clip)):
        (out / "models" / name).symlink_to(folder)
    for config in ("clotho_sample", "mm_imdb_sample", "laion400m_sample"):
        shutil.copytree(built / config, out / "data" / config)
    return out / "data"


@pytest.fixture
def indexed(data: Path, cli: Cli) -> Path:
    """All of it embedded and indexed by the command line, once."""
    for config, encoder, columns in (
        ("clotho_sample", "minilm", "captions"),
        ("clotho_sample", "whisper", "audio"),
        ("mm_imdb_sample", "clip", "image,plot"),
        ("laion400m_sample", "clip", "image,caption"),
    ):
        model = data.parent / "models" / encoder
        if not (data / "embeddings" / config / encoder).exists():
            folder = data / config
            assert cli("embed", folder, "--encoder", model, "--columns", columns).code == 0
    assert cli("index", data).code == 0
    return data


def test_a_text_finds_what_is_meant(indexed: Path, cli: Cli) -> None:
    found = cli("search", indexed / "clotho_sample", "livestock", "--json", "--k", 3).json
    animals = {
        "test/Cow moan.wav",
        "train/ Horse neigh.wav",
        "train/Corner of a sheep field, summer.wav",
    }
    assert {hit["id"] for hit in found} == animals
    found = cli("search", indexed / "clotho_sample", "money", "--json", "--k", 2).json
    assert {hit["id"] for hit in found} == {"train/Cash till.wav", "validation/Coin drop.wav"}
    shown = cli("search", indexed / "clotho_sample", "livestock").out
    assert "A cow moans" in shown and max(map(len, shown.splitlines())) <= 80


def test_a_sound_finds_itself(indexed: Path, cli: Cli) -> None:
    sound = CLOTHO / "development" / "Cash till.wav"
    found = cli("search", indexed / "clotho_sample", "--sound", sound, "--json").json
    assert found[0]["id"] == "train/Cash till.wav" and found[0]["score"] > 0.9999


def test_a_picture_finds_itself_and_texts_of_its_space(indexed: Path, cli: Cli) -> None:
    films = indexed / "mm_imdb_sample"
    found = cli("search", films, "--image", POSTER, "--json").json
    assert found[0]["id"] == "9900003" and found[0]["score"] > 0.9999
    across = cli("search", films, "--image", POSTER, "--in", "plot", "--json").json
    assert len(across) > 1 and across[0]["score"] < 0.9999
    [vector] = [one.vector(3) for one in stored(films) if one.column == "plot"]
    finder = Finder(films)
    hit = finder.find(Query("row", 3), "plot", 1)[0]
    assert hit.row == 3 and np.isfinite(vector).all()


def test_what_may_not_be_safe_is_hidden(indexed: Path, cli: Cli) -> None:
    laion = indexed / "laion400m_sample"
    rows = searchkit.pq.read_table(next(laion.glob("train-*")))["nsfw"].to_pylist()
    hidden = {n for n, value in enumerate(rows) if value != "UNLIKELY"}
    assert hidden
    found = cli("search", laion, "a cat", "--in", "caption", "--json").json
    assert not {hit["row"] for hit in found} & hidden
    found = cli("search", laion, "a cat", "--in", "caption", "--nsfw", "--json").json
    assert {n for hit in found for n in (hit["row"], *hit["like_it"])} >= hidden


def test_queries_without_a_place(indexed: Path, tmp_path: Path, cli: Cli) -> None:
    clotho, films = indexed / "clotho_sample", indexed / "mm_imdb_sample"
    (tmp_path / "no.jpg").write_bytes(POSTER.read_bytes()[:300])
    for folder, arguments, why in (
        (clotho, ["--image", POSTER], "no index takes image as a query"),
        (films, ["--sound", CLOTHO / "development" / "Cash till.wav"], "no index takes audio"),
        (films, ["--image", tmp_path / "no.jpg"], "the image cannot be read"),
        (films, ["--image", tmp_path / "absent.jpg"], "No such file"),
        (indexed, ["a dog"], "holds several configs"),
    ):
        done = cli("search", folder, *arguments)
        assert done.code == 1 and why in " ".join(done.err.split())


def test_other_weights_under_the_same_name_are_told(
    indexed: Path, tmp_path: Path, cli: Cli
) -> None:
    shutil.copytree(indexed / "mm_imdb_sample", tmp_path / "data" / "mm_imdb_sample")
    tinymodels.clip(tmp_path / "clip")
    folder = tmp_path / "data" / "mm_imdb_sample"
    assert cli("embed", folder, "--encoder", tmp_path / "clip", "--columns", "plot").code == 0
    where = ("--embeddings", folder.parent / "embeddings")
    assert cli("index", folder, "--column", "plot", "--memory", 1, *where).code == 0
    tinymodels.clip(tmp_path / "clip", seed=1)
    with pytest.raises(EdgeGlassError, match="its weights are not those"):
        Finder(folder).find(Query("text", "a dog"))


def test_a_query_comes_while_weights_are_read(indexed: Path) -> None:
    """Both import what reads them."""
    code = """if True:
        import sys, threading
        from pathlib import Path
        from edge_glass.vectors.query import Finder, Query
        finder = Finder(Path(sys.argv[1]))
        warm = threading.Thread(target=finder.warm)
        warm.start()
        print(len(finder.find(Query("text", "a dog"), k=3)))
        warm.join()
    """
    run = [sys.executable, "-c", code, indexed / "mm_imdb_sample"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout == "3\n", done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_waits_for_no_weights_that_are_read(indexed: Path, tmp_path: Path) -> None:
    slow = "import pathlib, threading\npathlib.Path(__file__ + '.begun').touch()\n"
    (tmp_path / "torch.py").write_text(slow + "threading.Event().wait()\n")  # for ever
    line = [sys.executable, "-m", "edge_glass", "serve", indexed / "clotho_sample"]
    line += ["--host", "127.0.0.1", "--port", "0"]
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(line, env=env, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline().startswith(b"http://127.0.0.1:")
            until((tmp_path / "torch.py.begun").exists, process)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
