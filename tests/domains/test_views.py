"""Views and their arrays: what they are, and that they stay the same."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filmkit import BASE, FILMS, KEPT, TRAIN, options
from kit import Cli, kill, until
from PIL import Image, ImageEnhance, ImageFilter

from edge_glass.core import outputs
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.domains.mm_imdb import paper_views, views
from edge_glass.domains.mm_imdb.artefacts import export
from edge_glass.pipeline.build import Options as Options_
from edge_glass.release.write_card import build
from edge_glass.vectors.encoder import open_encoder
from edge_glass.vectors.torch_encoder import threads

POSTER = Image.open(FILMS / "9900004.jpeg").convert("RGB")
PLOT = " ".join(json.loads((FILMS / "9900001.json").read_text())["plot"])


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


# Views


def test_view_0_is_the_original() -> None:
    assert views.image_view(POSTER, 3, 0) is POSTER
    assert views.text_view("two  spaces\n", 3, 0) == "two  spaces\n"


def test_a_view_depends_on_row_and_view_alone() -> None:
    some = {(row, view): views.image_view(POSTER, row, view) for row in (0, 7) for view in (1, 2)}
    assert len({image.tobytes() for image in some.values()}) == 4
    assert {image.size for image in some.values()} == {(224, 224)}
    for (row, view), image in reversed(some.items()):
        assert views.image_view(POSTER, row, view).tobytes() == image.tobytes()
    assert views.image_view(POSTER, 0, 1, seed=1).tobytes() != some[0, 1].tobytes()


def test_the_seed_of_a_view_is_the_paper_s() -> None:
    import hashlib

    seed = int(hashlib.sha256(b"123:17:4:text").hexdigest()[:8], 16)
    expected = np.random.Generator(np.random.PCG64(seed)).random(3)
    assert views.random(17, 4, "text").random(3).tolist() == expected.tolist()


def test_how_often_images_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    left = Image.new("RGB", (300, 400))
    left.paste((200, 40, 90), (0, 0, 150, 400))
    seen = Counter[str]()
    blurred: list[float] = []
    real = ImageFilter.GaussianBlur
    monkeypatch.setattr(ImageFilter, "GaussianBlur", lambda s: blurred.append(s) or real(s))
    flat = Image.new("RGB", (300, 400), (200, 40, 90))
    for view in range(1, 1001):
        array = np.asarray(views.image_view(flat, 0, view))
        seen["gray"] += bool((np.ptp(array.astype(int), axis=2) == 0).all())
        seen["as it was"] += bool((abs(array.astype(int) - (200, 40, 90)) <= 1).all())
    assert 160 < seen["gray"] < 240  # .2
    assert 120 < seen["as it was"] < 200  # neither jittered nor gray: .2 * .8
    assert 450 < len(blurred) < 550  # .5
    assert 0.1 <= min(blurred) < 0.15 and 1.95 < max(blurred) <= 2


def test_crops_are_of_the_area_and_shape_that_simclr_asks_for() -> None:
    for size in ((300, 444), (64, 64), (2000, 30)):
        draw = views.random(0, 0, "crop")
        boxes = [views._crop(*size, draw) for _ in range(500)]
        for left, top, right, bottom in boxes:
            assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
            ratio = (right - left) / (bottom - top)
            assert 0.7 < ratio < 1.4
    boxes = [views._crop(64, 64, draw) for _ in range(500)]
    areas = [(right - left) * (bottom - top) / 64**2 for left, top, right, bottom in boxes]
    assert 0.07 < min(areas) < 0.12 and 0.9 < max(areas) <= 1


def test_masks() -> None:
    words = PLOT.split()
    masked = views.text_view(PLOT, 5, 9).split()
    hidden = [place for place, word in enumerate(masked) if word == "[MASK]"]
    assert len(masked) == len(words) and len(hidden) == round(0.15 * len(words))
    assert all(word == words[place] for place, word in enumerate(masked) if place not in hidden)
    assert views.text_view("Word", 0, 1) == "[MASK]"
    assert views.text_view(" ", 0, 1) == " "
    assert len({views.text_view(PLOT, 5, view) for view in range(70)}) == 70


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_jitter_with_nothing_to_change_changes_nothing_much(name: str) -> None:
    found = np.asarray(views.CHANGES[name](POSTER, 0.0)).astype(int)
    assert abs(found - np.asarray(POSTER).astype(int)).max() <= (8 if name == "hue" else 0)
    other = np.asarray(views.CHANGES[name](POSTER, -0.09)).astype(int)
    assert abs(other - found).mean() > 1


# As the paper's code draws them


# what that code and torchvision 0.28 gave for row 17: crop, flip, and the number drawn after them
DRAWN = {
    1: ((13, 187, 238, 406), False, 0.28687),
    2: ((175, 194, 287, 305), True, 0.370019),
    3: ((7, 60, 297, 415), False, 0.571562),
    4: ((16, 234, 267, 437), True, 0.468301),
}


@pytest.mark.parametrize("view", DRAWN)
def test_crops_and_flips_of_the_paper_s_code(view: int) -> None:
    draw = paper_views.TorchDraws(views.seed_of(17, view, "image"))
    box = paper_views._crop(300, 444, draw)
    flip, after = draw.uniform() < 0.5, round(draw.uniform(), 6)
    assert (box, flip, after) == DRAWN[view]


def test_masks_of_the_paper_s_code() -> None:
    words = paper_views.text_view(" ".join(f"w{n}" for n in range(40)), 17, 4).split()
    assert [n for n, word in enumerate(words) if word == "[MASK]"] == [4, 14, 19, 25, 29, 33]
    assert paper_views.text_view("two  spaces\n", 3, 0) == "two  spaces\n"
    assert paper_views.text_view(" ", 3, 1) == " " and paper_views.text_view("a", 3, 1) == "[MASK]"


def test_draws_are_torch_s() -> None:
    for seed in (0, 1, 123, 2**31, 2**32 - 1):
        torch.manual_seed(seed)
        draw = paper_views.TorchDraws(seed)
        for _ in range(50):
            assert draw.uniform() == torch.rand(1).item()
            for low, high in ((0.08, 1.0), (-0.1, 0.1), (0.6, 1.4), (0.1, 2.0)):
                assert draw.uniform(low, high) == torch.empty(1).uniform_(low, high).item()
            assert draw.below(301) == torch.randint(0, 301, (1,)).item()
            assert draw.order(4) == torch.randperm(4).tolist()


def test_images_of_the_paper_s_code() -> None:
    """The order of torchvision's draws, by torch itself, on one colour, which jitter changes."""
    flat = Image.new("RGB", (300, 444), (90, 120, 200))
    for view in range(1, 40):
        box = _spent(seed := views.seed_of(17, view, "image"))
        torch.manual_seed(seed)
        torch.rand(box + 1)  # crop, flip
        image = flat.resize((224, 224))
        if torch.rand(1) <= 0.8:
            order = torch.randperm(4).tolist()
            by = [torch.empty(1).uniform_(0.6, 1.4).item() for _ in range(3)]
            by.append(torch.empty(1).uniform_(-0.1, 0.1).item())
            for number in order:
                image = _changed(image, number, by[number])
        if torch.rand(1) < 0.2:
            image = image.convert("L").convert("RGB")
        found = np.asarray(paper_views.image_view(flat, 17, view)).astype(int)
        assert abs(found - np.asarray(image)).max() <= 1


