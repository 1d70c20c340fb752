"""LibriSpeech's raw layout of any size, cut out of the real speech in samples/."""

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "librispeech" / "LibriSpeech"
PART = "LibriSpeech/dev-clean"
CHAPTER = 40  # utterances in one
CBW = (
    ";ID  |SEX| SUBSET           |MINUTES| NAME\n60   | M | dev-clean  | 20.18 | |CBW|Simon\n"
    "61 | F | dev-clean | some | Nobody\n"
)
CHAPTERS = (
    ";ID    |READER|MINUTES| SUBSET | PROJ.|BOOK ID| CH. TITLE | PROJECT TITLE\n"
    "100 | 60 | 1.5 | dev-clean | 7 | 161 | The First | Sense, read\n"
    "101 | 60 | 1.5 | dev-clean | 7 | 162 | The Second | A Project | and more\n"
)
BOOKS = "; comment\n161  | Sense and Sensibility | Jane Austen\n"
Member = tuple[str, bytes]


@cache
def clips() -> list[bytes]:
    """The nine utterances that are shipped."""
    return [path.read_bytes() for path in sorted(SAMPLES.rglob("*.flac"))]


def chapter(speaker: int, number: int, count: int) -> Iterator[Member]:
    """The files of a chapter, its transcript in the middle, as tarballs have it now and then."""
    folder, stem = f"{PART}/{speaker}/{number}", f"{speaker}-{number}"
    names = [f"{stem}-{i:04d}" for i in range(count)]
    lines = "".join(f"{name} WORDS OF NUMBER {i}\n" for i, name in enumerate(names))
    for i, name in enumerate(names):
        if i == count // 2:
            yield f"{folder}/{stem}.trans.txt", lines.encode()
        yield f"{folder}/{name}.flac", clips()[(number + i) % len(clips())]


def tables() -> list[Member]:
    texts = {"SPEAKERS": CBW, "CHAPTERS": CHAPTERS, "BOOKS": BOOKS}
    return [(f"LibriSpeech/{name}.TXT", text.encode()) for name, text in texts.items()]


def corpus(utterances: int) -> Iterator[Member]:
    """A part of so many utterances of speaker 60, in chapters from 100 on."""
    yield from tables()
    for start in range(0, utterances, CHAPTER):
        yield from chapter(60, 100 + start // CHAPTER, min(CHAPTER, utterances - start))


def pack(path: Path, members: Iterable[Member]) -> Path:
    """Write a tar or tar.gz; every time the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw:
        zipped = path.name.endswith("gz")
        with (
            gzip.GzipFile("", "wb", 1, raw, 0) if zipped else raw as out,
            tarfile.open(fileobj=out, mode="w|") as tar,  # type: ignore[call-overload]
        ):
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def unpack(folder: Path, members: Iterable[Member]) -> Path:
    """Write the files to disk instead."""
    for name, data in members:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
