"""Images as other encoders write them: colours, bits, containers, ends, orientation."""

import io
import json
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from encoders import run
from kit import entries, rows
from PIL import Image, ImageCms, features

from edge_glass.core.ledger import Dropped
from edge_glass.corpora import catalog
from edge_glass.media import images, magic
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.train.decode import Picture

SIZE = (64, 48)
AVIF = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
TURNED = ("-XMP-tiff:Orientation=6", "-IFD0:Orientation=6")
Colour = tuple[int, ...]


def magick(*arguments: str) -> bytes:
    """What ImageMagick writes; the last argument names the file."""
    run("convert", *arguments)
    return Path(arguments[-1].rpartition(":")[2]).read_bytes()


def quarters(*arguments: str) -> bytes:
    """A gradient with a blue top left quarter, as ImageMagick writes it."""
    return magick(
        "-size", "64x48", "gradient:#c8783c-#3c78c8", "-fill", "#2040e0",
        "-draw", "rectangle 0,0 31,23", "-alpha", "off", *arguments,
    )  # fmt: skip


def tagged(data: bytes, *arguments: str, suffix: str) -> bytes:
    """The file with metadata that exiftool writes."""
    Path(f"tagged{suffix}").write_bytes(data)
    run("exiftool", "-q", "-q", "-n", "-overwrite_original", *arguments, f"tagged{suffix}")
    return Path(f"tagged{suffix}").read_bytes()


def written(data: bytes, format: str = "png") -> Image.Image:
    """The image that is written where it is resized."""
    made, _ = images.convert(data, format, 98, "longest", 60)
    image = Image.open(io.BytesIO(made))
    image.load()
    return image


def near(seen: object, wanted: Colour, by: int = 3) -> bool:
    assert isinstance(seen, tuple)
    return max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) <= by


def profile(space: bytes, *tags: tuple[bytes, bytes]) -> bytes:
    """An ICC profile of version 2.4."""
    body, table, at = b"", b"", 132 + 12 * len(tags)
    for name, data in tags:
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(padded))
        body += padded
    kind, pcs = (b"mntr", b"XYZ ") if space != b"CMYK" else (b"prtr", b"Lab ")
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"none", 0x02400000, kind, space, pcs)
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    head = head.ljust(68, b"\0") + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*values)


GAMMA = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256))
WHITE = (b"wtpt", xyz(0.9642, 1, 0.8249))
P3 = profile(
    b"RGB ", WHITE, (b"rXYZ", xyz(0.51512, 0.24120, -0.00105)),
    (b"gXYZ", xyz(0.29198, 0.69225, 0.04189)), (b"bXYZ", xyz(0.15710, 0.06657, 0.78407)),
    (b"rTRC", GAMMA), (b"gTRC", GAMMA), (b"bTRC", GAMMA),
)  # fmt: skip
GREY = profile(b"GRAY", WHITE, (b"kTRC", GAMMA))
BROKEN_CMYK = profile(b"CMYK", (b"A2B0", bytes(557_000)))


