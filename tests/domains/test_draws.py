"""`draw=original`: the rows that pandas and NumPy draw with seed 42, as the papers' code did."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import rows

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.domains.imagenet import SIMILARITY, class_sample, classes
from edge_glass.pipeline.build import Options
from edge_glass.release.export import export
from edge_glass.release.write_card import build

EIGHT = [
    13,
    51,
    70,
    54,
    55,
    26,
    57,
    60,
]  # of the paper's file: its first lines, and a hash of all its counts
PUBLISHED = "0d47306d94d823be"
WNIDS = [found.wnid for found in classes.imagenet()]


def test_the_published_tenth_of_imagenet_captions(real: Path) -> None:
    # class_frequency_incaps_n44548_ori.txt of the paper, out of the frequencies of all rows
    counts = list(
        classes.frequencies(real / "imagenet" / "class_frequency_incaps_imagenet_ori.txt").values()
    )
    labels = np.repeat(np.arange(1000), counts)
    ranks = class_sample.Ranks(labels, np.zeros(len(labels)), np.full(len(labels), class_sample.IN))
    found = np.bincount(labels[class_sample.original(ranks, 44548)], minlength=1000).tolist()
    assert sum(found) == 44548 and found[:8] == EIGHT
    assert hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16] == PUBLISHED


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    """300 rows of 20 classes, in no order, some without a caption or of no class."""
    random = np.random.default_rng(3)
    items = [
        {"filename": f"{wnid}_{n}.JPEG", "wnid": wnid, "title": f"t{n}" if n % 7 else ""}
        | {"tags": [], "description": ""}
        for n, wnid in enumerate([*WNIDS[:20], "n00000001"] * 15)
    ]
    random.shuffle(items)  # type: ignore[arg-type]
    path = tmp_path / "raw"
    path.mkdir()
    (path / "imagenet_captions.json").write_text(json.dumps(items))
    return path


def made(config: str, raw: Path, out: Path, **overrides: Any) -> Path:
    name = f"{config}_drawn"
    build(catalog.variant(config, overrides | {"draw": "original"}, name), out, Options(raw=raw))
    return out / name


@pytest.mark.parametrize("subset", [50, 0.25])
def test_rows_of_imagenet_captions(subset: float, captions: Path, tmp_path: Path) -> None:
    table = pd.DataFrame(json.loads((captions / "imagenet_captions.json").read_text()))
    table = table[table["wnid"].isin(WNIDS) & (table["title"] != "")]
    table = table.assign(filepath=table["wnid"] + "/" + table["filename"]).sort_values("filepath")
    size = {"n": subset} if isinstance(subset, int) else {"frac": subset}
    wanted = {name[:-5] for name in table.sample(random_state=42, **size)["filename"]}
    folder = made("imagenet_captions_title", captions, tmp_path, subset=subset)
    found = rows(folder)
    assert set(found) == wanted
    outcomes = manifest.read(folder).splits["train"].outcomes
    assert outcomes["kept"] == len(wanted) and outcomes["no_class"] == 15
    assert manifest.read(folder).parameters["draw"] == "original"
    assert [f for f in verify(folder) if f.kind != "note"] == []


def test_classes_and_their_numbers(captions: Path, tmp_path: Path) -> None:
    np.random.seed(42)
    drawn = sorted(np.random.choice(1000, 700, replace=False).tolist())
    folder = made("imagenet_captions_metadata", captions, tmp_path, k=700, relabel=True)
    found = rows(folder)
    wanted = {label: number for number, label in enumerate(drawn) if label < 20}
    assert {row["label_ori"]: row["label"] for row in found.values()} == wanted
    assert all(WNIDS[row["label_ori"]] == row["wnid"] for row in found.values())
    export(folder, tmp_path / "t", "tsv")
    table = pd.read_csv(tmp_path / "t" / "train" / f"{folder.name}.tsv", sep="\t")
    assert set(zip(table["label_ori"], table["label"], strict=True)) == set(wanted.items())
    lines = (tmp_path / "t" / "train" / f"class_frequency_{folder.name}_ori.txt").read_text()
    counts = [int(line.rpartition("\t")[2]) for line in lines.splitlines()]
    assert len(counts) == 700 and [counts[n] for n in wanted.values()] == [15] * len(wanted)


def laionet(folder: Path, count: int, lost: int) -> pd.DataFrame:
    """Rows of 30 classes, the n-th n times as large as the first; the first ones hardly similar."""
    random = np.random.default_rng(7)
    labels = random.choice(30, count, p=np.arange(1, 31) / 465)
    table = pd.DataFrame({"wnid": [WNIDS[label] for label in labels]})
    table[SIMILARITY] = np.where(labels < lost, 0.71, (0.7 + random.random(count) * 0.3).round(6))
    table["TEXT"] = [f"caption {n}" for n in range(count)]
    table["URL"] = [f"http://a.example/{n}" for n in range(count)]
    table["similarity"], table["NSFW"] = 0.3, "UNLIKELY"
    table.index = pd.Index(np.arange(count) ** 2 + 200_000_000)  # as pandas keeps part and row
    (folder / "laionet" / "metadata").mkdir(parents=True)
    pq.write_table(pa.Table.from_pandas(table), folder / "laionet" / "metadata" / "0.parquet")
    return table


def drawn(table: pd.DataFrame, least: float, **size: Any) -> pd.DataFrame:
    """What the paper's code takes: pandas itself."""
    found = table[table[SIMILARITY] >= least].sample(random_state=42, **size)
    firsts = table.groupby("wnid").head(1)
    found = pd.concat([found, firsts[~firsts["wnid"].isin(found["wnid"])]])
    if (excess := len(found) - size.get("n", len(found))) > 0:
        largest = found["wnid"].value_counts().index[:10]
        among = found[found["wnid"].isin(largest)]
        found = found.drop(among.sample(n=excess, random_state=42).index)
    return found


@pytest.mark.parametrize(
    ("overrides", "size"),
    [
        ({"fraction": 0.5}, {"frac": 0.5}),
        ({"fraction": 0.03125}, {"frac": 0.03125}),
        ({"n": 400}, {"n": 400}),
        ({"n": 400, "threshold": 0.8}, {"n": 400}),
        ({"threshold": 0.9}, {"frac": 1}),
    ],
)
def test_rows_of_laionet(overrides: dict[str, Any], size: dict[str, Any], tmp_path: Path) -> None:
    table = laionet(tmp_path / "raw", 1500, lost=3)
    found = rows(made("laionet_metadata", tmp_path / "raw", tmp_path / "out", **overrides))
    wanted = drawn(table, overrides.get("threshold", 0.7), **size)
    assert {row["laion_index"] for row in found.values()} == set(wanted.index)
    assert len({row["wnid"] for row in found.values()}) == 30


@pytest.mark.parametrize(
    ("config", "overrides", "told"),
    [
        ("laionet", {"match_freq": True}, "draws without a seed"),
        ("laionet", {"subset": 3}, "draws n rows or a fraction"),
        ("laionet", {"n": 3, "seed": 1}, "draws with seed 42: unset seed"),
        ("imagenet_captions", {"lastk": 3}, "trims without a seed"),
        ("imagenet_captions", {"classes": ["in100"], "k": 3}, "draws k of all classes"),
    ],
)
def test_what_nobody_can_draw(config: str, overrides: dict[str, Any], told: str) -> None:
    with pytest.raises(EdgeGlassError, match=told):
        catalog.variant(config, overrides | {"draw": "original"}, f"{config}_x")
