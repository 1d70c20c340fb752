"""Rows by number: their text without their media, and of media no more than is asked for."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
import releases
import soundfile as sf
from hub import Hub
from PIL import Image
from test_stored import PLAIN, written

from edge_glass.core import locations, parquet
from edge_glass.core.ledger import Dropped
from edge_glass.media import video
from edge_glass.release import publish
from edge_glass.train import Picture, loader, rows

ROOT = Path(__file__).parents[2]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what is read from files of shards."""
    sizes: list[int] = []
    read = os.pread

    def counted(file: int, size: int, at: int) -> bytes:
        sizes.append(size)
        return read(file, size, at)

    monkeypatch.setattr(os, "pread", counted)
    return sizes


def long_sound(kind: str) -> tuple[bytes, np.ndarray]:
    """Ten minutes of noise, which no codec makes smaller."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 600 * 8000).astype(np.float32)
    out = io.BytesIO()
    how = {"format": kind, "subtype": "VORBIS" if kind == "OGG" else "PCM_16"}
    with sf.SoundFile(out, "w", 8000, 1, **how) as file:
        for at in range(0, len(samples), 8000):  # libsndfile's Vorbis ends at too many at once
            file.write(samples[at : at + 8000])
    whole, _ = sf.read(io.BytesIO(out.getvalue()), dtype="float32", always_2d=True)
    return out.getvalue(), whole


@pytest.mark.parametrize("kind, least", [("FLAC", 20), ("WAV", 100), ("OGG", 0.9)])
def test_a_second_of_a_long_sound(
    tmp_path: Path, taken: list[int], kind: str, least: float
) -> None:
    """That second is read, as the whole has it; of lossy sound, which must be whole, all of it."""
    data, whole = long_sound(kind)
    folder = written(tmp_path / "a", [b"first", data, b"last"], **PLAIN)
    row = rows(folder)[1]
    assert row["id"] == 1 and row["image"].size == len(data)
    taken.clear()
    samples, rate = row["image"].sound(start=300.5, seconds=1)
    assert rate == 8000 and np.array_equal(samples, whole[300 * 8000 + 4000 : 301 * 8000 + 4000])
    assert sum(taken) < len(data) / least + len(data) * (kind == "OGG") and sum(taken) > 8000
    end, _ = row["image"].sound(start=599.9, seconds=1)
    assert len(end) == 800 and np.array_equal(end, whole[-800:])
    assert not len(row["image"].sound(start=900, seconds=1)[0])


def test_text_is_read_without_media(tmp_path: Path, taken: list[int]) -> None:
    folder = written(tmp_path / "a", [bytes(1_000_000)] * 10, **PLAIN)
    assert [row["id"] for row in rows(folder)] == list(range(10))
    assert sum(taken) < 100_000  # headers of pages, and lengths
    assert rows(folder)[-1]["image"].read(3, 5) == bytes(5)
    assert len(rows(folder)) == 10 and rows(folder, columns=["id"])[2] == {"id": 2}
    with pytest.raises(IndexError):
        rows(folder)[10]


@pytest.mark.parametrize("how", [PLAIN, {"compression": "zstd"}])
def test_rows_are_those_of_the_file(tmp_path: Path, how: dict[str, Any]) -> None:
    media: list[bytes | None] = [b"a" * 100, None, b"", b"d"] * 5
    found = rows(written(tmp_path / "a", media, **how))
    for row, value in zip(found, media, strict=True):
        if value is None:
            with pytest.raises(Dropped, match="no bytes"):
                row["image"].read()
        else:
            assert row["image"].read() == value and row["image"].size == len(value)
            assert row["image"].read(1, 2) == value[1:3]


def test_samples_that_are_built(built: Path) -> None:
    folder = built / "librispeech_sample"
    path = next(folder.glob("test.clean-*"))
    for row, expected in zip(
        rows(folder, "test.clean"), pq.read_table(path).to_pylist(), strict=True
    ):
        samples, rate = row["audio"].sound(0, 99)
        assert row["text"] == expected["text"] and rate == 16000
        assert abs(len(samples) / rate - row["duration"]) < 1e-3
    with pytest.raises(Dropped):
        rows(built / "pixmo_cap_sample")[0]["image"].sound(0, 1)


def test_a_frame_of_a_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame before the keyframe is decoded, and one after it."""
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=10, options={"g": "10", "crf": "1"})
        stream.width = stream.height = 64
        for number in range(50):  # grey, brighter by 4 each tenth of a second
            pixels = np.full((64, 64, 3), 20 + 4 * number, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode())
    clip = rows(written(tmp_path / "a", [out.getvalue()], **PLAIN))[0]["image"]
    decoded, seen = video._decoded, list[Any]()

    def counted(*given: Any) -> Any:
        for frame in decoded(*given):
            seen.append(frame)
            yield frame

    monkeypatch.setattr(video, "_decoded", counted)
    for at, number in ((0, 0), (1.25, 12), (3.0, 30), (4.99, 49), (60, 49)):
        image = Image.open(io.BytesIO(clip.frame(at, side=32)))
        assert image.size == (32, 32)
        assert abs(np.asarray(image.convert("L")).mean() - (20 + 4 * number)) < 3
        assert len(seen) == number % 10 + 1 + (number < 49)
        seen.clear()


