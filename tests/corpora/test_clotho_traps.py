"""What Clotho's own files hold that a careless reader gets wrong."""

from pathlib import Path

import numpy as np
import pytest
from kit import HORSE, HORSE_FILE, ROOT, build_clotho, edit, encoded, entries, rows

SAMPLES = ROOT / "samples" / "clotho"


@pytest.fixture(scope="module")
def as_shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_clotho(SAMPLES, tmp_path_factory.mktemp("traps"))


def test_metadata_is_latin_1_and_captions_are_utf_8(as_shipped: Path) -> None:
    found = rows(as_shipped)
    assert "élévateur" in found["train/L&#39;ascenseur - Elevator.wav"]["keywords"]
    assert "écoulement" in found["validation/Running water_1-2.wav"]["keywords"]
    assert "as in a small café" in found["train/Cash till.wav"]["captions"][1]


def test_a_byte_that_is_no_utf_8_is_a_letter_in_metadata(clotho: Path, tmp_path: Path) -> None:
    edit(
        clotho / "clotho_metadata_development.csv",
        lambda d: d.replace(b",dobroide,", b",Doctor \xc1lvarez,"),
    )
    assert rows(build_clotho(clotho, tmp_path))[HORSE]["manufacturer"] == "Doctor Álvarez"


@pytest.mark.parametrize(
    "name",
    [
        "train/ Horse neigh.wav",
        "train/L&#39;ascenseur - Elevator.wav",
        "train/Corner of a sheep field, summer.wav",
        "validation/Railroad crossing bell #1.wav",
    ],
)
def test_names_are_kept_to_the_letter(name: str, as_shipped: Path) -> None:
    row = rows(as_shipped)[name]
    split, file = name.split("/")
    part = {"train": "development", "validation": "validation"}[split]
    assert row["audio"] == {"bytes": (SAMPLES / part / file).read_bytes(), "path": file}
    assert row["sound_id"] is not None
    assert entries(as_shipped)[name]["outcome"] == "kept"


def test_a_name_in_two_splits_is_two_rows(as_shipped: Path) -> None:
    found, name = rows(as_shipped), "Running water_1-2.wav"
    train, validation = found[f"train/{name}"], found[f"validation/{name}"]
    assert train["audio"]["bytes"] != validation["audio"]["bytes"]
    assert train["captions"] != validation["captions"]
    assert (train["start_end_samples"], validation["start_end_samples"]) == (
        "[4410, 61741]", "[79380, 132743]"
    )  # fmt: skip


def test_a_sound_id_is_a_string_that_can_be_not_found(as_shipped: Path) -> None:
    found = rows(as_shipped)
    assert found[HORSE]["sound_id"] == "18229"
    lost = found["train/L&#39;ascenseur - Elevator.wav"]
    assert (lost["sound_id"], lost["sound_link"]) == ("Not found", "Not found")


def test_empty_start_end_samples_stay_empty_and_are_noted(as_shipped: Path) -> None:
    assert rows(as_shipped)["train/Cash till.wav"]["start_end_samples"] == ""
    assert entries(as_shipped)["train/Cash till.wav"]["detail"] == "start_end_samples is empty"
    assert entries(as_shipped)[HORSE]["detail"] == ""


def test_a_clip_of_another_length_is_kept_and_noted(clotho: Path, tmp_path: Path) -> None:
    (clotho / HORSE_FILE).write_bytes(encoded(np.zeros(66150), 44100))
    folder = build_clotho(clotho, tmp_path)
    assert rows(folder)[HORSE]["duration"] == 1.5
    entry = entries(folder)[HORSE]
    assert (entry["outcome"], entry["detail"]) == ("kept", "start_end_samples promises 1.70 s")


@pytest.mark.parametrize("value", ["[1024, 76005", "[1]", "7", '{""a"": 1}', f"[0, 1{'0' * 400}]"])
def test_odd_start_end_samples_are_kept_and_noted(value: str, clotho: Path, tmp_path: Path) -> None:
    edit(
        clotho / "clotho_metadata_development.csv",
        lambda d: d.replace(b"[1024, 76005]", value.encode()),
    )
    entry = entries(build_clotho(clotho, tmp_path, splits=["train"]))[HORSE]
    assert entry["outcome"] == "kept"
    assert entry["detail"].startswith("start_end_samples is ")


def test_dcase_metadata_has_semicolons_and_no_captions(tmp_path: Path) -> None:
    folder = build_clotho(SAMPLES, tmp_path, "clotho_dcase_test")
    row = rows(folder)["test/In the smithy.wav"]
    assert (row["sound_id"], row["manufacturer"]) == ("19027", "l0calh05t")
    assert not {"captions", "caption", "keywords"} & row.keys()
    assert [e["outcome"] for e in entries(folder).values()] == ["kept", "kept"]


def test_durations_are_those_of_the_clips(as_shipped: Path) -> None:
    for row in rows(as_shipped).values():
        seconds = (len(row["audio"]["bytes"]) - 44) / 2 / 44100
        assert row["duration"] == pytest.approx(seconds, abs=1e-5)
