"""Downloads from a server that lies, breaks off and goes away."""

import asyncio
import hashlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rawclotho import SAMPLES, House, command, edge_glass, write_raw
from server import Files, Lie

from edge_glass.core import retries
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.spec import Source
from edge_glass.corpora import catalog
from edge_glass.pipeline.estimate import plan
from edge_glass.sources import download

DATA = b"".join(path.read_bytes() for path in sorted(SAMPLES.rglob("*.wav")))[:1_200_000]
MD5 = hashlib.md5(DATA).hexdigest()
PAGE = Lie(body=b"<html>Log in, please</html>", headers={"Content-Type": "text/html"})
FALSE = b"\0" * len(DATA)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    folder = tmp_path / "upstream"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_bytes(DATA)
    with Files(folder) as files:
        yield files


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were to be waited; nobody waits."""
    found: list[float] = []

    async def nap(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(download, "sleep", nap)
    return found


def fetch(
    files: Files, *urls: str, name: str = "data.wav", size: int | None = len(DATA), md5: Any = MD5
) -> Path:
    """Fetch DATA from `urls` (of `files`, in turn), check it, and give back where it lies."""
    path = files.folder.parent / "store" / name
    source = Source(url="http://127.0.0.1:9/", bytes=size, md5=md5)
    job = download.Job(name, path, source, [f"{files.url}/{url}" for url in urls or ("a",)])
    facts = download.fetch([job], lambda *_: None)[name]
    assert path.read_bytes() == DATA
    assert (facts.bytes, facts.md5) == (len(DATA), MD5)
    assert facts.sha256 == hashlib.sha256(DATA).hexdigest()
    assert not list(path.parent.glob("*.part")) and not list(path.parent.glob("*.tmp"))
    return path


def ranges(files: Files, name: str = "a") -> list[str | None]:
    return [asked.range for asked in files.asked(name)]


@pytest.mark.parametrize("size", [len(DATA), None])
def test_a_finished_file_is_not_asked_for_again(files: Files, size: int | None) -> None:
    fetch(files, size=size)
    fetch(files, size=size)
    assert ranges(files) == [None]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425])
def test_a_server_in_trouble_is_asked_again(files: Files, naps: list[float], status: int) -> None:
    files.lie("a", Lie(status=status), Lie(status=status))
    fetch(files)
    assert len(files.asked("a")) == 3
    assert naps == [0.5, 1.0]


def test_retry_after_is_obeyed_within_reason(files: Files, naps: list[float]) -> None:
    for after in ("7", "100000", "Wed, 21 Oct 2015 07:28:00 GMT"):
        files.lie("a", Lie(status=429, headers={"Retry-After": after}))
    fetch(files)
    assert naps == [7.0, retries.LONGEST, 2.0]


def test_a_connection_that_breaks_off_goes_on_where_it_was(files: Files) -> None:
    files.lie("a", Lie(cut=400_000), Lie(cut=300_000))
    fetch(files)
    assert ranges(files) == [None, "bytes=400000-", "bytes=700000-"]
    assert sum(asked.sent for asked in files.asked("a")) == len(DATA)


def test_progress_counts_attempts_anew(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "CHUNK", 50_000)
    files.always("a", Lie(cut=60_000))
    fetch(files)
    assert len(files.asked("a")) == 20 > download.ATTEMPTS


def test_no_progress_ends(files: Files) -> None:
    files.always("a", Lie(cut=400_000, ranges=False))
    with pytest.raises(EdgeGlassError, match="could not be fetched"):
        fetch(files)
    assert len(files.asked("a")) == download.ATTEMPTS + 1


def test_no_network_is_told_soon(files: Files, naps: list[float]) -> None:
    path = files.folder.parent / "store" / "a"
    job = download.Job("a", path, Source(url=files.url, md5=MD5), ["http://nowhere.invalid/a"])
    with pytest.raises(EdgeGlassError, match="invalid is not known here: is there a net"):
        download.fetch([job], lambda *_: None)
    assert len(naps) == download.UNKNOWN - 1


TOTAL = len(DATA)
WRONG_RANGES = [
    Lie(status=206, headers={"Content-Range": None}),
    Lie(headers={"Content-Range": f"bytes 0-{TOTAL - 1}/{TOTAL}"}),
    Lie(headers={"Content-Range": f"bytes 400001-{TOTAL - 1}/{TOTAL}"}),
    Lie(headers={"Content-Range": "nonsense"}),
    Lie(ranges=False),
    Lie(status=416),
    Lie(status=416, headers={"Content-Range": "bytes */17"}),
]


@pytest.mark.parametrize("lie", WRONG_RANGES)
def test_a_wrong_answer_to_a_range_starts_over(files: Files, lie: Lie) -> None:
    files.lie("a", Lie(cut=400_000), lie)
    fetch(files)
    assert ranges(files)[:2] == [None, "bytes=400000-"]


def test_a_server_that_sends_short_ranges(files: Files) -> None:
    for start in (400_000, 700_000):
        head = {"Content-Range": f"bytes {start}-{start + 299_999}/{TOTAL}"}
        files.lie("b", Lie(status=206, body=DATA[start : start + 300_000], headers=head))
    files.lie("a", Lie(cut=400_000), Lie(status=404))
    fetch(files, "a", "b")
    assert ranges(files, "b") == ["bytes=400000-", "bytes=700000-", "bytes=1000000-"]


HOPELESS = {
    "404": Lie(status=404),
    "403": Lie(status=403),
    "longer": Lie(body=DATA + b"x"),
    "shorter": Lie(body=DATA[:-1]),
    "web page": PAGE,
    "loop": Lie(status=302, headers={"Location": "/a"}),
    "file": Lie(status=302, headers={"Location": "file:///etc/passwd"}),
    "longer, of no length": Lie(body=DATA + b"x" * 2**20, headers={"Content-Length": None}),
    "wrong bytes": Lie(body=FALSE),
}


@pytest.mark.parametrize("kind", HOPELESS)
def test_a_url_without_hope_gives_way_to_the_next(
    files: Files, naps: list[float], kind: str
) -> None:
    files.always("a", HOPELESS[kind])
    fetch(files, "a", "b")
    assert naps == []
    assert len(files.asked("a")) == (5 if kind == "loop" else 1)


@pytest.mark.parametrize("kind", HOPELESS)
def test_where_all_urls_lie_one_error_says_so(files: Files, kind: str) -> None:
    files.always("a", HOPELESS[kind])
    with pytest.raises(EdgeGlassError) as error:
        fetch(files)
    [problem] = error.value.problems
    for part in ("data.wav", f"{files.url}/a", "--raw"):
        assert part in problem
    assert not (files.folder.parent / "store" / "data.wav").exists()


@pytest.mark.parametrize("kind", ["404", "longer", "shorter", "web page"])
def test_what_is_here_outlives_a_lying_mirror(files: Files, kind: str) -> None:
    files.lie("a", Lie(cut=400_000))
    files.always("a", HOPELESS[kind])
    fetch(files, "a", "b")
    assert ranges(files, "b") == ["bytes=400000-"]


def test_an_honest_mirror_makes_up_for_what_a_lying_one_left(files: Files) -> None:
    files.lie("a", Lie(body=FALSE, cut=400_000), Lie(status=404))
    fetch(files, "a", "b")
    assert ranges(files, "b") == ["bytes=400000-", None]


def test_a_short_body_of_no_length_is_fetched_to_its_end(files: Files) -> None:
    files.lie("a", Lie(body=DATA[:500_000], headers={"Content-Length": None}))
    fetch(files)
    assert ranges(files) == [None, "bytes=500000-"]


def test_a_redirect_is_followed(files: Files) -> None:
    files.lie("a", Lie(status=302, headers={"Location": "/b"}))
    fetch(files)
    assert len(files.asked("b")) == 1


@pytest.mark.parametrize(("size", "status"), [(len(DATA), None), (None, 416)])
def test_a_whole_part_is_not_fetched_again(
    files: Files, size: int | None, status: int | None
) -> None:
    """Killed after the last byte, or between a file's record and its place."""
    path = fetch(files, size=size)
    path.rename(path.with_name("data.wav.part"))
    files.log.clear()
    fetch(files, size=size)
    assert [(asked.status, asked.sent) for asked in files.log] == ([(416, 0)] if status else [])


