"""The media of a row, decoded from end to end, for the checks that hold columns against them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_glass.core.columns import RATE
from edge_glass.core.ledger import Dropped
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
    kinds: Mapping[str, tuple[str, bool]], example: dict[str, Any], sound: Sound
) -> Iterator[Decoded]:
    """Every file of a row; `kinds` as of `media_kinds`, `sound` hears what is audio.

    A medium may be null where the row has another one.
    """
    some = any(example[name] is not None for name in kinds)
    for name, (kind, listed) in kinds.items():
        value = example[name]
        if value is None and some:
            continue
        if kind == "audio":
            yield _audio(name, value, sound)
        elif kind == "video":
            yield _video(name, value)
        elif kind == "image":
            files = value or [] if listed else [value]
            yield from (_image(f"{name}[{n}]" if listed else name, f) for n, f in enumerate(files))
        elif kind == "bytes" and listed:
            yield from (_frame(f"{name}[{n}]", file) for n, file in enumerate(value or []))
    if rate := example.get(RATE):  # a waveform
        samples = np.array(example["audio"], dtype=np.float32)
        sound.hear(samples)
        yield Decoded("audio", "audio", seconds=len(samples) / rate, rate=rate)


def _bytes(value: dict[str, Any] | None) -> bytes:
    return (value or {}).get("bytes") or b""


def _fault(drop: Dropped) -> str:
    return f"{drop.outcome} {drop.detail}"


def _audio(name: str, value: dict[str, Any] | None, sound: Sound) -> Decoded:
    try:
        stream = audio.check(_bytes(value), sound.hear)
    except Dropped as drop:
        return Decoded(name, "audio", _fault(drop))
    return Decoded(name, "audio", "", stream.seconds, stream.rate, stream.channels)


def _image(name: str, value: dict[str, Any] | None) -> Decoded:
    try:
        picture = images.check(_bytes(value))
    except Dropped as drop:
        return Decoded(name, "image", _fault(drop))
    return Decoded(name, "image", pixels=(picture.width, picture.height))


def _frame(name: str, jpeg: bytes) -> Decoded:
    try:
        stills.checked(jpeg)
    except Dropped as drop:
        return Decoded(name, "frame", _fault(drop))
    return Decoded(name, "frame")


def _video(name: str, value: dict[str, Any] | None) -> Decoded:
    try:
        clip = video.read(_bytes(value), video.Choice(count=1))
    except Dropped as drop:
        return Decoded(name, "video", _fault(drop))
    size = (clip.width, clip.height)
    return Decoded(name, "video", seconds=clip.probe.seconds, pixels=size)
