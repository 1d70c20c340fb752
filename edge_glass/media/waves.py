"""Sound as tables hold it: the bytes of a file, or bare numbers."""

from typing import Any

import numpy as np

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import audio

MAX_CHANNELS = 8
MAX_LEVEL = 4.0  # of full scale; beyond lie integers, which would want another scale


def samples(value: Any, rate: int | None) -> tuple[np.ndarray, int] | None:
    """Samples as float32 of shape (frames, channels) and their rate in Hz; None for no sound.

    `value` is the bytes of an audio file, a dict of them, or a list of numbers (one for each
    channel if there are several) at `rate` Hz, which nothing but the user can know. Raises Dropped.
    """
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None or len(data) == 0:
        return None
    if isinstance(data, bytes):
        return audio.decode(data)
    if rate is None:
        detail = f"{len(data)} numbers without a rate: state it with --set sound_rate=…"
        raise Dropped(Outcome.UNSUITABLE_MEDIA, detail)
    return _shaped(data), rate


def _shaped(numbers: list[Any]) -> np.ndarray:
    try:
        sound = np.asarray(numbers, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise Dropped(
            Outcome.UNDECODABLE_MEDIA, f"sound that is no list of numbers: {error}"
        ) from None
    sound = sound[:, None] if sound.ndim == 1 else sound.T if len(sound) <= MAX_CHANNELS else sound
    if sound.ndim != 2 or sound.shape[1] > MAX_CHANNELS:
        raise Dropped(Outcome.UNSUITABLE_MEDIA, f"sound of shape {sound.shape}")
    if not (np.abs(sound) < MAX_LEVEL).all():
        raise Dropped(Outcome.UNSUITABLE_MEDIA, "samples that are not between -1 and 1")
    return sound
