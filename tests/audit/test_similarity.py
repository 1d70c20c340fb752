"""Rows whose image and text do not fit: told by one model's vectors, and left out of a config."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from kit import Cli, entries, rows

import edge_glass as eg
from edge_glass.audit import audits
from edge_glass.audit.similarity import Fit
from edge_glass.audit.verify import verify
from edge_glass.core import parquet
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.vectors import embed
from edge_glass.vectors.stored_vectors import stored

FIT = ("image", "plot")


@pytest.fixture(scope="module")
def embedded(films: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MM-IMDb's sample with vectors of posters and plots beside it."""
    folder = Path(shutil.copytree(films, tmp_path_factory.mktemp("fit") / films.name))
    embed.embed(folder, folder.parent / "embeddings" / folder.name / "clip", str(clip), [*FIT])
    return folder


def cosines(folder: Path) -> dict[str, float]:
    """By id, with numbers of its own."""
    found = {}
    for file in sorted((folder.parent / "embeddings" / folder.name / "clip").glob("*.parquet")):
        table = pq.read_table(file)
        columns = ("id", *(f"{column}_embedding" for column in FIT))
        for id, *pair in zip(*(table[column].to_pylist() for column in columns), strict=True):
            if None not in pair:
                one, other = map(np.array, pair)
                found[id] = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    return found


def test_rows_below_are_named_with_their_cosine(embedded: Path, tmp_path: Path) -> None:
    expected = cosines(embedded)
    least = float(np.median(list(expected.values())))
    options = audits.Options(["similarity"], fit=Fit(FIT, least))
    result = audits.audit(embedded, tmp_path, options)
    told = {row["id"]: row["score"] for row in
            parquet.rows(tmp_path / "audit" / result.config / "similarity.parquet")}  # fmt: skip
    below = {id: cosine for id, cosine in expected.items() if cosine < least}
    assert told == pytest.approx(below, abs=1e-6) and 2 < len(told) < len(expected)
    figures = result.groups["similarity"].figures
    assert figures["rows"] == len(expected) == figures["below"]["1.00"]
    assert figures["mean"] == pytest.approx(np.mean(list(expected.values())), abs=1e-6)
    assert result.checks == {"similarity": len(told)}
    asked = {"checks": ["similarity"], "fit": FIT, "progress": False}
    by_name = eg.audit(embedded, tmp_path / "python", least=least, **asked)
    assert by_name[embedded.name].checks == result.checks
    with pytest.raises(ConfigError, match="wants --fit"):
        eg.audit(embedded, tmp_path / "python", **asked)


def test_a_config_without_them_names_them_in_its_ledger(embedded: Path, cli: Cli) -> None:
    expected = cosines(embedded)
    least = float(np.median(list(expected.values())))
    asked = ["audit", str(embedded), "--check", "similarity", "--fit", ",".join(FIT)]
    done = cli(*asked, "--least", str(least), "--drop-flagged", "--name", "fitting")
    assert done.code == 0, done.err
    folder = embedded.parent / "fitting"
    kept = {id for id, cosine in expected.items() if cosine >= least}
    gone = set(expected) - kept
    assert set(rows(folder)) == set(rows(embedded)) - gone and kept <= set(rows(folder))
    book = entries(folder)
    assert {id for id, row in book.items() if row["outcome"] == "flagged"} == gone
    assert {book[id]["detail"] for id in gone} == {"similarity"}
    assert not [fault for fault in verify(folder) if fault.kind == "error"]


def test_what_cannot_be_compared_says_what_to_do(
    embedded: Path, films: Path, tmp_path: Path, cli: Cli
) -> None:
    options = audits.Options(["similarity"], fit=Fit(("image", "title"), 0.2))
    with pytest.raises(ConfigError, match=r"title: no such embeddings; there are image:clip, plot"):
        audits.audit(embedded, tmp_path, options)
    bare = Path(shutil.copytree(films, tmp_path / films.name))
    with pytest.raises(DataError, match="make them with `edge-glass embed"):
        audits.audit(bare, tmp_path, audits.Options(["similarity"], fit=Fit(FIT, 0.2)))
    for wrong in (["--fit", "image"], ["--fit", "image,plot"], ["--least", "0.2"]):
        assert "wants --fit" in cli("audit", str(embedded), "--check", "similarity", *wrong).err
    assert "--check similarity" in cli("audit", str(embedded), "--least", "0.2").err
    assert [one.name for one in stored(embedded)] == ["image:clip", "plot:clip"]


def test_what_siglip_makes_of_images_and_texts_has_one_space(films: Path, tmp_path: Path) -> None:
    import tinymodels

    (tmp_path / "siglip").mkdir()
    folder = Path(shutil.copytree(films, tmp_path / films.name))
    out = tmp_path / "embeddings" / folder.name / "siglip"
    embed.embed(folder, out, str(tinymodels.siglip(tmp_path / "siglip")), [*FIT])
    left, right = stored(folder)
    assert left.is_near(right) and left.dim == right.dim == 32
    result = audits.audit(folder, tmp_path, audits.Options(["similarity"], fit=Fit(FIT, -1)))
    assert result.checks == {"similarity": 0} and result.groups["similarity"].figures["rows"] > 5