def test_a_lost_record_or_time_costs_no_bytes(files: Files) -> None:
    path = fetch(files)
    path.with_name("data.wav.json").unlink()
    os.utime(fetch(files), (1, 1))
    fetch(files)
    assert len(files.log) == 1


@pytest.mark.parametrize("damage", [FALSE, DATA + b"x", b"", DATA[:1000], FALSE[:1000]])
def test_a_changed_file_is_made_good(files: Files, damage: bytes) -> None:
    fetch(files).write_bytes(damage)
    fetch(files)


def test_without_a_checksum_nothing_is_pieced_together(files: Files) -> None:
    files.lie("a", Lie(cut=400_000))
    fetch(files, md5=None)
    assert ranges(files) == [None, None]


def test_several_files_fail_together_and_the_good_one_stays(files: Files) -> None:
    def job(name: str) -> download.Job:
        path = files.folder.parent / "store" / name
        return download.Job(name, path, Source(url=files.url, md5=MD5), [f"{files.url}/{name}"])

    files.lie("c", Lie(status=410))
    jobs = [job(name) for name in ("a", "none", "nil", "c")]
    with pytest.raises(EdgeGlassError) as error:
        download.fetch(jobs, lambda *_: None)
    [problem] = error.value.problems
    assert problem.splitlines()[:3] == [
        "none, nil, c could not be fetched:",
        f"  {files.url}/…: HTTP 404 (none, nil)",  # a cause is told once
        f"  {files.url}/…: HTTP 410 (c)",
    ]
    assert "--raw" in problem and "--mirror" in problem
    download.fetch(jobs[:1], lambda *_: None)
    assert len(files.asked("a")) == 1


