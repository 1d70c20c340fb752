"""Clotho v2.1: 5,929 environmental sounds of 15 to 30 s from Freesound, five captions each.

Three parts, each `clotho_audio_<part>.7z` (44.1 kHz mono WAV), `clotho_captions_<part>.csv` (UTF-8)
and `clotho_metadata_<part>.csv` (ISO-8859-1). DCASE's test set has no captions and no keywords, and
`;` between its fields. File names are kept to the letter (leading spaces, HTML entities) and repeat
across splits, so an id is split and name.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from edge_glass.builder import (
    AudioParams,
    CaptionParams,
    Corpus,
    Example,
    Features,
    Media,
    Raw,
    Row,
    Sequence,
    Value,
    check_text,
    nfc,
    parsed,
    unclaimed,
)

PARTS = {"train": "development", "validation": "validation", "test": "evaluation"}
CAPTIONS = [f"caption_{number}" for number in range(1, 6)]
TEXT = ["sound_id", "sound_link", "start_end_samples", "manufacturer", "license"]
RATE = 44100  # Hz, what start_end_samples counts in
TOLERANCE = 0.1  # seconds between start_end_samples and the clip itself


@dataclass
class ClothoConfig(AudioParams, CaptionParams):
    dcase_test: Annotated[bool, Field(description="the DCASE test set, without captions")] = False


class Clotho(Corpus):
    """Sounds with captions, or (`dcase_test`) without."""

    BUILDER_CONFIG_CLASS = ClothoConfig

    def splits(self) -> list[str]:
        return ["test"] if self.config.dcase_test else list(PARTS)

    def sources(self, split: str) -> list[str]:
        part = "test" if self.config.dcase_test else PARTS[split]
        kinds = ["audio_{}.7z", "metadata_{}.csv", "captions_{}.csv"]
        return [f"clotho_{kind.format(part)}" for kind in kinds[: 2 if part == "test" else 3]]

    def columns(self) -> Features:
        captioned = {"keywords": Sequence(Value("string"))} | self.config.caption_features()
        return (
            {"id": Value("string")}
            | self.config.audio_features()
            | {"duration": Value("float64")}
            | ({} if self.config.dcase_test else captioned)
            | {name: Value("string") for name in TEXT}
        )

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        audio, metadata, *captions = self.sources(split)
        columns = ["file_name", *TEXT, *(["keywords"] if captions else [])]
        described = list(raw.csv(metadata, columns, "iso-8859-1", "," if captions else ";"))
        facts = {nfc(record["file_name"]): record for _, record in described if record}
        listed = raw.csv(captions[0], ["file_name", *CAPTIONS]) if captions else iter(described)
        source = captions[0] if captions else metadata
        claimed, row_of = set(), partial(_row, split, source, audio, facts)
        for line, record in listed:
            claimed.add(record.get("file_name", ""))
            yield parsed(split, source, line, record, row_of)
        yield from unclaimed(split, audio, raw, claimed)

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        metadata, captions = row.fields["metadata"], row.fields["captions"]
        check_text(row.id, *captions)
        example: dict[str, Any] = {"id": row.id}
        example |= self.config.audio_columns(media.read(), row.row, media.notes)
        example |= {name: metadata.get(name) for name in TEXT}
        media.notes += _warnings(metadata, example["duration"])
        if self.config.dcase_test:
            yield example
        else:
            example["keywords"] = list(filter(None, metadata.get("keywords", "").split(";")))
            yield from self.config.with_captions(example, captions)


def _row(split: str, source: str, audio: str, facts: dict[str, Any], record: dict[str, str]) -> Row:
    name = record["file_name"]
    texts = [record[column] for column in CAPTIONS if column in record]
    fields = {"metadata": facts.get(nfc(name), {}), "captions": texts}
    return Row(f"{split}/{name}", source, name, (audio, name), fields)


def _warnings(metadata: dict[str, str], duration: float) -> list[str]:
    """What does not fit together in a row that is kept all the same."""
    if not metadata:
        return ["no metadata row"]
    try:
        start, end = json.loads(metadata["start_end_samples"])
        promised = (end - start) / RATE
    except (TypeError, ValueError, OverflowError):
        return [f"start_end_samples is {metadata['start_end_samples'] or 'empty'}"]
    differs = abs(promised - duration) > TOLERANCE
    return [f"start_end_samples promises {promised:.2f} s"] if differs else []
