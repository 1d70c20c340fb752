"""The secrets of a URL are told to nobody: not in errors, logs, or what is written."""

import subprocess
from pathlib import Path

import pytest
from kit import ROOT, Cli
from rawclotho import House, command, write_raw
from releases import REPO, SAMPLE

from edge_glass.cli.main import main
from edge_glass.core.errors import EdgeGlassError
from edge_glass.release import checks_papers, publish
from edge_glass.sources import clips

URL = "http://ann:hush-1@127.0.0.1:9/f?token=hush-2"


def told(place: Path, *texts: str) -> list[str]:
    """Where the secret stands: in texts, and in files."""
    files = [path for path in place.rglob("*") if path.is_file()]
    found = [str(path) for path in files if b"hush" in path.read_bytes()]
    return found + [text for text in texts if "hush" in text]


NO_REST = "from edge_glass.sources import download; download.ATTEMPTS = download.UNKNOWN = 1\n"


@pytest.mark.parametrize("options", [("--mirror", URL), ("--ray", URL.replace("http", "ray"))])
def test_a_build_that_ends_in_an_error(tmp_path: Path, options: tuple[str, str]) -> None:
    raw = write_raw(tmp_path / "raw", clips=5)
    house = House.build(tmp_path / "house", raw)
    kept = tmp_path / "kept"
    log = ("--log", kept / "log", "--verbose", "--out", kept / "out")
    kept.mkdir()
    words = command("build", "meadow", *options, *log)
    words[2] = NO_REST + words[2]
    done = subprocess.run(
        words, env=house.env(kept / "store"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "build" in (kept / "log").read_text()
    assert told(kept, done.stdout, done.stderr) == []


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http:/ann:hush-1@127.0.0.1:9", "http:/***@127.0.0.1:9"),
        ("ann:hush-1@127.0.0.1:9", "Unable to connect to proxy"),
    ],
)
def test_clips_through_a_proxy_that_cannot_be(
    proxy: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    """The first is repeated by yt-dlp and so in the ledger, the second stands in the log."""
    for library in ("av", "imageio_ffmpeg", "yt_dlp"):
        pytest.importorskip(library)
    monkeypatch.setattr(clips, "ATTEMPTS", 1)
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "store"))
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    head, row, *_ = (ROOT / "samples/audiocaps/test.csv").read_text().splitlines()
    (raw / "test.csv").write_text(f"{head}\n{row}\n")
    options = ("--raw", raw, "--unverified", "--fetch-clips", "--proxy", proxy, "--jobs", 1)
    log = ("--log", tmp_path / "log", "-v", "--out", out, "--allow-empty")
    done = cli("build", "audiocaps", "--set", "splits=[test]", *options, *log)
    assert done.code == 0 and "***@127.0.0.1" in (tmp_path / "log").read_text(), done.err
    dropped = cli("ledger", out, "--reason", "network_error", "--json").out
    assert shown in dropped
    assert told(tmp_path, done.out, done.err, dropped) == []


def test_a_push_that_is_refused(built: Path) -> None:
    with pytest.raises(EdgeGlassError) as error:
        publish.push(built, [SAMPLE], REPO, "1.0.0", endpoint=URL, token="hush-3")
    assert "hush" not in str(error.value)


def test_what_no_one_foresaw_is_logged_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(f"no answer from {URL}")

    monkeypatch.setattr(checks_papers, "verify", fail)
    with pytest.raises(OSError):
        main(["verify", str(tmp_path), "--log", str(tmp_path / "log"), "--verbose"])
    log = (tmp_path / "log").read_text()
    assert "ended: no answer from http://***@127.0.0.1:9/f?token=***" in log
    assert told(tmp_path, capsys.readouterr().err) == []
