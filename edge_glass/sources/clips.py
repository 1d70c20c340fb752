"""Clips cut out of videos on the web: yt-dlp, one short-lived process a clip, many at once.

A process of its own can be killed with its ffmpeg when its time is over, so nothing hangs.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from hashlib import sha256
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from edge_glass.core.errors import NetworkError, redacted
from edge_glass.core.extras import installed, needs
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.retries import HEALS, pause
from edge_glass.core.row import Row
from edge_glass.core.units import SLACK
from edge_glass.media import audio, container
from edge_glass.sources import ytdlp_errors
from edge_glass.sources.clip_job import RUNTIMES, Job, Said
from edge_glass.sources.clip_store import ClipStore, Record, Section
from edge_glass.sources.row_fetch import Fetched, Remote

ATTEMPTS = 3  # at what may heal; the second after 2 s, the third after 4 more
BACK_OFF = 2.0
STREAK = 20  # clips in a row that may fail as a dead network fails
POLL = 0.05
SUFFIXES = {"audio": ".flac", "video": ".mp4"}
ADVICE = (
    "Wait some hours, ask less often (--clips-per-minute 10), sign in (--cookies FILE, of an "
    "account you can spare), or ask from another address (--proxy URL). What was fetched is kept: "
    "run the same command again to continue. Or pass the clips that you have as --raw."
)


class Clips:
    """Fetches the sections that rows ask for: `{"id": …, "start": seconds, "end": seconds}`."""

    def __init__(self, remote: Remote) -> None:
        self._remote, self._network = remote, remote.network
        self._store = ClipStore(remote.store)
        self._ffmpeg = ffmpeg()
        self._tool = tool(remote)
        self.at_once = self._network.at_once
        self._pool = ThreadPoolExecutor(self.at_once, thread_name_prefix="clip")
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._streak, self._why = 0, "stopped"

    def submit(self, row: Row) -> Future[Fetched]:
        """Begin to fetch a row's clip, unless the store knows what becomes of it."""
        assert row.fetch_request is not None
        id, start, end = (row.fetch_request[name] for name in ("id", "start", "end"))
        section = Section(self._remote.url(id), start, end, self._remote.want)
        return self._pool.submit(self._fetched, section, id)

    def close(self) -> None:
        """Kill what is under way; what has ended is in the store."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _fetched(self, section: Section, id: str) -> Fetched:
        record = self._store.find(section, self._tool)
        if record is None:
            with self._slot(), self._store.alone(section) as folder:
                # another process may have fetched it meanwhile
                record = self._store.find(section, self._tool) or self._fetch(section, folder)
        if record.outcome != Outcome.KEPT:
            dropped = (record.outcome, record.detail)
            return Fetched(section.url, status=record.status, dropped=dropped)
        name = f"{id}{record.suffix}"
        return Fetched(section.url, name, self._store.path(record), record.status)

    def _fetch(self, section: Section, folder: Path) -> Record:
        self._rest(0)
        for tried in count(1):
            self._pace()
            said = self._run(section, folder / str(tried))
            clip = (folder / str(tried) / said.file).read_bytes() if said and said.file else None
            record = _record(section, said, clip, self._tool)
            heals = record.outcome == Outcome.NETWORK_ERROR
            wait = pause(tried, ATTEMPTS, BACK_OFF) if heals else None
            if wait is None:
                break
            self._rest(wait)
        self._stop_if_pointless(record)
        return self._store.keep(record, clip if record.outcome == Outcome.KEPT else None)

    def _run(self, section: Section, folder: Path) -> Said | None:
        """One try, in a process group of its own that is gone when this returns; None: too slow."""
        folder.mkdir()
        cookies = self._network.cookies
        job = Job(
            **asdict(section),
            folder=str(folder.absolute()),
            ffmpeg=self._ffmpeg,
            cookies=str(cookies.absolute()) if cookies else None,
            proxy=self._network.proxy,
        )
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "edge_glass.sources.clip_job"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"YTDLP_NO_PLUGINS": "1"},
        ) as process:
            try:
                ended = self._wait(process, json.dumps(asdict(job)))
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if not ended:
            return None
        try:
            return Said(**json.loads((folder / "said.json").read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):  # killed while it wrote
            return Said(message="yt-dlp ended without a word")

    def _wait(self, process: subprocess.Popen[bytes], job: str) -> bool:
        """Whether the process ended in time by itself."""
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(f"{job}\n".encode())
            process.stdin.flush()  # and left open: its end is what a job dies of
        end = time.monotonic() + self._network.seconds
        while process.poll() is None:
            self._rest(POLL)
            if time.monotonic() > end:
                return False
        return True

    def _stop_if_pointless(self, record: Record) -> None:
        """Raise EdgeGlassError where the next clips would fare no better than this one."""
        with self._lock:
            self._streak = self._streak + 1 if record.outcome in HEALS else 0
            if record.outcome == Outcome.BOT_CHECK:
                self._why = f"the site takes us for a bot ({record.detail}). {ADVICE}"
            elif self._streak >= STREAK:
                self._why = (
                    f"{STREAK} clips in a row did not arrive, the last one: {record.outcome}, "
                    f"{record.detail}. Is the network there? Run the same command again."
                )
            else:
                return
        self._stop.set()
        self._rest(0)

    def _rest(self, seconds: float) -> None:
        """Wait. Raise EdgeGlassError, the same in all threads, once going on has no point."""
        if self._stop.wait(seconds):
            raise NetworkError(self._why)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """One of `at_once` places, which all processes share."""
        folder = self._store.folder / "work"
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            for number in range(self.at_once):
                lock = FileLock(folder / f"slot{number}.lock")
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue
                try:
                    yield
                    return
                finally:
                    lock.release()
            self._rest(POLL)

    def _pace(self) -> None:
        """Wait until another clip may be begun, counted over all processes."""
        if self._network.per_minute is None:
            return
        path, apart = self._store.folder / "work" / "pace", 60 / self._network.per_minute
        turn = now = time.time()
        with FileLock(f"{path}.lock"):
            with suppress(OSError, ValueError):
                turn = max(now, min(float(path.read_text()), now + self.at_once * apart))
            path.write_text(str(turn + apart))
        self._rest(turn - now)


def ffmpeg() -> str:
    """The path of ffmpeg: the installed one, else the one in imageio-ffmpeg's wheel.

    Raises EdgeGlassError if that, yt-dlp or PyAV is missing.
    """
    instead = ". Or pass the clips that you have as --raw."
    needs("Fetching clips", "clips", "av", "imageio_ffmpeg", "yt_dlp", instead=instead)
    import imageio_ffmpeg

    path = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    return str(path)


def tool(remote: Remote) -> str:
    """What a refusal may depend on: the version of yt-dlp, JavaScript, cookies, the proxy."""
    network, said = remote.network, [f"yt-dlp {installed('yt-dlp') or 'unknown'}"]
    said += [name for name in RUNTIMES if shutil.which(name)]
    if network.cookies:
        said.append(f"cookies {_short(network.cookies.read_bytes())}")
    if network.proxy:
        said.append(f"proxy {_short(redacted(network.proxy).encode())}")
    return ", ".join(said)


def _record(section: Section, said: Said | None, clip: bytes | None, tool: str) -> Record:
    """What one try comes to."""
    if said is None:
        return Record(section, Outcome.TIMED_OUT, "no clip in the time that one may take", tool)
    if clip is None:
        message = (
            f"{said.message}\n{said.ffmpeg}" if "ffmpeg exited" in said.message else said.message
        )
        status = ytdlp_errors.status(message)
        sentence = redacted(ytdlp_errors.sentence(message))
        return Record(section, ytdlp_errors.outcome(message), sentence, tool, status)
    try:
        seconds, wanted = _seconds(section, clip), section.end - section.start
        if abs(seconds - wanted) > SLACK:
            detail = f"{seconds:.2f} s where {wanted:g} s were asked for"
            raise Dropped(Outcome.WRONG_DURATION, detail)
    except Dropped as drop:
        return Record(section, drop.outcome, drop.detail, tool)
    return Record(section, Outcome.KEPT, "", tool, suffix=SUFFIXES[section.want])


def _seconds(section: Section, clip: bytes) -> float:
    """The length of a clip: decoded for audio, as the header has it for video."""
    return audio.check(clip).seconds if section.want == "audio" else container.seconds(clip)


def _short(secret: bytes) -> str:
    return sha256(secret).hexdigest()[:8]
