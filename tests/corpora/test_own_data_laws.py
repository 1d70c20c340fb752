"""The laws of a build hold for data of one's own: bytes, resume, publishing, loading."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import yaml
from hub import Hub
from huggingface_hub import CommitOperationAdd, HfApi
from kit import Cli, client, entries, rows, sound
from own_pictures import class_folders
from owndata import CASES
from ownfiles import lines, put

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.corpora import catalog
from edge_glass.corpora.own import OwnCorpus
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.release.publish import push
from edge_glass.release.rebuild import reproduce
from edge_glass.release.write_card import build

LOAD = """if True:
    import datasets, json
    found = {}
    for split, rows in datasets.load_dataset("org/birds", "birds", revision="v1.0.0").items():
        found[split] = [[row["id"], row["label"], row["image"].size] for row in rows]
    print(json.dumps(found))
"""


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Folders of classes that make two shards a split."""
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 4000)
    class_folders(tmp_path, "")
    return str(tmp_path / "birds")


def test_bytes_do_not_depend_on_processes_places_or_stops(
    birds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(catalog.variant(birds), tmp_path / "one")
    assert len(made.shards()) > 2
    build(catalog.variant(birds), tmp_path / "two", Options(jobs=2))
    (tmp_path / "moved").mkdir()
    Path(birds).rename(tmp_path / "moved" / "birds")
    moved = str(tmp_path / "moved" / "birds")
    examples, seen = OwnCorpus.examples, []

    def stopped(self, row, media):  # type: ignore[no-untyped-def]
        seen.append(row.id)
        if len(seen) == 4:
            raise KeyboardInterrupt
        yield from examples(self, row, media)

    with monkeypatch.context() as patch:
        patch.setattr(OwnCorpus, "examples", stopped)
        with pytest.raises(KeyboardInterrupt):
            build(catalog.variant(moved), tmp_path / "three")
    again: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            OwnCorpus,
            "examples",
            lambda self, row, media: (again.append(row.id), examples(self, row, media))[1],
        )
        build(catalog.variant(moved), tmp_path / "three")
    assert 0 < len(again) < 8 and not {*again} & {*seen[:2]}
    one = files(tmp_path / "one" / "birds")
    assert one == files(tmp_path / "two" / "birds") == files(tmp_path / "three" / "birds")


def test_a_version_is_published_checked_loaded_and_built_again(
    birds: str, tmp_path: Path, hub: Hub, cli: Cli
) -> None:
    build(catalog.variant(birds), tmp_path / "out")
    push(tmp_path / "out", ["birds"], "org/birds", "1.0.0")
    found = client(hub, LOAD)
    assert found["train"][0] == ["train/owl/1.jpg", 0, [40, 30]] and len(found["test"]) == 4
    assert cli("verify", "org/birds@1.0.0").code == 0
    assert "cc-by" not in hub.read("org/birds", "README.md").decode()
    for name in ("croissant.json", "CITATION.cff"):
        assert hub.read("org/birds", name)
    raw = Options(raw=Path(birds))
    (difference,) = reproduce(tmp_path / "out", tmp_path / "repeated", [], raw)
    assert difference.identical


def test_a_build_tells_its_own_layout_and_no_place_of_the_users(birds: str, tmp_path: Path) -> None:
    build(catalog.variant(birds), tmp_path / "out")
    text = (tmp_path / "out" / "birds" / "manifest.json").read_text()
    assert json.loads(text)["own"]["layout"] == "media" and str(tmp_path) not in text
    Path(birds).rename(tmp_path / "gone")
    assert not [finding for finding in verify(tmp_path / "out") if finding.kind == "error"]


def test_what_is_inside_the_data_is_not_written_to(birds: str, cli: Cli) -> None:
    told = cli("build", birds, "--out", Path(birds) / "out")
    assert told.code == 1 and "keep them apart" in told.err