def test_a_row_on_the_hub_costs_its_page(hub: Hub, tmp_path: Path) -> None:
    """Of media two requests, once the footer is known, and no more than 64 kB beyond them."""
    draw = np.random.default_rng(0)
    sizes = [60_000, 200, 900_000, 5]  # a page each, and small ones that share theirs
    data = [{"id": f"{n}", "image": draw.bytes(sizes[n % 4]), "caption": "a"} for n in range(60)]
    folder = planted.corpus(tmp_path, "photos", {"train": data})
    releases.api(hub).create_repo("org/one", repo_type="dataset")
    releases.api(hub).upload_folder(
        repo_id="org/one", repo_type="dataset", folder_path=folder, path_in_repo="photos"
    )
    for found in (rows("hf://datasets/org/one/photos"), rows(folder)):
        for number in (2, 44, 45, 47, 58):
            hub.reset_log()
            row = found[number]
            assert (row["id"], row["caption"]) == (data[number]["id"], "a")
            asked, text = len(hub.log), sum(one.sent for one in hub.log)
            assert asked <= 2 and text < 65_536
            assert row["image"].size == sizes[number % 4]
            assert row["image"].read() == data[number]["image"]
            assert len(hub.log) - asked <= 2
            assert sum(one.sent for one in hub.log) - text <= sizes[number % 4] + 65_536
    assert not hub.log  # here nothing is asked of it

    hub.reset_log()
    for place in (locations.at("hf://datasets/org/one/photos"), folder):
        with parquet.opened(place / "train-00000-of-00001.parquet") as file:
            given = [(row["id"], row["image"]["bytes"]) for *_, row in file.rows_at([3, 30, 58])]
    assert given == [(data[n]["id"], data[n]["image"]) for n in (3, 30, 58)]


def test_the_first_batch_from_the_hub(hub: Hub, built: Path) -> None:
    """The place, its files, a footer and the row group: at most five requests, decoded."""
    publish.push(built, ["pixmo_cap_sample"], "org/set", "1.0.0")
    hub.reset_log()
    batches = loader(
        "hf://datasets/org/set@v1.0.0/pixmo_cap_sample", columns=["image", "caption"],
        decode={"image": Picture(64)},
    )  # fmt: skip
    batch = next(iter(batches))
    assert batch["image"].shape[1:] == (64, 64, 3) and len(batch["caption"]) > 1
    assert len(hub.log) <= 5, [one.path for one in hub.log]
