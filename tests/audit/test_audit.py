"""Audits find what was planted, and nothing in what was not."""

import io
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from hub import Hub
from kit import ROOT, Cli, rows
from PIL import Image
from releases import REPO, SAMPLE, push

from edge_glass.audit import audits
from edge_glass.audit.audits import Options, audit
from edge_glass.core import extras, locations, parquet, records
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Dropped
from edge_glass.media import images


def decodes(path: Path) -> bool:
    with suppress(Dropped):  # some are there to be dropped
        return bool(images.check(path.read_bytes()))
    return False


SOUNDS = sorted((ROOT / "samples" / "clotho").glob("*/*.wav"))
FILMS = sorted((ROOT / "samples" / "valor" / "videos").glob("*.mp4"))
IMAGES = [
    path
    for pattern in ("mm_imdb/**/*.jp*g", "imagenet_captions/**/*.JPEG")
    for path in sorted((ROOT / "samples").glob(pattern))
    if decodes(path)
]


def found(out: Path, config: str) -> list[dict[str, Any]]:
    made = audits.read(out, config)
    assert made is not None
    folder = out / audits.FOLDER / config
    return [row for group in made.groups.values() for row in parquet.rows(folder / group.file)]


def pairs(out: Path, config: str, check: str) -> set[tuple[str, str, str]]:
    """Ids that a check flagged, where the other row stands, and its id."""
    return {
        (row["id"], row["scope"], row["other_id"])
        for row in found(out, config)
        if row["check"] == check
    }


def heard() -> dict[str, tuple[np.ndarray, int]]:
    sounds = {}
    for path in SOUNDS:
        samples, rate = sf.read(path, dtype="float32", always_2d=True)
        sounds[path.stem] = samples.mean(axis=1), rate
    return sounds


def test_sounds_that_are_alike(tmp_path: Path) -> None:
    sounds = heard()
    names = list(sounds)
    train = [{"id": name, "audio": planted.wav(*sound)} for name, sound in sounds.items()]
    changes = [planted.softer, planted.slower, planted.mp3, planted.cut]
    again = [
        {"id": f"{change.__name__} {name}", "audio": change(*sounds[name])}
        for name, change in zip(names, changes, strict=False)
    ]
    flac = {"id": "same", "audio": planted.wav(*sounds[names[5]])}
    folder = planted.corpus(
        tmp_path, "sounds", {"train": [*train, *again[:2], flac], "test": again[2:]}
    )
    audit(folder, tmp_path, Options(("duplicates",)))
    assert pairs(tmp_path, "sounds", "like_sound") == {
        (f"softer {names[0]}", "split", names[0]),
        (f"slower {names[1]}", "split", names[1]),
        (names[2], "splits", f"mp3 {names[2]}"),  # training data gives way to the test split
        (names[3], "splits", f"cut {names[3]}"),
    }
    assert pairs(tmp_path, "sounds", "same_bytes") == {("same", "split", names[5])}


def test_images_that_are_alike(tmp_path: Path) -> None:
    pictures = {path.stem: Image.open(path).convert("RGB") for path in IMAGES}
    names = list(pictures)
    assert len(names) > 8
    changes = [planted.coarse, planted.small, planted.cropped, planted.bright]
    train = [{"id": name, "image": planted.jpeg(image)} for name, image in pictures.items()]
    again = [
        {"id": f"{change.__name__} {name}", "image": change(pictures[name])}
        for name, change in zip(names, changes, strict=False)
    ]
    one = planted.corpus(tmp_path, "one", {"train": train})
    other = planted.corpus(tmp_path, "other", {"train": again})
    audit(one, tmp_path, Options(("duplicates",)), [other])
    alone = {pair for pair in pairs(tmp_path, "one", "like_image") if pair[1] == "corpora"}
    assert alone == {
        (name, "corpora", f"{change.__name__} {name}")
        for name, change in zip(names, changes, strict=False)
    }
    [row, *_] = [row for row in found(tmp_path, "one") if row["scope"] == "corpora"]
    assert (row["other_config"], row["other_split"]) == ("other", "train")
    assert row["score"] <= row["threshold"]


LONG = "the {} dog runs along the wet beach after a red ball while its owner waves from the pier"


