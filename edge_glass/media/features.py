"""The shared columns: audio and images as bytes, captions as text. None of them needs torch."""

import json
from dataclasses import dataclass
from typing import Any

import datasets
import pyarrow as pa
from datasets import Features, Image, Sequence, Value

__all__ = ["Audio", "Features", "Image", "Sequence", "Value", "Video", "arrow_schema", "portable"]

Encoded = dict[str, bytes | str | None]


@dataclass
class Audio(datasets.Audio):
    """Audio bytes that are written and read without torch.

    The schema says `Audio` with its sampling rate in Hz, as for `datasets.Audio`. A decoded value
    is `{"array": float32 of shape (samples,) or (channels, samples), "sampling_rate": Hz,
    "path": str | None}`.
    """

    def encode_example(self, value: bytes | Encoded) -> Encoded:
        """Pass audio bytes through: `bytes`, or `{"bytes": …, "path": …}`."""
        if isinstance(value, bytes | bytearray):
            return {"bytes": bytes(value), "path": None}
        return {"bytes": value.get("bytes"), "path": value.get("path")}

    def decode_example(
        self, value: Encoded, token_per_repo_id: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode with soundfile; resample (soxr HQ) where the file's rate is not the column's."""
        from edge_glass.media.audio import decode

        data = value["bytes"]
        if data is None:
            with open(str(value["path"]), "rb") as file:  # noqa: PTH123 - a path of the reader's own
                data = file.read()
        assert isinstance(data, bytes)
        samples, rate = decode(data, self.sampling_rate)
        array = samples[:, 0] if samples.shape[1] == 1 else samples.T
        return {"array": array, "sampling_rate": rate, "path": value.get("path")}


@dataclass
class Video(datasets.Video):
    """Video files, written as they are; `datasets` (3.2 and newer) decodes them with torchcodec."""

    def encode_example(self, value: Encoded) -> Encoded:
        """Pass `{"bytes": …, "path": …}` through."""
        return {"bytes": value["bytes"], "path": value["path"]}


def portable(feature: Any) -> Any:
    """A feature's dictionary as every release of `datasets` from 2.14 on can read it.

    Newer releases write `List`, which older ones do not know; all of them read a `Sequence` of
    values and a one-element JSON list of structs. How a video is decoded is for the reader to say.
    """
    if isinstance(feature, dict) and feature.get("_type") == "Video":
        return {"_type": "Video"}
    if isinstance(feature, dict) and feature.get("_type") in ("List", "LargeList"):
        inner = portable(feature["feature"])
        if "_type" not in inner:
            return [inner]
        return {"feature": inner, "_type": "Sequence"}
    if isinstance(feature, dict):
        return {key: portable(value) for key, value in feature.items()}
    return feature


def arrow_schema(features: Features) -> pa.Schema:
    """The Arrow schema of `features`, with metadata that old and new `datasets` read alike."""
    metadata = {"info": {"features": portable(features.to_dict())}}
    return pa.schema(features.type).with_metadata({"huggingface": json.dumps(metadata)})


def described(feature: Any) -> str:
    """A feature's portable dictionary in a few words: `list of string`, `audio at 16000 Hz`."""
    if isinstance(feature, list):
        return f"list of {described(feature[0])}"
    kind = feature.get("_type")
    if kind == "Sequence":
        return f"list of {described(feature['feature'])}"
    if kind == "Audio":
        rate = feature.get("sampling_rate")
        return f"audio at {rate} Hz" if rate else "audio"
    if kind == "ClassLabel":
        return f"class, one of {len(feature['names']):,}"
    if kind is None:
        return f"struct of {', '.join(feature)}"
    return str(feature.get("dtype", kind.lower()))
