"""Images with a fault that is mended, or with more beside their pixels than is kept: PNG, JPEG."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from test_image_formats import P3, SIZE, by_cms, magick, near, written

from edge_glass.core.ledger import Dropped
from edge_glass.corpora.image_params import ImageParams
from edge_glass.media import images


def big_png(chunk: bytes, size: int = 3_000_000) -> bytes:
    """A PNG whose compressed text, or profile, has so many bytes."""
    held = io.BytesIO()
    Image.new("RGB", SIZE, (200, 120, 60)).save(held, "PNG")
    icc = P3[:0] + P3 + bytes(size - len(P3)) if chunk == b"iCCP" else b"a" * size
    names = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"P3\0\0"}
    data = names[chunk] + zlib.compress(icc)
    check = struct.pack(">I", zlib.crc32(chunk + data))
    whole = struct.pack(">I", len(data)) + chunk + data + check
    return held.getvalue()[:33] + whole + held.getvalue()[33:]


@pytest.mark.parametrize("chunk", [b"zTXt", b"iTXt"])
def test_a_png_with_a_long_text_is_kept_without_it(chunk: bytes) -> None:
    data, notes = big_png(chunk), list[str]()
    kept = ImageParams(name="x").image_columns(data, "a", notes)["image"]["bytes"]
    png = ImageParams(name="x", image_format="png").image_columns(data, "a", notes)["image"]
    assert png["bytes"] == kept  # of that format already
    assert len(notes) == 2 and all("texts of more than" in note for note in notes)
    assert chunk not in kept and Image.open(io.BytesIO(kept)).getpixel((0, 0)) == (200, 120, 60)
    assert written(data).getpixel((30, 20)) == (200, 120, 60)


def test_a_png_with_a_long_profile_is_read_and_none_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, notes = big_png(b"iCCP"), list[str]()
    wanted = by_cms(Image.new("RGB", SIZE, (200, 120, 60)), P3)
    shown = written(data)
    assert near(shown.getpixel((30, 20)), wanted) and "icc_profile" not in shown.info
    assert ImageParams(name="x").image_columns(data, "a", notes)["image"]["bytes"] == data
    assert "MAX_TEXT_CHUNK" in notes[0]


JPEGS = [
    (),
    ("-interlace", "JPEG"),
    ("-define", "jpeg:restart-interval=8"),
    ("-colorspace", "Gray"),
    ("-sampling-factor", "2x2"),
]


@pytest.mark.parametrize("how", JPEGS, ids=" ".join)
def test_a_jpeg_without_its_end_is_kept_where_all_rows_are_there(
    here: Path, how: tuple[str, ...]
) -> None:
    data, notes = magick("-size", "160x120", "-seed", "1", "plasma:", *how, "a.jpg"), list[str]()
    assert data[-2:] == b"\xff\xd9"
    for end in (b"", b"\xff", b"\xff\xff"):
        image = ImageParams(name="x").image_columns(data[:-2] + end, "a", notes)["image"]
        assert image["bytes"] == data  # as every decoder reads it
        assert images.rgb(data[:-2] + end).tobytes() == images.rgb(data).tobytes()
    assert notes == ["no end mark: all rows are there, the mark is put on"] * 3
    for cut in (3, 4, 6, 20, 500, len(data) // 2):
        with pytest.raises(Dropped, match="truncated_media"):
            images.check(data[:-cut])
    assert images.readable(data + bytes(100), notes) == data + bytes(100) and len(notes) == 3
