"""Files of ours that are cut or odd: one clear error with the file's name, or made again."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import searchkit

from edge_glass.audit import audits, report_stats
from edge_glass.core import manifest, schema
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.progress import Progress
from edge_glass.core.spec import read_spec
from edge_glass.corpora.catalog import parse_overrides
from edge_glass.tables import stats
from edge_glass.vectors import index_build, stored_vectors, vector_index

WRONG = b'{"data": [], "encoded": {"caption": null}, "model": 1, "made_of": {}, "kind": "x"}'
ODD = [b"", b"{}", b"[]", b"null", b'{"data": 1', b'"x"', b"[" * 100_000, b"\xff", b"NaN", WRONG]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vectors = {"caption": searchkit.clustered(6, clusters=2)}
    folder = searchkit.write(tmp_path_factory.mktemp("searched"), vectors)
    index_build.build(searchkit.only(folder), [], 10**9, Progress())
    return folder


@pytest.mark.parametrize("odd", ODD)
def test_settings_of_embeddings_and_of_an_index(odd: bytes, searched: Path, tmp_path: Path) -> None:
    root = tmp_path / "all"
    shutil.copytree(searched.parent, root)
    folder = root / searched.name
    one = searchkit.only(folder)
    index = vector_index.place(one) / vector_index.FILE
    index.write_bytes(odd)
    with pytest.raises(EdgeGlassError, match=r"index\.json: .*run `edge-glass index` again"):
        vector_index.opened(one)
    (settings,) = root.rglob(stored_vectors.FILE)
    settings.write_bytes(odd)
    with pytest.raises(EdgeGlassError, match=f"{settings.name}: .*run `edge-glass embed` again"):
        stored_vectors.stored(folder)


def test_an_array_of_an_index_that_is_cut(searched: Path, tmp_path: Path) -> None:
    root = tmp_path / "all"
    shutil.copytree(searched.parent, root)
    one = searchkit.only(root / searched.name)
    for size in (0, 40, 200):
        path = vector_index.place(one) / "train-00000.rows.npy"
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(EdgeGlassError, match="a file in it was changed"):
            vector_index.opened(one)


@pytest.mark.parametrize("odd", ODD)
def test_statistics_and_audits(odd: bytes, tmp_path: Path) -> None:
    (tmp_path / stats.FILE).write_bytes(odd)
    with pytest.raises(EdgeGlassError, match=stats.FILE):
        stats.read(tmp_path)
    kept = tmp_path / audits.FOLDER / "clotho_sample" / audits.FILE
    kept.parent.mkdir(parents=True)
    kept.write_bytes(odd)
    assert audits.read(tmp_path, "clotho_sample") is None


def test_what_a_report_keeps_is_made_again(built: Path, tmp_path: Path) -> None:
    folder = built / "clotho_sample"
    facts = report_stats.of(folder, manifest.read(folder), tmp_path)
    (path,) = (tmp_path / "facts").iterdir()
    for odd in ODD[:6]:
        path.write_bytes(odd)
        assert report_stats.of(folder, manifest.read(folder), tmp_path) == facts


@pytest.mark.parametrize(
    "odd",
    ["[]", "null", "a: [", "? [a]\n: b", "\0", "[" * 3000, "title: 2020-13-45", "!!python/x {}"],
)
def test_a_catalogue_that_is_none(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(odd)
    with pytest.raises(EdgeGlassError, match=r"x\.yaml"):
        read_spec(path, "x")


@pytest.mark.parametrize(
    "odd", ["a=2020-13-45", "a=[", "a=? [b]\n: c", "a=!!python/x {}", "a=" + "[" * 3000]
)
def test_an_override_that_is_no_value(odd: str) -> None:
    with pytest.raises(EdgeGlassError, match="is no YAML value"):
        parse_overrides([odd])


def test_a_shape_says_which_field(tmp_path: Path) -> None:
    kind: Any = schema.shape(rows=int, names=list[str])
    path = tmp_path / "x.json"
    path.write_text('{"rows": "1", "names": ["a"], "more": null}')
    with pytest.raises(EdgeGlassError, match=r"x\.json: rows: .*integer \('1'\).*: mend it"):
        schema.read(path, kind, "mend it")
    path.write_text('{"rows": 1, "names": ["a"], "more": null}')
    assert schema.read(path, kind, "mend it")["more"] is None
