"""Models that the tests of vectors share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tinymodels  # which wants torch

    root = tmp_path_factory.mktemp("models")
    for name in ("clip", "blip2", "whisper", "siglip", "siglip2", "clap", "dinov2", "wav2vec2"):
        (root / name).mkdir()
        getattr(tinymodels, name)(root / name)
    return root
