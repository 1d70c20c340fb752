"""Nothing of the user's is deleted or overwritten, whatever lies where an output goes."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import planted
import pytest
import searchkit
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kit import ROOT, Cli
from slidekit import deck, slide
from test_dedup import LAYOUT, lines

from edge_glass.audit import audits
from edge_glass.audit.drop import drop
from edge_glass.core import manifest, outputs
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog
from edge_glass.domains.imagenet import classify, nearest
from edge_glass.domains.mm_imdb import artefacts
from edge_glass.domains.slides import deck_folder, funnel
from edge_glass.domains.slides.deck_store import Desk
from edge_glass.domains.slides.filters import Limits
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.remote_output import Away
from edge_glass.release import catalogue, write_card
from edge_glass.release.export import export
from edge_glass.release.write_card import build
from edge_glass.tables import dedup, steps
from edge_glass.vectors import embed, web_page
from edge_glass.vectors import index_build as indexes

Verb = Callable[[Path, Path, int], object]  # reads the first, writes to the second, the n-th time
RAW = ROOT / "samples" / "clotho"


def prepared(at: Path) -> Path:
    """What all verbs read."""
    rows = [{"id": f"{n}", "wnid": "n01440764", "caption": "a", "text": "b"} for n in range(3)]
    planted.corpus(at, "planted", {"train": rows})
    audits.audit(at / "planted", at, audits.Options(("captions",)))
    film = [{"id": f"{n}", "image": slide("a", n), "text": "a"} for n in range(2)]
    planted.corpus(at, "films", {"train": film})
    if find_spec("torch"):
        import tinymodels

        (at / "clip").mkdir()
        tinymodels.clip(at / "clip")
    (at / "chunks").mkdir()
    (at / "chunks" / "a.csv").write_bytes(lines([1, "a", "0.5", "u"], [2, "b", "0.1", "v"]))
    for id in ("one", "two"):
        deck(at / "decks", id, ["una", "dos"])
    return at


def _build(_: Path, out: Path, time: int) -> None:
    build(catalog.variant("clotho_sample", {"splits": ["test"], "subset": 3 - time}, "mine"), out)


def _drop(at: Path, out: Path, time: int) -> None:
    if not (out / "audit" / "planted").exists():  # findings that lie where others put them
        lay(at / "audit", out / "audit")
    drop(at / "planted", out, "mine", [("email", "phone")[time]])


def _collect(at: Path, out: Path, time: int) -> None:
    desk = Desk(out, str(at / "decks"), ("es", None)[time])
    list(deck_folder.collect(desk, at / "decks"))
    desk.close()


def _index(at: Path, out: Path, time: int) -> None:
    vectors = np.random.default_rng(time).normal(size=(8, 4)).astype(np.float32)
    if not (out / "data" / manifest.FILE).exists():
        with tempfile.TemporaryDirectory() as temp:
            searchkit.write(Path(temp), {"caption": vectors})
            for name in ("data", "embeddings"):
                lay(Path(temp, name), out / name)
    one = searchkit.only(out / "data")
    path = one.folder / "embeddings.json"
    path.write_bytes(path.read_bytes() + b" " * time)
    indexes.build(one, [], 10**8, Progress())


def _audit(at: Path, out: Path, time: int) -> None:
    audits.audit(at / "planted", out, audits.Options((("captions", "signals")[time],)))


def _embed(at: Path, out: Path, time: int) -> None:
    embed.embed(at / "films", out / "mine", str(at / "clip"), ["text"], batch=2 - time)


def _views(at: Path, out: Path, time: int) -> None:
    clip = str(at / "clip")
    options = artefacts.Options({"clip": (clip, clip)}, "mine", 1 + time, text="text")
    artefacts.export(at / "films", out, options)


def _report(at: Path, out: Path, time: int) -> None:
    if not (out / "planted" / manifest.FILE).exists():
        lay(at / "planted", out / "planted")
    write_card.write_report(out)


def _docs(_: Path, out: Path, time: int) -> None:
    with pytest.MonkeyPatch.context() as patch:  # all samples would take long
        patch.setattr(catalog, "corpora", lambda: {"clotho": "edge_glass"})
        catalogue.write(out)


def _away(_: Path, out: Path, time: int) -> None:
    mine = catalog.variant("clotho_sample", {"splits": ["test"], "subset": 3 - time}, "mine")
    with tempfile.TemporaryDirectory() as temp, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_GLASS_CACHE", temp)
        there = Away(f"file://{out}")
        build(mine, there.staging, Options(away=there))
        write_card.write_report(there.staging, there)


def lay(source: Path, target: Path) -> None:
    """Copy a folder to where nothing of it is."""
    try:
        shutil.copytree(source, target, copy_function=new, dirs_exist_ok=True)
    except OSError as error:
        raise EdgeGlassError("in the way of what the test needs") from error


def new(source: str, target: str) -> None:
    """Copy a file to where none is."""
    if Path(target).exists():
        raise EdgeGlassError("in the way of what the test needs")
    shutil.copy(source, target)


VERBS: dict[str, Verb] = {
    "build": _build,
    "drop": _drop,
    "collect": _collect,
    "index": _index,
    "audit": _audit,
    "embed": _embed,
    "views": _views,
    "report": _report,
    "docs": _docs,
    "remote output": _away,
    "filter": lambda at, out, time: funnel.run(at / "decks", out, [], Limits()),
    "tsv": lambda at, out, time: export(at / "planted", out, "tsv"),
    "files": lambda at, out, time: export(at / "films", out, "files"),
    "webdataset": lambda at, out, time: export(at / "films", out, "webdataset"),
    "page": lambda at, out, time: web_page.write(
        at / ("films", "planted")[time], out, "..", None, Progress()
    ),
    "dedup": lambda at, out, time: dedup.dedup(
        at / "chunks", LAYOUT, out, dedup.Wanted(parts=2 - time)
    ),
}
COLLIDING = """
mine README.md report.html plots mine.png train planted.tsv metadata ledger test notes
0.lists 0.codes site.json rows places web.js
ledger.parquet manifest.json part-00000-of-00002.parquet one two one.json slide_1.jpg
slide_9.jpg funnel.json dedup.json audit planted .edge_glass index data embeddings caption
index.json rows.npy part-notes x.tmp test-00000-of-00001.parquet stats.json audit.json
captions.parquet signals.parquet embeddings.json train-00000-of-00001.parquet index.html
mine_aug1_clip_text.npy mine_aug1_manifest.json .mine_aug1 settings.json planted.png
"""


def trees(made: Path) -> st.SearchStrategy[dict[str, bytes]]:
    """Files of a user's, many of them where a verb puts those that are in `made`."""
    paths = (path.relative_to(made).as_posix() for path in made.rglob("*"))
    own = sorted(path for path in paths if not path.startswith(".edge_glass"))
    others = st.lists(st.sampled_from(COLLIDING.split()), min_size=1, max_size=3).map("/".join)
    return st.dictionaries(
        st.sampled_from(own) | others, st.binary(max_size=3), min_size=1, max_size=3
    )