def test_captions_that_are_alike(tmp_path: Path) -> None:
    texts = {"a": LONG.format("small"), "b": "Two people talk while rain falls on a tin roof."}
    texts |= {"near": f"{LONG.format('small')}!!", "far": "A tram brakes; doors open with a hiss."}
    train = [{"id": id, "captions": [text, text]} for id, text in texts.items()]
    test = [{"id": "leak", "captions": [LONG.format("small ")]}]
    folder = planted.corpus(tmp_path, "texts", {"train": train, "test": test}, shards=2)
    audit(folder, tmp_path, Options(("duplicates",)))
    assert pairs(tmp_path, "texts", "like_caption") == {
        ("near", "split", "a"), ("a", "splits", "leak"), ("near", "splits", "leak"),
    }  # fmt: skip
    # nobody asked in which language they are, which takes ten times as long
    assert {path.name.partition("-")[0] for path in tmp_path.rglob("traces/*")} == {
        "media",
        "texts",
    }


def test_rows_of_one_source_row_are_no_duplicates(built: Path, tmp_path: Path) -> None:
    folder = built / "yfcc15m_cls_sample"
    audit(folder, tmp_path, Options(("duplicates",)))
    assert found(tmp_path, "yfcc15m_cls_sample") == []


def test_signals(tmp_path: Path) -> None:
    sounds = heard()
    good = [{"id": name, "audio": planted.wav(*sound)} for name, sound in sounds.items()]
    sound = sounds["Ship horn"]
    bad = [
        {"id": change.__name__, "audio": change(*sound)}
        for change in (planted.silent, planted.clipped, planted.shifted)
    ]
    faint = {"id": "faint", "audio": planted.wav(sound[0] * 0.01, sound[1], "FLAC")}
    folder = planted.corpus(tmp_path, "sounds", {"train": [*good, *bad, faint]})
    audit(folder, tmp_path, Options(("signals",)))
    assert {(row["check"], row["id"]) for row in found(tmp_path, "sounds")} == {
        ("silence", "silent"), ("clipping", "clipped"), ("dc_offset", "shifted"),
        ("loudness", "faint"),
    }  # fmt: skip


def test_images_that_show_nothing(tmp_path: Path) -> None:
    good = [{"id": path.stem, "image": path.read_bytes()} for path in IMAGES]
    blank = Image.new("RGB", (300, 200), (90, 90, 92))
    tiny = Image.open(IMAGES[0]).resize((40, 60))
    bad = [
        {"id": "blank", "image": planted.jpeg(blank)},
        {"id": "tiny", "image": planted.jpeg(tiny)},
    ]
    folder = planted.corpus(tmp_path, "images", {"train": [*good, *bad]})
    audit(folder, tmp_path, Options(("signals",)))
    assert {(row["check"], row["id"]) for row in found(tmp_path, "images")} == {
        ("blank_image", "blank"), ("tiny_image", "tiny"),
    }  # fmt: skip


def test_films_that_stand_still(tmp_path: Path) -> None:
    films = {path.stem: planted.frames(path.read_bytes()) for path in FILMS}
    assert len(films) > 3
    good = [{"id": name, "image_jpegs": frames} for name, frames in films.items()]
    first, *_, last = films.values()
    bad = {
        "one frame": first[:1] * 8,
        "grain": planted.frozen(last[3]),
        "screen": planted.frozen(planted.jpeg(Image.new("RGB", (320, 180))), 0),
    }
    # nothing is known of one frame, and a film that stands still but for its end has moved
    fine = {"alone": first[:1], "none": [], "at its end": [*first[:1] * 7, last[0]]}
    more = [{"id": id, "image_jpegs": frames} for id, frames in (bad | fine).items()]
    folder = planted.corpus(tmp_path, "films", {"train": [*good, *more]})
    audit(folder, tmp_path, Options(("signals",)))
    told = {(row["check"], row["id"]) for row in found(tmp_path, "films")}
    assert told == {("frozen_frames", id) for id in bad} | {("blank_image", "screen")}


def test_a_whole_video_that_stands_still(tmp_path: Path) -> None:
    picture = np.asarray(Image.open(io.BytesIO(planted.frames(FILMS[0].read_bytes())[3])))
    still = {"id": "still", "video": planted.movie([picture] * 20)}
    films = [{"id": path.stem, "video": path.read_bytes()} for path in FILMS]
    folder = planted.corpus(tmp_path, "films", {"train": [*films, still]})
    audit(folder, tmp_path, Options(("signals",)))
    told = {(row["check"], row["id"]) for row in found(tmp_path, "films")}
    assert told == {("frozen_frames", "still")}


