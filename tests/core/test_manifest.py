"""A manifest is believed in nothing: its fields are checked, and its names are no paths."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import datasets
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_glass.core import manifest, names, shard_files
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.manifest import Figures, File, ShardRecord
from edge_glass.media.features import portable
from edge_glass.pipeline.totals import complete


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"id": f"{n}", "caption": f"row {n}"} for n in range(8)]
    splits = {"train": rows[:5], "test": rows[5:]}
    return planted.corpus(tmp_path_factory.mktemp("small"), "small", splits)


def plain(small: Path) -> Any:
    return manifest.read(small).plain()


def test_a_manifest_of_0_1_0_is_read(small: Path) -> None:
    """It called the warnings of a split doubts."""
    text = (small / manifest.FILE).read_text().replace('"warnings":', '"doubts":')
    assert '"doubts":' in text
    made = manifest.parse(text.encode(), "manifest.json")
    assert made == manifest.read(small)
    assert made.seal == sha256(text.encode()).hexdigest()  # of the file as it is, which cards have


def test_the_roles_of_columns_are_written_down(small: Path, tmp_path: Path) -> None:
    found = manifest.read(small)
    assert found.plain()["roles"] == {"id": "id", "caption": "caption"}
    made = json.loads((small / manifest.FILE).read_bytes())
    made.pop("roles", None)  # as earlier releases wrote it
    (tmp_path / manifest.FILE).write_text(json.dumps(made))
    assert manifest.read(tmp_path) == found and found.with_role(ColumnRole.CAPTION) == ["caption"]


def test_what_is_read_is_what_was_written(small: Path) -> None:
    made = json.loads((small / manifest.FILE).read_bytes())
    assert made == plain(small) and made["manifest_version"] == 1
    found = manifest.read(small)
    assert found.rows == found.kept == 8 and not found.differing(found.inputs)
    assert [shard.file for shard in found.files()][-1] == "ledger.parquet"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda m: m.pop("limit"), "limit: "),
        (lambda m: m.pop("manifest_version"), "manifest_version: "),
        (lambda m: m.update(manifest_version=2), "manifest_version: "),
        (lambda m: m["roles"].update(caption="prose"), "roles.caption: "),
        (lambda m: m.update(more=1), "more: "),
        (lambda m: m.update(config="../../x"), r"config: .*'../../x' is no name"),
        (lambda m: m.update(corpus="a/b"), "corpus: "),
        (lambda m: m["splits"].update({"../../pwn": m["splits"]["train"]}), r"splits.*\.\./pwn"),
        (lambda m: m["splits"]["train"]["shards"][0].update(file="/etc/p"), r"shards\.0\.file"),
        (lambda m: m["splits"]["train"]["shards"][0].update(file="a.parquet"), "'a.parquet'"),
        (lambda m: m["splits"]["train"]["shards"][0].update(sha256="0"), r"shards\.0\.sha256"),
        (lambda m: m["splits"]["train"]["shards"].extend(m["splits"]["train"]["shards"]), "same"),
        (lambda m: m["splits"]["train"].update(rows="5"), r"splits\.train\.rows: .*\('5'\)"),
        (lambda m: m["splits"]["train"].update(rows=-1), r"splits\.train\.rows"),
        (lambda m: m["splits"]["train"].pop("figures"), r"splits\.train\.figures"),
        (lambda m: m["ledger"].update(file="train-00000-of-00001.parquet"), "ledger is called"),
    ],
)  # fmt: skip
def test_a_field_that_is_not_as_it_should_be_is_named(
    small: Path, tmp_path: Path, spoil: Any, told: str
) -> None:
    made = plain(small)
    spoil(made)
    (tmp_path / manifest.FILE).write_text(json.dumps(made))
    with pytest.raises(EdgeGlassError, match=told) as error:
        manifest.read(tmp_path)
    assert str(tmp_path / manifest.FILE) in str(error.value)


VALUE = {"dtype": "string", "_type": "Value"}


@pytest.mark.parametrize(
    "feature",
    [
        VALUE | {"dtype": "stRing"}, VALUE | {"dtype": "show_info"}, VALUE | {"_type": "Valte"},
        {"dtypf": "string", "_type": "Value"}, {"dtype": 1, "_type": "Value"},
        {"dtype": "string", "_tipe": "Value"}, {"_type": "Image "}, "string", [], [VALUE, VALUE],
        {"sampling_rate": 0, "_type": "Audio"}, {"names": ["a", "a"], "_type": "ClassLabel"},
        {"names": [1], "_type": "ClassLabel"}, {"feature": {"x": None}, "_type": "Sequence"},
        {"feature": VALUE, "length": "3", "_type": "List"}, {"feature": VALUE, "_type": "Lisp"},
        [{"x": {"y": VALUE | {"dtype": "int7"}}}],
    ],
)  # fmt: skip
def test_a_feature_that_is_none_of_datasets_is_refused(small: Path, feature: Any) -> None:
    made = plain(small)
    made["features"]["odd"] = feature
    with pytest.raises(
        EdgeGlassError, match=r"^m\.json: features: .* odd[^ ]*: .* is (no|an unknown) feature"
    ):
        manifest.parse(json.dumps(made).encode(), "m.json")


def test_a_manifest_without_a_column_id_is_refused(small: Path) -> None:
    made = plain(small)
    made["features"]["ie"] = made["features"].pop("id")
    with pytest.raises(EdgeGlassError, match="there is no column id"):
        manifest.parse(json.dumps(made).encode(), "m.json")


def test_every_feature_that_datasets_knows_is_read(small: Path) -> None:
    kinds = {
        "a": datasets.Audio(16000), "b": datasets.Image(), "c": datasets.Video(),
        "d": datasets.ClassLabel(names=["x", "y"]), "e": [{"f": datasets.Value("float32")}],
        "g": datasets.Sequence({"_type": datasets.Value("timestamp[us, tz=Europe/Berlin]")}),
        "h": datasets.Translation(["de", "en"]), "i": datasets.Value("decimal128(38, 2)"),
        "j": datasets.Sequence(datasets.Value("binary"), length=2),
    }  # fmt: skip
    made = plain(small)
    told = datasets.Features(kinds).to_dict()
    for each in (told, portable(told)):
        made["features"] = {"id": VALUE} | each
        assert manifest.parse(json.dumps(made).encode(), "m.json").features == made["features"]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{", "7", '{"config": 1}', "[" * 9999])
def test_what_is_no_manifest_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / manifest.FILE).write_text(text)
    with pytest.raises(EdgeGlassError, match="build again"):
        manifest.read(tmp_path)


def test_a_ledger_that_lacks_rows_or_has_too_many_does_not_balance(small: Path) -> None:
    found = manifest.read(small)
    found.check_balance({"train": 5, "test": 3})
    for rows in (2, 4):
        with pytest.raises(EdgeGlassError, match=rf"small: test has {rows} .* the ledger 3"):
            found.check_balance({"train": 5, "test": rows})


@pytest.mark.parametrize(
    ("columns", "figures"),
    [
        ({"duration": [1.25, 2.0, None]}, Figures(3.25)),
        ({"license": ["CC0", None, "CC0"]}, Figures(None, {"CC0": 2, "": 1})),
        ({"duration": [0.5], "license": ["CC0"]}, Figures(0.5, {"CC0": 1})),
        ({"duration": pa.array([None], pa.float64())}, Figures(0)),
        ({"id": ["a"]}, Figures()),
    ],
)
def test_figures_of_a_shard(tmp_path: Path, columns: dict[str, Any], figures: Figures) -> None:
    pq.write_table(pa.table(columns), tmp_path / "shard.parquet")
    assert shard_files.shard_figures(tmp_path / "shard.parquet") == figures


def test_a_whole_manifest_is_the_sum_of_its_records(small: Path) -> None:
    found = manifest.read(small)

    def record(number: int, split: str, figures: Figures) -> ShardRecord:
        file = File(number, 10 * number, "0" * 64, f"{split}-{number:05d}-of-00009.parquet")
        outcomes = {"no_label": number, "kept": number}
        return ShardRecord(split, file, outcomes, {"b": 1, "a": number}, figures)

    records = [
        record(1, "train", Figures(1.00004, {"MIT": 1})),
        record(2, "test", Figures(None, {"MIT": 5})),
        record(3, "train", Figures(2.0006, {"CC0": 2, "MIT": 1})),
    ]
    made = complete(found.inputs, records, found.ledger, {"train": 8, "test": None})
    assert list(made.splits) == ["train", "test"] and made.inputs == found.inputs
    train, test = made.splits.values()
    assert (train.rows, train.bytes, train.total, train.kept) == (4, 40, 8, 4)
    assert (train.planned, test.planned) == (8, None)
    assert [shard.rows for shard in train.shards] == [1, 3] and train.dropped == {"no_label": 4}
    assert list(train.outcomes.items()) == [("kept", 4), ("no_label", 4)]
    assert list(train.warnings.items()) == [("a", 4), ("b", 2)]
    assert train.figures == Figures(3.001, {"CC0": 2, "MIT": 2})
    assert list(train.figures.licences) == ["CC0", "MIT"] and test.figures.seconds is None
    assert made.licences() == {"MIT": 7, "CC0": 2} and made.outcomes()["kept"] == 6
    assert not made.heals and (made.rows, made.kept) == (6, 6)


HARD = st.text(max_size=400) | st.text(st.sampled_from("aA.\\/\0 %~:*é\u202e"), max_size=300)


@given(HARD, st.sampled_from(["", ".jpg"]))
def test_any_text_of_a_row_has_a_file_name(value: str, suffix: str) -> None:
    name = names.file_name(value, suffix)
    assert name.isascii() and 0 < len(name) <= names.MAX_BYTES and name.endswith(suffix)
    assert not set(name) & set('/\\\0:*?"<>| ') and name[0] != "." and name[-1] != "."
    assert names.below(Path("/tmp"), name).parent == Path("/tmp")


@given(st.lists(HARD, unique=True, max_size=20))
def test_texts_that_differ_have_files_that_differ_wherever_they_lie(values: list[str]) -> None:
    distinct = names.Distinct()
    assert len({distinct.name(value, ".jpg").lower() for value in values}) == len(values)
    assert len({names.file_name(value) for value in values}) == len(values)


def test_names_that_read_well_stay_as_they_are() -> None:
    assert names.file_name("n01440764_10026", ".JPEG") == "n01440764_10026.JPEG"
    distinct = names.Distinct()
    assert [distinct.name("a"), distinct.name("b")] == ["a", "b"]
    assert distinct.name("A").startswith("A%~")
    with pytest.raises(EdgeGlassError, match="two rows are called 'a'"):
        [distinct.name("a") for _ in range(2)]


@pytest.mark.parametrize("value", ["con", "NUL.jpg", "com1.a.b", "..", ".", "", "a.", ".pth", "\0"])
def test_names_with_a_meaning_of_their_own(value: str) -> None:
    name = names.file_name(value)
    assert name.lower().partition(".")[0] not in names.DEVICES
    assert name not in (".", "..", "") and not name.startswith(".") and not name.endswith(".")


def test_media_suffixes_are_taken_from_no_path() -> None:
    paths = ("a.jpg", "x/a.JPEG", "a", None, "a.j/../p", "a. ")
    suffixes = [".jpg", ".JPEG", ".bin", ".bin", ".bin", ".bin"]
    assert [names.media_suffix(path) for path in paths] == suffixes


def test_nothing_is_written_outside_by_a_name_or_a_link(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    assert names.below(tmp_path / "out", "a", "b") == tmp_path / "out" / "a" / "b"
    for bad in ("../x", "link/x", "/etc/x", "", ".", "a\0"):
        with pytest.raises(EdgeGlassError, match="nothing is written there"):
            names.below(tmp_path / "out", bad)
