"""VALOR-32K: 32,318 clips of AudioSet, most of them 10 s, one description of sight and sound each.

Upstream's `desc_<part>.json` are lists of `{"video_id": "<ytid>_<start>_<end>", "desc": …}`. A ytid
may hold `_` itself, and clips are 2 to 10 s long. Eight descriptions are but the milliseconds of
the start: they are dropped. Clips are `<video_id>.mp4` (or .mkv, .webm), anywhere in the raw folder.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from edge_glass.corpus import Corpus, Example, Media, Row, VideoParams
from edge_glass.features import Features, Value
from edge_glass.fetch.raw import Raw, check_text
from edge_glass.ledger import Dropped, Outcome

PARTS = {"train": "train", "validation": "val", "test": "test"}
CLIPS = "clips"
SUFFIXES = (".mp4", ".mkv", ".webm")
TOLERANCE = 0.5  # seconds between a clip and what its id says: cuts lie on frames or keyframes
FACTOR = 2  # a clip longer or shorter by that is not the one that was described


@dataclass
class ValorConfig(VideoParams):
    pass


class Valor(Corpus):
    """Clips with frames, sound and a description."""

    BUILDER_CONFIG_CLASS = ValorConfig

    def splits(self) -> list[str]:
        return list(PARTS)

    def sources(self, split: str) -> list[str]:
        return [f"desc_{PARTS[split]}.json", CLIPS]

    def columns(self) -> Features:
        times = {"start": Value("float64"), "end": Value("float64")}
        names = {"id": Value("string"), "video_id": Value("string")}
        return names | times | {"caption": Value("string")} | self.config.video_features()

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        source = self.sources(split)[0]
        clips = {PurePosixPath(path).stem: path for path in raw.names(CLIPS) if _is_clip(path)}
        for position, record in raw.json(source, ["video_id", "desc"]):
            section = _section(record["video_id"]) if record else None
            if record is None or section is None:
                detail = "no video_id <ytid>_<start>_<end> with a desc"
                dropped = (Outcome.MALFORMED_ROW, detail)
                yield Row(f"{split}/item {position}", source, f"item {position}", dropped=dropped)
                continue
            name, caption = record["video_id"], record["desc"]
            media = (CLIPS, clips.get(name, f"{name}.mp4"))
            fields = section | {"caption": caption}
            yield Row(name, source, f"item {position}", media, fields, _no_caption(caption))

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        check_text(row.id, row.fields["caption"])
        assert row.media is not None
        example = {"id": row.id} | row.fields
        example |= self.config.video_columns(media.read(), row.media[1], media.notes)
        media.notes += _doubts(example["duration"], row.fields["end"] - row.fields["start"])
        yield example


def _is_clip(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in SUFFIXES


def _section(name: str) -> dict[str, Any] | None:
    """What an id says: the video, and from which second to which."""
    try:
        video_id, *times = name.rsplit("_", 2)
        start, end = map(float, times)
    except ValueError:
        return None
    return {"video_id": video_id, "start": start, "end": end} if 0 <= start < end else None


def _no_caption(text: str) -> tuple[str, str] | None:
    if not text.strip():
        return Outcome.BLANK_CAPTION, ""
    return (Outcome.CORRUPT_CAPTION, text) if re.fullmatch(r"[\d\s.]+", text) else None


def _doubts(seconds: float, promised: float) -> list[str]:
    """What the ledger should say of a clip's length; raises Dropped."""
    detail = f"{seconds:.2f} s, the id promises {promised:g} s"
    if not promised / FACTOR <= seconds <= promised * FACTOR:
        raise Dropped(Outcome.WRONG_DURATION, detail)
    return [detail] if abs(seconds - promised) > TOLERANCE else []
