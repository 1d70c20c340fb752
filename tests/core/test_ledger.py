"""The ledger: one row for each source row, whatever became of it."""

import json
import pickle
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from kit import HORSE, HORSE_FILE, Cli, build_clotho, edit, entries, rows

from edge_glass.core import ledger, manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import LEFT_OUT, Dropped, Outcome, schema
from edge_glass.core.retries import HEALS
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import build

CAPTIONS = "clotho_captions_development.csv"


@pytest.fixture
def with_drops(clotho: Path, tmp_path: Path) -> Path:
    (clotho / HORSE_FILE).unlink()
    (clotho / "development" / "Cash till.wav").write_bytes(b"")
    edit(clotho / CAPTIONS, lambda d: d.rstrip() + b"\r\nhalf a row\r\n")
    return build_clotho(clotho, tmp_path / "out", splits=["train", "test"])


def test_columns(built: Path) -> None:
    assert pq.read_schema(built / "clotho_sample" / ledger.FILE).names == schema().names == [
        "source", "row", "id", "split", "outcome", "detail", "url", "status", "bytes", "sha256",
        "final_url", "etag", "last_modified", "caption", "text_digests", "media_digests",
        "media",
    ]  # fmt: skip


def test_every_row_of_the_source_is_in_it_once(with_drops: Path) -> None:
    found = list(ledger.read(with_drops / ledger.FILE))
    assert [row["id"] for row in found] == [
        HORSE,
        "train/Corner of a sheep field, summer.wav",
        "train/L&#39;ascenseur - Elevator.wav",
        "train/Running water_1-2.wav",
        "train/Cash till.wav",
        "train/line 7",
        "test/Cow moan.wav",
        "test/Ship horn.wav",
        "test/Air hammer half close.wav",
    ]
    assert {(row["source"], row["split"]) for row in found} == {
        (CAPTIONS, "train"), ("clotho_captions_evaluation.csv", "test")
    }  # fmt: skip
    assert {row["id"] for row in found if row["outcome"] == "kept"} == rows(with_drops).keys()
    counts = {split: facts.outcomes for split, facts in manifest.read(with_drops).splits.items()}
    assert counts == ledger.count(with_drops / ledger.FILE) == {
        "train": {"empty_media": 1, "kept": 3, "malformed_row": 1, "missing_media": 1},
        "test": {"kept": 3},
    }  # fmt: skip


def test_a_row_tells_what_was_read(with_drops: Path, built: Path) -> None:
    found = entries(with_drops)
    assert (found[HORSE]["bytes"], found[HORSE]["sha256"]) == (None, None)
    cow = found["test/Cow moan.wav"]
    assert (cow["row"], cow["bytes"], len(cow["sha256"])) == ("Cow moan.wav", 111046, 64)
    assert found["train/line 7"]["row"] == "line 7"
    of_two = list(ledger.read(with_drops / ledger.FILE, ["id", "bytes"]))  # no others are read
    assert of_two == [{"id": row["id"], "bytes": row["bytes"]} for row in found.values()]


def test_no_example_leaves_a_row_that_is_dropped_half_way(clotho: Path, tmp_path: Path) -> None:
    third = b"The loud neigh of a horse starts strong and trails off."
    edit(clotho / CAPTIONS, lambda d: d.replace(third, b" "))
    folder = build_clotho(clotho, tmp_path, "clotho_each")
    assert entries(folder)[HORSE]["outcome"] == "blank_caption"
    assert not [name for name in rows(folder) if name.startswith(HORSE)]


def test_the_command_counts_and_lists(with_drops: Path, cli: Cli) -> None:
    out = with_drops.parent
    shown = cli("ledger", out)
    assert shown.code == 0
    for word in ("empty_media", "malformed_row", "missing_media", "Horse neigh.wav", "line 7"):
        assert word in shown.out
    only = cli("ledger", out, "--reason", "missing_media", "--json")
    (row,) = map(json.loads, only.out.splitlines())
    assert (row["config"], row["id"], row["outcome"]) == ("clotho_test", HORSE, "missing_media")
    assert row.keys() == {"config", *schema().names}
    dropped = cli("ledger", out, "--json")
    assert [json.loads(line)["outcome"] for line in dropped.out.splitlines()] == [
        "missing_media", "empty_media", "malformed_row"
    ]  # fmt: skip
    kept = cli("ledger", out, "--reason", "kept", "--json")
    assert len(kept.out.splitlines()) == 6
    none = cli("ledger", out, "--reason", "no_audio").out
    assert "has the outcome no_audio" in " ".join(none.split())
    assert "has the outcome" not in cli("ledger", out, "--reason", "missing_media").out
    wrong = cli("ledger", out, "--reason", "missing")
    assert wrong.code == 1
    assert wrong.err.startswith("error: no outcome missing; there are kept, not_in_subset, ")


