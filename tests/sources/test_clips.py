"""The clip fetcher: the real yt-dlp and ffmpeg against a site on loopback, well-meaning or not."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import clipsite
import numpy as np
import psutil
import pytest
import soundfile as sf
from clipsite import Site
from kit import ROOT, encoded, kill, tones

from edge_glass.core import ledger
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import Row
from edge_glass.sources import clips, prefetch
from edge_glass.sources.prefetch import media
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_fetch import Fetched, Network, Remote

av = pytest.importorskip("av")
pytest.importorskip("yt_dlp")
pytest.importorskip("imageio_ffmpeg")

RATE = 16000
PATIENT = Network(seconds=120)


def steps(seconds: int) -> np.ndarray:
    """A tone that is 50 Hz higher each second."""
    return np.concatenate([tones(1, RATE, 300 + 50 * second) for second in range(seconds)])


def hertz(samples: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples[:rate])).argmax())


def hasty() -> bytes:
    """A WebM whose clock runs at half speed: ten of its seconds hold twenty of sound."""
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as file:
        stream = file.add_stream("libopus", rate=48000, layout="mono")
        silent = np.zeros((1, 960), np.float32)
        packets = []
        for number in range(30 * 50):
            frame = av.AudioFrame.from_ndarray(silent, "fltp", "mono")
            frame.sample_rate, frame.pts = 48000, number * 960
            packets += stream.encode(frame)
        for packet in packets:
            packet.pts, packet.dts = packet.pts // 2, packet.dts // 2
            file.mux(packet)
    return out.getvalue()


def film() -> bytes:
    return (ROOT / "samples/valor/videos/egVidSamp04_226.000_229.000.mp4").read_bytes()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    ogg = encoded(steps(20), RATE, "OGG", "VORBIS")
    with Site() as site:
        for number in range(1, 7):
            site.media[f"-clip_{number:05}"] = (".ogg", ogg)
        site.media |= {
            "track": (".m4a", (ROOT / "samples/musiccaps/egSample_03.m4a").read_bytes()),
            "short": (".ogg", encoded(steps(8), RATE, "OGG", "VORBIS")),
            "hasty": (".webm", hasty()),
            "mute": (".mp4", film()),
            "junk": (".ogg", b"OggS" + b"junk" * 5000),
            "gone": (".ogg", ogg),
        }
        site.answers |= {
            "gone.ogg": clipsite.status(404),
            "gone too": clipsite.status(410),
            "shut": clipsite.status(403),
            "page": clipsite.html("There is nothing to hear here."),
            "said": clipsite.says(403, "Private video. Sign in if you've been granted access"),
            "close": clipsite.close,
            "hang": clipsite.hang,
            "drip": clipsite.drip,
            "bot": clipsite.says(403, "Sign in to confirm you're not a bot"),
        }
        yield site


def ask(id: str, start: float = 2, end: float = 12) -> Row:
    return Row(
        id, "list.csv", id, ("clips", id), fetch_request={"id": id, "start": start, "end": end}
    )


def remote(site: Site, folder: Path, network: Network = PATIENT, want: str = "audio") -> Remote:
    return Remote(site.template, want, 1000, folder, network)


def fetched(far: Remote, *rows: Row) -> list[Fetched]:
    fetcher = prefetch.fetcher(far)
    try:
        futures: list[Future[Fetched]] = [fetcher.submit(row) for row in rows]
        return [future.result() for future in futures]
    finally:
        fetcher.close()


def records(folder: Path) -> dict[str, bytes]:
    """All that a store holds."""
    kept = [path for name in ("clips", "records") for path in (folder / name).rglob("*.*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


# What comes of a clip


CASES = {
    "-clip_00001": (Outcome.KEPT, "", None, 1),
    "track": (Outcome.KEPT, "", None, 1),
    "short": (Outcome.WRONG_DURATION, "6.00 s where 10 s were asked for", None, 1),
    "hasty": (Outcome.WRONG_DURATION, "20.", None, 1),
    "mute": (Outcome.NO_AUDIO, "ffmpeg found no clip there", None, 1),
    "junk": (Outcome.UNDECODABLE_MEDIA, "ffmpeg found no clip there", None, 1),
    "gone": (Outcome.REMOVED, "HTTP 404", 404, 1),
    "gone too": (Outcome.REMOVED, "HTTP Error 410: Gone", 410, 1),
    "shut": (Outcome.NETWORK_ERROR, "HTTP Error 403: Forbidden", 403, 3),
    "page": (Outcome.UNDECODABLE_MEDIA, "Unsupported URL", None, 1),
    "said": (Outcome.PRIVATE, "Private video", 403, 1),
    "close": (Outcome.NETWORK_ERROR, "closed connection", None, 3),
}


@pytest.fixture(scope="module")
def first(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Fetched], Path]:
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips, "BACK_OFF", 0.1)
        found = fetched(remote(site, folder), *map(ask, CASES))
    return dict(zip(CASES, found, strict=True)), folder


@pytest.mark.parametrize("id", CASES)
def test_every_clip_ends_in_one_outcome(
    id: str, first: tuple[dict[str, Fetched], Path], site: Site
) -> None:
    outcome, detail, status, asked = CASES[id]
    found = first[0][id]
    assert (found.dropped or (Outcome.KEPT, ""))[0] == outcome
    assert detail in (found.dropped or ("", ""))[1]
    assert "http://" not in (found.dropped or ("", ""))[1]
    assert (found.status, site.asked[id]) == (status, asked)
    assert found.url == site.template.replace("{id}", id.replace(" ", "%20"))


def test_the_section_is_cut_exactly_and_without_loss(
    first: tuple[dict[str, Fetched], Path],
) -> None:
    samples, rate = sf.read(io.BytesIO(first[0]["-clip_00001"].read()))
    assert (len(samples), rate) == (10 * RATE, RATE)
    assert [hertz(samples[s * rate :], rate) for s in range(10)] == [
        400 + 50 * s for s in range(10)
    ]
    whole, _ = sf.read(io.BytesIO(encoded(steps(20), RATE, "OGG", "VORBIS")))
    assert np.abs(samples - whole[2 * RATE : 12 * RATE]).max() < 2**-14


def test_nothing_is_asked_for_twice_but_what_may_heal(
    first: tuple[dict[str, Fetched], Path], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "ATTEMPTS", 1)
    before, kept = dict(site.asked), records(first[1])
    site.answers["shut"] = clipsite.status(404)
    again = fetched(remote(site, first[1]), *map(ask, CASES))
    asked = {id for id in CASES if site.asked[id] > before[id]}
    assert asked == {"shut", "close"}
    assert again[list(CASES).index("shut")].dropped == (
        Outcome.REMOVED,
        "Unable to download webpage: HTTP Error 404: Not Found",
    )
    assert len(records(first[1])) == len(kept) + 1


def test_video_comes_with_its_picture(site: Site, tmp_path: Path) -> None:
    [found] = fetched(remote(site, tmp_path, want="video"), ask("mute", 0, 2.5))
    with av.open(io.BytesIO(found.read())) as file:
        assert found.name == "mute.mp4" and file.duration == pytest.approx(2_500_000, abs=50_000)
        assert file.streams.video[0].codec_context.name == "h264"


def test_what_hangs_is_killed_with_all_it_started(site: Site, tmp_path: Path) -> None:
    start = time.monotonic()
    network = Network(seconds=8, at_once=2)
    found = fetched(remote(site, tmp_path, network), ask("hang"), ask("drip"))
    assert time.monotonic() - start < 30
    assert {item.dropped[0] for item in found if item.dropped} == {Outcome.TIMED_OUT}
    assert left_over(tmp_path) == []
    assert records(tmp_path) == {}


def left_over(folder: Path) -> list[psutil.Process]:
    """Processes that work in `folder`, which is killed with nobody waiting for it."""
    time.sleep(0.5)
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
        or str(folder) in str((process.info["environ"] or {}).get("PATH"))
    ]


def test_a_bot_check_stops_the_run(site: Site, tmp_path: Path) -> None:
    ids = [f"-clip_{number:05}" for number in range(1, 7)]
    site.asked.clear()
    rows = [ask("bot"), *map(ask, ids * 10)]
    raw = Raw("x", {}, remote={"clips": remote(site, tmp_path, Network(seconds=120, at_once=1))})
    with pytest.raises(
        EdgeGlassError, match=r"takes us for a bot.*--cookies.*run the same command again"
    ):
        list(media([rows], raw))
    assert sum(site.asked.values()) == 1


def test_a_dead_network_stops_the_run(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "ATTEMPTS", 1)
    monkeypatch.setattr(clips, "STREAK", 2)
    with pytest.raises(EdgeGlassError, match=r"2 clips in a row did not arrive.*network_error"):
        fetched(remote(site, tmp_path), *[ask("close", start) for start in range(0, 4)])


def test_cookies_and_proxy(site: Site, tmp_path: Path) -> None:
    jar = tmp_path / "cookies.txt"
    text = "# Netscape HTTP Cookie File\nclips.example\tFALSE\t/\tFALSE\t0\tname\tvalue\n"
    jar.write_text(text)
    proxy = f"http://127.0.0.1:{site.server.server_port}"
    network = Network(cookies=jar, proxy=proxy, seconds=120)
    far = Remote("http://clips.example/watch?v={id}", "audio", 1000, tmp_path / "store", network)
    site.headers.clear()
    [found] = fetched(far, ask("-clip_00002"))
    assert found.dropped is None
    assert site.headers["-clip_00002"]["Cookie"] == "name=value"
    assert jar.read_text() == text
    assert b"value" not in b"".join(records(tmp_path / "store").values())


@pytest.mark.parametrize("scheme", ["", "socks5://"])
def test_of_a_proxy_no_password_goes_into_records(scheme: str, tmp_path: Path) -> None:
    proxies = [
        f"{scheme}{user}@127.0.0.1:{port}"
        for user, port in (("ann:one", 9), ("bob:two", 9), ("bob:two", 8))
    ]
    tools = [
        clips.tool(Remote("", "audio", 1000, tmp_path, Network(proxy=proxy))) for proxy in proxies
    ]
    assert tools[0] == tools[1] != tools[2]


def test_clips_are_begun_so_many_a_minute(site: Site, tmp_path: Path) -> None:
    fetcher = clips.Clips(remote(site, tmp_path, Network(per_minute=300)))
    (tmp_path / "work").mkdir()
    start = time.monotonic()
    threads = [threading.Thread(target=fetcher._pace) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fetcher.close()
    assert time.monotonic() - start >= 0.6


def test_what_is_not_installed_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(EdgeGlassError, match=r"yt_dlp.*pip install .*\[clips\]'.*--raw"):
        clips.ffmpeg()


# A build


HOUSE_PY = """
from edge_glass.builders.musiccaps import Musiccaps

