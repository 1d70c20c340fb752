"""What `verify` says of builds that are wrong in less common ways, and of odd ones that are not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forge import Content, forge, seal
from kit import HORSE, build_in_pieces, edit

from edge_glass.audit import checked_build, checks_ledger
from edge_glass.audit.verify import verify
from edge_glass.core import ledger, manifest
from edge_glass.release import card, checks_papers, citation, croissant

SHARD = "train-00000-of-00001.parquet"
TEST = "test-00000-of-00001.parquet"


@pytest.fixture
def sample(built: Path, tmp_path: Path) -> Path:
    """A folder with one finished build that a test may spoil."""
    return Path(shutil.copytree(built / "clotho_sample", tmp_path / "out" / "clotho_sample"))


def found(folder: Path) -> list[tuple[str, str, str]]:
    return [(f.check, f.where, f.what) for f in verify(folder)]


def spoil_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    made = manifest.read(folder).plain()
    change(made)
    (folder / manifest.FILE).write_text(json.dumps(made))


# Files


def test_a_column_of_another_type(sample: Path) -> None:
    table = pq.read_table(sample / TEST)
    ids = table["id"].cast(pa.large_string())
    pq.write_table(table.set_column(0, pa.field("id", ids.type), ids), sample / TEST)
    seal(sample, manifest.read(sample).plain())
    what = "column id is large_string, promised is string: build again"
    assert found(sample) == [("other_columns", TEST, what)]


def test_a_shard_without_the_metadata_that_datasets_reads(sample: Path) -> None:
    pq.write_table(pq.read_table(sample / TEST).replace_schema_metadata(None), sample / TEST)
    seal(sample, manifest.read(sample).plain())
    assert [(check, where) for check, where, _ in found(sample)] == [("other_columns", TEST)]


@pytest.mark.parametrize(("fewer", "faults"), [(1, 0), (2, 1), (3, 0)])
def test_a_ledger_of_an_earlier_release_has_fewer_columns(
    fewer: int, faults: int, sample: Path
) -> None:
    entries = pq.read_table(sample / ledger.FILE)
    pq.write_table(entries.select(entries.column_names[:-fewer]), sample / ledger.FILE)
    seal(sample, manifest.read(sample).plain())
    assert [check for check, *_ in found(sample)] == ["other_columns"] * faults


def test_rows_and_names_of_shards_that_do_not_add_up(sample: Path) -> None:
    (sample / TEST).rename(sample / "test-00000-of-00002.parquet")

    def change(made: dict[str, Any]) -> None:
        made["splits"]["test"]["shards"][0]["file"] = "test-00000-of-00002.parquet"
        made["splits"]["test"]["rows"] = 7

    spoil_manifest(sample, change)
    assert [(where, what) for check, where, what in found(sample) if check == "other_sums"] == [
        ("test", "the manifest says 7 rows, its shards 3"),
        ("test", f"its shards are not {TEST} to {TEST}"),
    ]


def test_a_damaged_shard_is_passed_over_and_all_others_are_read(tmp_path: Path) -> None:
    """Its source rows gave one, two or three examples each."""
    folder = build_in_pieces("cc12m_cls_sample", tmp_path, 20_000)
    assert not [finding for finding in verify(folder) if finding.kind == "error"]
    shards = [shard.file for shard in manifest.read(folder).shards()]
    assert len(shards) > 2
    edit(folder / shards[1], lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:])
    errors = [finding for finding in verify(folder) if finding.kind == "error"]
    assert [(f.check, f.where) for f in errors] == [("damaged_file", shards[1])]


# The ledger, read in stretches


@pytest.fixture(params=[1, 2])
def stretch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So few rows of the ledger are in memory, and so many are named, instead of 1,000."""
    monkeypatch.setattr(checked_build, "AHEAD", request.param)
    for module in (checked_build, checks_ledger):
        monkeypatch.setattr(module, "MOST", request.param)
    return int(request.param)


def test_a_ledger_is_read_in_stretches(stretch: int, sample: Path, built: Path) -> None:
    assert found(sample) == found(built / "cc12m_cls_sample") == []

    def change(build: Content) -> None:
        build.shards[SHARD] = build.shards[SHARD][:1]

    forge(sample, change, digests=False)
    unpaired = [(where, what) for check, where, what in found(sample) if check == "unpaired_row"]
    assert len(unpaired) == stretch + 1
    kinds = {"is kept, and in no shard", "the ledger has no such row that is kept"}
    assert {what for _, what in unpaired[:-1]} <= kinds
    assert unpaired[-1][0] == ledger.FILE and unpaired[-1][1].startswith(f"{stretch} rows")


