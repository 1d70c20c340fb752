"""The trace of a shard's media: hashes, fingerprints, levels. Each medium is decoded once."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import soxr

from edge_glass.audit import audio_fingerprint, image_hash, levels
from edge_glass.audit.audited_shards import Shard
from edge_glass.audit.profiles import PLACE, Trace
from edge_glass.core import parquet, row_counts
from edge_glass.core.columns import media_kinds
from edge_glass.core.ledger import Dropped
from edge_glass.core.row import Features, JsonObject
from edge_glass.media import audio, images, stills, video

LOOKED_AT = {  # kind of a column, whether it is a list -> what looks at it
    ("image", False): "image", ("audio", False): "sound", ("video", False): "video",
    ("bytes", True): "frames", ("image", True): "frames", ("samples", True): "waveform",
}  # fmt: skip
FRAMES = 8  # looked at of a video
MEDIA = pa.schema(
    [
        *PLACE,
        ("kind", pa.string()),
        ("sha256", pa.binary()),
        ("bytes", pa.int64()),
        ("side", pa.int32()),  # the shorter one, in pixels
        ("contrast", pa.float32()),  # of an image, or of the frame that has most
        ("moves", pa.float32()),  # the largest difference of neighbouring frames, grey levels
        *((name, pa.float32()) for name in levels.Levels.__annotations__),
        ("words", pa.list_(pa.uint32())),
        ("picture", pa.binary()),  # the hash of an image, or of the frame in the middle
    ]
)
PICTURES = pa.schema(
    [("item", pa.int64()), ("window", pa.int8())]
    + [(name, pa.int64()) for name in ("low", "h0", "h1", "h2", "h3")]
)
SOUNDS = pa.schema([("item", pa.int64()), ("word", pa.int64()), ("at", pa.int32())])
Row = JsonObject


def columns(features: Features) -> dict[str, str]:
    """Columns that hold media which are looked at, and how."""
    kinds = media_kinds(features)
    return {name: LOOKED_AT[kind] for name, kind in kinds.items() if kind in LOOKED_AT}


@dataclass(frozen=True)
class Media(Trace):
    """Of each medium of each row: what duplicates and signals are told by."""

    name: ClassVar[str] = "media"
    schemas: ClassVar[dict[str, pa.Schema]] = {
        "media": MEDIA, "pictures": PICTURES, "sounds": SOUNDS,
    }  # fmt: skip
    version: int = 3
    loudness: bool = True  # which takes a library of an extra

    def libraries(self) -> dict[str, str]:
        """What it depends on besides the shard."""
        return images.library() | {"soxr": soxr.__version__}

    def tables(self, shard: Shard) -> Iterator[dict[str, pa.Table]]:
        """Rows for each file, a few at a time."""
        kinds, row, item = columns(shard.features), 0, 0
        rate = ["sampling_rate"] * ("waveform" in kinds.values())
        for group in parquet.groups(shard.path, ["id", *rate, *kinds]) if kinds else ():
            measured = _Measured(self.loudness)
            for example in group.to_pylist():
                for name, kind in kinds.items():
                    known = {"row": row, "item": item, "id": example["id"], "column": name}
                    measured.add(known, kind, example)
                    item += 1
                row += 1
                row_counts.count(1, 0)
            yield measured.tables()


class _Measured:
    """What is known of the media of a row group."""

    def __init__(self, loudness: bool) -> None:
        self._loudness = loudness
        self._media: list[Row] = []
        self._pictures: list[pa.Table] = [PICTURES.empty_table()]
        self._sounds: list[pa.Table] = [SOUNDS.empty_table()]

    def add(self, row: Row, kind: str, example: Row) -> None:
        value = example[row["column"]]
        row |= {"kind": kind}
        with suppress(Dropped):  # it does not decode: verify says so
            getattr(self, f"_{kind}")(row, value, example)
        self._media.append(dict.fromkeys(MEDIA.names) | row)

    def _image(self, row: Row, value: Any, _: Row) -> None:
        data = _bytes(row, value)
        image = images.rgb(data)
        row |= {"side": min(image.size), "contrast": image_hash.contrast(image)}
        self._picture(row, image)

    def _frames(self, row: Row, value: list[Any] | None, _: Row) -> None:
        data = [frame["bytes"] if isinstance(frame, dict) else frame for frame in value or []]
        frames = [stills.checked(jpeg) for jpeg in data]
        digest = hashlib.sha256(b"".join(hashlib.sha256(jpeg).digest() for jpeg in data))
        row |= {"sha256": digest.digest(), "bytes": sum(map(len, data))}
        self._stills(row, [still for still, _ in frames])

    def _video(self, row: Row, value: Any, _: Row) -> None:
        clip = video.read(_bytes(row, value), video.Choice(count=FRAMES, side=image_hash.COPY * 2))
        self._stills(row, clip.stills)
        row |= {"side": min(clip.width, clip.height), "seconds": float(clip.probe.seconds)}

    def _stills(self, row: Row, pictures: list[stills.Still]) -> None:
        if not pictures:
            return
        middle = images.rgb(pictures[len(pictures) // 2].jpeg)
        row |= {"contrast": max(float(still.small.std()) for still in pictures)}
        row |= {"side": min(middle.size), "moves": stills.moves(pictures)}
        self._picture(row, middle)

    def _picture(self, row: Row, image: Any) -> None:
        prints = image_hash.prints(image)
        row["picture"] = prints[0].tobytes()
        arrays = [np.full(len(prints), row["item"]), np.arange(len(prints)), *prints.T]
        self._pictures.append(_table(arrays, PICTURES))

    def _sound(self, row: Row, value: Any, _: Row) -> None:
        if value is not None:
            self._heard(row, *audio.decode(_bytes(row, value)))

    def _waveform(self, row: Row, value: Any, example: Row) -> None:
        samples = np.array(value or [], dtype=np.float32)
        row |= {"sha256": hashlib.sha256(samples.tobytes()).digest(), "bytes": samples.nbytes}
        if len(samples):
            self._heard(row, samples[:, None], example["sampling_rate"])

    def _heard(self, row: Row, samples: Any, rate: int) -> None:
        row |= asdict(levels.measure(samples, rate, self._loudness))
        words, sure = audio_fingerprint.words(samples.mean(axis=1, dtype=np.float32), rate)
        row["words"] = words[:: audio_fingerprint.EVERY].tolist()
        values, places = audio_fingerprint.postings(words, sure)
        self._sounds.append(_table([np.full(len(values), row["item"]), values, places], SOUNDS))

    def tables(self) -> dict[str, pa.Table]:
        return {
            "media": pa.Table.from_pylist(self._media, schema=MEDIA),
            "pictures": pa.concat_tables(self._pictures),
            "sounds": pa.concat_tables(self._sounds),
        }


def _bytes(row: Row, value: Any) -> bytes:
    data: bytes = (value or {}).get("bytes") or b""
    row |= {"sha256": hashlib.sha256(data).digest(), "bytes": len(data)}
    return data


def _table(arrays: list[Any], schema: pa.Schema) -> pa.Table:
    fields = zip(arrays, schema.types, strict=True)
    return pa.Table.from_arrays([pa.array(array, type_) for array, type_ in fields], schema=schema)
