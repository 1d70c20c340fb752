"""The media of a row, decoded from end to end, for the checks that hold columns against them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edge_glass.core.columns import RATE
from edge_glass.core.ledger import Dropped
from edge_glass.core.row import Example
from edge_glass.media import audio, images, stills, video


class Sound:
    """A digest of decoded samples, so that the same recording in two containers is the same."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.heard = False

    def hear(self, samples: np.ndarray) -> None:
        """The next samples, float32 of shape (frames, channels)."""
        self._hash.update(samples.astype(np.float32).tobytes())
        self.heard = True

    def digest(self) -> str:
        """Of all samples so far."""
        return self._hash.hexdigest()


@dataclass(frozen=True)
class Decoded:
    """One file of a row. `fault` is why it does not decode, and then nothing else is known."""

    name: str  # its column, and its number in a list
    kind: str  # audio, image, frame or video
    fault: str = ""
    seconds: float | None = None
    rate: int | None = None
    channels: int | None = None
    pixels: tuple[int, int] | None = None  # width, height as shown


def decoded(
    kinds: Mapping[str, tuple[str, bool]], example: Example, sound: Sound
) -> Iterator[Decoded]:
    """Every file of a row; `kinds` as of `media_kinds`, `sound` hears what is audio.

    A medium may be null where the row has another one.
    """
    some = any(example[name] is not None for name in kinds)
    for name, (kind, listed) in kinds.items():
        value = example[name]
        if (value is None and some) or kind == "samples" or (kind == "bytes" and not listed):
            continue
        files = (
            {f"{name}[{n}]": one for n, one in enumerate(value or [])} if listed else {name: value}
        )
        for each, file in files.items():
            data = file.get("bytes") if isinstance(file, dict) else file
            yield _decoded(each, "frame" if kind == "bytes" else kind, data or b"", sound)
    if rate := example.get(RATE):  # a waveform
        samples = np.array(example["audio"], dtype=np.float32)
        sound.hear(samples)
        yield Decoded("audio", "audio", seconds=len(samples) / rate, rate=rate)


def _decoded(name: str, kind: str, data: bytes, sound: Sound) -> Decoded:
    try:
        if kind == "audio":
            heard = audio.check(data, sound.hear)
            return Decoded(name, kind, "", heard.seconds, heard.rate, heard.channels)
        if kind == "video":
            clip = video.read(data, video.Choice(count=1))
            size = (clip.width, clip.height)
            return Decoded(name, kind, seconds=clip.probe.seconds, pixels=size)
        if kind == "image":
            picture = images.check(data)
            return Decoded(name, kind, pixels=(picture.width, picture.height))
        stills.checked(data)
        return Decoded(name, kind)
    except Dropped as drop:
        return Decoded(name, kind, f"{drop.outcome} {drop.detail}")
