"""Bad input: a row of the ledger with its reason, or one clear error that names the file."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from kit import (
    HORSE,
    HORSE_FILE,
    Cli,
    build_clotho,
    edit,
    encoded,
    entries,
    rows,
    sound,
    tones,
)

from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError

CAPTIONS = "clotho_captions_development.csv"
METADATA = "clotho_metadata_development.csv"


def outcome(folder: Path, name: str = HORSE) -> tuple[str, str]:
    """What the ledger says of a row; the others are all kept, and all are accounted for."""
    found = entries(folder)
    assert {e["outcome"] for i, e in found.items() if i != name} == {"kept"}
    counts = manifest.read(folder).splits
    assert sum(sum(split.outcomes.values()) for split in counts.values()) == len(found)
    assert (name in rows(folder)) == (found[name]["outcome"] == "kept")
    return found[name]["outcome"], found[name]["detail"]


def no_hertz(data: bytes) -> bytes:
    return data[:24] + bytes(4) + data[28:]


# Media


@pytest.mark.parametrize("config", ["clotho", "clotho_16k"])
@pytest.mark.parametrize(
    ("spoil", "reason", "detail"),
    [
        (lambda d: d[:-1001], "truncated_media", "1001 bytes fewer than its header promises"),
        (lambda d: d[:40], "truncated_media", "bytes fewer"),
        (lambda d: b"", "empty_media", "0 bytes"),
        (lambda d: d[:40] + bytes(4), "empty_media", "no samples"),
        (lambda d: b"<html>404 Not Found</html>", "undecodable_media", "begins with b'<html>404"),
        (lambda d: bytes(50_000), "undecodable_media", "begins with b'\\x00"),
        (lambda d: d[:12] + bytes(188) + d[200:], "undecodable_media", ""),
        (no_hertz, "undecodable_media", ""),
    ],
)
def test_damaged_sounds_are_dropped(
    config: str, spoil: Callable[[bytes], bytes], reason: str, detail: str, clotho: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    edit(clotho / HORSE_FILE, spoil)
    found, why = outcome(build_clotho(clotho, tmp_path, config))
    assert found == reason
    assert detail in why


def test_a_file_too_large_to_be_read_is_not_read(clotho: Path, tmp_path: Path) -> None:
    os.truncate(clotho / HORSE_FILE, 2**40)
    assert outcome(build_clotho(clotho, tmp_path))[0] == "oversized_media"


@pytest.mark.parametrize("name", ["a.WAV", "a.wave", "a"])
def test_a_suffix_that_fits_is_not_noted(name: str, clotho: Path, tmp_path: Path) -> None:
    (clotho / HORSE_FILE).rename(clotho / "development" / name)
    for table in (CAPTIONS, METADATA):
        edit(clotho / table, lambda d: d.replace(b" Horse neigh.wav", name.encode()))
    assert outcome(build_clotho(clotho, tmp_path), f"train/{name}") == ("kept", "")


def test_another_kind_of_sound_is_kept_with_a_note(clotho: Path, tmp_path: Path) -> None:
    mp3 = encoded(tones(1.7, 44100, 440), 44100, "MP3", "MPEG_LAYER_III")
    (clotho / HORSE_FILE).write_bytes(mp3)
    folder = build_clotho(clotho, tmp_path)
    assert outcome(folder) == ("kept", "MP3 bytes under the suffix .wav")
    assert rows(folder)[HORSE]["audio"]["bytes"] == mp3
    resampled = build_clotho(clotho, tmp_path, "clotho_16k")
    assert outcome(resampled) == ("kept", "MP3 bytes under the suffix .wav")
    assert rows(resampled)[HORSE]["audio"]["path"] == " Horse neigh.flac"


def written(row: dict[str, dict[str, bytes]], path: Path) -> sf._SoundFileInfo:
    path.write_bytes(row["audio"]["bytes"])
    return sf.info(path)


def test_24_bits_stay_24_bits(clotho: Path, tmp_path: Path) -> None:
    deep = encoded(tones(1.7, 44100, 440), 44100, subtype="PCM_24")
    (clotho / HORSE_FILE).write_bytes(deep)
    folder = build_clotho(clotho, tmp_path)
    assert outcome(folder) == ("kept", "")
    assert rows(folder)[HORSE]["audio"]["bytes"] == deep
    resampled = build_clotho(clotho, tmp_path, "clotho_16k")
    assert outcome(resampled) == ("kept", "")
    info = written(rows(resampled)[HORSE], tmp_path / "a.flac")
    assert (info.format, info.subtype, info.samplerate) == ("FLAC", "PCM_24", 16000)


def test_eight_channels(clotho: Path, tmp_path: Path) -> None:
    wide = encoded(np.stack([tones(1.7, 44100, 440)] * 8, 1), 44100)
    (clotho / HORSE_FILE).write_bytes(wide)
    assert rows(build_clotho(clotho, tmp_path))[HORSE]["audio"]["bytes"] == wide
    mono = build_clotho(clotho, tmp_path, channels=1)
    assert written(rows(mono)[HORSE], tmp_path / "a.flac").channels == 1
    stereo = build_clotho(clotho, tmp_path, channels=2)
    assert outcome(stereo) == ("unsuitable_media", "8 channels cannot become 2")
    nearly = [row for name, row in rows(stereo).items() if name != HORSE]
    assert {written(row, tmp_path / "a.flac").channels for row in nearly} == {2}


def test_a_float_source_is_not_cut_in_silence(clotho: Path, tmp_path: Path) -> None:
    (clotho / HORSE_FILE).write_bytes(encoded(tones(1.7, 44100, 440), 44100, subtype="FLOAT"))
    folder = build_clotho(clotho, tmp_path, "clotho_16k")
    assert outcome(folder) == ("kept", "FLOAT written with 24 bits")
    loud = encoded(tones(1.7, 44100, 440) * 2, 44100, subtype="FLOAT")
    (clotho / HORSE_FILE).write_bytes(loud)
    found, detail = outcome(build_clotho(clotho, tmp_path / "loud", "clotho_16k"))
    assert found == "kept"
    assert "samples beyond full scale clipped; FLOAT written with 24 bits" in detail


# Rows


def test_a_row_without_a_file_and_a_file_without_a_row(clotho: Path, tmp_path: Path) -> None:
    (clotho / HORSE_FILE).rename(clotho / "development" / "Horse neigh.wav")
    found = entries(build_clotho(clotho, tmp_path))
    assert found[HORSE]["outcome"] == "missing_media"
    assert found[HORSE]["detail"] == " Horse neigh.wav is not in clotho_audio_development.7z"
    stray = found["train/Horse neigh.wav"]
    assert (stray["outcome"], stray["source"]) == (
        "missing_caption", "clotho_audio_development.7z"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("caption", "reason", "detail"),
    [
        (b"A horse cries caf\xe9.", "bad_encoding", "byte b'\\xe9' in "),
        (b"", "blank_caption", "caption 3 of 5"),
        (b" \t", "blank_caption", "caption 3 of 5"),
        (b"A horse\0neighs.", "bad_encoding", "byte b'\\x00' in "),
    ],
)
def test_bad_captions(
    caption: bytes, reason: str, detail: str, clotho: Path, tmp_path: Path
) -> None:
    third = b"The loud neigh of a horse starts strong and trails off."
    edit(clotho / CAPTIONS, lambda d: d.replace(third, caption))
    found, why = outcome(build_clotho(clotho, tmp_path))
    assert found == reason
    assert why.startswith(detail)


@pytest.mark.parametrize("record", [b"too,few", b"a,1,2,3,4,5,too many"])
def test_a_malformed_record(record: bytes, clotho: Path, tmp_path: Path) -> None:
    edit(clotho / CAPTIONS, lambda d: d.rstrip() + b"\r\n" + record + b"\r\n")
    reason, detail = outcome(build_clotho(clotho, tmp_path), "train/line 7")
    assert (reason, detail) == (
        "malformed_row",
        f"{record.count(44) + 1} fields where the header has 6",
    )


def test_empty_lines_are_no_rows(clotho: Path, tmp_path: Path) -> None:
    edit(clotho / CAPTIONS, lambda d: d.replace(b"\nCash till", b"\n\nCash till") + b"\r\n\r\n")
    assert outcome(build_clotho(clotho, tmp_path)) == ("kept", "")


def test_a_repeated_row_is_taken_once(clotho: Path, tmp_path: Path) -> None:
    def repeat(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        return b"".join([*lines, lines[1]])

    edit(clotho / CAPTIONS, repeat)
    folder = build_clotho(clotho, tmp_path)
    train = manifest.read(folder).splits["train"]
    assert train.outcomes == {"duplicate_id": 1, "kept": 5}
    assert train.rows == 5


@pytest.mark.parametrize("name", ["../../secret.wav", "a/../../../secret.wav", "/etc/hostname", ""])
def test_names_never_lead_out_of_the_folder(name: str, clotho: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(sound())
    (clotho / "secret.wav").write_bytes(sound())
    record = name.encode() + b",one,two,three,four,five\r\n"
    edit(clotho / CAPTIONS, lambda d: d.rstrip() + b"\r\n" + record)
    reason, detail = outcome(build_clotho(clotho, tmp_path), f"train/{name}")
    assert reason == "malformed_row"
    assert detail == f"{name!r} is no file name inside clotho_audio_development.7z"


def test_a_name_that_is_a_folder(clotho: Path, tmp_path: Path) -> None:
    (clotho / "development" / "inner").mkdir()
    edit(clotho / CAPTIONS, lambda d: d.rstrip() + b"\r\ninner,one,two,three,four,five\r\n")
    assert outcome(build_clotho(clotho, tmp_path), "train/inner")[0] == "missing_media"


# Files: one error that says which, what was found and what to do


def problem(cli: Cli, raw: Path, out: Path, *more: str) -> str:
    result = cli("build", "clotho", "--raw", raw, "--out", out, *more)
    assert result.code == 1
    assert result.out == ""
    assert not (out / "clotho").exists()
    return result.err.lstrip()  # older releases of rich leave empty lines


def test_a_missing_column(clotho: Path, tmp_path: Path, cli: Cli) -> None:
    edit(clotho / CAPTIONS, lambda d: d.replace(b"caption_3", b"Caption3"))
    said = problem(cli, clotho, tmp_path / "out", "--unverified")
    assert said.startswith(f"error: clotho: {clotho / CAPTIONS}: no column caption_3; found file_")
    assert "Is it the file that upstream publishes" in said


def test_an_empty_table(clotho: Path, tmp_path: Path, cli: Cli) -> None:
    (clotho / CAPTIONS).write_bytes(b"")
    said = problem(cli, clotho, tmp_path / "out", "--unverified")
    assert "found an empty file" in said


def test_a_quote_that_does_not_match_costs_its_own_row(clotho: Path, tmp_path: Path) -> None:
    edit(clotho / CAPTIONS, lambda d: d.replace(b'"A horse gives', b'"A horse" gives'))
    edit(clotho / CAPTIONS, lambda d: d.replace(b"Cash till.wav,", b'Cash till.wav,"'))
    out = build_clotho(clotho, tmp_path)
    why = {id: (e["outcome"], e["detail"]) for id, e in entries(out).items()}
    for line in (2, 6):
        bad = why.pop(f"train/line {line}")
        assert bad == ("malformed_row", "7 fields where the header has 6")
    lost = {id for id, (reason, _) in why.items() if reason != "kept"}
    assert lost == {HORSE, "train/Cash till.wav"}  # the files of these rows
    assert len(rows(out)) == len(why) - 2


def test_a_header_that_is_damaged(clotho: Path, tmp_path: Path, cli: Cli) -> None:
    edit(clotho / CAPTIONS, lambda d: d.replace(b"file_name,", b'"file_name" ,'))
    said = problem(cli, clotho, tmp_path / "out", "--unverified")
    assert f'{CAPTIONS}: no column file_name; found "file_name" , caption_1, ' in said


def test_a_changed_file_is_refused_and_taken_if_asked(
    clotho: Path, tmp_path: Path, cli: Cli
) -> None:
    said = problem(cli, clotho, tmp_path / "out")
    assert said.count("error: ") == 6  # all tables at once; nobody can tell of unpacked folders
    assert f"{clotho / CAPTIONS}: md5 is " in said
    assert "upstream publishes d4090b39ce9f2491908eebf4d5b09bae" in said
    assert "--unverified" in said
    sources = manifest.read(build_clotho(clotho, tmp_path)).sources
    published = {source.file: source.as_published for source in sources}
    assert published[CAPTIONS] is False
    assert published["clotho_audio_development.7z"] is None


def test_what_a_raw_folder_lacks_is_told_together(clotho: Path, tmp_path: Path, cli: Cli) -> None:
    (clotho / METADATA).unlink()
    (clotho / CAPTIONS).unlink()
    (clotho / "evaluation").rename(clotho / "evalution")
    said = problem(cli, clotho, tmp_path / "out", "--unverified")
    assert said.count("error: ") == 1
    assert f"clotho: --raw {clotho} lacks" in said
    for name in (METADATA, CAPTIONS, "clotho_audio_evaluation.7z (or the folder evaluation/)"):
        assert f"\n  {name}\n" in said
    assert "--set 'splits=[validation]' would do without" in said
    retry = cli("build", "clotho", "--raw", clotho, "--out", tmp_path / "out", "--unverified",
                "--set", "splits=[validation]", "--name", "rest")  # fmt: skip
    assert retry.code == 0
    assert len(rows(tmp_path / "out" / "rest")) == 3


def test_a_raw_folder_that_is_none(tmp_path: Path, cli: Cli) -> None:
    said = problem(cli, tmp_path / "none", tmp_path / "out")
    assert said == f"error: clotho: --raw {tmp_path / 'none'} is not a folder\n"


def test_errors_of_a_folder_are_of_one_kind(clotho: Path, tmp_path: Path) -> None:
    (clotho / METADATA).write_bytes(b"file_name\n")
    with pytest.raises(EdgeGlassError, match="no column sound_id, sound_link"):
        build_clotho(clotho, tmp_path)
