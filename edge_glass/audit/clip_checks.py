"""Does what was built of video decode, and is it what its columns say?"""

from collections.abc import Iterator
from typing import Any

from edge_glass.core.ledger import Dropped
from edge_glass.media import stills, video

SLACK = 0.05  # seconds


def faults(features: dict[str, Any], example: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the frames and clips of an example; `features` as in the manifest."""
    for name, feature in features.items():
        if _holds_bytes(feature):
            yield from _frame_faults(name, example[name])
        elif isinstance(feature, dict) and feature.get("_type") == "Video":
            yield from _clip_faults(name, example)


def _holds_bytes(feature: Any) -> bool:
    """Whether a column is a list of byte strings, as frames are written."""
    inner = feature.get("feature") if isinstance(feature, dict) else None
    return isinstance(inner, dict) and inner.get("dtype") == "binary"


def _frame_faults(name: str, frames: list[bytes] | None) -> Iterator[str]:
    if not frames:
        yield f"{name} is empty"
    for number, jpeg in enumerate(frames or []):
        try:
            stills.checked(jpeg)
        except Dropped as drop:
            yield f"{name}[{number}]: {drop.outcome} {drop.detail}"


def _clip_faults(name: str, example: dict[str, Any]) -> Iterator[str]:
    try:
        clip = video.read((example[name] or {}).get("bytes") or b"", video.Choice(count=1))
    except Dropped as drop:
        yield f"{name} does not decode: {drop.outcome} {drop.detail}"
        return
    if (clip.width, clip.height) != (example["width"], example["height"]):
        yield f"{name} is {clip.width}x{clip.height}, not {example['width']}x{example['height']}"
    if abs(clip.probe.seconds - example["duration"]) > SLACK:
        yield f"{name} of {clip.probe.seconds:.3f} s, not {example['duration']:.3f}"