def test_odd_captions(built: Path, tmp_path: Path) -> None:
    good = [
        {"id": f"good {id} {n}", "caption": caption}
        for id, row in rows(built / SAMPLE).items()
        for n, caption in enumerate(row["captions"])
    ]
    bad = {
        "language": "Un perro grande corre por la playa detrás de una pelota roja.",
        "short_caption": "dog",
        "encoding": "A cafÃ© on a corner with chairs outside in the sun.",
        "email": "Prints of this bridge: write to jane.doe@example.org for the price list.",
        "phone": "The house is for sale, call +1 650-253-0000 for a visit in the evening.",
        "long_caption": "a field of many flowers " * 30,
    }
    rows_ = [*good, *({"id": id, "caption": text} for id, text in bad.items())]
    folder = planted.corpus(tmp_path, "texts", {"train": rows_})
    audit(folder, tmp_path, Options(("captions",), ["en"]))
    told = {(row["check"], row["id"]) for row in found(tmp_path, "texts")}
    assert told == {(check, check) for check in bad}
    made = audits.read(tmp_path, "texts")
    assert made and made.groups["captions"].figures["languages"]["en"] >= len(good)


def test_captions_that_nobody_wrote_for_one_row(tmp_path: Path) -> None:
    things = [f"{a}{b}" for a in "bdfgklmn" for b in ("ata", "ole", "ini", "uru", "esse")]
    plate = [
        {"id": f"plate {n}", "caption": f"Stock photo of {thing}, click here to see the full size"}
        for n, thing in enumerate(things[:12])
    ]
    same = [{"id": f"same {n}", "caption": "A photo without any title"} for n in range(6)]
    good = [
        {"id": f"good {n}", "caption": f"{things[n]} lies on {things[-n]} beside {things[n - 9]}"}
        for n in range(len(things))
    ]
    folder = planted.corpus(tmp_path, "texts", {"train": [*good, *plate, *same]})
    audit(folder, tmp_path, Options(("captions",), []))
    told = {(row["check"], row["id"]) for row in found(tmp_path, "texts")}
    assert told == {("boilerplate", row["id"]) for row in plate} | {
        ("repeated_caption", row["id"]) for row in same
    }


def test_the_samples_are_clean(built: Path, tmp_path: Path) -> None:
    """Bundled media have no odd signals; what is odd in captions was put there for other tests.

    Of one recording on Freesound two stretches are in Clotho's sample.
    """
    known = {"clotho_sample": [("same_id", "train/Running water_1-2.wav")]}
    for config in ("clotho_sample", "musiccaps_sample", "mm_imdb_sample", "librispeech_sample"):
        audit(built / config, tmp_path)
        told = [(row["check"], row["id"]) for row in found(tmp_path, config)]
        assert told == known.get(config, [])


# What is done with it


def test_a_version_on_the_hub_is_audited(hub: Hub, built: Path, tmp_path: Path) -> None:
    push(hub, built)
    there = locations.at(f"hf://datasets/{REPO}@v1.0.0/{SAMPLE}")
    audit(there, tmp_path / "hub")
    audit(built / SAMPLE, tmp_path / "here")
    for group in audits.DEFAULT:
        one, other = (tmp_path / w / "audit" / SAMPLE / f"{group}.parquet" for w in ("hub", "here"))
        assert one.read_bytes() == other.read_bytes()


