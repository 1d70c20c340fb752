"""VALOR-32K: 32,318 clips of AudioSet, most of them 10 s, one description of sight and sound each.

Upstream's `desc_<part>.json` are lists of `{"video_id": "<ytid>_<start>_<end>", "desc": …}`. A ytid
may hold `_` itself, and clips are 2 to 10 s long. Eight descriptions are but the milliseconds of
the start: they are dropped. Clips are `<video_id>.mp4`, .mkv, …, anywhere in the raw folder.

`valor32k_<part>_shard<n>.parquet`, which others made of it, hold frames (`image_jpegs`), sound
(`audio_wav`: a WAV file, or numbers at a rate that only they know), `caption` and the times.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import Field

from edge_glass.builder import (
    Corpus,
    Dropped,
    Example,
    Features,
    Media,
    Outcome,
    Raw,
    Row,
    Value,
    VideoParams,
    check_text,
    parsed,
    section_of,
    video,
)

PARTS = {"train": "train", "validation": "val", "test": "test"}
CLIPS, SHARDS = "clips", "valor32k_shards"
TEXT, NUMBER = Value("string"), Value("float64")
ITEM = {"video_id": TEXT, "desc": TEXT}
COLUMNS = {"video_id": TEXT, "start": NUMBER, "end": NUMBER, "caption": TEXT}  # of a shard


@dataclass
class ValorConfig(VideoParams):
    shards: Annotated[bool, Field(description="read valor32k_*.parquet, not clips")] = False
    sound_rate: Annotated[int | None, Field(ge=1000, description="Hz of numbers in shards")] = None

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.shards and self.whole_video:
            yield "whole_video: shards hold frames and sound, no clips"


class Valor(Corpus):
    BUILDER_CONFIG_CLASS = ValorConfig

    def splits(self) -> list[str]:
        return list(PARTS)

    def sources(self, split: str) -> list[str]:
        return [SHARDS] if self.config.shards else [f"desc_{PARTS[split]}.json", CLIPS]

    def columns(self) -> Features:
        return {"id": TEXT} | COLUMNS | self.config.video_features()

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        source = self.sources(split)[0]
        if self.config.shards:
            for where, record in raw.records(source, COLUMNS, f"valor32k_{PARTS[split]}_"):
                media = (source, f"{where}/image_jpegs")
                yield parsed(split, source, where, record, partial(_shown, source, media))
            return
        found = [path for path in raw.names(CLIPS) if path.lower().endswith(video.SUFFIXES)]
        clips = {PurePosixPath(path).stem: path for path in reversed(found)}
        for position, item in raw.objects(source, source, ITEM, [*ITEM]):
            yield parsed(split, source, f"item {position}", item, partial(_clip, source, clips))

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        check_text(row.id, row.fields["caption"])
        example, promised = {"id": row.id} | row.fields, row.fields["end"] - row.fields["start"]
        if self.config.shards:
            parts, rate = map(media.value, ("image_jpegs", "audio_wav")), self.config.sound_rate
            example |= self.config.parts_columns(*parts, rate, f"{row.id}.wav", media.notes)
            yield example | {"duration": promised}
            return
        name = row.id + PurePosixPath(media.name).suffix
        example |= self.config.video_columns(media.read(), name, media.notes)
        media.notes += video.length_warnings(example["duration"], promised)
        yield example


def _clip(source: str, clips: dict[str, str], item: dict[str, Any]) -> Row:
    name = item["video_id"]
    return _row(source, (CLIPS, clips.get(name, f"{name}.mp4")), name, item["desc"])


def _shown(source: str, media: tuple[str, str], record: dict[str, Any]) -> Row:
    """A shard's row, whose video_id may be the whole id or YouTube's."""
    name = record["video_id"] or ""
    found = None if section_of(name) else section_of("{video_id}_{start}_{end}".format(**record))
    name = "{video_id}_{start:.3f}_{end:.3f}".format(**found) if found else name
    return _row(source, media, name, record["caption"] or "")


def _row(source: str, media: tuple[str, str], name: str, caption: str) -> Row:
    if (section := section_of(name)) is None:
        detail = f"video_id: expected <ytid>_<start>_<end>, found {name:.60}"
        raise Dropped(Outcome.MALFORMED_ROW, detail)
    reason = Outcome.CORRUPT_CAPTION if caption.strip() else Outcome.BLANK_CAPTION
    dropped = None if re.search(r"[^\d.\s]", caption) else (reason, caption.strip())
    ask = {"id": section["video_id"]} | section
    return Row(name, source, "", media, section | {"caption": caption}, dropped, ask)
