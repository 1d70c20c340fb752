"""Images that stand on their side, by what says so: EXIF, XMP, boxes of AVIF."""

import io
from pathlib import Path

import pytest
from encoders import run
from PIL import Image
from test_image_formats import AVIF, SIZE, TURNED, magick, near, quarters, tagged, written

from edge_glass.media import images, orientation


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("by", TURNED)
def test_orientation_by_exif_or_xmp(here: Path, suffix: str, by: str) -> None:
    plain = quarters(f"a{suffix}")
    if suffix == ".tif":  # one that has no tag of its own
        plain = tagged(plain, "-IFD0:Orientation=", suffix=suffix)
    data = tagged(plain, by, suffix=suffix)
    assert (images.probe(data).width, images.probe(data).height) == (48, 64)
    shown = images.rgb(data)
    assert shown.size == (48, 64) and near(shown.getpixel((44, 4)), (32, 64, 224), 6)
    assert written(data).size == (45, 60)


def test_exif_has_the_word_where_both_speak(here: Path) -> None:
    data = tagged(
        quarters("a.jpg"), "-XMP-tiff:Orientation=6", "-IFD0:Orientation=1", suffix=".jpg"
    )
    assert images.probe(data).turn == 1 and images.rgb(data).size == SIZE


def test_what_imagemagick_puts_behind_the_pixels_of_a_png(here: Path) -> None:
    for by in TURNED:
        tagged(quarters("a.jpg"), by, suffix=".jpg")
        data = magick("tagged.jpg", "b.png")
        assert images.probe(data).turn == 6 and images.rgb(data).size == (48, 64)


@AVIF
def test_avif_is_turned_by_its_boxes_alone(here: Path) -> None:
    quarters("a.png")
    run("avifenc", "-s", "10", "--irot", "1", "a.png", "a.avif")
    data = Path("a.avif").read_bytes()
    assert images.rgb(data).size == (48, 64)
    assert images.rgb(tagged(data, TURNED[0], suffix=".avif")).size == (48, 64)
    run("avifenc", "-s", "10", "a.png", "b.avif")
    plain = tagged(Path("b.avif").read_bytes(), TURNED[0], suffix=".avif")
    assert images.rgb(plain).size == SIZE == (images.probe(plain).width, images.probe(plain).height)


@pytest.mark.parametrize(
    ("xmp", "turn"),
    [
        (b'<rdf:Description tiff:Orientation="8"/>', 8),
        (b"<tiff:Orientation>3</tiff:Orientation>", 3),
        (b"<rdf:Description tiff:Orientation = '5'/>", 5),
        (b'<rdf:Description tiff:Orientation="9"/>', 1),
        (b"", 1),
    ],
)
def test_spellings_of_an_orientation_in_xmp(xmp: bytes, turn: int) -> None:
    assert orientation.of(b"", xmp) == turn


def test_webp_is_turned_by_xmp() -> None:
    held, xmp = io.BytesIO(), b'<rdf:Description tiff:Orientation="6"/>'
    Image.new("RGB", SIZE).save(held, "WEBP", xmp=xmp)  # ImageMagick and exiftool write none here
    assert images.probe(held.getvalue()).turn == 6
    assert images.rgb(held.getvalue()).size == (48, 64)