def by_cms(image: Image.Image, icc: bytes) -> Colour:
    """What LittleCMS makes of the first pixel."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    shown = ImageCms.profileToProfile(
        image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert shown is not None
    return tuple(shown.getpixel((0, 0)))  # type: ignore[arg-type]


def with_profile(image: str, icc: bytes, *arguments: str) -> bytes:
    """A field of one colour under a profile, as ImageMagick embeds it."""
    Path("of.icc").write_bytes(icc)
    return magick(
        "-size", "64x48", f"xc:{image}", *arguments[:-1], "-profile", "of.icc", arguments[-1]
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_a_profile_is_carried_over_to_srgb(here: Path, suffix: str, format: str) -> None:
    data = with_profile("rgb(200,120,60)", P3, "-quality", "98", f"a{suffix}")
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == P3
    wanted = by_cms(Image.new("RGB", SIZE, (200, 120, 60)), P3)
    shown = written(data, format)
    assert near(shown.convert("RGB").getpixel((30, 20)), wanted, 6)
    assert not near(wanted, (200, 120, 60), 12)
    assert "icc_profile" not in shown.info
    assert near(images.rgb(data).getpixel((30, 20)), wanted, 6)
    batch = Picture(32)(data, np.random.default_rng(0))
    assert near(tuple(batch[16, 16].tolist()), wanted, 6)


def test_a_profile_of_what_is_transparent_or_of_a_palette(here: Path) -> None:
    clear = with_profile("rgba(200,120,60,0.5)", P3, "a.png")
    wanted = by_cms(Image.new("RGB", SIZE, (200, 120, 60)), P3)
    assert near(written(clear).getpixel((30, 20)), (*wanted, 128))
    palette = with_profile("rgb(200,120,60)", P3, "-type", "Palette", "PNG8:b.png")
    assert Image.open(io.BytesIO(palette)).mode == "P"
    assert near(written(palette).getpixel((30, 20)), wanted)


def test_srgb_by_any_name_leaves_the_pixels_alone() -> None:
    named = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    out: list[bytes] = []
    for icc in (None, named):
        held = io.BytesIO()
        image.save(held, "PNG", icc_profile=icc)
        assert not images.probe(held.getvalue()).coloured
        out.append(images.convert(held.getvalue(), "png", 90, "longest", 60)[0])
    assert out[0] == out[1]


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_a_profile_of_cmyk_or_grey_never_lands_on_rgb(here: Path, format: str) -> None:
    grey = with_profile("gray(99)", GREY, "-colorspace", "Gray", "-type", "Grayscale", "a.png")
    wanted = by_cms(Image.new("L", SIZE, 99), GREY)
    Image.new("CMYK", SIZE, (0, 200, 220, 40)).save("b.jpg", quality=95, icc_profile=BROKEN_CMYK)
    plain = Image.new("CMYK", (1, 1), (0, 200, 220, 40)).convert("RGB").getpixel((0, 0))
    assert isinstance(plain, tuple)
    for data, colour in ((grey, wanted), (Path("b.jpg").read_bytes(), plain)):
        shown = written(data, format)
        assert "icc_profile" not in shown.info
        assert near(shown.convert("RGB").getpixel((30, 20)), colour, 6)


def test_a_profile_that_does_not_fit_its_pixels_is_not_applied() -> None:
    held = io.BytesIO()
    Image.new("RGB", SIZE, (200, 120, 60)).save(held, "PNG", icc_profile=GREY)
    assert written(held.getvalue()).getpixel((30, 20)) == (200, 120, 60)


@pytest.mark.parametrize(
    "how",
    [
        (
            "-depth",
            "32",
            "-define",
            "quantum:format=floating-point",
            "-compress",
            "LZW",
            "a.tif",
        ),
        ("-depth", "32", "a.tif"),
        ("-depth", "16", "a.tif"),
        ("-depth", "16", "-endian", "MSB", "a.tif"),
        ("-depth", "32", "-endian", "MSB", "tiff64:a.tif"),
        ("-depth", "16", "a.png"),
        ("-depth", "16", "a.jp2"),
    ],
    ids=" ".join,
)
def test_grey_of_many_bits(here: Path, how: tuple[str, ...]) -> None:
    data = quarters("-colorspace", "Gray", "-type", "Grayscale", *how)
    eight = Image.open(io.BytesIO(magick(how[-1], "-depth", "8", "8.png"))).convert("L")
    seen = np.asarray(images.rgb(data)).astype(int)
    assert np.abs(seen - np.asarray(eight)[..., None]).max() <= 1
    assert seen.std() > 10


FLOATS = ("-define", "quantum:format=floating-point")


@pytest.mark.parametrize("order", ["LSB", "MSB"])
@pytest.mark.parametrize("colours", ["TrueColor", "TrueColorAlpha", "Grayscale"])
@pytest.mark.parametrize(
    "how",
    [
        ("-depth", "32", *FLOATS, "-compress", "LZW"),
        ("-depth", "64", *FLOATS, "-compress", "Zip"),
        ("-depth", "16", *FLOATS, "-compress", "LZW"),
        ("-depth", "32", "-compress", "none"),
        ("-depth", "32", "-compress", "Zip", "-define", "tiff:predictor=2"),
    ],
    ids=" ".join,
)
def test_colours_of_many_bits(here: Path, how: tuple[str, ...], colours: str, order: str) -> None:
    clear = ("-alpha", "on") if colours == "TrueColorAlpha" else ()
    grey = ("-colorspace", "Gray") if colours == "Grayscale" else ()
    data = quarters(*clear, *grey, "-type", colours, "-endian", order, *how, "a.tif")
    eight = Image.open(io.BytesIO(magick("a.tif", "-depth", "8", "PNG32:8.png"))).convert("RGB")
    assert images.check(data) == images.Probe("image/tiff", 64, 48)
    seen = np.asarray(images.rgb(data)).astype(int)
    assert np.abs(seen - np.asarray(eight)).max() <= 1 and seen.std() > 10
    with pytest.raises(Dropped):
        images.check(data[: len(data) // 2])


def test_colours_of_many_bits_have_profiles_and_are_upright(here: Path) -> None:
    data = with_profile("rgb(200,120,60)", P3, "-depth", "32", "-compress", "none", "a.tif")
    assert near(
        images.rgb(data).getpixel((9, 9)), by_cms(Image.new("RGB", SIZE, (200, 120, 60)), P3)
    )
    turned = tagged(
        quarters("-depth", "32", "-compress", "none", "b.tif"), TURNED[1], suffix=".tif"
    )
    assert images.probe(turned) == images.Probe("image/tiff", 48, 64)
    assert near(images.rgb(turned).getpixel((44, 4)), (32, 64, 224))


def test_damage_to_a_tiff_of_many_bits_is_more_than_no_outcome(here: Path) -> None:
    data = quarters("-depth", "32", *FLOATS, "-compress", "LZW", "a.tif")
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(data)
        for at in random.integers(len(data) - 400, len(data), 3):  # the directory
            damaged[at] = int(random.integers(0, 256))
        with suppress(Dropped):
            images.convert(bytes(damaged), "jpeg", 90, "longest", 16)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 3000.0])
def test_floats_of_any_range_are_seen(white: float) -> None:
    ramp = np.linspace(0, white, 64 * 48, dtype=np.float32).reshape(48, 64)
    ramp[0, :3] = (np.nan, np.inf, -1)
    held = io.BytesIO()
    Image.fromarray(ramp).save(held, "TIFF")
    seen = np.asarray(images.rgb(held.getvalue()))[..., 0]
    assert seen[0, 0] == seen[0, 2] == 0 and seen[-1, -1] == 255
    assert abs(int(seen[24, 0]) - 127) <= 1


def test_signed_integers_and_small_ones() -> None:
    for values, wanted in (([-5, 0, 255], [0, 0, 255]), ([0, 2**30, 2**31 - 1], [0, 128, 255])):
        held = io.BytesIO()
        Image.fromarray(np.array([values], np.int32)).save(held, "TIFF")
        seen = np.asarray(images.rgb(held.getvalue()))[0, :, 0]
        assert np.abs(seen.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("file", "kind", "suffix"),
    [
        ("tiff64:a.tif", "image/tiff", ".tiff"),
        ("a.jp2", "image/jp2", ".jp2"),
        ("a.j2k", "image/j2c", ".j2k"),
    ],
)
def test_bigtiff_and_jpeg_2000(here: Path, file: str, kind: str, suffix: str) -> None:
    data = quarters(file)
    found = images.check(data)
    assert found == images.Probe(kind, 64, 48) and found.suffix == suffix
    assert near(written(data).convert("RGB").getpixel((4, 4)), (32, 64, 224), 6)
    with pytest.raises(Dropped):
        images.check(data[: len(data) // 3])


@AVIF
@pytest.mark.parametrize("brand", [b"avif", b"avis", b"mif1", b"msf1", b"miaf", b"MA1B"])
def test_avif_by_all_its_brands(here: Path, brand: bytes) -> None:
    quarters("a.png")
    several = ("a.png", "a.png") if brand in (b"avis", b"msf1") else ("a.png",)
    run("avifenc", "-s", "10", *several, "a.avif")
    data = Path("a.avif").read_bytes()
    data = data[:8] + brand + data[12:]
    found = images.check(data)
    assert found == images.Probe("image/avif", 64, 48) and found.suffix == ".avif"
    assert near(images.rgb(data).getpixel((4, 4)), (32, 64, 224), 8)


def test_heic_is_not_taken_for_avif() -> None:
    for major, other in ((b"mif1", b"heic"), (b"msf1", b"hevc"), (b"heic", b"mif1")):
        box = struct.pack(">I4s4sI4s4s", 24, b"ftyp", major, 0, b"mif1", other)
        assert magic.kind(box) == "image/heic"


def test_a_build_of_what_the_world_writes(here: Path) -> None:
    """What is mended is said in the ledger; what is written can be read by anybody."""
    raw = here / "raw"
    (raw / "images").mkdir(parents=True)
    images_of = {
        "a.jpg": magick("-size", "64x48", "plasma:", "a.jpg")[:-2],
        "b.png": with_profile("rgb(200,120,60)", P3, "b.png"),
        "c.tif": quarters("-depth", "32", *FLOATS, "-compress", "LZW", "c.tif"),
        "d.jp2": quarters("d.jp2"),
        "e.jpg": magick("-size", "64x48", "plasma:", "e.jpg")[:-9],
    }
    lines = []
    for name, data in images_of.items():
        (raw / "images" / name).write_bytes(data)
        lines.append(json.dumps({"filepath": name, "caption": "a tabby cat"}))
    (raw / "cc12m.jsonl").write_text("\n".join(lines))
    small = {"resize": "longest", "image_size": 40, "image_format": "png"}
    wanted = by_cms(Image.new("RGB", SIZE, (200, 120, 60)), P3)
    for name, overrides in (("cc12m_cls_whole", {}), ("cc12m_cls_small", small)):
        made = catalog.variant("cc12m_cls_jsonl", {"images": True, **overrides}, name)
        build(made, here / "out", Options(raw=raw))
        folder = here / "out" / name
        book = {entry["id"].partition("#")[0]: entry for entry in entries(folder).values()}
        assert book["e.jpg"]["outcome"] == "truncated_media"
        shown = {row["filepath"]: row["image"]["bytes"] for row in rows(folder).values()}
        assert sorted(shown) == ["a.jpg", "b.png", "c.tif", "d.jp2"]
        if overrides:
            sizes = {Image.open(io.BytesIO(data)).size for data in shown.values()}
            assert sizes == {(40, 30)}
            assert near(Image.open(io.BytesIO(shown["b.png"])).getpixel((9, 9)), wanted)
        assert book["a.jpg"]["detail"].startswith("no end mark: all rows are there")
        if not overrides:
            Image.open(io.BytesIO(shown["a.jpg"])).load()
            assert shown["b.png"] == images_of["b.png"]
