"""Exports of any build, held against what they are made for: pandas, and folders of `datasets`."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import planted
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from datasets import Array2D, ClassLabel, Features, Sequence, Value, Video
from kit import Cli, rows, tones
from PIL import Image

from edge_glass.core import manifest
from edge_glass.core.columns import ColumnRole, roles
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.release.export import exif, export

TEXT = Value("string")


def picture(format: str = "JPEG", size: tuple[int, int] = (8, 6), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, format, **more)
    return out.getvalue()


def members(folder: Path) -> dict[str, bytes]:
    """What the tars of all splits hold, by name."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob("*/*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                assert member.name not in found
                found[member.name] = tar.extractfile(member).read()  # type: ignore[union-attr]
    return found


def table(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    return [
        row
        for path in sorted((folder / split).glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"id": TEXT, "text": TEXT, "title": TEXT}, {"text": "caption", "title": "text"}),
        ({"captions": Sequence(TEXT), "url": TEXT}, {"captions": "caption", "url": "text"}),
        # a list of another name is one text a slide, not several of one row
        ({"transcript": Sequence(TEXT), "title": TEXT}, {"transcript": "text", "title": "caption"}),
        ({"id": TEXT, "beschreibung": TEXT}, {"id": "id", "beschreibung": "caption"}),
        ({"a": TEXT, "b": TEXT}, {"a": "text", "b": "text"}),
        ({"image_bytes": Value("binary"), "clip": Video()}, {"image_bytes": "media"}),
        ({"frames": Sequence(Value("binary")), "images": [datasets.Image()]}, {"images": "media"}),
        ({"audio": Sequence(Value("float32")), "sampling_rate": Value("int32")},
         {"audio": "media", "sampling_rate": "number"}),
        ({"scores": Sequence(Value("float32")), "unsafe": Value("bool")},
         {"scores": "number", "unsafe": "number"}),
        ({"label": Value("int32"), "genres": Sequence(ClassLabel(names=["a"]))},
         {"label": "label", "genres": "label"}),
        ({"speaker": {"sex": TEXT}, "pairs": [{"question": TEXT}]},
         {"speaker": "nested", "pairs": "nested"}),
    ],
)  # fmt: skip
def test_roles_of_columns(features: dict[str, Any], expected: dict[str, str]) -> None:
    found = roles(Features(features).to_dict())
    assert {name: found[name] for name in expected} == expected
    assert found[next(reversed(features))] is not None and set(found) == set(features)


def with_media() -> list[str]:
    return [name for name in catalog.samples() if "metadata" not in name and "quer" not in name]


@pytest.mark.parametrize("config", with_media())
def test_all_media_and_captions_of_any_sample_arrive(
    built: Path, config: str, tmp_path: Path
) -> None:
    if config.endswith("qrels"):
        pytest.skip("two ids and a number")
    folder, found = built / config, roles(manifest.read(built / config).features)
    media = [name for name, role in found.items() if role is ColumnRole.MEDIA]
    captions = [name for name, role in found.items() if role is ColumnRole.CAPTION]
    export(folder, tmp_path, "webdataset")
    packed, kept = members(tmp_path), rows(folder)
    sizes = sorted(len(data) for name, data in packed.items() if not name.endswith(TEXTS))
    assert sizes == sorted(len(data) for row in kept.values() for data in files(row, media))
    samples = [json.loads(data) for name, data in packed.items() if name.endswith(".json")]
    assert {sample["id"] for sample in samples} == set(kept)
    for sample in samples:
        value = kept[sample["id"]][captions[0]]
        assert sample["caption"] == (value[0] if isinstance(value, list) else value) != ""
        assert packed[f"{sample['key']}.txt"].decode() == sample["caption"]


TEXTS = (".json", ".txt")


def files(row: dict[str, Any], media: list[str]) -> Iterator[bytes]:
    for name in media:
        for item in row[name] if isinstance(row[name], list) else [row[name]]:
            if item is not None:
                yield item["bytes"] if isinstance(item, dict) else item


def test_columns_are_in_parquet_and_json_alike_under_names_of_laion(
    built: Path, tmp_path: Path
) -> None:
    export(built / "laion400m_sample", tmp_path, "webdataset")
    found = table(tmp_path)
    samples = [json.loads(d) for name, d in members(tmp_path).items() if name.endswith(".json")]
    assert samples == [row for row in found if row["status"] == "success"]
    assert {"NSFW", "similarity", "LICENSE", "url", "caption", "exif"} <= set(samples[0])
    assert (samples[1]["NSFW"], samples[1]["similarity"]) == ("UNLIKELY", 0.3301)


def test_keys_are_unique_over_splits(built: Path, tmp_path: Path) -> None:
    export(built / "mm_imdb_sample", tmp_path, "webdataset")
    names = [f"{path.parent.name}/{path.name}" for path in sorted(tmp_path.glob("*/*.tar"))]
    assert names == ["test/00002.tar", "train/00000.tar", "validation/00001.tar"]
    assert len(members(tmp_path)) == 3 * 7