def _spent(seed: int) -> int:
    """How many numbers a crop takes."""
    draw = paper_views.TorchDraws(seed)
    paper_views._crop(300, 444, draw)
    after, plain = draw.bits(), paper_views.TorchDraws(seed)
    return next(count for count in range(50) if plain.bits() == after)


def _changed(image: Image.Image, number: int, by: float) -> Image.Image:
    if number == 3:
        hue, *others = image.convert("HSV").split()
        turned = np.asarray(hue) + np.int32(by * 255).astype(np.uint8)
        return Image.merge("HSV", (Image.fromarray(turned), *others)).convert("RGB")
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    return kinds[number](image).enhance(by)


def test_the_blur_is_a_convolution() -> None:
    image = POSTER.resize((60, 80))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[:, None].float()
    padded = torch.nn.functional.pad(pixels, [11] * 4, mode="reflect")
    for sigma in (0.1, 0.7, 2.0):
        places = torch.linspace(-11, 11, 23)
        row = torch.softmax(-(places**2) / (2 * sigma**2), 0)
        blurred = torch.nn.functional.conv2d(padded, (row[:, None] * row)[None, None])[:, 0]
        wanted = blurred.round().permute(1, 2, 0).numpy().astype(int)
        apart = abs(np.asarray(paper_views.blurred(image, sigma)).astype(int) - wanted)
        assert apart.max() <= 1 and (apart > 0).mean() < 1e-3  # sums in another order


