"""Probes between frozen embeddings: what is planted is found, what is not is left to chance."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import searchkit
import tinymodels
from kit import Cli

import edge_glass as eg
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.release import card
from edge_glass.vectors import alignment, probe
from edge_glass.vectors.stored_vectors import stored

ROWS = 900
SPLITS = {"train": 500, "validation.clean": 200, "test": 200}


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two spaces of which each is a linear map of the same hidden numbers, with noise."""
    draw = np.random.default_rng(seed)
    hidden = draw.standard_normal((ROWS, 12))
    sides = [hidden @ draw.standard_normal((12, dim)) for dim in (24, 40)]
    noisy = [side + 0.3 * draw.standard_normal(side.shape) for side in sides]
    return noisy[0].astype(np.float32), noisy[1].astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    left, right = planted()
    left[7] = np.nan
    embedded = {"sound": left, "caption": right}
    return searchkit.write(tmp_path_factory.mktemp("planted"), embedded, SPLITS)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_planted_relation_is_found_and_the_control_is_at_chance(layers: int, data: Path) -> None:
    left, right = stored(data)
    report = alignment.align(data, left, right, layers, seeds=2)
    assert report["rows"] == {"train": 499, "validation": 200, "test": 200}
    for way in alignment.WAYS:
        probed, shuffled, chance = (
            report["results"][name][way] for name in ("probe", "shuffled", "chance")
        )
        assert probed["recall@1"]["mean"] > 0.6 and probed["median_rank"]["mean"] <= 2
        assert probed["recall@10"]["low"] > 0.9
        assert probed["recall@1"]["low"] <= probed["recall@1"]["mean"] <= probed["recall@1"]["high"]
        assert shuffled["recall@10"]["mean"] < 0.12 and 70 < shuffled["median_rank"]["mean"] < 130
        assert chance["recall@10"]["mean"] == 0.05 and chance["median_rank"]["mean"] == 100.5
    alignment.note(data, report)  # the card says it, as long as the data are the same
    lines = card.alignments([data]).splitlines()[-2:]
    assert all(line.startswith("| data | ") and line.endswith("| 200 | yes |") for line in lines)
    text = (data / "manifest.json").read_text()
    digest = manifest.read(data).digests()[0]
    (data / "manifest.json").write_text(text.replace(digest, "0" * 64))
    assert card.alignments([data]) == ""
    (data / "manifest.json").write_text(text)


def test_the_same_figures_again_and_others_by_another_seed(data: Path) -> None:
    parts = alignment.pairs(data, *stored(data))
    first, again, other = (
        probe.train(parts["train"], parts["validation"], 1, seed)(parts["test"])
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])
    np.testing.assert_allclose(np.linalg.norm(first[1], axis=1), 1, atol=1e-5)


def test_ranks_of_a_space_without_order_are_chance() -> None:
    same = np.ones((101, 4), np.float32)
    assert probe.ranks(same, same).tolist() == [51.0] * 101
    eye = np.eye(5, dtype=np.float32)
    assert probe.ranks(eye, eye).tolist() == [1.0] * 5
    assert probe.ranks(eye, eye[::-1].copy()).tolist() == [3.5, 3.5, 1.0, 3.5, 3.5]


def test_rows_of_one_source_row_stay_together(tmp_path: Path) -> None:
    ids = [f"sound {n // 5}#{n % 5}" for n in range(1000)]
    folder = searchkit.write(tmp_path, {"caption": searchkit.clustered(1000)}, id=ids)
    part = alignment.parts(folder).reshape(-1, 5)
    assert (part == part[:, :1]).all()
    assert [abs((part == n).mean() - share) < 0.07 for n, share in enumerate((0.8, 0.1, 0.1))] == [
        True
    ] * 3


def test_the_bundled_sample_end_to_end(built: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "embeddings"
    folder = Path(shutil.copytree(built / "clotho_sample", tmp_path / "data" / "clotho_sample"))
    for encoder, column in (("clap", "audio"), ("siglip", "captions")):
        (tmp_path / encoder).mkdir()
        getattr(tinymodels, encoder)(tmp_path / encoder)
        run = ["embed", folder, "--encoder", tmp_path / encoder, "--columns", column]
        assert cli(*run, "--out", out).code == 0
    run = ["align", folder, "--left", "audio:clap", "--right", "captions:siglip"]
    run += ["--seeds", 2, "--embeddings", out]
    [report] = cli(*run, "--json", "--plot", tmp_path / "plot.svg").json
    assert report["rows"] == {"train": 5, "validation": 3, "test": 3}
    assert report["left"] == "audio:clap" and set(report["results"]) == {
        "chance", "probe", "shuffled",
    }  # fmt: skip
    assert json.dumps(report).count("recall@10") == 6
    assert "audio:clap finds captions:siglip" in (tmp_path / "plot.svg").read_text()
    card = (folder.parent / "README.md").read_text()
    [there, back] = [line for line in card.splitlines() if line.startswith("| clotho_sample | au")
                     or line.startswith("| clotho_sample | captions:")]  # fmt: skip
    assert "audio:clap → captions:siglip" in there and there.endswith("| 0.333 | 3 | not seen |")
    assert "captions:siglip → audio:clap" in back and back.count(" to ") == 2
    findings = eg.verify(folder.parent, progress=False)
    assert not [f for f in findings if f.kind == "error" or f.where == "README.md"]
    (folder.parent / "README.md").write_text(card.replace("| not seen |", "| yes |"))
    [edited] = [f for f in eg.verify(folder.parent, progress=False) if f.where == "README.md"]
    assert "text that no build writes" in edited.what
    shown = cli(*run, "--layers", 1).out
    assert "median rank" in shown and max(map(len, shown.splitlines())) <= 80


def test_what_cannot_be_aligned(data: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("align", data, "--left", "sound", "--right", "picture")
    assert done.code == 1 and "picture: no such embeddings" in " ".join(done.err.split())
    few = searchkit.write(tmp_path, {"caption": searchkit.clustered(3)})
    with pytest.raises(EdgeGlassError, match="fewer than 2 rows of"):
        alignment.pairs(few, *stored(few) * 2)
