"""Embeddings beside a build: the same bytes after a kill, nothing mixed, what is offline told."""

import ast
import hashlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tinymodels
import torch
from kit import ROOT, Cli, build_clotho, kill, until
from PIL import Image
from test_encode import vectors

import edge_glass as eg
from edge_glass.core.errors import EdgeGlassError
from edge_glass.media import audio, images
from edge_glass.vectors import embed as embedding
from edge_glass.vectors.encoder import open_encoder
from edge_glass.vectors.torch_encoder import threads

FILMS = ROOT / "samples" / "mm_imdb" / "dataset"


POSTERS = [path.read_bytes() for path in sorted(FILMS.glob("*.jpeg"))[:7]]


SOUND = (ROOT / "samples" / "clotho" / "development" / "Cash till.wav").read_bytes()


TEXTS = ["A dog runs on the beach.", "A puppy plays in the sand.", "Shares fell on Monday."]


def test_offline_and_absent_is_one_clear_error(films: Path, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "edge_glass", "embed", films, "--columns", "image"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "COLUMNS": "400"}
    done = subprocess.run(
        [*run, "--encoder", "clip-vit-b32"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "openai/clip-vit-base-patch32 is not in the Hub's cache" in done.stderr
    assert "hf download openai/clip-vit-base-patch32" in done.stderr


def test_columns_are_looked_for_before_the_model(films: Path, cli: Cli) -> None:
    done = cli("embed", films.parent, "--encoder", "no/such-model", "--columns", "image,poster")
    assert done.code == 1 and "no column poster; there are id, image" in done.err
    with pytest.raises(EdgeGlassError, match="no column poster"):
        embedding.embed(films, films.parent / "x", "no/such-model", ["poster"])


def test_offline_and_in_the_cache_is_enough(films: Path, models: Path, tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "home" / "hub" / "models--org--tiny"
    shutil.copytree(models / "clip", cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    run = [sys.executable, "-m", "edge_glass", "embed", films, "--columns", "image"]
    run += ["--encoder", "org/tiny", "--out", tmp_path / "out"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    subprocess.run(run, env=env, check=True, capture_output=True)
    folder = tmp_path / "out" / "mm_imdb_sample" / "org--tiny"
    made = json.loads((folder / embedding.FILE).read_text())
    assert made["model"] == {"name": "org/tiny", "revision": commit, "kind": "auto"}


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_embeddings_lie_beside_the_data_row_for_row(films: Path, models: Path, cli: Cli) -> None:
    run = ("embed", films, "--encoder", models / "clip", "--columns", "image,plot")
    done = cli(*run, "--batch-size", 4, "--jobs", 1)
    assert done.code == 0
    folder = films.parent / "embeddings" / "mm_imdb_sample" / "clip"
    shards = sorted(films.glob("*-of-*.parquet"))
    assert len(shards) > 3
    image = open_encoder(str(models / "clip"), "image")
    for shard in shards:
        data, found = pq.read_table(shard), pq.read_table(folder / shard.name)
        assert found["id"].equals(data["id"])
        assert found.column_names == ["id", "image_embedding", "plot_embedding"]
        rows = [value["bytes"] for value in data["image"].to_pylist()]
        got = np.array(found["image_embedding"].to_pylist(), dtype=np.float32)
        np.testing.assert_allclose(got, vectors(image, list(rows)), atol=1e-6)
    assert cli("verify", films.parent).code == 0


def test_the_same_bytes_after_a_kill(films: Path, models: Path, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "edge_glass", "embed", str(films), "--columns", "image,plot"]
    run += ["--encoder", str(models / "clip"), "--out"]
    subprocess.run([*run, str(tmp_path / "whole")], check=True, capture_output=True)
    killed = tmp_path / "killed"
    process = subprocess.Popen([*run, str(killed)], stdout=subprocess.DEVNULL)
    until(lambda: list(killed.rglob("*-of-*.parquet")), process)
    kill(process)
    left = set(files(killed))
    subprocess.run([*run, str(killed)], check=True, capture_output=True)
    found = files(killed)
    assert {n: d for n, d in found.items() if not n.endswith(".tmp")} == files(tmp_path / "whole")
    assert left


def test_threads_stay_as_many_as_began(models: Path, tmp_path: Path) -> None:
    train = [{"id": str(n), "caption": f"{n} " + TEXTS[n % 3] * 4} for n in range(40)]
    planted.corpus(tmp_path / "data", "texts", {"train": train}, shards=2)
    texts, clip, stopped = tmp_path / "data" / "texts", str(models / "clip"), tmp_path / "stopped"
    with threads(1):
        embedding.embed(texts, tmp_path / "whole", clip, ["caption"])
        embedding.embed(texts, stopped, clip, ["caption"])
    later = max(stopped.glob("*-of-*.parquet"))
    later.unlink()
    with threads(3):
        embedding.embed(texts, stopped, clip, ["caption"])
        assert torch.get_num_threads() == 3
    assert files(stopped) == files(tmp_path / "whole")
    described = json.loads((stopped / embedding.FILE).read_text())
    assert described.pop("threads") == 1
    later.unlink()
    (stopped / embedding.FILE).write_text(json.dumps(described))  # as earlier releases wrote it
    embedding.embed(texts, stopped, clip, ["caption"])
    assert later.is_file()
    (stopped / embedding.FILE).write_text(json.dumps(described | {"threads": 10**9}))
    with pytest.raises(EdgeGlassError, match=r"threads: .*less than or equal to 1024"):
        embedding.embed(texts, stopped, clip, ["caption"])


def test_what_was_made_otherwise_is_not_mixed(films: Path, models: Path, tmp_path: Path) -> None:
    embedding.embed(films, tmp_path, str(models / "clip"), ["image"])
    before = files(tmp_path)
    embedding.embed(films, tmp_path, str(models / "clip"), ["image"])
    assert files(tmp_path) == before
    with pytest.raises(EdgeGlassError, match=r"made otherwise \(encoded differ\)"):
        embedding.embed(films, tmp_path, str(models / "clip"), ["plot"])
    with pytest.raises(EdgeGlassError, match="labels holds no images, sounds or texts"):
        embedding.embed(films, tmp_path / "b", str(models / "clip"), ["labels"])
    with pytest.raises(EdgeGlassError, match="no column poster"):
        embedding.embed(films, tmp_path / "b", str(models / "clip"), ["poster"])


def without_docstrings(code: Any) -> str:
    """The source of a module, class or function: an edit of its prose changes no digit."""
    source = textwrap.dedent(inspect.getsource(code))
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for number in range(node.lineno - 1, node.end_lineno or 0):
                lines[number] = ""
    return "".join(lines)


def test_the_number_of_the_code_around_models_is_thought_of() -> None:
    ours = "auto blip2 classifier encoder onnx sentence torch_encoder whisper"
    code: list[Any] = [import_module(f"edge_glass.vectors.{name}") for name in ours.split()]
    code += [images.rgb, images._plain]
    code += [audio.decode, audio.waveform, audio.mono, audio._resample]
    sources = "".join(map(without_docstrings, code))
    assert hashlib.sha256(sources.encode()).hexdigest()[:16] == "a6ad353b7660284d", (
        "code on the way to vectors has changed: if they may get other digits, raise CODE in "
        "edge_glass/vectors/encoder.py; then write this digest here"
    )


def test_what_other_code_began_is_not_gone_on_with(
    films: Path, models: Path, tmp_path: Path
) -> None:
    embedding.embed(films, tmp_path, str(models / "clip"), ["image"])
    described = tmp_path / embedding.FILE
    now = json.loads(described.read_text())
    assert now["made_with"].keys() > {"encoders", "torch", "transformers", "pillow"}
    earlier = {name: value for name, value in now.items() if name != "made_with"}
    others = now | {"made_with": now["made_with"] | {"torch": "1.0"}}
    shard = next(tmp_path.glob("*-of-*.parquet"))
    for settings, says in ((earlier, "an earlier release"), (others, "torch 1.0")):
        described.write_text(json.dumps(settings))
        before = files(tmp_path)
        embedding.embed(films, tmp_path, str(models / "clip"), ["image"])  # whole: as it is
        assert files(tmp_path) == before
        whole = shard.read_bytes()
        shard.unlink()
        with pytest.raises(EdgeGlassError, match=f"made with .*{says}.*not .*torch.*use another"):
            embedding.embed(films, tmp_path, str(models / "clip"), ["image"])
        assert not shard.exists()
        shard.write_bytes(whole)


@pytest.mark.parametrize("earlier", ["1.0", None])
def test_keep_goes_on_and_names_both(
    films: Path, models: Path, tmp_path: Path, cli: Cli, earlier: str | None
) -> None:
    run = ("embed", films, "--encoder", models / "clip", "--columns", "image", "--out", tmp_path)
    cli(*run)
    described = tmp_path / films.name / "clip" / embedding.FILE
    now = json.loads(described.read_text())
    shard, *others = sorted(described.parent.glob("*-of-*.parquet"))
    made_with = {"made_with": now["made_with"] | {"torch": earlier}} if earlier else {}
    del now["made_with"]
    described.write_text(json.dumps(now | made_with))
    shard.unlink()
    before = [other.read_bytes() for other in others]
    assert "embed --keep`, which names both" in " ".join(cli(*run).err.split())
    assert cli(*run, "--keep").code == cli(*run).code == 0 and shard.is_file()
    assert [other.read_bytes() for other in others] == before
    mixed = json.loads(described.read_text())["made_with"]
    assert mixed["torch"] == f"{earlier or 'unknown'} and {torch.__version__}"
    assert mixed.get("edge_glass") == (None if earlier else "an earlier release")


def test_rows_that_stay_are_not_encoded_again(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an append or a withdrawal costs grows with the change."""
    for out, name, count in (("data", "old", 40), ("more", "new", 5)):
        train = [{"id": f"{name} {n}", "caption": f"{name} dog {n}"} for n in range(count)]
        planted.corpus(tmp_path / out, "texts", {"train": train}, shards=count // 5)
    folder, clip = tmp_path / "data" / "texts", str(models / "clip")
    target = tmp_path / "data" / "embeddings" / "texts" / "clip"
    values, encoded = embedding._values, list[object]()

    def counted(path: Path, column: str) -> Iterator[object]:
        for value in values(path, column):
            encoded.append(value)
            yield value

    def embedded(out: Path) -> int:
        encoded.clear()
        embedding.embed(folder, out, clip, ["caption"], batch=8)
        return len(encoded)

    monkeypatch.setattr(embedding, "_values", counted)
    assert embedded(target) == 40
    eg.append(tmp_path / "data", tmp_path / "more")
    assert embedded(target) == 5
    eg.withdraw(tmp_path / "data", ids=["old 3", "new 1"])
    assert embedded(target) == 0
    assert embedded(tmp_path / "afresh") == 43
    for path in sorted((tmp_path / "afresh").glob("*.parquet")):
        ours, theirs = (pq.read_table(one).to_pydict() for one in (target / path.name, path))
        assert ours["id"] == theirs["id"]
        np.testing.assert_allclose(*(t["caption_embedding"] for t in (ours, theirs)), atol=1e-5)


def test_sounds_and_lists_of_texts(models: Path, tmp_path: Path) -> None:
    folder = build_clotho(ROOT / "samples" / "clotho", tmp_path / "data", splits=["validation"])
    embedding.embed(folder, tmp_path / "a", str(models / "whisper"), ["audio"])
    embedding.embed(folder, tmp_path / "t", str(models / "clip"), ["captions"])
    [shard] = folder.glob("*-of-*.parquet")
    heard = pq.read_table(tmp_path / "a" / shard.name)["audio_embedding"]
    assert {len(vector) for vector in heard.to_pylist()} == {16}
    assert pa.types.is_list(heard.type)  # of no fixed size, which older readers fail at with nulls
    first = [captions[0] for captions in pq.read_table(shard)["captions"].to_pylist()]
    told = np.array(pq.read_table(tmp_path / "t" / shard.name)["captions_embedding"].to_pylist())
    expected = vectors(open_encoder(str(models / "clip"), "text"), list(first))
    np.testing.assert_allclose(told, expected, atol=1e-6)


def test_the_layout_of_clip_retrieval(films: Path, models: Path, tmp_path: Path) -> None:
    columns = ["image", "plot"]
    embedding.embed(films, tmp_path, str(models / "clip"), columns, "clip-retrieval")
    shards = sorted(films.glob("*-of-*.parquet"))
    names = [f"{n}" for n in range(len(shards))]
    for kind, suffix in (("img_emb", "npy"), ("text_emb", "npy"), ("metadata", "parquet")):
        found = sorted(path.name for path in (tmp_path / kind).iterdir())
        assert found == [f"{kind}_{n}.{suffix}" for n in names]
    rows = 0
    for n in names:
        image = np.load(tmp_path / "img_emb" / f"img_emb_{n}.npy")
        about = pq.read_table(tmp_path / "metadata" / f"metadata_{n}.parquet").to_pylist()
        assert (image.dtype, image.shape) == (np.float16, (len(about), 24))
        np.testing.assert_allclose(np.linalg.norm(image.astype(np.float32), axis=1), 1, atol=2e-3)
        assert all(Image.open(tmp_path / row["image_path"]).size for row in about)
        assert all(row["caption"] == row["plot"] and "image" not in row for row in about)
        rows += len(about)
    assert rows == 7
    with pytest.raises(EdgeGlassError, match="one column of images and one of texts"):
        embedding.embed(
            films, tmp_path / "x", str(models / "clip"), ["plot", "title"], "clip-retrieval"
        )


def test_fingerprints_tell_weights_apart(models: Path, tmp_path: Path) -> None:
    from edge_glass.vectors.models import locate

    tinymodels.clip(tmp_path, seed=1)
    one, other = (embedding.fingerprint(locate(str(p))) for p in (models / "clip", tmp_path))
    assert one != other
    data = (tmp_path / "model.safetensors").read_bytes()
    assert other == hashlib.sha256(hashlib.sha256(data).digest()).hexdigest()