def test_arrays_as_the_paper_s(films: Path, clip: Path, tmp_path: Path, cli: Cli) -> None:
    run = ["views", films, "--out", tmp_path, "--encoder", f"tiny={clip},{clip}", "--views", 3]
    cli(*run, "--as-paper", "--jobs", 2)
    base = BASE.replace("5", "3")
    assert json.loads((tmp_path / f"{base}_manifest.json").read_text())["as_paper"] is True
    stats, encoder = (
        np.load(tmp_path / f"{base}_tiny_text.stats.npz"),
        open_encoder(str(clip), "text"),
    )
    text = encoder.prepare(paper_views.text_view(PLOT, 0, 2))
    wanted = (encoder.encode([text])[0] - stats["mu"]) / (stats["sigma"] + 1e-6)
    np.testing.assert_allclose(np.load(tmp_path / f"{base}_tiny_text.npy")[2], wanted, atol=1e-3)
    shown = cli(*run, "--image-column", "image", "--text-column", "plot")
    assert shown.code == 1 and "made otherwise (as_paper differ)" in " ".join(shown.err.split())


# Arrays


def test_the_files_of_the_paper(arrays: Path, films: Path, clip: Path) -> None:
    made = json.loads((arrays / f"{BASE}_manifest.json").read_text())
    assert set(files(arrays)) - {outputs.CLAIMS} == {
        f"{BASE}_{name}"
        for name in (
            "aug_index.csv", "labels.npy", "manifest.json", "tiny_image.npy", "tiny_text.npy",
            "tiny_image.stats.npz", "tiny_text.stats.npz",
        )
    }  # fmt: skip
    assert (made["total_rows"], made["original_rows"], made["views_per_sample"]) == (35, 7, 5)
    assert made["dims"] == {"tiny_image": 24, "tiny_text": 24}
    assert (made["fit"], made["dtype"], made["text_mask_prob"]) == ("train", "float32", 0.15)
    rows = list(csv.DictReader((arrays / made["index_csv"]).open()))
    assert [int(row["aug_idx"]) for row in rows] == list(range(35))
    assert [row["stem"] for row in rows[::5]] == KEPT
    for row in rows:
        assert int(row["aug_idx"]) == int(row["orig_idx"]) * 5 + int(row["view"])
        assert row["image_name"] == f"{row['stem']}.jpeg"  # as the file is called
    assert int(rows[0]["text_len"]) == int(rows[3]["text_len"]) == len(PLOT.split())


def plain(clip: Path, modality: str) -> np.ndarray:
    """The arrays before they are normalised, by a loop that has nothing of theirs."""
    encoder = open_encoder(str(clip), modality)  # type: ignore[arg-type]
    found = []
    for place, id in enumerate(KEPT):
        record = json.loads((FILMS / f"{id}.json").read_text())
        image = Image.open(FILMS / f"{id}.jpeg").convert("RGB")
        for view in range(5):
            row: Any = views.image_view(image, place, view)
            if modality == "text":
                row = views.text_view(" ".join(record["plot"]), place, view)
            found.append(encoder.encode([encoder.prepare(row)])[0])
    return np.stack(found)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_rows_are_those_of_a_plain_loop(modality: str, arrays: Path, clip: Path) -> None:
    raw = plain(clip, modality)
    stats = np.load(arrays / f"{BASE}_tiny_{modality}.stats.npz")
    train = raw[np.repeat([id in TRAIN for id in KEPT], 5)]
    np.testing.assert_allclose(stats["mu"], train.mean(0), atol=1e-5)
    np.testing.assert_allclose(stats["sigma"], train.std(0), atol=1e-5)
    found = np.load(arrays / f"{BASE}_tiny_{modality}.npy")
    assert found.dtype == np.float32
    expected = (raw - stats["mu"]) / (stats["sigma"] + 1e-6)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_fit_on_all_is_another_and_says_so(films: Path, clip: Path, tmp_path: Path) -> None:
    export(films, tmp_path, options(clip, fit="all"))
    assert json.loads((tmp_path / f"{BASE}_manifest.json").read_text())["fit"] == "all"
    stats = np.load(tmp_path / f"{BASE}_tiny_text.stats.npz")
    np.testing.assert_allclose(stats["mu"], plain(clip, "text").mean(0), atol=1e-5)
    found = np.load(tmp_path / f"{BASE}_tiny_text.npy")
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(0), 1, atol=1e-2)
    with pytest.raises(EdgeGlassError, match=r"made otherwise \(fit differ\)"):
        export(films, tmp_path, options(clip))
    done = tmp_path / f"{BASE}_manifest.json"
    settings = json.loads(done.read_text())
    done.write_text(json.dumps(settings | {"made_with": {}}))
    export(films, tmp_path, options(clip, fit="all"))  # whole: stays as it is
    work = tmp_path / f".{BASE}"
    work.mkdir()
    done.rename(work / "settings.json")
    with pytest.raises(EdgeGlassError, match=r"made otherwise \(made_with differ\)"):
        export(films, tmp_path, options(clip, fit="all"))


