"""Exports, read by the packages that they are made for: `make test-exports` brings these."""

import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import Cli, rows
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from test_export import members, picture, table
from wildsite import Site, page

from edge_glass.corpora import catalog
from edge_glass.media.decoding import Audio
from edge_glass.pipeline.build import Options
from edge_glass.release.export import export
from edge_glass.release.write_card import build
from edge_glass.sources.row_fetch import Limits, Network
from edge_glass.vectors import embed

INTRANET = Network(web=Limits(intranet=True, connect=2, silence=2, total=4))
READERS = Path(sys.prefix) / "readers"  # see conftest.py
SCRIPT = Path(__file__).parents[1] / "support" / "export_readers.py"
ENERGON = "import sys; from megatron.energon.cli.main import main; sys.exit(main())"
Read = Callable[..., list[Any]]


def run(*command: object, cwd: Path | None = None) -> str:
    environment = os.environ | {"PYTHONPATH": str(READERS)}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        check=False, env=environment, cwd=cwd, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def read(reader: str, path: Path, cwd: Path | None = None) -> list[Any]:
    found: list[Any] = json.loads(run(SCRIPT, reader, path, cwd=cwd).rpartition("\n")[2])
    return found


@pytest.fixture(scope="module")
def tars(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tars")
    for config in ("mm_imdb", "valor", "librispeech", "pixmo_cap"):
        export(built / f"{config}_sample", out / config, "webdataset", jpeg=True)
    return out


@pytest.mark.parametrize("config", ["mm_imdb", "valor", "librispeech"])
def test_webdataset_groups_files_to_rows(built: Path, tars: Path, config: str) -> None:
    kept = rows(built / f"{config}_sample")
    found = read("webdataset", tars / config)
    assert {sample["json"]["id"] for sample in found} == set(kept)
    assert all(sample["txt"] == sample["json"]["caption"] for sample in found)
    frames = [f"image_jpegs.{n}.jpg" for n in range(8)]
    expected = {"mm_imdb": {"jpg"}, "librispeech": {"flac"}, "valor": {*frames, "audio.flac"}}
    for sample in found:
        silent = config == "valor" and kept[sample["json"]["id"]]["audio"] is None
        assert set(sample["media"]) == expected[config] - ({"audio.flac"} if silent else set())


def test_energon_prepares_all_splits_at_once(tars: Path, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    export_tree(tars / "mm_imdb", folder)
    parts = {"train": "train", "val": "validation", "test": "test"}
    splits = [
        part for ours, name in parts.items() for part in ("--split-parts", f"{ours}:{name}/.*")
    ]
    fields = json.dumps({"image": "jpg", "caption": "txt"})
    run("-c", ENERGON, "prepare", "--non-interactive", "--num-workers", "1", *splits,
        "--sample-type", "CaptioningSample", "--field-map", fields, folder)  # fmt: skip
    info = json.loads((folder / ".nv-meta" / ".info.json").read_text())
    assert sorted(info["shard_counts"].values()) == [1, 2, 4]


def export_tree(source: Path, target: Path) -> None:
    for path in source.glob("*/*.tar"):
        (target / path.parent.name).mkdir(parents=True, exist_ok=True)
        (target / path.parent.name / path.name).write_bytes(path.read_bytes())


def test_clip_retrieval_finds_every_row_of_an_export(built: Path, tars: Path) -> None:
    found = read("clip_inference", tars / "pixmo_cap")
    kept = {row["caption"]: row for row in rows(built / "pixmo_cap_sample").values()}
    assert {caption for _, caption, _ in found} == set(kept) and len(found) == 4
    assert all(about["url"] == kept[caption]["image_url"] for _, caption, about in found)


def test_clip_retrieval_serves_embeddings(built: Path, clip: Path, tmp_path: Path) -> None:
    folder = built / "laion400m_sample"
    embed.embed(folder, tmp_path, str(clip), ["image", "caption"], "clip-retrieval")
    kept = {row["url"]: row for row in rows(folder).values()}
    for found in read("clip_back", tmp_path, cwd=tmp_path):
        assert {row["url"] for row in found} == set(kept)
        for row in found:
            assert row["caption"] == kept[row["url"]]["caption"] and row["image"]
            assert row["NSFW"] == kept[row["url"]]["nsfw"]
            assert (tmp_path / row["image_path"]).is_file()
        assert found[0]["similarity"] > 0.99


def test_the_same_list_through_img2dataset(tmp_path: Path) -> None:
    photo = picture(size=(640, 480), exif=camera())
    pages = {"/a.jpg": photo, "/b.png": picture("PNG", (64, 48)), "/c.jpg": b"no image"}
    theirs, raw = tmp_path / "theirs" / "train", tmp_path / "raw"
    theirs.mkdir(parents=True)
    (raw / "data").mkdir(parents=True)
    with Site({path: page(data) for path, data in pages.items()}) as site:
        urls = [f"{site.url}{path}" for path in (*pages, "/gone.jpg")]
        listing = pa.table({"url": urls, "caption": ["a", "b", "c", "d"]})
        with pa.ipc.new_file(str(theirs / "urls.arrow"), listing.schema) as writer:
            writer.write_table(listing)
        assert read("img2dataset", theirs) == [True]
        listing = listing.rename_columns(["image_url", "caption"])
        listing = listing.append_column("transcripts", pa.array([["so this is"]] * 4))
        pq.write_table(listing, raw / "data" / "train-00000-of-00001.parquet")
        options = Options(raw=raw, unverified=True, network=INTRANET)
        build(catalog.variant("pixmo_cap"), tmp_path / "out", options)
    export(tmp_path / "out" / "pixmo_cap", tmp_path / "ours", "webdataset")
    expected = {row["url"]: row for row in table(tmp_path / "theirs")}
    ours = {row["url"]: row for row in table(tmp_path / "ours")}
    assert set(ours) == set(expected) == set(urls)
    for url, other in expected.items():
        differ = {name for name, value in other.items() if ours[url][name] != value}
        assert differ <= {"key", "error_message", "exif"} | ({"sha256"} if "/c" in url else set())
    exifs = [json.loads(found[urls[0]]["exif"]) for found in (ours, expected)]
    assert exifs[0] == {"Image Make": "Canon", "Image ExposureTime": "1/60"} == exifs[1]
    names = {name.partition(".")[2] for name in members(tmp_path / "theirs")}
    assert names == {"jpg", "txt", "json"}


def camera() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    exif[0x829A] = IFDRational(1, 60)
    return exif


def test_open_clip_reads_a_table_beside_files(built: Path, tmp_path: Path) -> None:
    folder = built / "imagenet_captions_sample"
    export(folder, tmp_path, "files")
    export(folder, tmp_path, "tsv")
    found = read("open_clip", Path("imagenet_captions_sample.tsv"), cwd=tmp_path / "train")
    kept = rows(folder).values()
    assert [text for _, text in found] == [row["caption"] for row in kept]
    assert [tuple(size) for size, _ in found] == [(row["width"], row["height"]) for row in kept]


@pytest.fixture
def no_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` asks for an encoder of sound before it takes the path of a file as it is."""
    encoders = types.ModuleType("torchcodec.encoders")
    encoders.AudioEncoder = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchcodec", types.ModuleType("torchcodec"))
    monkeypatch.setitem(sys.modules, "torchcodec.encoders", encoders)


def folder_of(kind: str, folder: Path, cache: Path) -> datasets.Dataset:
    return datasets.load_dataset(kind, data_dir=str(folder), split="train", cache_dir=str(cache))


@pytest.mark.usefixtures("no_codec")
def test_folders_of_datasets(built: Path, tmp_path: Path) -> None:
    export(built / "librispeech_sample", tmp_path / "l", "files")
    spoken = folder_of("audiofolder", tmp_path / "l" / "validation.clean", tmp_path / "c")
    spoken = spoken.cast_column("audio", Audio())
    whole = [row for id, row in rows(built / "librispeech_sample").items() if id[:4] != "9902"]
    assert [row["text"] for row in spoken] == [row["text"] for row in whole]
    assert spoken[0]["speaker"] == whole[0]["speaker"] and len(spoken[0]["audio"]["array"]) > 8000
    export(built / "valor_sample", tmp_path / "v", "files")
    frames = folder_of("imagefolder", tmp_path / "v" / "train" / "image_jpegs", tmp_path / "c")
    assert [len(row["images"]) for row in frames] == [8, 8]
    assert all(frames["caption"]) and frames[0]["images"][0].size[0] > 1


def test_mteb_judges_a_retrieval_set_as_eval_does(tmp_path: Path, cli: Cli) -> None:
    """By late interaction, on the pages as pictures; the figures of each language are the same."""
    import tinymodels

    names = [f"slides_qa_retrieval_sample-{part}" for part in ("corpus", "queries", "qrels")]
    for name in names:
        build(catalog.variant(name), tmp_path / "data", Options())
    corpus, out = tmp_path / "data" / names[0], tmp_path / "out"
    (tmp_path / "colpali").mkdir()
    model = tinymodels.colpali(tmp_path / "colpali")
    embed.embed(corpus, tmp_path / "data" / "embeddings" / corpus.name / "m", str(model), ["image"])
    ours = cli("eval", tmp_path / "data", "--column", "image", "--json").json
    export(corpus, out, "vidore")
    (out / "model").symlink_to(model)
    theirs = dict(read("vidore", out))
    for code, language in (("de", "german"), ("es", "spanish"), ("fr", "french")):
        assert theirs[language] == pytest.approx(ours[f"nDCG@10, {code}"], abs=1e-4)
