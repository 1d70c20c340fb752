"""Corpora with known faults, written as builds are: what audits find in them can be counted."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import datasets
import numpy as np
import soundfile as sf
import soxr
from PIL import Image

from edge_glass.core import ledger, manifest
from edge_glass.core.atomic_files import write_json
from edge_glass.core.columns import roles
from edge_glass.core.ledger import Entry, Outcome
from edge_glass.core.shard_files import write_shard, write_table
from edge_glass.media import video
from edge_glass.media.features import arrow_schema

Row = dict[str, Any]


def corpus(
    out: Path,
    config: str,
    splits: dict[str, list[Row]],
    shards: int = 1,
    features: datasets.Features | None = None,
) -> Path:
    """A build of these rows (id, and any of caption, captions, text, image, audio, frames).

    With `features` the rows are written as they are.
    """
    folder = out / config
    folder.mkdir(parents=True)
    first = next(iter(splits.values()))[0]
    shown = (lambda row: row) if features else _example
    features = features or datasets.Features({n: _feature(n, value) for n, value in first.items()})
    made: Row = {
        "manifest_version": 1, "config": config, "corpus": "clotho", "version": "1.0.0",
        "parameters": {}, "limit": None, "builder": "", "made_with": {}, "sources": [],
        "features": features.to_dict(), "roles": roles(features.to_dict()), "splits": {},
    }  # fmt: skip
    entries: list[Entry] = []
    for split, rows in splits.items():
        cut = [rows[n * len(rows) // shards : (n + 1) * len(rows) // shards] for n in range(shards)]
        files = []
        for number, part in enumerate(cut):
            file = f"{split}-{number:05d}-of-{shards:05d}.parquet"
            written = write_shard(folder / file, map(shown, part), arrow_schema(features))
            files.append(asdict(written))
        entries += [Entry("rows", row["id"], row["id"], split, Outcome.KEPT) for row in rows]
        made["splits"][split] = {
            "rows": len(rows), "bytes": sum(f["bytes"] for f in files), "shards": files,
            "outcomes": {"kept": len(rows)}, "warnings": {}, "figures": {},
        }  # fmt: skip
    written = write_table(folder / ledger.FILE, [ledger.to_table(entries)], ledger.schema())
    made["ledger"] = asdict(written)
    write_json(folder / manifest.FILE, json.loads(json.dumps(made)))
    return folder


def _feature(name: str, value: Any) -> Any:
    if name in ("image", "audio", "video"):
        return {"image": datasets.Image(), "audio": datasets.Audio(), "video": datasets.Video()}[
            name
        ]
    if isinstance(value, list):
        return [datasets.Value("binary" if isinstance(value[0], bytes) else "string")]
    return datasets.Value("string")


def _example(row: Row) -> Row:
    return {
        name: {"bytes": value, "path": None} if isinstance(value, bytes) else value
        for name, value in row.items()
    }


# Sounds: float32 of shape (frames,), and their rate


def wav(samples: np.ndarray, rate: int, format: str = "WAV") -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, rate, format=format)
    return out.getvalue()


def softer(samples: np.ndarray, rate: int) -> bytes:
    return wav(samples * 0.3, rate)


def slower(samples: np.ndarray, rate: int) -> bytes:
    """At 16 kHz."""
    return wav(soxr.resample(samples, rate, 16000), 16000)


def mp3(samples: np.ndarray, rate: int) -> bytes:
    return wav(soxr.resample(samples, rate, 44100), 44100, "MP3")


def cut(samples: np.ndarray, rate: int) -> bytes:
    """Without the first 0.217 s, half as loud, at 16 kHz, as MP3."""
    return wav(soxr.resample(samples[int(0.217 * rate) :] * 0.5, rate, 16000), 16000, "MP3")


def clipped(samples: np.ndarray, rate: int) -> bytes:
    peak = np.abs(samples).max()
    return wav(np.clip(samples / peak * 3, -0.99, 0.99), rate)


def shifted(samples: np.ndarray, rate: int) -> bytes:
    return wav(samples * 0.5 + 0.1, rate)


def silent(samples: np.ndarray, rate: int) -> bytes:
    """Nothing but a noise 90 dB below full scale."""
    return wav(np.random.default_rng(0).normal(size=len(samples)) * 3e-5, rate, "FLAC")


# Images


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def coarse(image: Image.Image) -> bytes:
    return jpeg(image, 35)


def small(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.resize((160, max(1, 160 * image.height // image.width))).save(out, "WEBP")
    return out.getvalue()


def cropped(image: Image.Image, sides: Sequence[float] = (0.05, 0.03, 0.02, 0.05)) -> bytes:
    """Without these shares of its left, upper, right and lower side."""
    left, upper, right, lower = sides
    width, height = image.size
    box = (left * width, upper * height, width - right * width, height - lower * height)
    return jpeg(image.crop(tuple(map(round, box))))


def bright(image: Image.Image) -> bytes:
    return jpeg(image.point(lambda value: min(255, int(value * 1.2))))


def thumbnail(image: Image.Image) -> bytes:
    """Its longer side 60 pixels."""
    tiny = image.copy()
    tiny.thumbnail((60, 60))
    return jpeg(tiny)


# Films


def movie(
    frames: list[np.ndarray], codec: str = "libx264", pixels: str = "yuv420p", rate: int = 10,
    format: str = "mp4", times: list[int] | None = None,
) -> bytes:  # fmt: skip
    """Frames (uint8 of shape height, width, 3) as a clip without sound, `rate` a second."""
    out = io.BytesIO()
    with av.open(out, "w", format=format) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.pix_fmt = pixels
        if frames:
            stream.height, stream.width = frames[0].shape[:2]
        for number, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, "rgb24")
            frame.pts, frame.time_base = (times or range(len(frames)))[number], Fraction(1, rate)
            for packet in stream.encode(frame):
                file.mux(packet)
        if frames:
            for packet in stream.encode():
                file.mux(packet)
    return out.getvalue()


def frames(clip: bytes) -> list[bytes]:
    """Eight of a clip, as builds keep them."""
    return [still.jpeg for still in video.read(clip, video.Choice()).stills]


def frozen(frame: bytes, grain: float = 4) -> list[bytes]:
    """Frames of a clip that shows one picture all the time, with a grain of so many grey levels."""
    picture = np.asarray(Image.open(io.BytesIO(frame)).convert("RGB"))
    noise = np.random.default_rng(0).normal(0, grain, (20, *picture.shape))
    return frames(movie([np.clip(picture + one, 0, 255).astype(np.uint8) for one in noise]))
