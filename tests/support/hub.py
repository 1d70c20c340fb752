"""A Hub on 127.0.0.1 that unmodified `huggingface_hub` and `datasets` talk to, for dataset repos.

with Hub() as hub:
    HfApi(endpoint=hub.url, token=hub.token).create_repo("org/set", repo_type="dataset")
    subprocess.run([sys.executable, "-c", "..."], env=hub.env())  # load_dataset and the like
    hub.fail(Fault("PUT", "/lfs/", status=500))  # the next upload fails once
"""

import hashlib
import itertools
import json
import os
import re
import socket
import socketserver
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl

from hub_api import Answer, Call, find_route
from hub_store import Blob, HubError, Store
from huggingface_hub import constants

CHUNK = 1 << 20


@dataclass(frozen=True)
class Fault:
    """What happens to the `nth` request that matches, counted from `fail()` on, and to the
    `times - 1` after it."""

    method: str  # a regular expression for the whole method
    path: str  # a regular expression, searched in the path as sent (encoded, with its query)
    nth: int = 1
    times: int = 1
    status: int | None = None  # answer this and do nothing
    retry_after: int | None = None  # seconds, in a header of that answer
    leads_to: str | None = None  # the URL in a header of that answer
    cut: int | None = None  # bytes of the body (of PUT and POST: what is uploaded) until a hang-up
    lost: bool = False  # do the work, then hang up without an answer
    drip: float = 0.0  # seconds to pause after each quarter of the body that is sent


@dataclass
class Request:
    """A line of the log. Bytes are those of bodies; status 0 means that no answer was begun."""

    method: str
    path: str
    status: int = 0
    received: int = 0
    sent: int = 0


class HangUp(Exception):
    """Close the connection as a crash or a lost network would."""


class Hub:
    token = "hf_tests"

    def __enter__(self) -> "Hub":
        self.log: list[Request] = []
        self.stopped = threading.Event()
        self._faults: list[Fault] = []
        self._seen: list[int] = []  # requests that each fault has matched
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        with ExitStack() as stack:
            # The variable of that name is read at the import, which may be long past.
            stack.enter_context(mock.patch.object(constants, "HF_HUB_DISABLE_XET", True))
            self._root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-")))
            self.store = Store(self._root)
            server = stack.enter_context(_Server(("127.0.0.1", 0), _Handler))
            server.hub = self
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            stack.callback(server.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        self._stack.close()

    def env(self) -> dict[str, str]:
        """The environment of a client process, with an empty cache of its own.

        The Hub is also its proxy, so that a request for any other host ends in the log, with a 404.
        """
        ours = {k: v for k, v in os.environ.items() if not re.match("(?i)HF_|.*_PROXY$", k)}
        proxies = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]
        switches = ["XET", "TELEMETRY", "PROGRESS_BARS", "UPDATE_CHECK"]
        return {
            **ours,
            **dict.fromkeys(proxies, self.url),
            **{f"HF_HUB_DISABLE_{switch}": "1" for switch in switches},
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.fresh("home")),
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # datasets counts loads at Amazon's otherwise
        }

    def files(self, repo: str, rev: str = "main") -> dict[str, Blob]:
        return dict(self.store.repos[repo].find(rev).files)

    def read(self, repo: str, path: str, rev: str = "main") -> bytes:
        return self.store.path(self.files(repo, rev)[path].sha256).read_bytes()

    def seen(self, method: str, path: str) -> list[Request]:
        """The requests in the log that match two regular expressions, as those of a Fault."""
        return [r for r in list(self.log) if _matches(r, method, path)]

    def reset_log(self) -> None:
        self.log.clear()

    def fail(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)
            self._seen.append(0)

    def heal(self) -> None:
        with self._lock:
            self._faults.clear()
            self._seen.clear()

    def next_fault(self, request: Request) -> Fault:
        """Log the request and say what is to go wrong with it."""
        due = []
        with self._lock:
            self.log.append(request)
            for i, fault in enumerate(self._faults):
                if _matches(request, fault.method, fault.path):
                    self._seen[i] += 1
                    if fault.nth <= self._seen[i] < fault.nth + fault.times:
                        due.append(fault)
        return due[0] if due else Fault("", "")

    def fresh(self, name: str) -> Path:
        """A path that nobody has used."""
        return self._root / f"{name}{next(self._numbers)}"


