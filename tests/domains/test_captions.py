"""Captions of builds, asked of a server on loopback: every kind of media, stopped, gone on with."""

import shutil
from pathlib import Path

import pytest
from kit import Cli, kill, rows, until
from modelserver import Asked, Model, Trouble
from slidekit import process

import edge_glass as eg
from edge_glass.audit.checked_build import Finding
from edge_glass.core import manifest
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.domains.slides import captions, prompts
from edge_glass.domains.slides.call_log import Prices
from edge_glass.domains.slides.vision_model import Options
from edge_glass.media import audio, images
from edge_glass.release import write_card
from edge_glass.release.checks_papers import verify

CLOTHO = "clotho_sample"


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    for name in (CLOTHO, "pixmo_cap_sample", "valor_sample"):
        shutil.copytree(built / name, tmp_path / "data" / name)
    return tmp_path / "data"


def options(model: Model, **more: object) -> Options:
    return Options("stand-in", model.url, **{"at_once": 3} | more)  # type: ignore[arg-type]


def faults(out: Path) -> list[Finding]:
    write_card.listed(out)
    return [found for found in verify(out) if found.kind == "error"]


def shown(kind: str, data: bytes) -> str:
    """What the server says of a file, told from the file as it is in the build."""
    if kind == "image":
        found = images.rgb(data)
        return f"image/jpeg of {found.width} by {found.height} pixels"
    return f"{len(audio.decode(data, 16_000)[0])} samples at 16000 Hz"


@pytest.mark.parametrize(
    ("config", "column", "kind"),
    [
        ("pixmo_cap_sample", "image", "image"),
        ("valor_sample", "image_jpegs", "image"),
        (CLOTHO, "audio", "audio"),
    ],
)
def test_each_row_has_the_caption_of_its_own_media(
    out: Path, config: str, column: str, kind: str
) -> None:
    with Model() as model:
        asked, build = captions.caption(out / config, options(model), column)
    before, after = rows(out / config), rows(out / f"{config}_captioned")
    assert build and asked.slides == {"done": len(before), "left": 0} and after.keys() == {*before}
    for id, row in after.items():
        assert {name: row[name] for name in before[id]} == before[id]
        files = row[column] if isinstance(row[column], list) else [row[column]]
        said = ", ".join(["A caption of", *(shown(kind, one["bytes"]) for one in files)])
        assert row["model_caption"] == said
    known, prompt = build.captions, prompts.prompt("caption", "en")
    assert known and (known.model, known.language) == ("stand-in", "en")
    assert (known.prompt, known.text) == (prompt.version, prompt.text)
    assert (known.of.config, known.of.manifest, known.column) == (
        config, manifest.read(out / config).seal, column,
    )  # fmt: skip
    assert build.with_role(ColumnRole.CAPTION) == ["model_caption"]
    assert not faults(out)
    with pytest.raises(EdgeGlassError, match=f"stand-in, which may answer .*: reproduce {config}$"):
        catalog.recipe(build)


def test_out_of_money_and_gone_on_with(out: Path) -> None:
    """No row is asked about twice, and there is no config before all of them have an answer."""
    folder, made, prices = out / CLOTHO, out / f"{CLOTHO}_captioned", Prices(3, 15)
    with Model() as model:
        asked, build = captions.caption(
            folder, options(model, prices=prices, money=0.02, at_once=1)
        )
        assert asked.stopped == "the budget is spent" and build is None and not made.exists()
        assert 0 < asked.cost <= 0.02 and 0 < asked.slides["done"] == len(model.log) < 11
        asked, build = captions.caption(folder, options(model, prices=prices, money=10))
        assert build and asked.slides == {"done": 11, "left": 0} and len(model.log) == 11
        before = (made / manifest.FILE).read_bytes()
        captions.caption(folder, options(model))
        assert len(model.log) == 11 and (made / manifest.FILE).read_bytes() == before
        other = captions.caption(folder, options(model, language="es"), name="spanish")[1]
        assert other and other.captions and other.captions.language == "es"
        assert len(model.log) == 33  # another question; English is sent back once


