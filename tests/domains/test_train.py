"""Labels, and what training reads of arrays of views."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from filmkit import BASE, FILMS, KEPT, TRAIN, dataset
from kit import ROOT, Cli
from torch.utils.data import DataLoader, Dataset

from edge_glass.core.errors import EdgeGlassError
from edge_glass.domains import mm_imdb


def test_noise_of_labels(arrays: Path, labels: Path) -> None:
    clean = np.load(labels / "labels_all_23.npy")
    noisy = np.load(arrays / f"{BASE}_labels.npy").reshape(7, 5, 23)
    np.testing.assert_array_equal(noisy[:, 0], clean)
    assert noisy.min() >= 0 and noisy.max() <= 1 and noisy.dtype == np.float32
    change = abs(noisy[:, 1:] - clean[:, None])
    assert 0 < change.max() <= 0.2 + 1e-6 and (change > 0).any(axis=2).all()


# Labels


def test_labels(labels: Path) -> None:
    found, ids = np.load(labels / "labels_all_23.npy"), (labels / "ids_all.txt").read_text().split()
    names = json.loads((labels / "class_names_23.json").read_text())
    assert (found.shape, found.dtype, ids) == ((7, 23), np.float32, KEPT)
    assert names == sorted(names) and len(names) == 23
    for row, id in zip(found, ids, strict=True):
        genres = set(json.loads((FILMS / f"{id}.json").read_text())["genres"])
        assert {names[place] for place in np.flatnonzero(row)} == genres - {"News"}
    split = json.loads((labels / "split.json").read_text())
    assert split == {"dev": ["9900002", "9900007"], "test": ["9900006"], "train": TRAIN}


def test_a_build_without_classes_has_no_labels(built: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("export", built / "clotho_sample", "--out", tmp_path, "--format", "labels")
    assert done.code == 1 and "no column labels of classes" in done.err


# Training


def test_clean_views(arrays: Path, labels: Path) -> None:
    found = dataset(arrays, labels, "train")
    assert isinstance(found, Dataset) and len(found) == 4
    images = np.load(arrays / f"{BASE}_tiny_image.npy")
    clean = np.load(labels / "labels_all_23.npy")
    for item, id in zip((found[n] for n in range(4)), TRAIN, strict=True):
        place = KEPT.index(id)
        assert (item["id"], item["view"]) == (id, 0)
        assert torch.equal(item["image"], torch.from_numpy(images[place * 5]))
        assert torch.equal(item["labels"], torch.from_numpy(clean[place]))
    assert found[-1]["id"] == TRAIN[-1]
    with pytest.raises(IndexError):
        found[4]


def test_all_views_stay_within_their_split(arrays: Path, labels: Path) -> None:
    items = {
        split: [(i["id"], i["view"]) for i in dataset(arrays, labels, split, views="all")]
        for split in ("train", "validation", "test")
    }
    assert {split: len(found) for split, found in items.items()} == {
        "train": 20, "validation": 10, "test": 5,
    }  # fmt: skip
    assert len({pair for found in items.values() for pair in found}) == 35
    ids = [{id for id, _ in found} for found in items.values()]
    assert not (ids[0] & ids[1] or ids[0] & ids[2] or ids[1] & ids[2])


def test_random_views_are_drawn_anew_each_epoch(arrays: Path, labels: Path) -> None:
    found = dataset(arrays, labels, "train", views="random")
    drawn = []
    for epoch in range(30):
        found.set_epoch(epoch)
        drawn.append([found[n]["view"] for n in range(4)])
    assert {view for views_ in drawn for view in views_} == set(range(5))
    again = dataset(arrays, labels, "train", views="random")
    again.set_epoch(29)
    assert [again[n]["view"] for n in range(4)] == drawn[-1]


def test_labels_repeat_or_are_noisy(arrays: Path, labels: Path) -> None:
    plain_, noisy = (dataset(arrays, labels, "test", views="all", noisy_labels=n) for n in (0, 1))
    assert all(torch.equal(item["labels"], plain_[0]["labels"]) for item in plain_)
    assert torch.equal(noisy[0]["labels"], plain_[0]["labels"])
    assert not torch.equal(noisy[1]["labels"], plain_[1]["labels"])


def test_workers_of_a_loader_map_the_arrays_themselves(arrays: Path, labels: Path) -> None:
    found = dataset(arrays, labels, "train", views="all")
    assert found[0]["image"].shape == (24,)  # mapped here, not sent
    loader = DataLoader(found, batch_size=8, num_workers=2, multiprocessing_context="spawn")
    batches = list(loader)
    assert [len(batch["id"]) for batch in batches] == [8, 8, 4]
    assert batches[0]["image"].shape == (8, 24) and batches[0]["labels"].shape == (8, 23)


def test_missing_stems_raise(arrays: Path, labels: Path, tmp_path: Path) -> None:
    upstream = ROOT / "samples" / "mm_imdb" / "split.json"
    with pytest.raises(EdgeGlassError, match="1 stems have no embeddings: 9900009"):
        dataset(arrays, labels, "train", splits=upstream)
    short = {"train": ["9900001"], "dev": [9900002], "test": ["12"]}
    (tmp_path / "split.json").write_text(json.dumps(short))
    assert len(dataset(arrays, labels, "dev", splits=tmp_path / "split.json")) == 1
    with pytest.raises(EdgeGlassError, match="no embeddings: 0000012"):
        dataset(arrays, labels, "test", splits=tmp_path / "split.json")


def test_what_does_not_fit(arrays: Path, labels: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match="use clean, random or all"):
        dataset(arrays, labels, "train", views="some")
    with pytest.raises(EdgeGlassError, match="no split dave"):
        dataset(arrays, labels, "dave")
    with pytest.raises(EdgeGlassError, match=r"clip_image\.npy: no such array"):
        mm_imdb.dataset(arrays, labels)
    with pytest.raises(EdgeGlassError, match="expected one mm_imdb1_globals"):
        dataset(tmp_path, labels, "train")
    with pytest.raises(EdgeGlassError, match="export --format labels"):
        dataset(arrays, tmp_path, "train")
