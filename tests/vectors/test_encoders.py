"""Text encoders by name, for the steps that compare captions."""

from pathlib import Path

import numpy as np
import pytest

from edge_glass.core.errors import EdgeGlassError
from edge_glass.vectors import text_encoders


def test_clip(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="pip install 'edge-glass[encoders-test]'")
    import tinymodels

    encode = text_encoders.load(str(tinymodels.clip(tmp_path / "clip")))
    texts = ["a dog", "a beach", "a dog", "dog " * 100] * 60
    found = encode(texts)
    assert found.shape == (240, 24) and np.isfinite(found).all()
    alone = np.concatenate([encode([text]) for text in texts[:4]])
    assert np.allclose(found[:4], alone, atol=1e-5)  # whatever stands beside it in a batch
    assert np.array_equal(found[0], found[2]) and not np.allclose(found[0], found[1])
    assert np.allclose(np.linalg.norm(text_encoders.normal(found), axis=1), 1)


def test_what_cannot_be_had() -> None:
    with pytest.raises(EdgeGlassError, match=r"/nowhere: neither a folder with a config"):
        text_encoders.load("/nowhere")
    with pytest.raises(EdgeGlassError, match="write it as module:function"):
        text_encoders.load("no_such_module:encode")
    assert text_encoders.libraries("wordbag:encode") == {}
    assert "encoders" in text_encoders.libraries("minilm")