@pytest.mark.parametrize(
    ("format", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("MP3", "MPEG_LAYER_III")]
)
def test_a_stretch_is_cut_at_the_sample(
    format: str, subtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    wave = np.random.default_rng(0).integers(-20000, 20000, 60 * 16000)
    talk = tmp_path / "talks" / f"talk.{format.lower()}"
    talk.parent.mkdir()
    sf.write(talk, wave.astype("int16"), 16000, subtype, format=format)
    at = [(0.0, 1.0), (12.345678, 13.5), (59.0, 60.0)]
    lines = [f"SPEAKER talk 1 {start} {end - start} <NA> <NA> a <NA> <NA>" for start, end in at]
    (tmp_path / "talks" / "talk.rttm").write_text("\n".join(lines))
    build(catalog.variant(str(tmp_path / "talks")), tmp_path / "out")
    folder = tmp_path / "out" / "talks"
    whole = sf.read(talk, dtype="int32")[0]
    for row, (start, end) in zip(rows(folder).values(), at, strict=True):
        samples, rate = sf.read(io.BytesIO(row["audio"]["bytes"]), dtype="int32")
        expected = whole[round(start * 16000) : round(end * 16000)]
        assert rate == 16000 and len(samples) == len(expected)
        # what is decoded of MP3 is rounded to 16 bits
        assert np.abs(samples.astype("int64") - expected).max() <= (2**16 if format == "MP3" else 0)
    sizes = [entry["bytes"] for entry in entries(folder).values()]
    if format != "MP3":  # no more of the recording is read than that
        assert (
            sizes[1]
            == len(rows(folder)["talk.rttm#2"]["audio"]["bytes"])
            < talk.stat().st_size / 10
        )


def test_a_dataset_of_the_hub_is_built_at_the_commit_of_today(
    tmp_path: Path, hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    CASES["bytes_in_parquet"].write(tmp_path, "")
    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo("org/birds", repo_type="dataset")
    files = sorted((tmp_path / "hub" / "data").iterdir())
    adds = [CommitOperationAdd(f"data/{path.name}", path) for path in files]
    commit = api.create_commit("org/birds", adds, repo_type="dataset", commit_message="all").oid
    assert cli("build", "org/birds").code == 0
    made = manifest.read(tmp_path / "data" / "org_birds")
    assert {name: split.rows for name, split in made.splits.items()} == {"train": 2, "test": 2}
    assert made.sources[0].revision == commit and made.sources[0].as_published
    written = yaml.safe_load(cli("init", "org/birds").out)
    assert written["sources"]["data"]["hub"] == {"repo": "org/birds", "revision": commit}
    more = [CommitOperationAdd(f"other/{path.name}", path) for path in files]
    api.create_commit("org/birds", more, repo_type="dataset", commit_message="more")
    assert "edge-glass build org/birds:data" in cli("build", "org/birds").err
    assert "none of this name" in cli("build", "org/nothing").err


@pytest.mark.parametrize("segments", [None, "a a 0 0.5\n"])
def test_a_text_of_kaldi_without_a_recording_is_in_the_ledger(
    segments: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "egs" / "data" / "train"
    put(folder / "a.wav", sound())
    put(folder / "wav.scp", "a a.wav\n")
    put(folder / "text", "c NO SOUND\na HELLO\nb NONE EITHER\n")
    if segments:
        put(folder / "segments", segments)
    assert cli("build", "egs").code == 0
    outcomes = {row["id"]: row["outcome"] for row in entries(Path("data/egs")).values()}
    assert outcomes["a"] == "kept"
    assert sorted(outcomes.values()) == ["kept", "missing_media", "missing_media"]


ENDS = [  # of a span of a recording of 5 s, and what comes of it
    (4.5, 0.51, ("kept", "")),
    (4.5, 1.0, ("kept", "5.00 s where 4.5 to 5.5 s were asked for")),
    (4.75, 0.625, ("wrong_duration", "5.00 s where 4.75 to 5.375 s were asked for")),
]


@pytest.mark.parametrize("channels", [1, 2])
def test_a_clip_that_its_recording_cuts_short_says_so(
    channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    """Nor is one published of which more than half is missing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nemo").mkdir()
    sf.write(tmp_path / "nemo" / "a.wav", np.zeros((40_000, channels)), 8000)
    cuts = [(0.0, 1.0, ("kept", "")), (1.0, 1.0, ("kept", "")), *ENDS]
    records = [
        {"audio_filepath": "a.wav", "offset": start, "duration": length, "text": f"No. {start}"}
        for start, length, _ in cuts
    ]
    put(tmp_path / "nemo" / "train_manifest.json", lines(records))
    assert cli("build", "nemo").code == 0
    outcomes = [(r["outcome"], r["detail"]) for r in entries(Path("data/nemo")).values()]
    assert outcomes == [outcome for *_, outcome in cuts]