def put(out: Path, tree: dict[str, bytes]) -> dict[Path, bytes]:
    """Files of the user's, where nothing is; those that could be put there."""
    mine: dict[Path, bytes] = {}
    for name, data in tree.items():
        if not (out / name).exists():
            with contextlib.suppress(OSError):  # a file where a folder is wanted
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                (out / name).write_bytes(data)
                mine[out / name] = data
    return mine


def lost(mine: dict[Path, bytes]) -> list[str]:
    return [
        str(path) for path, data in mine.items() if not path.is_file() or path.read_bytes() != data
    ]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("source"))


@contextlib.contextmanager
def somewhere() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temp:
        out = Path(temp) / "out"
        out.mkdir()
        yield out


WITH_MODELS = [
    pytest.param(verb, marks=pytest.mark.skipif(not find_spec("torch"), reason="test-encoders"))
    for verb in ("embed", "views")
]
COSTLY = ("build", "drop", "dedup", "audit", "views", "report", "docs", "remote output")


@pytest.mark.parametrize("verb", [*sorted(VERBS.keys() - {"embed", "views"}), *WITH_MODELS])
def test_what_a_user_has_survives_every_verb(source: Path, verb: str) -> None:
    def once_more(out: Path, tree: dict[str, bytes], time: int) -> None:
        mine = put(out, tree)
        with contextlib.suppress(EdgeGlassError, OSError):  # told either way
            VERBS[verb](source, out, time)
        assert lost(mine) == []

    with somewhere() as made:
        VERBS[verb](source, made, 0)

        @settings(
            max_examples=2 if verb in COSTLY else 6,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            phases=[Phase.generate],
        )
        @given(trees(made), trees(made))
        def check(before: dict[str, bytes], later: dict[str, bytes]) -> None:
            with somewhere() as out:
                once_more(out, before, 0)
            with somewhere() as out:
                shutil.copytree(made, out, dirs_exist_ok=True)
                once_more(out, later, 1)

        check()


