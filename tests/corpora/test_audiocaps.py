"""AudioCaps, which is a YAML alone: the sample, and sections that are fetched from a site."""

import json
from pathlib import Path

import pytest
from clipsite import Site
from kit import ROOT, Cli, entries, rows
from ownfiles import put

from edge_glass.core import manifest
from edge_glass.core.spec import Source
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.sources.row_fetch import Network

CLIPS = ROOT / "samples" / "audiocaps" / "clips"


def test_the_sample(built: Path) -> None:
    folder = built / "audiocaps_sample"
    outcomes = {name: split.outcomes for name, split in manifest.read(folder).splits.items()}
    assert outcomes == {
        "train": {"kept": 1, "malformed_row": 1, "missing_media": 1},
        "validation": {"kept": 2},
        "test": {"kept": 1, "blank_caption": 1},
    }
    found = rows(folder)
    assert found["990001"]["audio"]["bytes"] == (CLIPS / "egAudCap_01_30.ogg").read_bytes()
    assert (found["990011"]["youtube_id"], found["990011"]["start_time"]) == ("-egAudCap02", 0)
    assert found["990011"]["audio"]["bytes"] == found["990012"]["audio"]["bytes"]
    assert found["990021"]["duration"] == pytest.approx(10)
    assert "egAudCap_04_60" in entries(folder)["990002"]["detail"]


def test_sections_are_fetched_where_raw_has_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("yt_dlp")
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "raw").mkdir()
    lines = [
        "audiocap_id,youtube_id,start_time,caption",
        "1,egAudCap_01,0,Water",
        "2,egAudCap_09,0,No",
    ]
    (tmp_path / "raw" / "train.csv").write_text("\n".join(lines) + "\n")
    with Site() as site:
        site.media["egAudCap_01"] = (".ogg", (CLIPS / "egAudCap_01_30.ogg").read_bytes())
        monkeypatch.setattr(Source, "template", property(lambda _: site.template))
        variant = catalog.variant("audiocaps", {"splits": ["train"]}, "audiocaps_test")
        network = Network(seconds=60, beside_raw=True)
        options = Options(raw=tmp_path / "raw", unverified=True, network=network)
        build(variant, tmp_path / "out", options)
    folder = tmp_path / "out" / "audiocaps_test"
    assert entries(folder)["2"]["outcome"] not in ("kept", "missing_media")
    assert rows(folder)["1"]["duration"] == pytest.approx(10, abs=0.1)


def test_tables_alone_say_how_clips_are_fetched(tmp_path: Path, cli: Cli) -> None:
    put(tmp_path / "raw" / "train.csv", "audiocap_id,youtube_id,start_time,caption\n1,a,0,Water\n")
    given = ("audiocaps", "--raw", str(tmp_path / "raw"), "--set", "splits=[train]", "--out")
    out = str(tmp_path / "out")
    (plan,) = json.loads(cli("plan", *given, out, "--json").out)
    assert {s["file"]: s["state"] for s in plan["sources"]} == {
        "train.csv": "here",
        "clips": "not here: build with --fetch-clips",
    }
    told = cli("build", *given, out, "--unverified").err
    assert "1 missing_media" in told and "--fetch-clips fetches them" in told
    assert "right folder" not in told
