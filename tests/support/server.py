"""A web server on 127.0.0.1 over a folder: ranges, a log, and the lies that a test wants told.

with Files(folder) as files:
    files.lie("a.7z", Lie(cut=1000), Lie(status=503))  # the first two requests, then the truth
"""

import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote

from hub import HangUp, Request, _hang_up, _Server

STEP = 2**16


@dataclass(frozen=True)
class Lie:
    """What one request meets in place of the truth."""

    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)  # None: that one is left out
    body: bytes | None = None  # in place of the file's; ranges are ignored then
    ranges: bool = True  # False: 200 and the whole file, whatever was asked for
    cut: int | None = None  # bytes of the body until the connection is gone
    hold: int | None = None  # bytes of the body, and then nothing more


@dataclass
class Asked(Request):
    """A line of the log, with the range that was asked for, and who said to ask."""

    range: str | None = None
    authorization: str | None = None


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log: list[Asked] = []
        self.held = threading.Event()  # set when a request is held
        self._lies: defaultdict[str, list[Lie]] = defaultdict(list)
        self._always: dict[str, Lie] = {}

    def __enter__(self) -> "Files":
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self  # type: ignore[assignment]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server_close()

    def lie(self, name: str, *lies: Lie) -> None:
        """What the next requests for `name` meet, one each."""
        self._lies[name] += lies

    def always(self, name: str, lie: Lie) -> None:
        """What every request for `name` meets from now on."""
        self._always[name] = lie

    def asked(self, name: str) -> list[Asked]:
        return [asked for asked in self.log if asked.path == name]

    def next_lie(self, name: str) -> Lie:
        return self._lies[name].pop(0) if self._lies[name] else self._always.get(name, Lie())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        files: Files = self.server.hub  # type: ignore[attr-defined]
        name = unquote(self.path.partition("?")[0]).lstrip("/")
        self.asked = Asked("GET", name)
        self.asked.range = self.headers.get("Range")
        self.asked.authorization = self.headers.get("Authorization")
        files.log.append(self.asked)
        lie = files.next_lie(name)
        try:
            self._answer(lie, files.folder / name)
            if lie.hold is not None:
                files.held.set()
                self.connection.recv(1)  # until the client goes, or the server
                raise HangUp
        except (HangUp, ConnectionError):
            self.close_connection = True
            _hang_up(self.connection)

    def _answer(self, lie: Lie, path: Path) -> None:
        status, body, headers = self._truth(lie, path)
        if lie.status is not None:
            status = lie.status
            body = lie.body or (b"" if status >= 300 else body)
        headers = {"Content-Length": str(len(body)), **headers, **lie.headers}
        self.asked.status = status
        self.send_response(status)
        for key, value in headers.items():
            if value is not None:
                self.send_header(key, value)
        if headers["Content-Length"] is None:
            self.send_header("Connection", "close")
        self.end_headers()
        self._send(body, lie)

    def _truth(self, lie: Lie, path: Path) -> tuple[int, bytes, Mapping[str, str | None]]:
        if lie.body is not None:
            return 200, lie.body, {}
        if not path.is_file():
            return 404, b"", {}
        whole = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.asked.range or "")
        if not asked or not lie.ranges:
            return 200, whole, {}
        start = int(asked[1])
        if start >= len(whole):
            return 416, b"", {"Content-Range": f"bytes */{len(whole)}"}
        part = whole[start : int(asked[2]) + 1 if asked[2] else None]
        extent = f"bytes {start}-{start + len(part) - 1}/{len(whole)}"
        return 206, part, {"Content-Range": extent}

    def _send(self, body: bytes, lie: Lie) -> None:
        stop = lie.cut if lie.cut is not None else lie.hold
        for start in range(0, len(body[:stop]), STEP):
            chunk = body[start : min(start + STEP, len(body) if stop is None else stop)]
            self.asked.sent += len(chunk)
            self.wfile.write(chunk)
        if lie.cut is not None:
            raise HangUp

    def log_message(self, *_: object) -> None:
        """Nothing on stderr: `Files.log` has it."""
