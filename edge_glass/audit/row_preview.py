"""Rows as a page shows them: thumbnails, players of a few seconds, texts; small whatever they were.

A row is read with its row group alone, so that a few rows of a million cost a few row groups.
"""

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import soundfile as sf

from edge_glass.core import parquet
from edge_glass.core.key_digests import rank
from edge_glass.core.ledger import Dropped
from edge_glass.core.manifest import Manifest
from edge_glass.core.row import Example
from edge_glass.media import audio, images, magic, video

SIDE, QUALITY = 240, 75  # pixels and quality of a thumbnail
SMALL = 60_000  # bytes; media with fewer are shown as they are
SECONDS, RATE = 8, 16000  # of the excerpt of a sound that is larger
FRAMES = 4  # of those of a row
LETTERS = 1_500  # of a text
ALT = 120  # letters of what stands for a picture or a sound
Row = Example
Medium = dict[str, str]  # a data URL, and the tag that shows it


def sample_rows(folder: Path, manifest: Manifest, count: int) -> list[Row]:
    """Rows drawn from all splits: the same ones for the same build."""
    every = manifest.shards_by_split()
    shards = [one for one in every if (folder / one[1].file).is_file()]  # others were sent away
    total = sum(shard.rows for _, shard in shards)
    numbers, seed = set[int](), 0
    while len(numbers) < min(count, total):
        numbers.add(rank(seed, manifest.config) % total)
        seed += 1
    chosen, start = [], 0
    for split, shard in shards:
        inside = sorted(n - start for n in numbers if start <= n < start + shard.rows)
        chosen += [{"split": split} | row for row in _rows(folder / shard.file, inside)]
        start += shard.rows
    return chosen


def named(folder: Path, manifest: Manifest, wanted: Iterable[tuple[str, str]]) -> dict[Any, Row]:
    """The rows of these splits and ids."""
    named_rows: dict[Any, Row] = {}
    left = set(wanted)
    for split, shard in manifest.shards_by_split():
        ids = {id for name, id in left if name == split}
        path = folder / shard.file
        if ids and path.is_file():
            places = [at for at, row in enumerate(parquet.rows(path, ["id"])) if row["id"] in ids]
            rows = _rows(path, places)
            named_rows |= {(split, row["id"]): {"split": split} | row for row in rows}
            left -= named_rows.keys()
    return named_rows


def _rows(path: Path, numbers: Sequence[int]) -> Iterator[Row]:
    """Rows of a shard by their numbers, ascending; one row group in memory."""
    if numbers:
        with parquet.opened(path) as file:
            yield from (_preview(row) for _, _, row in file.rows_at(numbers))


def _preview(row: Row) -> Row:
    media: list[Medium | None] = []
    texts: dict[str, list[str]] = {}
    for name, value in row.items():
        data = [_bytes(each) for each in (value if isinstance(value, list) else [value])]
        if any(data):
            media += map(medium, data[:: max(1, len(data) // FRAMES)][:FRAMES])
        elif isinstance(value, list) and value and isinstance(value[0], str):
            texts[name] = [text[:LETTERS] for text in value]
        elif not isinstance(value, list) and not (isinstance(value, dict) and "bytes" in value):
            texts[name] = [] if value is None else [str(value)[:LETTERS]]
    [id] = texts.pop("id")
    words = max((text for each in texts.values() for text in each), key=len, default=id)
    there = [one for one in media if one]
    return {"id": id, "media": there, "texts": texts, "words": words[:ALT]}


def _bytes(value: object) -> bytes | None:
    """What a cell of an Image, an Audio or a video column holds."""
    stored = value.get("bytes") if isinstance(value, dict) else value
    return stored if isinstance(stored, bytes) else None


def medium(data: bytes | None) -> Medium | None:
    """What a page can show of some bytes, None if it is nothing."""
    with suppress(Dropped):
        kind = magic.kind((data or b"")[: magic.HEAD]) or ""
        if not data or not kind:
            return None
        if kind.startswith("image/"):
            small, probe = images.convert(data, "webp", QUALITY, "longest", SIDE)
            return _medium("img", probe.kind, small)
        if kind.startswith("audio/"):
            return _sound(data, kind)
        if kind.startswith("video/"):
            return _video(data, kind)
    return None


def _sound(data: bytes, kind: str) -> Medium:
    if len(data) <= SMALL:
        return _medium("audio", kind, data)
    samples, rate = audio.decode(data)
    mono, rate = audio.mono(samples[: SECONDS * rate], rate, RATE)
    out = io.BytesIO()
    sf.write(out, mono, rate, format="MP3")
    return _medium("audio", "audio/mpeg", out.getvalue())


def _video(data: bytes, kind: str) -> Medium | None:
    if len(data) <= SMALL:
        return _medium("video", kind, data)
    if find_spec("av") is None:
        return None
    clip = video.read(data, video.Choice(count=1, side=SIDE))
    return _medium("img", "image/jpeg", clip.stills[0].jpeg) if clip.stills else None


def _medium(tag: str, kind: str, data: bytes) -> Medium:
    return {"tag": tag, "url": f"data:{kind};base64,{base64.b64encode(data).decode()}"}
