"""Text encoders: the loading code on a tiny CLIP with random weights, and what cannot be loaded."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_glass.errors import EdgeGlassError
from edge_glass.tables import encoders


def tiny(folder: Path) -> Path:
    """CLIP's text tower in small, with a vocabulary of letters; what it says means nothing."""
    import torch
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>"})
    )
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    config = CLIPTextConfig(
        vocab_size=len(words), num_attention_heads=2, projection_dim=8, eos_token_id=53,
        bos_token_id=52, pad_token_id=53, max_position_embeddings=77, **size,
    )  # fmt: skip
    CLIPTextModelWithProjection(config).save_pretrained(folder)
    return folder


def test_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers", reason="pip install 'edge-glass[encode]'")
    monkeypatch.setattr(encoders, "CLIP_NAME", str(tiny(tmp_path / "clip")))
    encoders.load.cache_clear()
    encode = encoders.load("clip")
    texts = ["a tench", "a goldfish", "a tench", "tench " * 100]
    found = encode(texts)
    assert found.shape == (4, 8) and np.isfinite(found).all()
    alone = np.concatenate([encode([text]) for text in texts])
    assert np.allclose(found, alone, atol=1e-5)  # whatever stands beside it in a batch
    assert np.array_equal(found[0], found[2]) and not np.allclose(found[0], found[1])
    assert np.allclose(np.linalg.norm(encoders.normal(found), axis=1), 1)
    encoders.load.cache_clear()


def test_what_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        EdgeGlassError, match=r"encoder /nowhere: (sentence|.*missing|.*on the Hub)"
    ):
        encoders.load("/nowhere")
    with pytest.raises(EdgeGlassError, match="write it as module:function"):
        encoders.load("no_such_module:encode")
    assert encoders.libraries("wordbag:encode") == {}
