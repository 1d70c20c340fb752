"""A config of the rows of another for which a condition is true: unknown is not true."""

import json
import shutil
from math import isnan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import searchkit
from kit import Cli, entries, rows

import edge_glass as eg
from edge_glass.audit.verify import verify
from edge_glass.audit.where import ROW, Unmet, filtered
from edge_glass.core import extras, parquet
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.vectors import scores

ROWS = 300
NUMBERS = [None if n % 7 == 0 else float("nan") if n % 7 == 1 else n / ROWS for n in range(ROWS)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two embedded columns of one space; every fifth row lacks a vector."""
    out = tmp_path_factory.mktemp("where")
    table = {"id": [f"row {n}" for n in range(ROWS)], "weight": NUMBERS}
    table |= {"caption": [f"caption {n}" for n in range(ROWS)], "title": ["a title"] * ROWS}
    raw = tmp_path_factory.mktemp("raw") / "t.parquet"
    pq.write_table(pa.table(table | {"part": ["train"] * 200 + ["test"] * 100}), raw)
    choices = eg.Choices(None, {}, "key=part", None)
    folder = eg.build(raw, out, choices=choices, progress=False).folder
    plant(folder)
    return folder


def plant(folder: Path) -> None:
    left, right = np.random.default_rng(0).standard_normal((2, ROWS, 6)).astype(np.float32)
    left[::5] = np.nan
    searchkit.plant(folder, {"title": left, "caption": right})
    scores.score(folder, "fit", ["title", "caption"])


def fits(folder: Path) -> dict[str, float | None]:
    files = sorted(scores.place(folder, "fit").glob("*.parquet"), reverse=True)
    return {row["id"]: row["fit"] for file in files for row in parquet.rows(file)}


def test_scores_stay_beside_their_rows_in_every_row_group(tmp_path: Path) -> None:
    ids = [f"row {n}" for n in range(7)]
    shard, home = tmp_path / "train.parquet", tmp_path / "scores"
    home.mkdir()
    pq.write_table(pa.table({"id": ids, "weight": range(7)}), shard, row_group_size=2)
    pq.write_table(pa.table({"fit": [0.0, 1, 1, 0, 0, 1, 0]}), home / shard.name)
    part: Any = SimpleNamespace(paths=[shard], split="train")
    gone = Unmet("fit > .5 OR weight > 5", ("weight",), (("fit", home),)).of(part)
    assert list(gone) == ["row 0", "row 3", "row 4"] and "weight is 4" in gone["row 4"]


def test_a_row_without_a_score_goes_whatever_is_asked(data: Path, tmp_path: Path) -> None:
    given = fits(data)
    assert len(given) == ROWS and sum(value is None for value in given.values()) == ROWS // 5
    for number, condition in enumerate(["fit >= 0.1", "fit < 0.1", "NOT fit >= 0.1"]):
        filtered(data, tmp_path, f"part_{number}", condition)
        kept = rows(tmp_path / f"part_{number}")
        assert kept and not [id for id in kept if given[id] is None]
        assert all((given[id] >= 0.1) == (number == 0) for id in kept)
        book = entries(tmp_path / f"part_{number}")
        assert {row["outcome"] for id, row in book.items() if id not in kept} == {"filtered"}
        missing = next(id for id, value in given.items() if value is None)
        assert book[missing]["detail"] == f"{condition}: fit is missing"
        assert not [f for f in verify(tmp_path / f"part_{number}") if f.kind == "error"]


def test_nan_is_missing_and_splits_can_be_told_apart(data: Path, tmp_path: Path) -> None:
    filtered(data, tmp_path, "heavy", "weight > .5 AND \"split\" = 'train'")
    told = {id: row["weight"] for id, row in rows(tmp_path / "heavy").items()}
    expected = [n for n in NUMBERS[:200] if n is not None and n > 0.5]  # NaN is greater in SQL
    assert [*told.values()] == expected and len(expected) > 10
    filtered(data, tmp_path, "light", "weight IS NULL")
    assert len(rows(tmp_path / "light")) == sum(n is None or isnan(n) for n in NUMBERS)


@pytest.mark.parametrize(
    "condition, says",
    [
        ("fitt > 1", "no column or score fitt; there are .*: did you mean fit"),
        ("random() > .5", "random is not of one row alone"),
        ("now() > '2000-01-01'", "now is not of one row alone"),
        ("row_number() OVER () < 5", "row_number is not of one row alone"),
        ("max(fit) > 1", "max is not of one row alone"),
        ("fit > (SELECT 1)", "subquery is not of one row alone"),
        ("fit IN (SELECT 1 FROM read_text('/etc/passwd'))", "subquery is not of one row"),
        ("1) OR (1 = 1", "syntax error"),
        ("1 FROM read_text('/etc/passwd')", "expected one expression"),
        ("fit > 1; SELECT 1", "expected one expression"),
        ("fit > 1, 2", "expected one expression"),
        ("*", "star is not of one row alone"),
        ("caption > [1]", "Could not choose|Cannot compare|Conversion|Binder"),
        ("", "SELECT clause without"),
        ("fit > 1 UNION SELECT 1", "expected one expression"),
        ("fit > 1 LIMIT 1", "syntax error"),
        ("NOT " * 900 + "(fit > 1)", r"^.{0,500}Max expression depth"),
        ("fit > 1 \udc80", "cannot encode"),
        ("sqrt(-1 - fit) > 1", "square root of a negative"),
    ],
)
def test_what_is_no_condition_on_a_row(
    condition: str, says: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        filtered(data, tmp_path, "x", condition)
    assert not (tmp_path / "x").exists()


def test_odd_names_divisions_and_long_conditions(tmp_path: Path) -> None:
    table = {"id": ["a", "b"], "caption": ["x", "y"], "split": ["mine", "other"]}
    table |= {'semi;"colon': [0.0, 2.0], ROW: ["1", "2"]}
    (tmp_path / "raw").mkdir()
    pq.write_table(pa.table(table), tmp_path / "raw" / "t.parquet")
    folder = eg.build(tmp_path / "raw" / "t.parquet", tmp_path, progress=False).folder

    def kept(condition: str) -> list[str]:
        filtered(folder, tmp_path / "out", "x", condition)
        return [*rows(tmp_path / "out" / "x")]

    assert kept('"semi;""colon" > 1 -- it\'s') == ["b"]
    assert kept('0 / "semi;""colon" >= 0') == kept('1 / "semi;""colon" > 0') == ["b"]  # unknown
    assert kept("split = 'mine'") == ["a"]  # a column's values, where there is one
    assert kept("id IN ('b'" + ", 'c'" * 9999 + ")") == ["b"]
    assert len(entries(tmp_path / "out" / "x")["a"]["detail"]) < 500
    with pytest.raises(ConfigError, match="SQL cannot tell id of the row from another"):
        kept(f"\"{ROW}\" = '2'")


def test_on_the_command_line(data: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("build", data, "--where", "fit >= 0", "--out", tmp_path, "--json", "--jobs", 1)
    [told] = json.loads(done.out)
    assert told["where"]["condition"] == "fit >= 0" and told["config"] == f"{data.name}_filtered"
    assert told["where"]["scores"]["fit"]["of"] == ["title:planted", "caption:planted"]
    for more in (["--limit", "3"], ["--raw", "x"], ["--rebuild"], ["--mirror", "http://x"]):
        assert "as they are; leave it out" in cli("build", data, "--where", "fit > 0", *more).err
    assert "give the folder of one build" in cli("build", "--where", "fit > 0").err


def test_from_python_it_is_the_same_build_with_its_card(
    data: Path, cli: Cli, tmp_path: Path
) -> None:
    assert cli("build", data, "--where", "fit >= 0", "--out", tmp_path, "--jobs", 1).code == 0
    again = eg.build(data, tmp_path / "two", where="fit >= 0", jobs=2, progress=False)
    for path in sorted(again.folder.glob("*.parquet")):
        assert path.read_bytes() == (tmp_path / again.folder.name / path.name).read_bytes()
    assert again.load("train").num_rows
    card = again.folder.with_name("README.md").read_text(encoding="utf-8")
    assert f"`{again.manifest.config}` has the rows of `{data.name}` where `fit >= 0`." in card
    assert "\n- fit: title:planted, caption:planted by planted, 0\n" in card
    hostile = "fit >= 0 AND title <> '`<!-- /edge-glass t -->'"
    eg.build(data, tmp_path / "two", name="x", where=hostile, progress=False)
    card = again.folder.with_name("README.md").read_text(encoding="utf-8")
    assert card.count("<!-- /edge-glass t") == 1 and "`fit >= 0 AND title <> '" in card
    for unused in ({"limit": 3}, {"raw": "x"}, {"retry_failed": True}, {"subset": 5}):
        with pytest.raises(ConfigError, match="give only config, out, name and jobs"):
            eg.build(data, tmp_path / "two", where="fit >= 0", progress=False, **unused)


def test_a_card_of_the_users_is_said_before_a_row_is_read(
    data: Path, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(DataError, match=r"README\.md"):
        eg.build(data, tmp_path, name="x", where="fit >= 0")
    arguments = ("audit", data, "--check", "captions", "--out", tmp_path, "--drop-flagged")
    assert "README.md" in cli(*arguments, "--name", "x").err
    assert not (tmp_path / "x").exists()


def test_no_score_is_left_of_a_row_that_is_withdrawn(data: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(data.parent, tmp_path / "all"))
    mine = scores.place(out / data.name, "fit") / "notes.txt"
    mine.write_text("the user's")
    eg.withdraw(out, ids=["row 7"], reason="asked")
    assert mine.is_file() and not [*mine.parent.glob("*.parquet")]
    assert not scores.names(out / data.name)
    with pytest.raises(ConfigError, match="no column or score fit;"):
        filtered(out / data.name, out, "x", "fit > 0")


def test_what_scores_need_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"org/m needs torch, transformers.*\[encoders\]"):
        eg.score(data, "x", model="org/m", column="caption", label="good")
    with pytest.raises(ConfigError, match=r"--head head needs safetensors"):
        eg.score(data, "x", of=["caption"], head="head")
    with pytest.raises(ConfigError, match="or `model`, `column` and `label`"):
        eg.score(data, "x", model="org/m")
