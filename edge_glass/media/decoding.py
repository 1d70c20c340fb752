"""Columns as features of `datasets` that are written and read without torch."""

from dataclasses import dataclass
from typing import Any

import datasets

from edge_glass.core.row import Features
from edge_glass.media import audio
from edge_glass.media.features import portable

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
        data = value["bytes"]
        if data is None:
            with open(str(value["path"]), "rb") as file:  # noqa: PTH123 - a path of the reader's own
                data = file.read()
        assert isinstance(data, bytes)
        samples, rate = audio.decode(data, self.sampling_rate)
        array = samples[:, 0] if samples.shape[1] == 1 else samples.T
        return {"array": array, "sampling_rate": rate, "path": value.get("path")}


@dataclass
class Video(datasets.Video):
    """Video files, written as they are; `datasets` (3.2 and newer) decodes them with torchcodec."""

    def encode_example(self, value: Encoded) -> Encoded:
        """Pass `{"bytes": …, "path": …}` through."""
        return {"bytes": value["bytes"], "path": value["path"]}


def decodable(dataset: Any) -> Any:
    """A dataset with every audio column decoded by soundfile."""
    for name, feature in (dataset.features or {}).items():
        if isinstance(feature, datasets.Audio):
            dataset = dataset.cast_column(name, Audio(sampling_rate=feature.sampling_rate))
    return dataset


def published(features: Features) -> datasets.Features:
    """Columns as features of `datasets`; sound is decoded by soundfile, video stays as it is."""
    published_features = datasets.Features.from_dict(portable(features))
    for name, feature in published_features.items():
        if isinstance(feature, datasets.Audio):
            published_features[name] = Audio(sampling_rate=feature.sampling_rate)
        elif isinstance(feature, datasets.Video):
            published_features[name] = Video()
    return published_features
