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
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import Field

from edge_glass.builder import (
    Corpus,
    Example,
    Features,
    Media,
    Outcome,
    Raw,
    Row,
    Value,
    VideoParams,
    check_text,
    section_of,
    video,
)

PARTS = {"train": "train", "validation": "val", "test": "test"}
CLIPS, SHARDS = "clips", "valor32k_shards"
COLUMNS = ["video_id", "start", "end", "caption"]  # of a shard, beside its media


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
        times = {"start": Value("float64"), "end": Value("float64")}
        names = {"id": Value("string"), "video_id": Value("string")}
        return names | times | {"caption": Value("string")} | self.config.video_features()

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        source = self.sources(split)[0]
        if self.config.shards:
            for where, record in raw.records(source, COLUMNS, f"valor32k_{PARTS[split]}_"):
                media = (source, f"{where}/image_jpegs")
                yield _row(split, source, where, _name(record), record["caption"], media)
            return
        found = [path for path in raw.names(CLIPS) if path.lower().endswith(video.SUFFIXES)]
        clips = {PurePosixPath(path).stem: path for path in reversed(found)}
        for position, item in raw.json(source, ["video_id", "desc"]):
            name, caption = (item["video_id"], item["desc"]) if item else ("", None)
            media = (CLIPS, clips.get(name, f"{name}.mp4"))
            yield _row(split, source, f"item {position}", name, caption, media)

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
        media.notes += video.length_doubts(example["duration"], promised)
        yield example


def _row(
    split: str, source: str, where: str, name: str, caption: str | None, media: tuple[str, str]
) -> Row:
    section = section_of(name)
    if section is None or caption is None:
        detail = "no video_id <ytid>_<start>_<end> with a description"
        return Row(f"{split}/{where}", source, where, dropped=(Outcome.MALFORMED_ROW, detail))
    reason = Outcome.CORRUPT_CAPTION if caption.strip() else Outcome.BLANK_CAPTION
    dropped = None if re.search(r"[^\d.\s]", caption) else (reason, caption.strip())
    ask = {"id": section["video_id"]} | section
    return Row(name, source, where, media, section | {"caption": caption}, dropped, ask)


def _name(record: dict[str, Any]) -> str:
    """The id of a shard's row, whose video_id may be the whole id or YouTube's."""
    name, again = str(record["video_id"]), "{video_id}_{start}_{end}".format(**record)
    found = None if section_of(name) else section_of(again)
    return "{video_id}_{start:.3f}_{end:.3f}".format(**found) if found else name
