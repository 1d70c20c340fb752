"""Pictures and sounds in batches: what is decoded, and how rows that cannot be are left out."""

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from PIL import Image
from test_loader import SAMPLES, flat, ids, pictures

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import orientation
from edge_glass.train import Picture, Sound, decode, loader

PHOTOGRAPHS = ["pixmo_cap/web/photos.example/launch/rocket.jpg", "mm_imdb/dataset/9900002.jpeg"]


def test_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    good = (SAMPLES / PHOTOGRAPHS[0]).read_bytes()
    folder = pictures(tmp_path / "p", [good, b"", None, good[:2000], b"<html>", good, good, good])
    batches = loader(folder, batch_size=4, shuffle=False, decode={"image": Picture(32)})
    assert ids(batches) == [[0], [5, 6, 7]]
    assert batches.skipped == {
        Outcome.EMPTY_MEDIA: 1, Outcome.MISSING_MEDIA: 1, Outcome.TRUNCATED_MEDIA: 1,
        Outcome.WRONG_KIND: 1,
    }  # fmt: skip
    assert [(bad.group, bad.row) for bad in batches.last_skipped] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 0),
    ]
    nothing = loader(pictures(tmp_path / "q", [b"", b""]), decode={"image": Picture(32)})
    assert [len(batch["image"]) for batch in nothing] == [0]
    raw = loader(folder, batch_size=8, shuffle=False)
    assert next(iter(raw))["image"][:3] == [good, b"", None]


def test_a_damaged_row_group_costs_its_own_rows(tmp_path: Path) -> None:
    good = (SAMPLES / PHOTOGRAPHS[0]).read_bytes()
    folder = pictures(tmp_path / "p", [good] * 12)
    path = folder / "train-00000-of-00001.parquet"
    footer = pq.read_metadata(path)
    column = next(footer.row_group(1).column(i) for i in range(3)
                  if footer.row_group(1).column(i).path_in_schema == "image.bytes")  # fmt: skip
    data = bytearray(path.read_bytes())
    data[column.data_page_offset : column.data_page_offset + 16] = b"\xff" * 16
    path.write_bytes(data)
    batches = loader(folder, batch_size=4, shuffle=False, decode={"image": Picture(32)})
    assert flat(ids(batches)) == [0, 1, 2, 3, 8, 9, 10, 11]
    assert batches.skipped == {Outcome.DAMAGED_FILE: 4}


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("size, least", [(64, 34), (112, 36), (224, 40)])
def test_scaled_pictures_are_those_of_a_full_decode(
    fast: bool, size: int, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fast and not decode.FAST:
        pytest.skip("simplejpeg and OpenCV are not installed")
    monkeypatch.setattr(decode, "FAST", fast)
    for name in PHOTOGRAPHS:
        image = Image.open(SAMPLES / name).convert("RGB")
        out = io.BytesIO()
        image.resize((512, 512)).save(out, "JPEG", quality=90)
        plain = Image.open(out).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        found = Picture(size, "stretch")(out.getvalue(), np.random.default_rng(0))
        assert found.shape == (size, size, 3) and found.dtype == np.uint8
        assert psnr(found, np.asarray(plain)) > least


@pytest.mark.parametrize("fast", [True, False])
def test_pictures_are_upright_and_boxes_are_where_they_should_be(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "FAST", fast and decode.FAST)
    image = Image.new("RGB", (300, 200), "white")
    image.paste("red", (0, 0, 150, 200))
    plain, turned = io.BytesIO(), io.BytesIO()
    image.save(plain, "JPEG", quality=95)
    exif = Image.Exif()
    exif[orientation.ORIENTATION] = 6  # shown turned to the right: red above
    image.save(turned, "JPEG", quality=95, exif=exif)
    draw = np.random.default_rng(0)
    left = Picture(50)(plain.getvalue(), draw)
    assert left[:, :20, 1].mean() < 30 and left[:, 30:, 1].mean() > 225
    above = Picture(50)(turned.getvalue(), draw)
    assert above[:20, :, 1].mean() < 30 and above[30:, :, 1].mean() > 225
    boxes = [Picture(50, "random")(turned.getvalue(), np.random.default_rng(i)) for i in range(9)]
    assert len({box.tobytes() for box in boxes}) > 4
    again = Picture(50, "random")(turned.getvalue(), np.random.default_rng(3))
    assert (again == boxes[3]).all()


def test_a_section_of_sound_is_decoded_and_no_more(tmp_path: Path) -> None:
    ramp = np.linspace(-0.5, 0.5, 30 * 16000, dtype=np.float32)
    flac = io.BytesIO()
    sf.write(flac, ramp, 16000, format="FLAC")
    found = Sound(2.0, 16000)(flac.getvalue(), np.random.default_rng(1))
    assert found.shape == (32000,) and found.dtype == np.float32
    place = int(np.argmin(np.abs(ramp - found[0])))
    assert place > 0 and np.abs(ramp[place : place + 32000] - found).max() < 1e-4
    middle = Sound(2.0, 8000, random=False)(flac.getvalue(), np.random.default_rng(1))
    assert middle.shape == (16000,) and abs(float(middle[8000])) < 1e-3
    short = Sound(40.0, 16000)(flac.getvalue(), np.random.default_rng(1))
    assert short.shape == (640000,) and not short[480000:].any() and short[479999] > 0.49
    cut = bytearray(flac.getvalue())
    with pytest.raises(Dropped):
        Sound(30.0, 16000)(bytes(cut[: len(cut) // 2]), np.random.default_rng(1))


def test_real_sounds_of_a_build(built: Path) -> None:
    batches = loader(
        built / "clotho_sample", columns=["id", "audio", "captions"], batch_size=3,
        decode={"audio": Sound(0.5, 16000)},
    )  # fmt: skip
    for batch in batches:
        assert batch["audio"].shape == (len(batch["id"]), 8000)
        assert all(len(captions) == 5 for captions in batch["captions"])
    assert not batches.skipped
