"""Clotho v2.1: 5,929 environmental sounds of 15 to 30 s from Freesound, five captions each.

Upstream publishes three splits, each as `clotho_audio_<part>.7z` (44.1 kHz mono WAV),
`clotho_captions_<part>.csv` (UTF-8) and `clotho_metadata_<part>.csv` (ISO-8859-1). The test set of
the DCASE challenge has audio and metadata (`;`-delimited, no keywords) and no captions.

File names are kept to the letter (leading spaces, HTML entities) and repeat across splits, so an id
is split and name.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from edge_glass.corpus import AudioParams, CaptionParams, Corpus, Example, Media, Row
from edge_glass.features import Features, Sequence, Value
from edge_glass.fetch.raw import Raw, check_text
from edge_glass.ledger import Outcome

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
        if self.config.dcase_test:
            return ["clotho_audio_test.7z", "clotho_metadata_test.csv"]
        part = PARTS[split]
        return [
            f"clotho_audio_{part}.7z",
            f"clotho_metadata_{part}.csv",
            f"clotho_captions_{part}.csv",
        ]

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
        delimiter = "," if captions else ";"
        described = list(raw.csv(metadata, columns, "iso-8859-1", delimiter))
        facts = {record["file_name"]: record for _, record in described if record}
        listed = raw.csv(captions[0], ["file_name", *CAPTIONS]) if captions else iter(described)
        seen = set()
        for line, record in listed:
            source = captions[0] if captions else metadata
            if record is None:
                malformed = (Outcome.MALFORMED_ROW, "fields and header differ in number")
                yield Row(f"{split}/line {line}", source, f"line {line}", dropped=malformed)
                continue
            name = record["file_name"]
            seen.add(name)
            fields = {"metadata": facts.get(name), "captions": [record[c] for c in CAPTIONS if captions]}
            yield Row(f"{split}/{name}", source, name, (audio, name), fields)
        for name in raw.names(audio):
            if name not in seen:
                dropped = (Outcome.MISSING_CAPTION, "no row of the table names this file")
                yield Row(f"{split}/{name}", audio, name, dropped=dropped)

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        metadata, captions = row.fields["metadata"] or {}, row.fields["captions"]
        check_text(row.id, *captions)
        example: dict[str, Any] = {"id": row.id}
        example |= self.config.audio_columns(media.read(), row.row, media.notes)
        example |= {name: metadata.get(name) for name in TEXT}
        media.notes += _doubts(metadata, example["duration"])
        if self.config.dcase_test:
            yield example
        else:
            example["keywords"] = [word for word in metadata.get("keywords", "").split(";") if word]
            yield from self.config.with_captions(example, captions)


def _doubts(metadata: dict[str, str], duration: float) -> list[str]:
    """What does not fit together in a row that is kept all the same."""
    if not metadata:
        return ["no metadata row"]
    try:
        start, end = json.loads(metadata["start_end_samples"])
    except ValueError:
        return ["start_end_samples is empty"] if not metadata["start_end_samples"] else ["bad start_end_samples"]
    promised = (end - start) / RATE
    return [f"start_end_samples promises {promised:.2f} s"] if abs(promised - duration) > TOLERANCE else []
