"""Scores beside a build: how well columns fit, what a head or classifier says; rows are chosen."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tinymodels
from kit import Cli, entries, rows
from safetensors.numpy import save_file

import edge_glass as eg
from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.corpora import catalog
from edge_glass.release.why import why
from edge_glass.vectors import embed, scores
from edge_glass.vectors.stored_vectors import stored

FIT = ("image", "plot")


@pytest.fixture(scope="module")
def embedded(films: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MM-IMDb's sample with vectors of posters and plots beside it."""
    folder = Path(shutil.copytree(films, tmp_path_factory.mktemp("fit") / films.name))
    embed.embed(folder, folder.parent / "embeddings" / folder.name / "clip", str(clip), [*FIT])
    return folder


def vectors(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By id, those of poster and plot, of length 1."""
    by_id = {}
    for file in sorted((folder.parent / "embeddings" / folder.name / "clip").glob("*.parquet")):
        table = pq.read_table(file)
        columns = ("id", *(f"{column}_embedding" for column in FIT))
        for id, *pair in zip(*(table[column].to_pylist() for column in columns), strict=True):
            if None not in pair:
                one, other = map(np.array, pair)
                by_id[id] = one / np.linalg.norm(one), other / np.linalg.norm(other)
    return by_id


def cosines(folder: Path) -> dict[str, float]:
    return {id: float(one @ other) for id, (one, other) in vectors(folder).items()}


def stored_scores(folder: Path, name: str) -> dict[str, float | None]:
    tables = [pq.read_table(p) for p in sorted(scores.place(folder, name).glob("*.parquet"))]
    pairs = ((table["id"].to_pylist(), table[name].to_pylist()) for table in tables)
    return {id: value for ids, values in pairs for id, value in zip(ids, values, strict=True)}


def test_a_cosine_is_a_column_beside_the_data(embedded: Path) -> None:
    expected = cosines(embedded)
    result = scores.score(embedded, "clip", ["image", "plot:clip"])
    given = stored_scores(embedded, "clip")
    assert list(given) == list(rows(embedded))
    assert {id: value for id, value in given.items() if value is not None} == pytest.approx(
        expected
    )
    assert result.figures["scored"] == len(expected) and result.figures["rows"] == len(given)
    assert result.figures["q50"] == pytest.approx(np.median(list(expected.values())))
    assert result.of == ("image:clip", "plot:clip") and result.model["kind"] == "auto"
    assert scores.score(embedded, "clip", ["image", "plot"]) == result  # the same bytes again


def test_rows_below_are_left_out_and_why_says_by_which_score(embedded: Path, cli: Cli) -> None:
    expected = cosines(embedded)
    middle = sorted(expected.values())[len(expected) // 2 - 1 :][:2]
    least = float(np.mean(middle))  # no row's own: the last digit of one is the processor's
    root = embedded.parent / "embeddings"
    asked = ["score", embedded, "--name", "fit", "--of", "image,plot", "--embeddings", root]
    assert "q50" in cli(*asked).out
    condition = f"fit >= {least!r} AND year > 1900"
    asked = ["build", embedded, "--where", condition, "--name", "fitting"]
    done = cli(*asked, "--out", embedded.parent, "--json")
    assert done.code == 0, done.err
    folder = embedded.parent / "fitting"
    kept = {id for id, row in rows(embedded).items() if row["year"] and row["year"] > 1900}
    kept &= {id for id, cosine in expected.items() if cosine >= least}
    book = entries(folder)
    assert set(rows(folder)) == kept and 2 < len(kept) < len(rows(embedded))
    gone = {id for id, row in book.items() if row["outcome"] == "filtered"}
    assert gone == set(rows(embedded)) - kept
    assert not [fault for fault in verify(folder) if fault.kind == "error"]
    below = min(expected, key=lambda id: expected[id])
    [origin] = why(folder, below)
    assert origin.detail.startswith(f"{condition}: year is ")
    assert f"fit is {expected[below]:.5f}"[:-1] in origin.detail
    made_of = manifest.read(folder).where
    assert (
        made_of and made_of.condition == condition and made_of.scores["fit"].of[0] == "image:clip"
    )
    card = (embedded.parent / "README.md").read_text()
    assert f"`fitting` has the rows of `{embedded.name}` where `{condition}`." in card
    assert "- fit:" in card
    before = {path.name: path.read_bytes() for path in folder.glob("*.parquet")}
    shutil.rmtree(folder)
    eg.build(embedded, embedded.parent, name="fitting", where=condition, jobs=2, progress=False)
    assert before == {path.name: path.read_bytes() for path in folder.glob("*.parquet")}
    with pytest.raises(ConfigError, match="reproduce mm_imdb"):
        catalog.recipe(manifest.read(folder))


def test_what_cannot_be_scored_says_what_to_do(
    embedded: Path, films: Path, tmp_path: Path, cli: Cli
) -> None:
    with pytest.raises(ConfigError, match=r"title: no such embeddings; there are image:clip, plot"):
        scores.score(embedded, "x", ["image", "title"])
    bare = Path(shutil.copytree(films, tmp_path / films.name))
    with pytest.raises(DataError, match="make them with `edge-glass embed"):
        scores.score(bare, "x", [*FIT])
    for name in ("title", "TITLE", "a-b", "split"):
        with pytest.raises(ConfigError, match="that no column has"):
            scores.score(embedded, name, [*FIT])
    assert "give two embedded columns" in cli("score", embedded, "--name", "x", "--of", "image").err
    assert "or --model, --column" in cli("score", embedded, "--name", "x", "--model", "m").err
    assert [one.name for one in stored(embedded)] == ["image:clip", "plot:clip"]


def test_a_score_of_other_data_or_damaged_is_refused(embedded: Path, tmp_path: Path) -> None:
    root = shutil.copytree(embedded.parent, tmp_path / "all")
    folder = root / embedded.name
    scores.score(folder, "mine", [*FIT])
    file = next(scores.place(folder, "mine").glob("*.parquet"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="run `edge-glass score` again"):
        eg.build(folder, root, name="x", where="mine > 0", progress=False)
    file.write_bytes(whole)
    other = shutil.copytree(root / "scores" / folder.name, root / "scores" / "other")
    assert other.is_dir() and shutil.copytree(folder, root / "other")
    record = root / "other" / "manifest.json"
    digest = manifest.read(folder).digests()[0]
    record.write_text(record.read_text().replace(digest, "0" * 64))
    with pytest.raises(DataError, match="of another build"):
        eg.build(root / "other", root, name="x", where="mine > 0", progress=False)


def test_a_linear_head_over_stored_vectors(embedded: Path, tmp_path: Path, cli: Cli) -> None:
    draw = np.random.default_rng(0)
    weight, bias = draw.standard_normal((1, 24)).astype(np.float32), np.float32([0.5])
    save_file({"weight": weight, "bias": bias}, tmp_path / "aesthetic.safetensors")
    result = scores.score(embedded, "taste", ["image"], tmp_path / "aesthetic.safetensors")
    expected = {id: float(weight[0] @ one + 0.5) for id, (one, _) in vectors(embedded).items()}
    given = {id: v for id, v in stored_scores(embedded, "taste").items() if id in expected}
    assert given == pytest.approx(expected, abs=1e-5) and result.head
    save_file({"weight": weight[:, :5].copy()}, tmp_path / "short.safetensors")
    short = ["--of", "image", "--head", tmp_path / "short.safetensors"]
    assert "its weight has 5 numbers" in cli("score", embedded, "--name", "taste", *short).err
    with pytest.raises(ConfigError, match="its weight has 5 numbers, image:clip has 24"):
        scores.score(embedded, "taste", ["image"], tmp_path / "short.safetensors")
    (tmp_path / "pickle.pth").write_bytes(b"\x80\x04.")
    with pytest.raises(ConfigError, match="no safetensors"):
        scores.score(embedded, "taste", ["image"], tmp_path / "pickle.pth")


def test_a_classifier_of_images_runs_once_for_its_labels(
    films: Path, tmp_path: Path, cli: Cli
) -> None:
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model = tinymodels.image_classifier(tmp_path / "nsfw", ["normal", "nsfw", "drawing"])
    folder = Path(shutil.copytree(films, tmp_path / films.name))
    result = eg.score(folder, "nsfw", model=str(model), column="image", label="nsfw")[folder.name]
    net, reads = AutoModelForImageClassification.from_pretrained(model), AutoImageProcessor
    given, data = stored_scores(folder, "nsfw"), rows(folder)
    some = [id for id, value in given.items() if value is not None][:3]
    for id in some:
        import io

        pixels = Image.open(io.BytesIO(data[id]["image"]["bytes"])).convert("RGB")
        with torch.inference_mode():
            inputs = reads.from_pretrained(model)(pixels, return_tensors="pt")
            expected = net(**inputs).logits.softmax(-1)[0, 1].item()
        assert given[id] == pytest.approx(expected, abs=1e-4)
    assert result.label == "nsfw" and result.of == ("image:nsfw",)
    (model / "model.safetensors").rename(tmp_path / "elsewhere")  # it is not asked again
    (model / "model.safetensors").write_bytes((tmp_path / "elsewhere").read_bytes())
    before = (tmp_path / "labels" / folder.name / "nsfw" / "embeddings.json").stat().st_mtime_ns
    asked = ["--name", "drawn", "--model", model, "--column", "image", "--label", "drawing"]
    done = cli("score", folder, *asked, "--jobs", 1, "--json")
    assert done.json[folder.name]["label"] == "drawing"
    after = (tmp_path / "labels" / folder.name / "nsfw" / "embeddings.json").stat().st_mtime_ns
    assert before == after
    with pytest.raises(ConfigError, match="no label sfw; there are normal, nsfw, drawing: did you"):
        eg.score(folder, "x", model=str(model), column="image", label="sfw")


def test_classifiers_of_sounds_and_texts(built: Path, tmp_path: Path, clip: Path) -> None:
    folder = Path(shutil.copytree(built / "clotho_sample", tmp_path / "clotho_sample"))
    sounds = tinymodels.sound_classifier(tmp_path / "kinds", ["speech", "music", "silence"])
    speech = eg.score(folder, "speech", model=str(sounds), column="audio", label="speech")
    texts = tinymodels.text_classifier(tmp_path / "tone", ["plain", "toxic"])
    toxic = eg.score(folder, "toxic", model=str(texts), column="captions", label="toxic")
    assert speech["clotho_sample"].figures["scored"] == toxic["clotho_sample"].figures["scored"] > 3
    # labels that do not exclude each other are sure by themselves
    eg.score(folder, "dull", model=str(texts), column="captions", label="plain")
    both = stored_scores(folder, "dull"), stored_scores(folder, "toxic")
    assert all(abs(both[0][id] + both[1][id] - 1) > 1e-4 for id in both[0])
    with pytest.raises(ConfigError, match="encodes audio, not text"):
        eg.score(folder, "x", model=str(sounds), column="captions", label="music")
    with pytest.raises(ConfigError, match="no classifier of images, sounds or texts: it n"):
        eg.score(folder, "x", model=str(clip), column="captions", label="music")


def test_what_siglip_makes_of_images_and_texts_has_one_space(films: Path, tmp_path: Path) -> None:
    (tmp_path / "siglip").mkdir()
    folder = Path(shutil.copytree(films, tmp_path / films.name))
    out = tmp_path / "embeddings" / folder.name / "siglip"
    embed.embed(folder, out, str(tinymodels.siglip(tmp_path / "siglip")), [*FIT])
    left, right = stored(folder)
    assert left.is_near(right) and left.dim == right.dim == 32
    assert scores.score(folder, "fit", [*FIT]).figures["scored"] > 5