def test_a_split_without_media_has_no_tar(tmp_path: Path) -> None:
    features = Features({"id": TEXT, "image": datasets.Image(), "caption": TEXT})
    kept = {"id": "a", "image": {"bytes": picture(), "path": "a.jpg"}, "caption": "a"}
    bare = {"id": "b", "image": None, "caption": None}
    data = {"train": [kept, bare], "test": [bare | {"id": "c"}]}
    folder = planted.corpus(tmp_path, "some", data, features=features)
    export(folder, tmp_path / "w", "webdataset")
    assert sorted(members(tmp_path / "w")) == [f"000000000.{end}" for end in ("jpg", "json", "txt")]
    [_, row] = table(tmp_path / "w")
    assert (row["status"], row["caption"]) == ("failed_to_download", None)
    assert (
        row["error_message"] == "no media in this row" and len(table(tmp_path / "w", "test")) == 1
    )
    assert export(folder, tmp_path / "f", "files") == ["2 rows without image are left out"]
    assert not (tmp_path / "f" / "test" / "metadata.jsonl").exists()
    assert export(folder, tmp_path / "t", "tsv") == ["2 rows without a file are left out"]


def test_columns_of_every_shape(tmp_path: Path) -> None:
    """Bytes, lists of media, samples, structs, names that img2dataset has for something else."""
    features = Features({
        "id": TEXT, "image_bytes": Value("binary"), "frames": Sequence(Value("binary")),
        "clip": Video(), "audio": Sequence(Value("float32")), "sampling_rate": Value("int32"),
        "speaker": {"sex": TEXT}, "key": TEXT, "score": Value("float64"), "taken": Value("date32"),
        "grid": Array2D((1, 2), "int32"), "size": Value("decimal128(4, 1)"),
        "file_name": TEXT, "parts": [{"page": datasets.Image()}],
    })  # fmt: skip
    wave = tones(0.1, 8000, 440)
    row = {
        "id": "a/b", "image_bytes": picture("PNG"), "frames": [picture(), picture("WEBP")],
        "clip": {"bytes": b"\x1aE\xdf\xa3", "path": "x.MKV"}, "audio": wave, "sampling_rate": 8000,
        "speaker": {"sex": "F"}, "key": "k", "score": float("nan"), "taken": date(2020, 2, 3),
        "grid": [[1, 2]], "size": Decimal("2.5"), "file_name": "mine", "parts": [{"page": None}],
    }  # fmt: skip
    folder = planted.corpus(tmp_path, "odd", {"train": [row]}, features=features)
    told = ["column parts is left out: it holds files inside structs"]
    assert export(folder, tmp_path / "w", "webdataset") == told
    found = members(tmp_path / "w")
    assert sorted(found) == sorted(
        f"000000000.{end}"
        for end in ("image_bytes.png", "frames.0.jpg", "frames.1.webp", "clip.mkv", "audio.wav",
                    "txt", "json")
    )  # fmt: skip
    sample = json.loads(found["000000000.json"])
    assert sample["speaker"] == {"sex": "F"} and sample["score"] is None
    assert (sample["taken"], sample["grid"], sample["size"]) == ("2020-02-03", [[1, 2]], "2.5")
    [stored] = table(tmp_path / "w")
    assert (stored["taken"], stored["grid"], stored["size"]) == (
        row["taken"], row["grid"], row["size"],
    )  # fmt: skip
    assert (sample["key"], sample["key_"]) == ("000000000", "k")
    samples, rate = sf.read(io.BytesIO(found["000000000.audio.wav"]))
    assert rate == 8000 and np.allclose(samples, wave, atol=2**-15)
    assert export(folder, tmp_path / "f", "files") == told
    [line] = lines(tmp_path / "f" / "train" / "frames" / "metadata.jsonl")
    assert line["file_names"] == ["000000000/0.jpg", "000000000/1.webp"]
    [line] = lines(tmp_path / "f" / "train" / "clip" / "metadata.jsonl")
    assert line["file_name"] == "000000000.mkv" and line["id"] == "a/b"