def test_a_row_that_is_missing_hides_none_after_it(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_build, "AHEAD", 2)
    forge(sample, lambda build: build.shards[SHARD].pop(1), digests=False)
    where = f"{ledger.FILE}: train train/Corner of a sheep field, summer.wav"
    (row, count) = found(sample)
    assert row == ("unpaired_row", where, "is kept, and in no shard")
    assert count[0] == "other_kept"


def test_of_rows_without_all_their_examples_so_many_are_named(
    stretch: int, built: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(built / "cc12m_cls_sample", tmp_path / "cc12m_cls_sample"))

    def change(build: Content) -> None:  # each has digests of four more than it gave
        for entry in build.entries:
            entry["text_digests"] = (entry["text_digests"] or []) + ["x"] * 4

    forge(folder, change, digests=False)
    assert [check for check, _, _ in found(folder)].count("missing_examples") == stretch


def test_rows_that_only_few_are_named_of(stretch: int, sample: Path) -> None:
    def change(build: Content) -> None:
        for row, entry in zip(build.shards[SHARD], build.entries, strict=False):
            row["id"] = entry["id"] = HORSE
            entry["row"] = "1"

    forge(sample, change)
    checks = [check for check, _, _ in found(sample)]
    assert checks.count("repeated_id") == 1 and checks.count("repeated_source_row") == 4


def test_seconds_are_right_to_a_thousandth(sample: Path) -> None:
    seconds = manifest.read(sample).splits["test"].figures.seconds or 0
    for more, wrong in ((0.0015, []), (-0.0015, []), (0.003, ["other_seconds"])):
        figures = {"seconds": seconds + more}
        spoil_manifest(sample, lambda made: made["splits"]["test"]["figures"].update(figures))  # noqa: B023
        assert [check for check, _, _ in found(sample)] == wrong


def test_an_example_has_the_id_of_its_source_row() -> None:
    ids = {"a#1": "a", "a#b#12": "a#b", "a#b": "a#b", "a1": "a1", "a#": "a#", "12": "12"}
    assert {id: checks_ledger._source_id(id) for id in ids} == ids


# What is said of builds beside them


@pytest.fixture
def release(sample: Path) -> Path:
    """A folder of one build as it is on the Hub."""
    card.write(sample.parent)
    about = ([manifest.read(sample)], "https://x.org/datasets/o/n", "v1.0.0", None)
    (sample.parent / croissant.FILE).write_text(croissant.render(*about))
    (sample.parent / citation.FILE).write_text(citation.render(*about))
    return sample.parent


def said(out: Path) -> list[tuple[str, str, str]]:
    return [(f.kind, f.check, f.where) for f in checks_papers.verify(out)]


def test_papers_that_are_missing(release: Path) -> None:
    (release / citation.FILE).rename(release / "away")
    assert said(release) == [("error", "outdated_citation", citation.FILE)]
    (release / croissant.FILE).unlink()
    assert said(release) == []  # a release has both, or none
    (release / "away").rename(release / citation.FILE)
    assert said(release) == [("error", "outdated_citation", croissant.FILE)]
    for text in ("[]", "{}", '{"url": "x"}', "no JSON"):
        (release / croissant.FILE).write_text(text)
        assert [check for _, check, _ in said(release)] == [
            "outdated_croissant",
            "outdated_citation",
        ]


def test_a_card_without_a_seal(release: Path) -> None:
    made = manifest.read(release / "clotho_sample")
    edit(
        release / card.FILE,
        lambda text: text.replace(b"clotho_sample: " + made.seal.encode(), b"x: y"),
    )
    kinds = said(release)
    assert ("error", "unsealed_manifest", card.FILE) in kinds


def test_a_card_of_a_config_that_is_gone(release: Path, built: Path) -> None:
    shutil.copytree(built / "mm_imdb_sample", release / "mm_imdb_sample")
    for name in (croissant.FILE, citation.FILE):
        (release / name).unlink()
    card.write(release)
    assert said(release) == []
    shutil.rmtree(release / "mm_imdb_sample")
    assert ("error", "outdated_card", card.FILE) in said(release)


def test_what_another_release_of_ours_wrote_is_a_note(release: Path) -> None:
    def change(made: dict[str, Any]) -> None:
        made["made_with"]["edge_glass"] = "0.0.1"

    spoil_manifest(release / "clotho_sample", change)
    card.write(release)
    edit(release / card.FILE, lambda text: text.replace(b"| 5 | 0:00:07 |", b"| 6 | 0:00:07 |"))
    assert ("note", "outdated_card", card.FILE) in said(release)
    assert "error" not in {kind for kind, _, _ in said(release)}


def test_a_readme_that_is_no_text(release: Path) -> None:
    edit(release / card.FILE, lambda text: text.replace(b"Clotho", b"Clo\xfftho", 1))
    assert said(release) == [("error", "outdated_card", card.FILE)]
