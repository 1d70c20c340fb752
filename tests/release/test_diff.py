"""What `diff` says of two builds."""

import json
import shutil
from pathlib import Path

import planted
import pyarrow.parquet as pq
import pytest
from kit import HORSE, HORSE_FILE, Cli, build_clotho, edit, encoded, tones

from edge_glass.core import manifest, records
from edge_glass.release import diff as module
from edge_glass.release.diff import Difference, diff

CAPTIONS = "clotho_captions_development.csv"
STILL = {"splits": ["train", "test"]}  # the validation split is left out to save time


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = Path(__file__).parents[2] / "samples" / "clotho"
    return build_clotho(raw, tmp_path_factory.mktemp("before"), **STILL)


def only(old: Path, new: Path) -> Difference:
    (found,) = diff(old, new)
    return found


def test_a_build_is_identical_to_the_same_again(
    before: Path, clotho: Path, tmp_path: Path, cli: Cli
) -> None:
    after = build_clotho(clotho, tmp_path, **STILL)
    found = only(before, after)
    assert (found.identical, found.rows, found.inputs) == (True, {}, {})
    shown = cli("diff", before, after)
    assert (shown.code, shown.out) == (0, "clotho_test: byte-identical\n")


@pytest.mark.parametrize("bucket", [50_000, 1])
def test_everything_that_can_change_in_a_row(
    bucket: int, before: Path, clotho: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUCKET", bucket)
    till = "Cash till.wav"
    (clotho / HORSE_FILE).write_bytes(encoded(tones(1.7, 44100, 440), 44100))
    (clotho / "development" / till).rename(clotho / "development" / "New till.wav")
    edit(clotho / CAPTIONS, lambda d: d.replace(b"One sheep calls", b"Some sheep call"))
    (clotho / "evaluation" / "Cow moan.wav").write_bytes(b"")
    found = only(before, build_clotho(clotho, tmp_path, **STILL))
    assert not found.identical
    assert {kind: sorted(ids) for kind, ids in found.ids.items()} == {
        "removed": ["test/Cow moan.wav", f"train/{till}"],
        "changed audio": [HORSE],
        "changed duration": [HORSE],
        "changed captions": ["train/Corner of a sheep field, summer.wav"],
        "kept -> missing_media": [f"train/{till}"],
        "kept -> empty_media": ["test/Cow moan.wav"],
        "absent -> missing_caption": ["train/New till.wav"],
        "ledger bytes": [HORSE],
        "ledger sha256": [HORSE],
    }
    assert {kind: len(ids) for kind, ids in found.ids.items()} == found.rows
    assert sum(found.rows.values()) == 10
    assert list(found.outcomes.items()) == [
        ("kept", [8, 6]), ("empty_media", [0, 1]), ("missing_caption", [0, 1]),
        ("missing_media", [0, 1]),
    ]  # fmt: skip
    sounds = [f"sources.clotho_audio_{part}.7z" for part in ("development", "evaluation")]
    assert sorted(found.inputs) == sorted([*sounds, f"sources.{CAPTIONS}"])


def test_the_same_rows_in_another_order(tmp_path: Path, cli: Cli) -> None:
    data = [{"id": name, "caption": f"of {name}"} for name in "abcd"]
    one = planted.corpus(tmp_path / "one", "some", {"train": data})
    other = planted.corpus(tmp_path / "two", "some", {"train": [data[1], data[0], *data[2:]]})
    found = only(one, other)
    assert not found.identical
    assert {k: v for k, v in found.ids.items() if "ledger" not in k} == {"order": ["b", "a"]}
    shown = cli("diff", one, other)
    assert shown.code == 1 and "order" in shown.out


def test_rows_that_are_added_or_taken_by_the_config(
    before: Path, clotho: Path, tmp_path: Path
) -> None:
    after = build_clotho(clotho, tmp_path, **STILL, subset=6)
    found = only(before, after)
    assert found.rows == {"removed": 2, "kept -> not_in_subset": 2}
    assert found.inputs == {"parameters.subset": [None, 6]}
    assert only(after, before).rows == {"added": 2, "not_in_subset -> kept": 2}


def test_a_repeated_row_is_told_apart_from_the_first(
    before: Path, clotho: Path, tmp_path: Path
) -> None:
    edit(clotho / CAPTIONS, lambda d: d + d.splitlines(keepends=True)[1])
    found = only(before, build_clotho(clotho, tmp_path, **STILL))
    assert found.ids == {"absent -> duplicate_id": [HORSE]}


def test_other_columns_and_other_tools(
    before: Path, clotho: Path, tmp_path: Path, cli: Cli
) -> None:
    after = build_clotho(clotho, tmp_path, **STILL, caption_mode="first")
    found = only(before, after)
    assert found.rows == {"changed captions": 8, "changed caption": 8}
    assert found.inputs["parameters.caption_mode"] == ["all", "first"]
    assert found.inputs["features.captions"][1] is None
    made = manifest.read(before).plain()
    made["made_with"]["soxr"] = "0.1"
    shutil.copytree(before, tmp_path / "other")
    shard = made["splits"]["train"]["shards"][0]
    path = tmp_path / "other" / shard["file"]
    pq.write_table(pq.read_table(path), path, compression="gzip")  # the same rows
    shard |= {"sha256": records.sha256(path), "bytes": path.stat().st_size}
    made["splits"]["train"]["bytes"] = shard["bytes"]
    (tmp_path / "other" / manifest.FILE).write_text(json.dumps(made))
    found = only(tmp_path / "other", before)
    assert (found.identical, found.rows, list(found.inputs)) == (False, {}, ["made_with.soxr"])
    shown = cli("diff", tmp_path / "other", before)
    assert shown.code == 1
    assert shown.out.startswith("other: the rows are equal, the files are not\n")
    assert 'made_with.soxr: "0.1" -> ' in shown.out


def test_long_lists_are_cut_and_counted(
    before: Path, clotho: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHOWN", 2)
    found = only(before, build_clotho(clotho, tmp_path, **STILL, caption_mode="first"))
    assert found.rows["changed caption"] == 8
    assert len(found.ids["changed caption"]) == 2


def test_a_file_of_the_users_is_no_place_for_a_picture_or_a_page(
    in_pieces: Path, tmp_path: Path, cli: Cli
) -> None:
    for option, name in (("--plot", "a.svg"), ("--page", "a.html")):
        mine = tmp_path / name
        mine.write_text("<svg>mine</svg>")
        refused = cli("diff", in_pieces, in_pieces, option, mine)
        assert refused.code == 1 and name in refused.err and "move it away" in refused.err
        assert mine.read_text() == "<svg>mine</svg>"
        mine.unlink()
        for _ in range(2):  # what we wrote is ours to write again
            assert cli("diff", in_pieces, in_pieces, option, mine).code == 0


def test_exit_codes_and_json(
    before: Path, built: Path, clotho: Path, tmp_path: Path, cli: Cli
) -> None:
    after = build_clotho(clotho, tmp_path, **STILL, subset=6)
    shown = cli("diff", before, after)
    assert shown.code == 1
    assert "removed" in shown.out and "kept -> not_in_subset" in shown.out
    assert "parameters.subset: null -> 6" in shown.out
    (found,) = cli("diff", before, after, "--json").json
    assert found["config"] == "clotho_test"
    assert found["rows"] == {"removed": 2, "kept -> not_in_subset": 2}
    assert cli("diff", before, before, "--json").json[0]["identical"] is True
    build_clotho(clotho, tmp_path, "clotho_each")
    alone = cli("diff", tmp_path, built)
    assert alone.code == 1
    assert "do not both have" in alone.err and "clotho_each" in alone.err
    assert f"give {tmp_path}/CONFIG and {built}/CONFIG" in alone.err