def test_a_plan_tells_what_has_arrived(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path))
    name = "clotho_audio_validation.7z"

    def state(url: str) -> str:
        path = tmp_path / "downloads" / "clotho" / name
        job = download.Job(name, path, Source(url=files.url, md5=MD5), [f"{files.url}/{url}"])
        with pytest.raises(EdgeGlassError):
            download.fetch([job], lambda *_: None)
        assert path.with_name(f"{name}.part").exists()
        return next(
            s.state for s in plan(catalog.variant("clotho"), tmp_path).sources if s.file == name
        )

    assert state("none") == "to fetch"  # a file was opened, and nothing came
    files.always("a", Lie(cut=400_000, ranges=False))
    assert state("a") == "partly here"


def test_inside_a_running_loop_as_in_a_notebook(files: Files) -> None:
    async def cell() -> None:
        fetch(files)

    asyncio.run(cell())


def test_two_at_once_fetch_once(files: Files) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: fetch(files), range(2)))
    assert len(files.asked("a")) == 1


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_build_goes_on_where_it_was(sign: signal.Signals, tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", clips=20, archives=True)
    house, store = House.build(tmp_path / "house", raw), tmp_path / "store"
    big = "clotho_audio_development.7z"
    with Files(raw) as files:
        files.lie(big, Lie(hold=150_000))
        build = ("build", "meadow", "--mirror", files.url, "--jobs", "1", "--out")
        first = command(*build, tmp_path / "out")
        with subprocess.Popen(first, env=house.env(store), stderr=subprocess.PIPE) as process:
            assert files.held.wait(120), process.communicate()
            _until(lambda: len(_stored(store)) == 8 and _size(store, big) == 150_000)
            process.send_signal(sign)
            said = process.communicate()[1].decode()
        assert process.returncode != 0 and "Traceback" not in said
        assert ("run the same command again" in said) == (sign == signal.SIGINT)
        finished = _stored(store)
        asked_before = len(files.log)
        done = edge_glass(*build, tmp_path / "out", env=house.env(store))
        assert done.returncode == 0, done.stderr
        again = files.log[asked_before:]
        assert [asked.range for asked in again if asked.path == big] == ["bytes=150000-"]
        assert not finished & {asked.path for asked in again}
    for path in raw.iterdir():
        assert (store / "downloads" / "meadow" / path.name).read_bytes() == path.read_bytes()


def _stored(store: Path) -> set[str]:
    files = [path for path in store.rglob("clotho_*") if path.suffix in (".7z", ".csv")]
    return {path.name for path in files}


def _size(store: Path, name: str) -> int:
    return sum(path.stat().st_size for path in store.rglob(f"{name}.part"))


def _until(true: Any) -> None:
    """Wait for another process."""
    for _ in range(12_000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("the other process did not get there")


def test_the_command_line_tells_a_wrong_checksum_without_a_traceback(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", clips=5, seconds=0.1, archives=True)
    name = "clotho_captions_validation.csv"
    with Files(raw) as files:
        house = House.build(tmp_path / "house", raw, url=files.url)
        (raw / name).write_bytes((raw / name).read_bytes()[::-1])
        build = ("build", "meadow", "--out", tmp_path / "out")
        done = edge_glass(*build, env=house.env(tmp_path / "store"))
        url = f"{files.url}/{name}"
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    for part in (name, url, "md5", "upstream publishes", "--raw"):
        assert part in done.stderr