def test_from_python_the_captions_are_a_build_or_the_error_says_to_go_on(out: Path) -> None:
    with Model() as model:
        ask = {"model": "stand-in", "base_url": model.url, "progress": False}
        with pytest.raises(eg.NetworkError, match=r"budget is spent.*Run the same command again"):
            eg.caption(out / CLOTHO, **ask, tokens=1)
        made = eg.caption(str(out / CLOTHO), **ask, name="spoken")
    assert made.folder == out / "spoken" and manifest.read(made.folder) == made.manifest
    assert made.manifest.captions and made.manifest.captions.language == "en"
    assert len(model.log) == made.manifest.rows and (out / "report.html").is_file()


@pytest.mark.slow
def test_killed_and_gone_on_with(out: Path) -> None:
    folder, made = out / CLOTHO, out / f"{CLOTHO}_captioned"
    with Model(latency=0.2) as model:
        line = ("qa", folder, "--task", "caption", "--model", "stand-in", "--base-url", model.url)
        running = process(*line, "--connections", 1)
        until(lambda: len(model.log) >= 4, running)
        kill(running)
        assert not made.exists() and len(model.log) == 4
        asked, build = captions.caption(folder, options(model))
        assert build and asked.slides == {"done": 11, "left": 0}
        assert len(model.log) == 12  # the call that was cut, once more


def test_captions_go_through_the_checks_of_texts_and_a_refusal_is_none(out: Path, cli: Cli) -> None:
    folder = out / "pixmo_cap_sample"

    def script(asked: Asked, number: int) -> Trouble | None:
        if number == 1:
            return Trouble("", refusal="I cannot help with that.")
        mail = "A woman at a desk, who can be reached at ann@example.org, she says to all."
        return Trouble(f'{{"caption": "{mail}"}}') if number == 2 else None

    with Model(script=script) as model:
        line = ("--model", "m", "--base-url", model.url, "--connections", 1, "--name", "told")
        done = cli("qa", folder, "--task", "caption", *line)
        assert done.code == 0 and "told" in done.out, done.err
        assert cli("qa", folder, "--task", "caption", "--task", "docvqa", *line).code
        wrong = cli("qa", folder, "--task", "caption", "--column", "x", *line)
        assert "there are image" in wrong.err
    said = [row["model_caption"] for row in rows(out / "told").values()]
    assert len(said) == 4 and said.count(None) == 1
    assert not faults(out)
    assert eg.audit(out / "told", checks=["email"])["told"].checks["email"] == 1
    assert (
        "is by a model, m, that saw image of `pixmo_cap_sample`" in (out / "README.md").read_text()
    )


@pytest.mark.parametrize("several", [False, True])
def test_of_a_row_that_is_withdrawn_no_caption_is_left(out: Path, several: bool) -> None:
    """A row may be several examples: each of them was asked about."""
    name = "each" if several else CLOTHO
    if several:
        eg.build(CLOTHO, out, name=name, caption_mode="each", progress=False)
    with Model() as model:
        captions.caption(out / name, options(model))
    id = sorted(rows(out / name))[0].partition("#")[0]
    done = eg.withdraw(out, ids=[id])
    assert done.search and done.search.residue == ()
    for path in (out / "captions").rglob("*"):
        assert path.is_dir() or id.encode() not in path.read_bytes()
    assert not [row for row in rows(out / f"{name}_captioned") if row.partition("#")[0] == id]
    assert not faults(out)


def test_what_cannot_be_captioned_is_said(out: Path) -> None:
    with Model() as model:
        with pytest.raises(EdgeGlassError, match="there are image_jpegs, audio"):
            captions.caption(out / "valor_sample", options(model))
        with pytest.raises(EdgeGlassError, match="name of its own"):
            captions.caption(out / CLOTHO, options(model), name=CLOTHO)
        assert not model.log