def test_the_same_bytes_whatever_the_jobs_and_no_shard_twice(
    in_pieces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = in_pieces / SAMPLE
    one = audit(folder, tmp_path / "one")
    assert audit(folder, tmp_path / "two", Options(jobs=2)) == one
    line = [sys.executable, "-m", "edge_glass", "audit", folder, "--out", tmp_path / "three"]
    subprocess.run(line, check=True, capture_output=True)
    told = tmp_path / "three" / "audit" / SAMPLE / audits.FILE
    assert records.read(told) == one.plain()  # in whatever process
    from edge_glass.audit import media_profile

    def never(*_: object) -> None:
        raise AssertionError("a shard was read again")

    monkeypatch.setattr(media_profile.Media, "tables", never)
    (tmp_path / "one" / "audit" / SAMPLE / "signals.parquet").unlink()
    assert audit(folder, tmp_path / "one") == one


def test_what_was_read_of_a_shard_is_read_again_once_it_is_another(
    built: Path, tmp_path: Path
) -> None:
    one = audit(built / SAMPLE, tmp_path, Options(("signals",)))
    for kept in (tmp_path / ".edge_glass" / "traces").rglob("*.*"):
        data = bytearray(kept.read_bytes())
        data[len(data) // 2] ^= 1
        kept.write_bytes(data)
        (tmp_path / "audit" / SAMPLE / "signals.parquet").unlink()
        assert audit(built / SAMPLE, tmp_path, Options(("signals",))) == one


def test_mistakes_are_told(built: Path, tmp_path: Path, cli: Cli) -> None:
    assert "no check nothing; there are duplicates" in cli("audit", built, "--check", "nothing").err
    assert "--name names one config" in cli("audit", built, "--name", "x").err
    with pytest.raises(EdgeGlassError, match="no audit of it"):
        from edge_glass.audit.drop import drop

        drop(built / SAMPLE, tmp_path, "x", ["signals"])
    told = cli(
        "audit", built / SAMPLE, "--out", tmp_path, "--check", "signals", "--json", "--jobs", 1
    )
    assert told.json[0]["groups"]["signals"]["rows"] == 0


def test_without_the_libraries_of_the_extra_the_other_checks_are_done(
    built: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    clotho, absent = built / "clotho_sample", ("pyloudnorm", "ftfy")
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in absent else name)
    bare = cli("audit", clotho, "--out", tmp_path)
    assert (bare.code, "Left out: loudness, language, short_caption" in bare.err) == (0, True)
    assert "ftfy, pyloudnorm, not installed here: pip install -e" in " ".join(bare.err.split())
    before = audits.read(tmp_path, "clotho_sample")
    checks = set(before.checks) if before else set()
    assert {"silence", "like_sound", "same_id"} < checks
    assert not {"loudness", "language", "captions"} & checks
    named = cli("audit", clotho, "--out", tmp_path, "--check", "silence,loudness")
    assert "--check loudness needs pyloudnorm, not installed here: pip" in named.err
    assert cli("audit", clotho, "--out", tmp_path, "--check", "silence").code == 0
    monkeypatch.undo()  # what was not measured is, once it can be
    assert audits.audit(clotho, tmp_path).checks["loudness"] == 0


def test_media_that_do_not_decode_end_no_audit(tmp_path: Path) -> None:
    good = Image.open(IMAGES[0])
    bad = [{"id": "cut", "image": planted.jpeg(good)[:900]}, {"id": "text", "image": b"<html>"}]
    whole = [{"id": "whole", "image": planted.jpeg(good)}]
    folder = planted.corpus(tmp_path, "images", {"train": [*whole, *bad]})
    made = audit(folder, tmp_path)
    assert made.rows == 3 and found(tmp_path, "images") == []


def test_traces_are_parquet_that_others_can_read(built: Path, tmp_path: Path) -> None:
    audit(built / SAMPLE, tmp_path, Options(("signals",)))
    [*tables] = (tmp_path / ".edge_glass" / "traces").glob("media-*/*.media.parquet")
    assert sum(pq.read_metadata(io.BytesIO(path.read_bytes())).num_rows for path in tables) == 11
    assert json.loads((tmp_path / "audit" / SAMPLE / "audit.json").read_text())["config"] == SAMPLE


@pytest.mark.parametrize(
    "change",
    [
        {"groups": {}},
        {"groups": {"signals": {"file": "../../secret.parquet"}}},
        {"groups": {"signals": {}}},
        {"data": "all"},
        {"more": 1},
    ],
)
def test_an_audit_that_was_forged_with_a_seal_is_made_again(
    built: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    made = audit(built / SAMPLE, tmp_path, Options(("signals",)))
    path = tmp_path / audits.FOLDER / SAMPLE / audits.FILE
    record = records.read(path)
    assert record is not None
    for group, fields in (change.get("groups") or {}).items():
        change = {"groups": {group: (record["groups"][group] | fields) if fields else fields}}
    records.write(path, record | change)
    assert audit(built / SAMPLE, tmp_path, Options(("signals",))) == made
