"""A site for tests: a page a clip, as the real ones have it, and pages that misbehave."""

import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = '<html><body>{id} <{tag} src="/media/{id}{suffix}"></{tag}></body></html>'
Answer = Callable[["Request"], None]


class Site:
    """`http://127.0.0.1:…/watch?v=<id>`; `media` holds bytes by id, `answers` what a page does."""

    def __init__(self) -> None:
        self.media: dict[str, tuple[str, bytes]] = {}  # id -> suffix, bytes
        self.answers: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()  # id -> pages asked for
        self.now = self.most = 0  # answers under way, and the most there were
        self.headers: dict[str, dict[str, str]] = {}  # id -> what its page was asked with
        self.lock = threading.Lock()
        self.closing = threading.Event()

    def __enter__(self) -> "Site":
        site = self

        class Handler(Request):
            site_ = site

        self.server = _Quiet(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def template(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/watch?v={{id}}"


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Killed clients are the point of these tests."""


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site_: Site

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        site, url = self.site_, urlsplit(self.path)
        id = parse_qs(url.query).get("v", [""])[0]
        if not id:
            id = url.path.removeprefix("/media/").rpartition(".")[0] or url.path
        with site.lock:
            site.headers.setdefault(id, dict(self.headers))
            site.asked[id] += url.path == "/watch"
            site.now += url.path == "/watch"
            site.most = max(site.most, site.now)
        try:
            if url.path == "/watch":
                site.answers.get(id, page)(self)
            elif answer := site.answers.get(url.path):
                answer(self)
            else:
                self._media(id)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with site.lock:
                site.now -= url.path == "/watch"

    def _media(self, id: str) -> None:
        suffix, data = self.site_.media.get(id, ("", b""))
        if answer := self.site_.answers.get(f"{id}{suffix}"):
            answer(self)
            return
        start, end = 0, len(data) - 1
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or end), end)
        kind = {".ogg": "audio/ogg", ".mp4": "video/mp4"}.get(suffix, "audio/webm")
        extra = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{end}/{len(data)}"}
        self.answer(206 if asked else 200, data[start : end + 1], kind, extra)

    def answer(
        self, status: int, body: bytes, kind: str = "text/html", extra: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **(extra or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


def page(request: Request) -> None:
    """The page of a clip."""
    id = parse_qs(urlsplit(request.path).query)["v"][0]
    suffix = request.site_.media[id][0]
    tag = "video" if suffix == ".mp4" else "audio"
    request.answer(200, PAGE.format(id=id, suffix=suffix, tag=tag).encode())


def status(code: int) -> Answer:
    return lambda request: request.answer(code, b"no")


def says(code: int, reason: str) -> Answer:
    """A refusal with a reason of its own, which reaches whoever asked."""

    def answer(request: Request) -> None:
        request.send_response(code, reason)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def html(text: str) -> Answer:
    return lambda request: request.answer(200, f"<html>{text}</html>".encode())


def hang(request: Request) -> None:
    request.site_.closing.wait(60)


def close(request: Request) -> None:
    request.close_connection = True
    request.connection.close()


def drip(request: Request) -> None:
    """A byte now and then, for ever."""
    request.send_response(200)
    request.send_header("Content-Type", "audio/ogg")
    request.send_header("Content-Length", "100000000")
    request.end_headers()
    while not request.site_.closing.wait(0.2):
        request.wfile.write(b"O")


def when(event: threading.Event) -> Answer:
    """The page, as soon as something has happened."""

    def answer(request: Request) -> None:
        event.wait(120)
        page(request)

    return answer
