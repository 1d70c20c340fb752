"""The checks of one row: each finds what it should, and lets pass what is as promised."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_glass.audit.checked_build import CheckedBuild, CheckedRow
from edge_glass.audit.checks_rows import (
    altered_media,
    altered_text,
    blank_caption,
    empty_id,
    no_files,
    other_channels,
    other_duration,
    other_pixels,
    other_rate,
    undecodable,
)
from edge_glass.audit.decoded_media import Decoded, Sound
from edge_glass.core import manifest

Row = dict[str, Any]
Check = Callable[[CheckedBuild, CheckedRow], Iterator[str]]
SOUND = Decoded("audio", "audio", seconds=2.0, rate=8000, channels=1)
CLIP = Decoded("clip", "video", seconds=2.0, pixels=(4, 3))
IMAGE = Decoded("image", "image", pixels=(4, 3))
PAGE = replace(IMAGE, name="pages[0]")
BROKEN = Decoded("audio", "audio", "damaged")
OTHER = replace(BROKEN, name="clip")
SIZE = {"width": 4, "height": 4}  # not that of the image
TEXT, MEDIA = "text's digest", "media's digest"
ENTRY: Row = {"text_digests": [TEXT, "x"], "media_digests": None, "sha256": MEDIA}

# a check, the columns of a row, its media, the config's parameters
FOUND: list[tuple[Check, Row, list[Decoded], Row]] = [
    (empty_id, {"id": None}, [], {}),
    (empty_id, {"id": " "}, [], {}),
    (blank_caption, {"caption": None}, [], {}),
    (blank_caption, {"text": " "}, [], {}),
    (blank_caption, {"captions": ["a", None]}, [], {}),
    (blank_caption, {"captions": []}, [], {}),
    (undecodable, {"audio": None}, [BROKEN], {}),
    (undecodable, {"audio": b"x"}, [BROKEN], {"require_audio": False}),
    (undecodable, {"audio": None}, [OTHER], {"require_audio": False}),
    (no_files, {"pages": [], "audio": []}, [], {}),
    (other_rate, {}, [IMAGE, SOUND], {"sample_rate": 16000}),
    (other_channels, {}, [IMAGE, SOUND], {"channels": 2}),
    (other_duration, {"duration": None}, [IMAGE, SOUND], {}),
    (other_duration, {"duration": 2.06}, [SOUND], {}),
    (other_duration, {"duration": 1.94}, [SOUND], {}),
    (other_duration, {"duration": 9.0}, [CLIP], {}),
    (other_duration, {"duration": 9.0, "fps": 1}, [SOUND, CLIP], {}),
    (other_duration, {"duration": 2.0, "clip_duration": 9.0}, [CLIP], {}),
    (other_duration, {"clip_duration": 9.0}, [SOUND, CLIP], {}),
    (other_pixels, SIZE, [SOUND, IMAGE], {}),
    (other_pixels, SIZE, [CLIP], {}),
    (other_pixels, {"clip_width": 4, "clip_height": 4}, [IMAGE, CLIP], {}),
]
PASSED: list[tuple[Check, Row, list[Decoded], Row]] = [
    (empty_id, {"id": "a"}, [], {}),
    (blank_caption, {"text": "a", "caption": "b", "captions": ["c"], "title": ""}, [], {}),
    (undecodable, {"audio": None}, [BROKEN], {"require_audio": False}),
    (undecodable, {"audio": None}, [SOUND], {}),
    (no_files, {"pages": [b"x"], "audio": []}, [], {}),
    (other_rate, {}, [IMAGE, SOUND], {"sample_rate": 8000}),
    (other_rate, {}, [SOUND], {}),
    (other_channels, {}, [IMAGE, SOUND], {"channels": 1}),
    (other_channels, {}, [SOUND], {}),
    (other_duration, {"duration": 2.04}, [SOUND], {}),
    (other_duration, {"duration": 1.96}, [SOUND], {}),
    (other_duration, {"duration": 9.0, "fps": 1}, [SOUND], {}),
    (other_duration, {"duration": 9.0, "clip_duration": 2.0}, [CLIP], {}),
    (other_duration, {"duration": 9.0}, [replace(SOUND, seconds=None)], {}),
    (other_pixels, {"width": 4, "height": 3}, [IMAGE, CLIP], {}),
    (other_pixels, SIZE, [PAGE, replace(IMAGE, pixels=None), replace(IMAGE, kind="frame")], {}),
    (other_pixels, SIZE | {"clip_width": 4, "clip_height": 3}, [CLIP], {}),
    (other_pixels, {"width": 5}, [IMAGE], {}),
]
# a check of what the ledger has a digest of, and the ledger's row; the row is its first example
ALTERED: list[tuple[Check, Row | None]] = [
    (altered_text, ENTRY | {"text_digests": ["x", TEXT]}),
    (altered_text, ENTRY | {"text_digests": []}),
    (altered_media, ENTRY | {"sha256": "x"}),
    (altered_media, ENTRY | {"media_digests": ["x", MEDIA]}),
    (altered_media, ENTRY | {"media_digests": []}),
]
AS_RECORDED: list[tuple[Check, Row | None]] = [
    (altered_text, ENTRY),
    (altered_text, ENTRY | {"text_digests": None}),  # of a release that had none
    (altered_text, None),
    (altered_media, ENTRY),
    (altered_media, ENTRY | {"sha256": "x", "media_digests": [MEDIA]}),
    (altered_media, {"text_digests": None}),
    (altered_media, None),
]


@pytest.fixture
def build(built: Path, tmp_path: Path) -> Iterator[CheckedBuild]:
    folder = built / "clotho_sample"
    build = CheckedBuild("clotho_sample", folder, manifest.read(folder), tmp_path)
    build.media_kinds = {"pages": ("image", True), "audio": ("samples", True)}
    yield build
    build.close()


def row(columns: Row, media: list[Decoded], entry: Row | None = None) -> CheckedRow:
    return CheckedRow("train", "shard", columns, entry, 0, media, Sound(), (TEXT, MEDIA))


def test_columns_against_media(build: CheckedBuild) -> None:
    for cases, count in ((FOUND, 1), (PASSED, 0)):
        for check, columns, media, parameters in cases:
            build.manifest = replace(build.manifest, parameters=parameters)
            build.captions = [name for name in ("caption", "captions", "text") if name in columns]
            found = list(check(build, row(columns, media)))
            assert len(found) == count, (check.__name__, columns, media, parameters)


def test_what_the_ledger_has_a_digest_of(build: CheckedBuild) -> None:
    for cases, count in ((ALTERED, 1), (AS_RECORDED, 0)):
        for check, entry in cases:
            found = list(check(build, row({}, [], entry)))
            assert len(found) == count, (check.__name__, entry)