def test_images_are_made_jpeg(built: Path, tmp_path: Path) -> None:
    export(built / "pixmo_cap_sample", tmp_path / "w", "webdataset", jpeg=True)
    found = [data for name, data in members(tmp_path / "w").items() if name.endswith(".jpg")]
    assert len(found) == 4 and {Image.open(io.BytesIO(data)).format for data in found} == {"JPEG"}
    export(built / "pixmo_cap_sample", tmp_path / "f", "files", jpeg=True)
    assert len(list((tmp_path / "f" / "train").glob("*.jpg"))) == 4
    with pytest.raises(EdgeGlassError, match="--jpeg: tsv holds no images"):
        export(built / "pixmo_cap_sample", tmp_path, "tsv", jpeg=True)


def test_exif_is_what_exiftool_wrote(tmp_path: Path) -> None:
    tool = shutil.which("exiftool")
    if tool is None:
        assert not os.environ.get("CI"), "CI must bring exiftool"
        pytest.skip("no exiftool")
    path = tmp_path / "a.jpg"
    path.write_bytes(picture())
    assert exif.of(path.read_bytes()) is None
    tags = ["-Make=Canon", "-ExposureTime=1/60", "-GPSLatitudeRef=N", "-GPSLatitude=48.5"]
    tags += ["-UserComment=a café", "-ISO=200"]
    subprocess.run([tool, "-q", "-overwrite_original", *tags, path], check=True, timeout=60)
    found = json.loads(exif.of(path.read_bytes()) or "")
    assert found["Image Make"] == "Canon" and found["EXIF ExposureTime"] == "1/60"
    assert found["EXIF ISOSpeedRatings"] == "200" and found["GPS GPSLatitude"] == "[48, 30, 0]"
    assert exif.of(picture(exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")) is None
    assert exif.of(b"RIFF....WAVE") is None
    png = tmp_path / "a.png"
    png.write_bytes(picture("PNG"))
    subprocess.run(
        [tool, "-q", "-overwrite_original", "-EXIF:Model=X", png], check=True, timeout=60
    )
    features = Features({"id": TEXT, "image": datasets.Image()})
    data = [{"id": "a", "image": {"bytes": png.read_bytes(), "path": "a.png"}}]
    folder = planted.corpus(tmp_path, "some", {"train": data}, features=features)
    export(folder, tmp_path / "w", "webdataset", jpeg=True)
    [row] = table(tmp_path / "w")  # of the image as it came
    assert json.loads(row["exif"])["Image Model"] == "X"


NASTY = ['"The Tree" by someone', 'a "quoted" word', "tab\there", "two\nlines", '"', "NA", "nul\0"]


def test_a_table_that_pandas_reads_row_for_row(tmp_path: Path) -> None:
    features = Features({
        "id": TEXT, "image": datasets.Image(), "caption": TEXT, "wnid": TEXT, "filename": TEXT,
        "label": Value("int32"), "label_ori": Value("int32"),
    })  # fmt: skip
    data = [
        {"id": f"n01_{n}", "image": {"bytes": picture(), "path": f"n01_{n}.jpg"}, "caption": text,
         "wnid": "n01440764", "filename": f"n01_{n}.JPEG", "label": 0, "label_ori": 7}
        for n, text in enumerate(NASTY)
    ]  # fmt: skip
    folder = planted.corpus(tmp_path, "named", {"train": data}, features=features)
    export(folder, tmp_path / "t", "tsv")
    export(folder, tmp_path / "f", "files")
    path = tmp_path / "t" / "train" / "named.tsv"
    found = pd.read_csv(path, sep="\t", keep_default_na=False)
    expected = [text.translate(str.maketrans("\n\t\0", "   ")) for text in NASTY]
    assert list(found["caption"]) == expected and set(found["label_ori"]) == {7}
    assert len(pd.read_csv(path, sep="\t")) == len(NASTY)
    assert all((tmp_path / "f" / "train" / name).is_file() for name in found["filepath"])
    assert found["filepath"][0] == "n01440764/n01_0.JPEG"


def test_what_is_left_out_is_said(cli: Cli, built: Path, tmp_path: Path) -> None:
    shown = cli("export", built / "valor_sample", "--out", tmp_path, "--format", "files")
    assert shown.code == 0 and "1 rows without audio are left out" in shown.err


def test_names_out_of_a_strangers_build_lead_nowhere(tmp_path: Path) -> None:
    """A class, a name of a file and an id that are paths are names all the same."""
    odd = ("../../lib", "/etc", "..", "a/b")
    named = [
        {"id": f"{value}/x", "image": picture(), "caption": "a", "wnid": value, "filename": name}
        for value, name in zip(odd, ("../../pwn.pth", "", "..", "/x.jpg"), strict=True)
    ]
    folder = planted.corpus(tmp_path / "in", "theirs", {"train": named})
    before = {*tmp_path.rglob("*")}
    for format in ("files", "webdataset", "tsv"):
        export(folder, tmp_path / "out" / format, format)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert {path.relative_to(tmp_path).parts[0] for path in written} == {"out"}
    images = {path.relative_to(tmp_path / "out/files/train") for path in written if
              path.parent.parent == tmp_path / "out/files/train"}  # fmt: skip
    assert {path.parent.name for path in images} == {"%2E.%2F..%2Flib", "%2Fetc", "%2E%2E", "a%2Fb"}
    assert {path.suffix for path in images} == {".jpg"}
    assert not [name for name in members(tmp_path / "out" / "webdataset") if "/" in name]
    paths = (tmp_path / "out/tsv/train/theirs.tsv").read_text().splitlines()[1:]
    assert {line.partition("\t")[0] for line in paths} == {*map(str, images)}


def test_files_named_by_a_column(tmp_path: Path, cli: Cli) -> None:
    features = Features({
        "id": TEXT, "image": datasets.Image(), "caption": TEXT, "wnid": TEXT,
        "label": Value("int32"), "laion_index": Value("int64"),
    })  # fmt: skip
    data = [
        {"id": f"r{n}", "image": {"bytes": picture(), "path": "x.jpg"}, "caption": "one",
         "wnid": "n01440764", "label": 0, "laion_index": index}
        for n, index in enumerate([300_000_001, 7, None])
    ]  # fmt: skip
    folder = planted.corpus(tmp_path, "named", {"train": data}, features=features)
    run = ["export", folder, "--name-by", "laion_index", "--format"]
    assert cli(*run, "files", "--out", tmp_path / "f").code == 0
    names = {path.name for path in (tmp_path / "f" / "train" / "n01440764").iterdir()}
    assert names == {"300000001.jpg", "7.jpg", "r2.jpg"}
    cli(*run, "tsv", "--out", tmp_path / "t")
    found = pd.read_csv(tmp_path / "t" / "train" / "named.tsv", sep="\t")["filepath"]
    assert set(found) == {f"n01440764/{name}" for name in names}
    assert "has names of its own" in cli(*run, "webdataset", "--out", tmp_path / "w").err
    run[3] = "wnid"
    told = " ".join(cli(*run, "files", "--out", tmp_path / "x").err.split())
    assert "rows have the same wnid, and files cannot" in told
