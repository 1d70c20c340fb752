"""One clip, fetched by yt-dlp in a process of its own: `python -m edge_glass.sources.clip_job`.

It reads one line of JSON (see `Job`) from its standard input, writes `said.json` (see `Said`) into
the job's folder, and kills itself with all it has started once its standard input ends: so no job
outlives the build that wanted it. It imports little, for there is one of it a clip.
"""

import json
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MAX_BYTES = 200_000_000  # of one clip, and of what ffmpeg has to say
MAX_WORDS = 20_000
SOCKET_SECONDS = 20
RUNTIMES = ("deno", "node", "bun", "quickjs")  # for the JavaScript of YouTube's player
SITES = ["youtube", "generic", "html5"]  # not the other 1,700: each may send us elsewhere
PROTOCOLS = "http,https,tcp,tls,crypto,httpproxy"  # a playlist of theirs opens no file of ours
# the same bytes for the same input: no time, no library versions, one thread
EXACT = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact", "-threads", "1"]
# yt-dlp's choice of format; what ffmpeg makes of it: cut exactly, hence encoded, audio lossless
WANTED: dict[str, tuple[str, list[str]]] = {
    "audio": (
        "bestaudio/best",
        ["-vn", "-sn", "-dn", "-c:a", "flac", "-sample_fmt", "s16", "-f", "flac"],
    ),
    "video": (
        "bestvideo[height<=720]+bestaudio/best[height<=720]/bestvideo+bestaudio/best",
        [
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p"),
            *("-sn", "-dn", "-c:a", "aac", "-b:a", "192k", "-f", "mp4"),
        ],
    ),
}


@dataclass(frozen=True, slots=True)
class Job:
    """Seconds `start` to `end` of `url`, as audio or video, to be fetched into `folder`."""

    url: str
    start: float
    end: float
    want: str
    folder: str
    ffmpeg: str
    cookies: str | None = None
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """The name of the clip in the job's folder, or what yt-dlp and ffmpeg said instead."""

    file: str = ""
    message: str = ""
    ffmpeg: str = ""


def main() -> None:
    """Fetch one clip."""
    job = Job(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with suppress(ImportError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_BYTES, MAX_BYTES))
    said = json.dumps(asdict(fetch(job)))
    aside = Path(job.folder) / "said.tmp"
    aside.write_text(said, encoding="utf-8")
    aside.rename(aside.with_suffix(".json"))


def fetch(job: Job) -> Said:
    """Fetch one clip; whatever goes wrong is said."""
    heard = Path(job.folder) / "ffmpeg.txt"
    with heard.open("wb") as file:
        os.dup2(file.fileno(), 2)  # ffmpeg's own words, which yt-dlp does not pass on
    try:
        _offer(job)
        return Said(file=_download(job))
    except Exception as error:  # yt-dlp raises whatever its extractors meet
        with heard.open(encoding="utf-8", errors="replace") as file_:
            return Said(message=str(error)[:MAX_WORDS], ffmpeg=file_.read(MAX_WORDS))


def _offer(job: Job) -> None:
    """Put ffmpeg on the path under that name: yt-dlp's own setting for it does not reach cuts."""
    folder = Path(job.folder) / "bin"
    folder.mkdir()
    (folder / "ffmpeg").symlink_to(job.ffmpeg)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _download(job: Job) -> str:
    from yt_dlp import YoutubeDL

    with YoutubeDL(_options(job)) as downloader:
        info = downloader.extract_info(job.url) or {}
    entries = info.get("entries") or [info]
    paths = [item["filepath"] for entry in entries for item in entry.get("requested_downloads", [])]
    if len(paths) != 1 or not Path(paths[0]).is_file():
        raise FileNotFoundError("No video formats found: no single clip came")
    return Path(paths[0]).name


def _options(job: Job) -> dict[str, Any]:
    from yt_dlp.utils import download_range_func

    formats, output = WANTED[job.want]
    safe = ["-loglevel", "error", "-nostats", "-protocol_whitelist", PROTOCOLS]
    options: dict[str, Any] = {
        "format": formats,
        "allowed_extractors": SITES,
        "download_ranges": download_range_func([], [(job.start, job.end)]),
        "force_keyframes_at_cuts": True,
        "external_downloader_args": {"ffmpeg_i": safe, "ffmpeg_o": output + EXACT},
        "outtmpl": {"default": str(Path(job.folder) / "clip.%(ext)s")},
        "fixup": "never",
        "noplaylist": True,
        "playlist_items": "1",
        "cachedir": False,
        "updatetime": False,
        "noprogress": True,
        "logger": _Silent(),
        "socket_timeout": SOCKET_SECONDS,
        "retries": 0,  # whoever starts this job decides on another try
        "extractor_retries": 0,
        "proxy": job.proxy,
        "js_runtimes": {name: {} for name in RUNTIMES if shutil.which(name)},
    }
    if job.cookies:
        # yt-dlp writes its jar back: never into the user's file
        options["cookiefile"] = shutil.copy(job.cookies, Path(job.folder) / "cookies.txt")
    return options


class _Silent:
    """Where yt-dlp talks to nobody: what matters comes as an exception."""

    def debug(self, message: str) -> None: ...

    warning = error = debug


def _die_with_parent() -> None:
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