def test_the_same_arrays_with_other_workers_and_shards(
    arrays: Path, clip: Path, built: Path, tmp_path: Path
) -> None:
    export(built / "mm_imdb_sample", tmp_path, options(clip, noisy_labels=True, jobs=3))
    ours, theirs = files(tmp_path), files(arrays)
    for name in (f"{BASE}_manifest.json",):  # names the shards
        assert ours.pop(name) != theirs.pop(name)
    assert ours == theirs


def test_the_same_bytes_after_kills(films: Path, clip: Path, arrays: Path, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "edge_glass", "views", str(films), "--out", str(tmp_path)]
    run += ["--encoder", f"tiny={clip},{clip}", "--views", "5", "--noisy-labels"]
    work = tmp_path / f".{BASE}"
    begun = json.loads((arrays / f"{BASE}_manifest.json").read_text())
    env = os.environ | {"OMP_NUM_THREADS": str(begun["threads"])}
    for sign in ("done.npy", "lengths.npy"):
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL, env=env)
        until((work / sign).exists, process)
        kill(process)
    subprocess.run(run, check=True, capture_output=True, env=env | {"OMP_NUM_THREADS": "1"})
    assert files(tmp_path) == files(arrays)


@pytest.mark.slow
def test_300_posters_with_real_plots(clip: Path, tmp_path: Path) -> None:
    """70 views: the same arrays with one process and three, and after five kills."""
    raw = tmp_path / "raw" / "dataset"
    raw.mkdir(parents=True)
    draw, stems = np.random.default_rng(0), [f"{n:07d}" for n in range(1, 301)]
    for stem in stems:
        id = KEPT[int(stem) % 7]
        image = Image.open(FILMS / f"{id}.jpeg")
        left, top = (int(n) for n in draw.integers(60, size=2))
        image.crop((left, top, left + 140, top + 200)).save(raw / f"{stem}.jpeg", quality=90)
        (raw / f"{stem}.json").write_bytes((FILMS / f"{id}.json").read_bytes())
    listed = {"train": stems[:180], "dev": stems[180:210], "test": stems[210:]}
    (raw.parent / "split.json").write_text(json.dumps(listed))
    build(catalog.variant("mm_imdb"), tmp_path / "data", Options_(raw=raw.parent))
    films = tmp_path / "data" / "mm_imdb"
    export(films, tmp_path / "one", options(clip, count=70, noisy_labels=True))
    export(films, tmp_path / "three", options(clip, count=70, noisy_labels=True, jobs=3))
    assert files(tmp_path / "three") == files(tmp_path / "one")
    run = [sys.executable, "-m", "edge_glass", "views", str(films), "--noisy-labels"]
    run += ["--out", str(tmp_path / "killed"), "--encoder", f"tiny={clip},{clip}", "--jobs", "2"]
    done = tmp_path / "killed" / f".{BASE[:-1]}70" / "done.npy"
    for goal in (1, 65, 129, 193, 257):  # originals that are there when it is killed
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL)
        while not done.exists() or np.load(done).sum() < goal:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            assert process.returncode is None
        kill(process)
    subprocess.run(run, check=True, capture_output=True)
    assert files(tmp_path / "killed") == files(tmp_path / "one")


def test_what_is_done_is_not_done_again(
    films: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_glass.domains.mm_imdb import artefacts
    from edge_glass.vectors.encoder import Encoder

    batches = 0
    real = Encoder.encode

    def stops(self: Encoder, prepared: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 8:  # of the fourth original
            raise KeyboardInterrupt
        return real(self, prepared)

    with threads(1):
        export(films, tmp_path / "whole", options(clip, noisy_labels=True))
    monkeypatch.setattr(artefacts, "FLUSH", 1)
    monkeypatch.setattr(Encoder, "encode", stops)
    with threads(1), pytest.raises(KeyboardInterrupt):
        export(films, tmp_path / "stopped", options(clip, noisy_labels=True))
    with threads(3):
        export(films, tmp_path / "stopped", options(clip, noisy_labels=True))
    assert batches == 8 + 2 * 4
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")


def test_the_command_line_says_what_is_wrong(films: Path, tmp_path: Path, cli: Cli) -> None:
    run = ["views", films, "--out", tmp_path, "--encoder"]
    assert "NAME=IMAGE,TEXT" in cli(*run, "clap").err
    assert "use train or all" in cli(*run, "clip", "--fit", "test").err
    assert not list(tmp_path.iterdir())