OUTCOMES = """
kept not_in_subset beyond_limit not_in_config duplicate_id duplicate missing_column blank_field
damaged_file malformed_row bad_encoding blank_caption corrupt_caption missing_caption no_label
missing_media empty_media truncated_media undecodable_media oversized_media unsuitable_media
no_audio wrong_duration private removed age_gate bot_check geo_blocked network_error timed_out
bad_url private_address host_not_found tls_error redirected_too_often forbidden rate_limited
server_error bad_answer other_bytes wrong_kind robots_txt x_robots_tag content_usage
data_mining training_mining tdm_reserved licence too_small no_class several_classes wrong_aspect
wrong_language no_keyword too_short too_few_slides blank_slide near_duplicate placeholder
unanswerable needs_no_slide withdrawn replaced flagged filtered
"""


def test_outcomes_are_a_closed_list() -> None:
    """Ledgers that are published speak in these words: none is taken away."""
    assert [outcome.value for outcome in Outcome] == OUTCOMES.split()
    healing = "network_error timed_out host_not_found rate_limited server_error"
    assert set(healing.split()) == HEALS  # what --retry-failed tries again
    assert {"not_in_subset", "beyond_limit", "not_in_config"} == LEFT_OUT
    assert Dropped(Outcome("no_label"), "why").outcome is Outcome.NO_LABEL
    with pytest.raises(ValueError, match="'bad_luck' is not a valid Outcome"):
        Dropped("bad_luck")  # type: ignore[arg-type]


def test_a_reason_comes_whole_out_of_another_process() -> None:
    for drop in (Dropped(Outcome.NO_LABEL, "why"), Dropped(Outcome.KEPT)):
        copy = pickle.loads(pickle.dumps(drop))
        assert (copy.outcome, copy.detail) == (drop.outcome, drop.detail) == drop.args
    assert drop.detail == ""


def test_nothing_kept_is_an_error_that_counts_why(tmp_path: Path) -> None:
    ledger.check_kept("x", {"kept": 1, "no_label": 2}, tmp_path)
    for outcomes, said in (
        ({"no_label": 2000, "no_audio": 1}, "2,000 no_label, 1 no_audio. "),
        ({"kept": 0}, "0 kept. "),
        ({}, "there is none. "),
    ):
        with pytest.raises(EdgeGlassError) as error:
            ledger.check_kept("x", outcomes, tmp_path)
        assert str(error.value).startswith(
            f"x: no row is kept: {said}{tmp_path} has the reason for each"
        )


def test_a_builder_cannot_invent_an_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drop(*_: object) -> None:
        raise Dropped("bad_luck")  # type: ignore[arg-type]

    monkeypatch.setattr(catalog.corpus("clotho"), "all_examples", drop)
    with pytest.raises(ValueError, match="bad_luck"):
        build(catalog.variant("clotho_sample"), tmp_path)
    assert not (tmp_path / "clotho_sample").exists()


@pytest.mark.parametrize(
    ("detail", "kinds"),
    [
        ("", []),
        ("blank: 3 of 8 frames; frozen: no two of 8 frames differ", ["blank", "frozen"]),
        ("sound of 9.50 s under a picture of 10.00 s", ["sound of n s under a picture of n s"]),
        ("silent: peak -72 dB; 12 samples beyond full scale clipped",
         ["silent", "n samples beyond full scale clipped"]),
        ("x" * 81, ["x" * 80]),
    ],
)  # fmt: skip
def test_notes_of_kept_rows_have_kinds(detail: str, kinds: list[str]) -> None:
    assert list(ledger.warnings(detail)) == kinds


def test_the_card_counts_what_is_noted_on_kept_rows(built: Path) -> None:
    made = manifest.read(built / "clotho_sample").splits["train"]
    assert made.warnings == {"start_end_samples is empty": 1}
    card = (built / "README.md").read_text()
    assert "| clotho_sample | train | start_end_samples is empty | 1 |" in card
