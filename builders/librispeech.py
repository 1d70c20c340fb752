"""LibriSpeech: 292,367 utterances (982 h) of read English out of LibriVox's audio books, 16 kHz.

Each part is a tarball of `LibriSpeech/<part>/<speaker>/<chapter>/`, with FLAC files named
`<speaker>-<chapter>-<number>.flac` and one `<speaker>-<chapter>.trans.txt` of lines `<id> TEXT`.
Beside the parts lie SPEAKERS.TXT, CHAPTERS.TXT and BOOKS.TXT, fields between `|`; only the last may
hold a `|` of its own (speaker 60 is `|CBW|Simon`). The Hub's Parquet has no such tables.
"""

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
    TranscriptParams,
    Value,
    check_text,
    matched,
    parsed,
)

PARTS = ["train.clean.100", "train.clean.360", "train.other.500"]
PARTS += ["validation.clean", "validation.other", "test.clean", "test.other"]
MINI = ["train.clean.5", "validation.clean.2"]  # cut out of train.clean.100 and validation.clean
LINE = re.compile(
    r"((\d{1,18})-(\d{1,18})-\d+) (.*)", re.ASCII
)  # id, its speaker and chapter, text
TEXT, ID, NUMBER = Value("string"), Value("int64"), Value("float64")
SPOKEN = {"duration": NUMBER, "text": TEXT, "speaker_id": ID, "chapter_id": ID}
SPEAKER = {"sex": TEXT, "minutes": NUMBER, "name": TEXT}
ABOUT = {"speaker": SPEAKER, "chapter_title": TEXT, "book_title": TEXT}


@dataclass
class LibriSpeechConfig(AudioParams, TranscriptParams):
    source: Annotated[
        Literal["openslr", "mini", "hub"], Field(description="OpenSLR 12, 31, or the Hub's Parquet")
    ] = "openslr"


class LibriSpeech(Corpus):
    """Utterances with transcripts; the splits have the Hub's names."""

    BUILDER_CONFIG_CLASS = LibriSpeechConfig
    BESIDE = ("SPEAKERS.TXT", "CHAPTERS.TXT", "BOOKS.TXT")

    def splits(self) -> list[str]:
        return MINI if self.config.source == "mini" else PARTS

    def sources(self, split: str) -> list[str]:
        part = split.replace("validation", "dev").replace(".", "-")
        return [f"{split}.parquet" if self.config.source == "hub" else f"{part}.tar.gz"]

    def columns(self) -> Features:
        return {"id": TEXT} | self.config.audio_features() | SPOKEN | ABOUT

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        [source] = self.sources(split)
        if self.config.source == "hub":
            for name, found in raw.records(source, {"id": TEXT, "text": TEXT}):
                media = (source, f"{name}/audio.bytes")
                yield parsed(split, source, name, found, partial(_row, source, media))
            return
        speakers, chapters = _tables(raw, source)
        for folder, names in raw.folders(source):
            reader, _, chapter = folder.rpartition("/")
            about = {"speaker": speakers.get(reader)} | chapters.get(chapter, {})
            lines = _lines(raw, source, names, about)
            yield from matched(lines, source, (name for name in names if name.endswith(".flac")))

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        text = row.fields["text"] or ""
        check_text(row.id, text)
        if not (found := LINE.match(f"{row.id} ")):
            raise Dropped(Outcome.MALFORMED_ROW, "the id is not <speaker>-<chapter>-<number>")
        example = {"id": row.id, "speaker_id": int(found[2]), "chapter_id": int(found[3])}
        example |= {"text": self.config.transcript(text)} | {n: row.fields.get(n) for n in ABOUT}
        yield example | self.config.audio_columns(media.read(), f"{row.id}.flac", media.notes)


def _row(source: str, media: tuple[str, str], record: dict[str, Any]) -> Row:
    return Row(record["id"] or "", source, "", media, record)


def _lines(raw: Raw, source: str, names: list[str], about: dict[str, Any]) -> Iterator[Row]:
    for name in (name for name in names if name.endswith(".trans.txt")):
        for number, line in raw.lines(source, name):
            where = f"{name} line {number}"
            if found := LINE.fullmatch(line):
                media = (source, f"{name[: name.rfind('/') + 1]}{found[1]}.flac")
                yield Row(found[1], source, where, media, {"text": found[4]} | about)
            else:
                yield Row(where, source, where, dropped=(Outcome.MALFORMED_ROW, "not `<id> TEXT`"))


def _tables(raw: Raw, source: str) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    speakers = {
        reader: {"sex": sex, "minutes": float(minutes), "name": name}
        for reader, sex, _, minutes, name in raw.table_beside(source, "SPEAKERS.TXT", 5)
        if minutes.replace(".", "", 1).isdecimal()
    }
    books = {book: title for book, title, _ in raw.table_beside(source, "BOOKS.TXT", 3)}
    return speakers, {
        chapter: {"chapter_title": title, "book_title": books.get(book, project)}
        for chapter, *_, book, title, project in raw.table_beside(source, "CHAPTERS.TXT", 8)
    }
