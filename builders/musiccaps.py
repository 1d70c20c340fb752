"""MusicCaps: 5,521 sections of 10 s of YouTube videos, each described by a musician.

One CSV with newlines inside captions. `ytid` is YouTube's, 107 of them begin with `-`; the aspects
are written as a Python list. The Hub has one split. The audio is fetched section by section, or
comes as `{ytid}.wav`, `.m4a`, … beside the CSV: a clip of 10 s, or the whole track.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_glass.builder import (
    AudioParams,
    Corpus,
    Dropped,
    Example,
    Features,
    Media,
    Outcome,
    Raw,
    Row,
    Sequence,
    Value,
    check_text,
    parsed,
    sections,
    strings,
)

CSV, CLIPS = "musiccaps-public.csv", "clips"
TEXT = ["caption", "aspect_list", "audioset_positive_labels"]
NUMBERS = ["start_s", "end_s", "author_id"]
PARTS = {"eval": "is_audioset_eval", "balanced": "is_balanced_subset"}
SUFFIXES = [".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm"]
SECONDS = 10


@dataclass
class MusiccapsConfig(AudioParams):
    part: Annotated[
        Literal["eval", "balanced"] | None,
        Field(description="AudioSet's evaluation set, or its balanced part; all if not given"),
    ] = None


class Musiccaps(Corpus):
    """Music with what a musician heard in it."""

    BUILDER_CONFIG_CLASS = MusiccapsConfig

    def splits(self) -> list[str]:
        return ["train"]

    def sources(self, split: str) -> list[str]:
        return [CSV, CLIPS]

    def columns(self) -> Features:
        return (
            {"id": Value("string")}
            | self.config.audio_features()
            | {"caption": Value("string")}
            | {name: Sequence(Value("string")) for name in TEXT[1:]}
            | {name: Value("int32") for name in NUMBERS}
            | {name: Value("bool") for name in PARTS.values()}
            | {"duration": Value("float64")}
        )

    def row_bytes(self, source_bytes: int) -> int:
        config = self.config
        if config.format == "source":
            return super().row_bytes(source_bytes)
        of_clip = SECONDS * (config.sample_rate or 48000) * 2 * (config.channels or 2)
        return int(of_clip * {"flac": 0.6, "wav": 1.0, "waveform": 2.0}[config.format])

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        for line, record in raw.csv(CSV, ["ytid", *TEXT, *NUMBERS, *PARTS.values()]):
            yield parsed(split, CSV, line, record, partial(self._row, raw))

    def _row(self, raw: Raw, record: dict[str, str]) -> Row:
        id, flag = record["ytid"], PARTS.get(self.config.part)
        try:
            int(record["author_id"])
            start, end = float(record["start_s"]), float(record["end_s"])
            if not (re.fullmatch(r"[\w-]{11}", id, re.ASCII) and 0 <= start < end < math.inf):
                raise ValueError
        except ValueError:
            detail = ", ".join(f"{name}: {record[name]:.40}" for name in ("ytid", *NUMBERS))
            return Row(id, CSV, id, dropped=(Outcome.MALFORMED_ROW, detail))
        ask = {"id": id, "start": start, "end": end}
        row = Row(
            id, CSV, id, (CLIPS, raw.named(CLIPS, id, SUFFIXES)), dict(record), fetch_request=ask
        )
        if flag and record[flag] != "True":
            row.dropped = (Outcome.NOT_IN_CONFIG, f"{flag} is {record[flag]}")
        return row

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        record, ask = row.fields, row.fetch_request or {}
        check_text(*(record[name] for name in TEXT))
        if not record["caption"].strip():
            raise Dropped(Outcome.BLANK_CAPTION, "caption")
        example: dict[str, Any] = {"id": row.id, "caption": record["caption"]}
        example["aspect_list"] = strings(record["aspect_list"])
        example["audioset_positive_labels"] = record["audioset_positive_labels"].split(",")
        example |= {name: int(record[name]) for name in NUMBERS}
        example |= {name: record[name] == "True" for name in PARTS.values()}
        data = media.read()
        data, name = sections.clip(data, media.name, ask["start"], ask["end"], media.notes)
        yield example | self.config.audio_columns(data, name, media.notes)
