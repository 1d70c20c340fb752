"""`verify` finds whatever is not as promised, and nothing where all is well."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import soundfile as sf
from forge import Content
from forge import forge as vouched
from kit import HORSE, HORSE_FILE, Cli, Recorded, build_clotho, edit, encoded, tones

from edge_glass.audit.verify import Finding, verify
from edge_glass.core import finished, ledger, manifest

SHARD = "train-00000-of-00001.parquet"
OTHER = "test-00000-of-00001.parquet"
WHERE = f"{SHARD}: train {HORSE}"
Row = dict[str, Any]


@pytest.fixture
def sample(built: Path, tmp_path: Path) -> Path:
    """A folder with one finished build that a test may spoil."""
    shutil.copytree(built / "clotho_sample", tmp_path / "out" / "clotho_sample")
    return tmp_path / "out" / "clotho_sample"


def told(folder: Path) -> list[tuple[str, str]]:
    """Where and what of all errors."""
    found = list(verify(folder))
    assert {finding.kind for finding in found} <= {"error"}
    return [(finding.where, finding.what) for finding in found]


def forge(folder: Path, name: str, change: Callable[[list[Row]], list[Row]]) -> None:
    """Other rows of a shard or the ledger, and digests and counts that vouch for them."""

    def changed(content: Content) -> None:
        if name == ledger.FILE:
            content.entries = change(content.entries)
        else:
            content.shards[name] = change(content.shards[name])

    vouched(folder, changed)


def with_horse(**columns: Any) -> Callable[[list[Row]], list[Row]]:
    """Other values for the first row."""
    return lambda rows: [rows[0] | columns, *rows[1:]]


def test_samples_are_as_promised(built: Path) -> None:
    assert list(verify(built)) == []


@pytest.mark.parametrize("place", [100, -100, 50_000])
def test_a_flipped_bit_of_a_shard(place: int, sample: Path) -> None:
    data = bytearray((sample / SHARD).read_bytes())
    data[place] ^= 1
    (sample / SHARD).write_bytes(data)
    ((where, what),) = told(sample)
    assert where == SHARD
    assert "the manifest says" in what and what.endswith("build again")


def test_files_that_are_missing_or_too_many(sample: Path) -> None:
    (sample / SHARD).rename(sample / "train-00001-of-00002.parquet")
    (sample / ledger.FILE).unlink()
    assert told(sample) == [
        ("train-00001-of-00002.parquet", "is in the folder but not in the manifest: delete it"),
        (SHARD, "is missing: build again"),
        (ledger.FILE, "is missing: build again"),
    ]


def test_a_build_without_its_manifest(built: Path, tmp_path: Path) -> None:
    for name in ("clotho_sample", "again"):
        shutil.copytree(built / "clotho_sample", tmp_path / name)
    (tmp_path / "again" / manifest.FILE).unlink()
    (finding,) = verify(tmp_path)
    assert (finding.kind, finding.config, finding.where) == ("error", "again", "again")
    assert "shards without a manifest.json" in finding.what


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"duration": 9.0}, "audio of 1.700 s where the column duration says 9.000"),
        ({"captions": ["one", " \n"]}, "captions is blank"),
        ({"captions": []}, "captions is blank"),
        ({"audio": {"bytes": b"", "path": "a.wav"}}, "audio does not decode: empty_media 0 bytes"),
        ({"audio": None}, "audio does not decode: empty_media 0 bytes"),
    ],
)
def test_a_row_that_is_not_as_promised(columns: Row, what: str, sample: Path) -> None:
    forge(sample, SHARD, with_horse(**columns))
    assert told(sample) == [(WHERE, what)]


def test_sound_that_is_cut(sample: Path) -> None:
    wav = pq.read_table(sample / SHARD)["audio"][0].as_py()["bytes"]
    forge(sample, SHARD, with_horse(audio={"bytes": wav[:5000], "path": "a.wav"}))
    ((where, what),) = told(sample)
    assert where == WHERE
    assert what.startswith("audio does not decode: truncated_media")


@pytest.mark.parametrize("format", ["flac", "waveform"])
def test_a_rate_that_is_not_the_configs(format: str, clotho: Path, tmp_path: Path) -> None:
    folder = build_clotho(clotho, tmp_path, sample_rate=16000, channels=1, audio_format=format)
    assert list(verify(folder)) == [f for f in verify(folder) if f.kind == "note"]
    other = (
        {"sampling_rate": 8000, "audio": [0.0] * 13602}
        if format == "waveform"
        else {"audio": {"bytes": encoded(tones(1.7002, 8000, 440), 8000), "path": "a.flac"}}
    )
    forge(folder, SHARD, with_horse(**other))
    errors = [f for f in verify(folder) if f.kind == "error"]
    assert [(f.where, f.what) for f in errors] == [
        (WHERE, "8000 Hz where the config promises 16000")
    ]


def test_channels_that_are_not_the_configs(clotho: Path, tmp_path: Path) -> None:
    folder = build_clotho(clotho, tmp_path, channels=2)
    mono = encoded(tones(1.7002, 44100, 440), 44100, "FLAC")
    forge(folder, SHARD, with_horse(audio={"bytes": mono, "path": "a.flac"}))
    errors = [f.what for f in verify(folder) if f.kind == "error"]
    assert errors == ["1 channels where the config promises 2"]


def test_an_id_that_stands_twice(sample: Path) -> None:
    forge(sample, OTHER, with_horse(id=HORSE))
    what = f"the id stands 2 times: train in {SHARD}; test in {OTHER}"
    assert (HORSE, what) in told(sample)


def test_rows_and_columns_that_the_manifest_does_not_know(sample: Path) -> None:
    forge(sample, SHARD, lambda rows: rows)
    made = manifest.read(sample).plain()
    made["splits"]["train"]["shards"][0]["rows"] = 6
    made["features"]["more"] = {"dtype": "string", "_type": "Value"}
    (sample / manifest.FILE).write_text(json.dumps(made))
    found = told(sample)
    assert found[0] == (SHARD, "has 5 rows, the manifest says 6")
    assert "has the columns id, audio" in found[1][1]
    assert OTHER in {where for where, _ in found}


def test_a_ledger_that_does_not_balance(sample: Path) -> None:
    forge(sample, ledger.FILE, lambda rows: rows[:-1])
    assert told(sample) == [
        (
            f"{OTHER}: test test/Air hammer half close.wav",
            "the ledger has no such row that is kept",
        ),
        (ledger.FILE, "test: 2 rows kept, 3 rows published"),
    ]


def test_a_row_that_is_gone_from_a_shard(sample: Path) -> None:
    forge(sample, SHARD, lambda rows: rows[1:])
    assert told(sample) == [
        (f"{ledger.FILE}: train {HORSE}", "is kept, and in no shard"),
        (ledger.FILE, "train: 5 rows kept, 4 rows published"),
    ]


def test_a_split_that_only_the_ledger_knows(sample: Path) -> None:
    forge(sample, ledger.FILE, lambda rows: [*rows, rows[0] | {"split": "dev", "sha256": None}])
    assert (ledger.FILE, "dev has {'kept': 1}, the manifest says {}") in told(sample)


def test_a_sound_that_stands_in_two_splits_is_a_note(
    clotho: Path, tmp_path: Path, cli: Cli
) -> None:
    samples, rate = sf.read(clotho / HORSE_FILE, dtype="float32", always_2d=True)
    sf.write(clotho / "evaluation" / "Ship horn.wav", samples, rate, subtype="PCM_24")
    folder = build_clotho(clotho, tmp_path)
    what = "another split has the same sound, sample for sample: test/Ship horn.wav"
    notes = [f for f in verify(folder) if "rows, upstream publishes" not in f.what]
    assert notes == [Finding("note", "clotho", HORSE, what)]
    assert cli("verify", tmp_path).code == 0


def test_captions_of_one_sound_are_no_second_sound(clotho: Path, tmp_path: Path) -> None:
    folder = build_clotho(clotho, tmp_path, "clotho_each")
    assert not [f for f in verify(folder) if "same" in f.what]


def test_rows_without_sound_have_not_the_same_sound(sample: Path) -> None:
    for shard in (SHARD, OTHER):
        forge(sample, shard, with_horse(audio=None))
    assert len(told(sample)) == 2  # errors both: they have none, and no note of each other


def test_a_fault_is_remembered(clotho: Path, tmp_path: Path) -> None:
    """So that the next build reads all, and writes its manifest anew."""
    folder = build_clotho(clotho, tmp_path)
    files = manifest.read(folder).files()
    edit(folder / SHARD, lambda data: data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])
    assert manifest.FILE not in finished.broken(folder, files)
    assert [f.where for f in verify(folder) if f.kind == "error"] == [SHARD]
    assert manifest.FILE in finished.broken(folder, files)


def test_who_waits_sees_rows_and_faults(sample: Path) -> None:
    seen = Recorded()
    assert list(verify(sample, seen)) == []
    forge(sample, SHARD, lambda rows: [row | {"duration": 9.0} for row in rows[:2]] + rows[2:])
    assert len(list(verify(sample, seen))) == 2
    assert seen.said == [(f"verify {sample.name}", 11, (11, faults)) for faults in (0, 2)]


def test_files_that_upstream_has_in_two_splits_are_a_note(sample: Path) -> None:
    horn = "test/Ship horn.wav"

    def twins(rows: list[Row]) -> list[Row]:
        return [row | {"sha256": "c0ffee" if row["id"] in (HORSE, horn) else None} for row in rows]

    forge(sample, ledger.FILE, twins)
    what = f"upstream has the same bytes in another split: {horn}"
    assert list(verify(sample)) == [Finding("note", "clotho_sample", HORSE, what)]


def test_numbers_of_rows_are_those_that_upstream_publishes(clotho: Path, tmp_path: Path) -> None:
    folder = build_clotho(clotho, tmp_path)
    name = "clotho_captions_development.csv"
    note = Finding("note", "clotho", name, "5 rows, upstream publishes 3839")
    assert note in list(verify(folder))
    made = manifest.read(folder).plain()
    for source in made["sources"]:
        source["as_published"] = True  # as if it were upstream's own file
    (folder / manifest.FILE).write_text(json.dumps(made))
    assert Finding("error", "clotho", name, note.what) in list(verify(folder))


def test_exit_codes_and_json(sample: Path, built: Path, tmp_path: Path, cli: Cli) -> None:
    good = cli("verify", built)
    assert good.code == 0 and "0 errors, 0 notes" in " ".join(good.out.split())
    assert cli("verify", built, "--json").json == []
    forge(sample, SHARD, with_horse(duration=9.0))
    bad = cli("verify", sample, "--json")
    assert bad.code == 1
    assert bad.json == [
        {"kind": "error", "config": "clotho_sample", "where": WHERE,
         "what": "audio of 1.700 s where the column duration says 9.000",
         "check": "other_duration"}
    ]  # fmt: skip
    shown = cli("verify", sample)
    assert shown.code == 1 and "1 errors" in shown.out
    nothing = cli("verify", tmp_path / "nothing")
    assert nothing.code == 1 and "nothing is built here" in nothing.err
