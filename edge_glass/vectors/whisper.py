"""Whisper (Radford et al., 2022): the mean of its encoder's states over the frames of the sound.

The first 30 s are heard, which is what the encoder can take at once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_glass.media import audio
from edge_glass.vectors import auto, torch_encoder
from edge_glass.vectors.models import Modality, Model

RATE = 16000  # Hz
STEP = 320  # samples a state of the encoder stands for


def modalities(model: Model) -> tuple[Modality, ...]:
    """What it takes."""
    return ("audio",)


def dim(model: Model, modality: Modality) -> int:
    """Numbers of an embedding."""
    return int(model.config["d_model"])


def prepare(model: Model, modality: Modality) -> Callable[[Any], Any]:
    """What makes a row ready for a batch, without weights."""
    return mono


def mono(data: bytes) -> np.ndarray[Any, Any]:
    """A sound file as float32 samples at 16 kHz, channels mixed."""
    samples, _ = audio.decode(data, RATE)
    mixed: np.ndarray[Any, Any] = samples.mean(axis=1, dtype=np.float32)
    return mixed


def load(model: Model, modality: Modality, device: str) -> Callable[[Sequence[Any]], Any]:
    """What turns a batch into embeddings; reads the weights."""
    from transformers import WhisperModel

    encoder = torch_encoder.weights(WhisperModel, model, device).get_encoder()
    features = auto.processor(model, "AutoFeatureExtractor")

    def compute(rows: Sequence[np.ndarray[Any, Any]]) -> Any:
        import torch

        mels = features(list(rows), sampling_rate=RATE, return_tensors="pt")["input_features"]
        states = encoder(mels.to(device, encoder.dtype)).last_hidden_state
        heard = torch.tensor([max(1, -(-len(row) // STEP)) for row in rows], device=device)
        places = torch.arange(states.shape[1], device=device)
        return torch_encoder.masked_mean(states, places[None] < heard[:, None])

    return torch_encoder.forward(compute)