@pytest.mark.parametrize(
    ("raw", "out", "why"),
    [
        ("data/clotho", "data", "it is the input as well"),
        ("data", "data", "keep them apart"),
        ("data/clotho/raw", "data", "keep them apart"),
        ("link", "data", "it is the input as well"),
    ],
)
def test_raw_files_and_the_output_are_kept_apart(
    tmp_path: Path, cli: Cli, raw: str, out: str, why: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "data" / "clotho")
    (tmp_path / "data").mkdir()
    shutil.copytree(RAW, tmp_path / raw, dirs_exist_ok=True) if raw != "link" else shutil.copytree(
        RAW, tmp_path / "data" / "clotho"
    )
    (tmp_path / raw / "notes.txt").write_text("mine")
    (tmp_path / "data" / "clotho").mkdir(exist_ok=True)
    (tmp_path / "data" / "clotho" / "more.wav").write_bytes(b"mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = cli("build", "clotho", "--raw", tmp_path / raw, "--out", tmp_path / out, "--unverified")
    assert done.code == 1 and why in done.err
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("out", [".", "new", ".."])
@pytest.mark.parametrize("verb", ["dedup", "match", "retrieve"])
def test_nothing_is_written_among_chunks(source: Path, tmp_path: Path, verb: str, out: str) -> None:
    raw = tmp_path / "a" / "chunks"
    shutil.copytree(source / "chunks", raw)
    target = (raw / out).resolve()
    with pytest.raises(EdgeGlassError, match=r"keep them apart|it is the input as well"):
        if verb == "dedup":
            dedup.dedup(raw, LAYOUT, target, dedup.Wanted(parts=2))
        elif verb == "match":
            steps.run(classify.Matched(LAYOUT, "word"), raw, target)
        else:
            nearest.retrieve(source / "planted", raw, LAYOUT, target, "wordbag:encode")
    assert [path.name for path in (tmp_path / "a").rglob("*")] == ["chunks", "a.csv"]


def test_a_folder_that_is_called_like_a_config_stays(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "clotho_sample").mkdir()
    (tmp_path / "clotho_sample" / "thesis.tex").write_text("mine")
    done = cli("build", "clotho_sample", "--out", tmp_path)
    assert done.code == 1 and "clotho_sample" in done.err and "thesis.tex" in done.err
    assert (tmp_path / "clotho_sample" / "thesis.tex").read_text() == "mine"
    assert list((tmp_path / "clotho_sample").iterdir()) == [tmp_path / "clotho_sample/thesis.tex"]


def test_a_current_build_is_left_alone_whatever_lies_in_it(tmp_path: Path) -> None:
    _build(tmp_path, tmp_path, 0)
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    _build(tmp_path, tmp_path, 0)
    with pytest.raises(EdgeGlassError, match=r"notes\.txt"):
        _build(tmp_path, tmp_path, 1)
    (tmp_path / "mine" / "notes.txt").unlink()
    _build(tmp_path, tmp_path, 1)
    assert manifest.read(tmp_path / "mine").parameters["subset"] == 2


def test_pages_and_cards_of_others_are_not_written_over(tmp_path: Path, source: Path) -> None:
    (tmp_path / "index.html").write_text("my site")
    with pytest.raises(EdgeGlassError, match=r"index\.html"):
        catalogue.write(tmp_path)
    shutil.copytree(source / "planted", tmp_path / "planted")
    (tmp_path / "README.md").write_text("my project, made with Edge Glass")
    with pytest.raises(EdgeGlassError, match=r"README\.md"):
        write_card.write_report(tmp_path)
    assert (tmp_path / "README.md").read_text() == "my project, made with Edge Glass"
    (tmp_path / "README.md").unlink()
    write_card.write_report(tmp_path)
    write_card.write_report(tmp_path)


def test_embeddings_go_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "mine.npy").write_bytes(b"mine")
    with pytest.raises(EdgeGlassError, match=r"mine\.npy"):
        embed._begin(tmp_path, {}, {}, [], None)


def test_links_and_files_in_the_way_are_nobodys_to_replace(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("mine")
    for name in ("link", "file"):
        with pytest.raises(EdgeGlassError, match="move it away"):
            outputs.check_replaceable(tmp_path / name, {"a"})
    outputs.check_replaceable(tmp_path / "real", None)
    outputs.check_replaceable(tmp_path / "none", None)


def test_an_index_json_of_somebody_elses_is_in_the_way(tmp_path: Path) -> None:
    theirs = tmp_path / "embeddings" / "data" / "planted" / "index" / "caption" / "index.json"
    mine = put(tmp_path, {str(theirs.relative_to(tmp_path)): b"{}"})
    with pytest.raises(EdgeGlassError, match=r"index\.json\. Move it away"):
        _index(tmp_path, tmp_path, 0)
    assert lost(mine) == []