def _matches(request: Request, method: str, path: str) -> bool:
    return bool(re.fullmatch(method, request.method) and re.search(path, request.path))


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    # Not http.server's own: that one looks up the name of its host, and its backlog is 5.
    allow_reuse_address = True
    request_queue_size = 128
    hub: Hub

    def __init__(self, *args: Any) -> None:
        self._live: set[socket.socket] = set()
        super().__init__(*args)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._live.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._live.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Hang up on idle clients too: server_close waits for the threads that serve them."""
        self.shutdown()
        for connection in list(self._live):
            _hang_up(connection)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the client was faster
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that ends between two requests
            super().handle()

    def _serve(self) -> None:
        self.hub = self.server.hub
        self.request_log = Request(self.command, self.path)
        self.fault = self.hub.next_fault(self.request_log)
        body = self.hub.fresh("body")
        try:
            sha256 = self._receive(body)
            answer = self._answer(body, sha256)
            if self.fault.lost:
                raise HangUp
            self._send(answer)
        except (HangUp, ConnectionError):
            self.close_connection = True
            _hang_up(self.connection)
        finally:
            body.unlink(missing_ok=True)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_CONNECT = _serve

    def _receive(self, body: Path) -> str:
        """Write what is uploaded to disk; its sha256."""
        size = int(self.headers.get("Content-Length", 0))
        cut = self.fault.cut if self.command in ("PUT", "POST") else None
        left = size if cut is None else min(cut, size)
        digest = hashlib.sha256()
        with body.open("wb") as out:
            while left and (chunk := self.rfile.read(min(left, CHUNK))):
                out.write(chunk)
                digest.update(chunk)
                left -= len(chunk)
                self.request_log.received += len(chunk)
        if left or cut is not None:
            raise HangUp
        return digest.hexdigest()

    def _answer(self, body: Path, sha256: str) -> Answer:
        hub, fault = self.hub, self.fault
        try:
            if fault.status is not None:
                said = {"Retry-After": fault.retry_after, "Location": fault.leads_to}
                headers = {name: str(value) for name, value in said.items() if value is not None}
                raise HubError(fault.status, "A fault of the test", **headers)
            path, _, query = self.path.partition("?")
            function, needs_token, parts = find_route(self.command.replace("HEAD", "GET"), path)
            token = self._token()
            if needs_token and not token:
                raise HubError(401, "Invalid username or password.")
            asked = dict(parse_qsl(query))
            call = Call(hub.url, hub.store, token, self.headers, parts, asked, body, sha256)
            found = function(call)
        except HubError as error:
            return Answer(_json({"error": str(error)}), error.status, error.headers)
        except (KeyError, TypeError, ValueError) as error:  # a body that is not what a client sends
            return Answer(_json({"error": f"{type(error).__name__}: {error}"}), 400)
        return found if isinstance(found, Answer) else Answer(_json(found))

    def _token(self) -> bool:
        sent = self.headers.get("Authorization")
        if sent not in (None, f"Bearer {self.hub.token}"):
            raise HubError(401, "Invalid credentials in Authorization header")
        return sent is not None

    def _send(self, answer: Answer) -> None:
        first, end = answer.extent()
        self.request_log.status = answer.status
        self.send_response(answer.status)
        kind = "application/json" if isinstance(answer.body, bytes) else "application/octet-stream"
        headers = {"Content-Type": kind, "Content-Length": str(end - first), **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer, first, end)

    def _send_body(self, answer: Answer, first: int, end: int) -> None:
        cut, drip = self.fault.cut, self.fault.drip
        left = end - first if cut is None else min(cut, end - first)
        step = max(1, (end - first + 3) // 4) if drip else CHUNK
        with answer.open() as source:
            source.seek(first)
            while left and (chunk := source.read(min(left, step))):
                self.request_log.sent += len(chunk)  # first, as the client may be done at once
                self.wfile.write(chunk)
                left -= len(chunk)
                if drip:
                    self.hub.stopped.wait(drip)
        if cut is not None:
            raise HangUp

    def log_message(self, *args: Any) -> None:
        """Nothing on stderr: `Hub.log` has it."""


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()