class Localcaps(Musiccaps):
    pass
"""
HOUSE_YAML = """\
title: Clips of a site on loopback
version: 1.0.0
homepage: https://example.org/
licence: CC0
licence_tag: cc0-1.0
citation: "@misc{{local}}"
sources:
  musiccaps-public.csv: {{url: "http://127.0.0.1:{port}/list.csv", rows: 6}}
  clips: {{url: "http://127.0.0.1:{port}/watch?v={{id}}", fetch: audio, row_bytes: 100000}}
configs:
  localcaps: {{}}
  localcaps_8k: {{sample_rate: 8000, channels: 1}}
  localcaps_sample: {{bundled: true}}
"""
IDS = [f"-clip_{number:05}" for number in range(1, 5)] + ["-clip_gone_", "-clip_shut_"]
HEAD = "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id"
TAIL = ",is_balanced_subset,is_audioset_eval\n"


@pytest.fixture
def house(site: Site, tmp_path: Path) -> dict[str, str]:
    """The environment in which a corpus of clips of our site is installed."""
    port = str(site.server.server_port)
    files = {
        "local/builders/localcaps.py": HOUSE_PY,
        "local/configs/localcaps.yaml": HOUSE_YAML.format(port=port),
        "local/cards/localcaps.md": "{{ tables }}\n",
        "local-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: local\nVersion: 1.0\n",
        "local-1.0.dist-info/entry_points.txt": "[edge_glass.corpora]\nlocal = local\n",
    } | {
        f"local/{room}__init__.py": ""
        for room in ("", "builders/", "configs/", "cards/", "samples/")
    }
    for name, text in files.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(text)
    lines = [f"{id},{n},{n + 4},/m/1,\"['a']\",Sound,0,True,True\n" for n, id in enumerate(IDS)]
    text = (HEAD + TAIL + "".join(lines)).encode()
    site.answers["/list.csv"] = lambda request: request.answer(200, text, "text/csv")
    site.answers |= {"-clip_gone_": clipsite.status(404), "-clip_shut_": clipsite.status(403)}
    site.asked.clear()
    return os.environ | {"PYTHONPATH": str(tmp_path / "site"), "HF_HOME": str(tmp_path / "hf")}


def command(out: Path, *configs: str) -> list[str]:
    run = [sys.executable, "-m", "edge_glass", "build", *configs, "--out", str(out)]
    return [*run, "--jobs", "2", "--json"]


def run(house: dict[str, str], cache: Path, out: Path, *configs: str) -> Any:
    env = house | {"EDGE_GLASS_CACHE": str(cache)}
    done = subprocess.run(
        command(out, *configs), env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_and_resumed_it_is_the_same_to_the_byte(
    site: Site, house: dict[str, str], tmp_path: Path
) -> None:
    ready = threading.Event()
    site.answers |= {id: clipsite.when(ready) for id in IDS[2:4]}
    cache, out = tmp_path / "cache", tmp_path / "out"
    env = house | {"EDGE_GLASS_CACHE": str(cache)}
    build = subprocess.Popen(command(out, "localcaps"), env=env, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while len(list((cache / "clips").glob("records/*/*.json"))) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    kill(build)
    assert left_over(cache) == []
    assert [site.asked[id] for id in (*IDS[:2], "-clip_gone_")] == [1, 1, 1]
    ready.set()
    [resumed] = run(house, cache, out, "localcaps")
    assert [site.asked[id] for id in (*IDS[:2], "-clip_gone_")] == [1, 1, 1]
    assert resumed["splits"]["train"]["outcomes"] == {"kept": 4, "network_error": 1, "removed": 1}
    said = {row["id"]: row for row in ledger.read(out / "localcaps" / ledger.FILE)}
    assert said["-clip_gone_"]["status"] == 404 and said["-clip_shut_"]["status"] == 403
    assert said[IDS[0]]["url"] == site.template.replace("{id}", IDS[0])
    assert said[IDS[0]]["sha256"] and said[IDS[0]]["bytes"]

    # a build that nobody disturbed, into a store of its own
    run(house, tmp_path / "cache2", tmp_path / "out2", "localcaps")
    for path in sorted((out / "localcaps").iterdir()):
        undisturbed = tmp_path / "out2" / "localcaps" / path.name
        assert path.read_bytes() == undisturbed.read_bytes(), path.name
    assert records(cache / "clips") == records(tmp_path / "cache2" / "clips")

    # another rate asks only for what may have healed; and so does the same build, once more
    before = dict(site.asked)
    site.answers.pop("-clip_shut_")
    site.media["-clip_shut_"] = site.media[IDS[0]]
    [other, healed] = run(house, cache, out, "localcaps_8k", "localcaps")
    for made in (other, healed):
        assert made["splits"]["train"]["outcomes"] == {"kept": 5, "removed": 1}
    assert {id: site.asked[id] - before[id] for id in IDS} == dict.fromkeys(IDS, 0) | {
        "-clip_shut_": 1
    }
