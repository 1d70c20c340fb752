"""The server behind the search page: who is answered, and with what. No browser, no encoder."""

import asyncio
import io
import json
import socket
import threading
from typing import Any

import pytest
import searchkit
from aiohttp.test_utils import TestClient, TestServer
from kit import Cli, encoded, tones
from PIL import Image

from edge_glass.core.progress import Progress
from edge_glass.vectors import index_build
from edge_glass.vectors.query import Column, Finder, Query
from edge_glass.vectors.serve import LARGEST, Site

BIG = "9" * 5000
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
WAV = encoded(tones(1, 8000, 440), 8000)


def png(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (900, 600), colour).save(out, "PNG")
    return out.getvalue()


MEDIA = [png((200, 40, 40)), SVG, HTML, WAV, None, png((40, 40, 200))[:400]]
NSFW = ["UNLIKELY", "UNLIKELY", "UNLIKELY", "UNLIKELY", "NSFW", "UNSURE"]


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    files = [{"bytes": data, "path": "x.png"} for data in MEDIA]
    folder = searchkit.write(
        tmp_path_factory.mktemp("served"),
        {"caption": searchkit.clustered(6, clusters=6)},
        media=files,
        nsfw=NSFW,
        score=[0.5, float("nan"), 1.0, 2.0, 3.0, 4.0],
    )
    index_build.build(searchkit.only(folder), [], 10**9, Progress())
    return Finder(folder)


def asked(finder: Finder, path: str, method: str = "GET", **more: Any) -> tuple[Any, bytes]:
    """The answer to one request, and its body."""

    async def ask() -> tuple[Any, bytes]:
        app = Site(finder, frozenset({"localhost"})).app()
        async with TestClient(TestServer(app)) as client:
            answer = await client.request(method, path, **more)
            return answer, await answer.read()

    return asyncio.run(ask())


def test_weights_are_read_by_one_thread_at_a_time(
    finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would import what reads them at once, which fails. No weights here: rows for texts."""
    vector, inside, most = Column.vector, [0], [0]
    first, second = threading.Event(), threading.Event()

    def slow(column: Column, query: Query) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        (second if first.is_set() else first).set()
        second.wait(1)  # the second one has come in, or is kept out
        inside[0] -= 1
        return vector(column, Query("row", 0))

    monkeypatch.setattr(Column, "vector", slow)
    warm = threading.Thread(target=finder.warm)
    warm.start()
    assert first.wait(60) and finder.find(Query("text", "a dog"), k=1)
    warm.join()
    assert most == [1] and second.is_set()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8017", 200),
        ("localhost:8017", 200),
        ("LOCALHOST", 200),
        ("[::1]:8017", 200),
        ("192.168.7.7", 200),
        ("evil.example", 403),
        ("evil.example:8017", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_names_that_are_not_ours_are_not_answered(host: str, status: int, finder: Finder) -> None:
    answer, _ = asked(finder, "/row/0", headers={"Host": host})
    assert answer.status == status


def test_other_sites_get_nothing_but_the_page(finder: Finder) -> None:
    away = {"Sec-Fetch-Site": "cross-site"}
    assert asked(finder, "/", headers=away)[0].status == 200
    for path in ("/row/0", "/media/0/media/0", "/small/0/media/0", "/filters"):
        assert asked(finder, path, headers=away)[0].status == 403
    assert asked(finder, "/search?row=0", "POST", headers=away)[0].status == 403


@pytest.mark.parametrize(
    "path", ["/", "/page.js", "/page.css", "/row/0", "/media/0/media/0", "/no"]
)
def test_headers_of_every_answer(path: str, finder: Finder) -> None:
    answer, _ = asked(finder, path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_pictures_and_sounds_alone_are_served(finder: Finder) -> None:
    kinds = {0: "image/png", 3: "audio/wav"}
    for row in range(len(MEDIA)):
        answer, body = asked(finder, f"/media/{row}/media/0")
        if row in kinds:
            assert (answer.status, answer.content_type, body) == (200, kinds[row], MEDIA[row])
        elif row != 5:  # cut off, but its head says what it is
            assert answer.status == 404 and b"script" not in body
    answer, body = asked(finder, "/small/0/media/0")
    assert answer.content_type == "image/jpeg"
    assert Image.open(io.BytesIO(body)).size == (480, 320)
    for row in (1, 2, 3, 4, 5):
        assert asked(finder, f"/small/{row}/media/0")[0].status == 400
    for path in ("/media/0/caption/0", "/media/99/media/0", "/media/0/no/0"):
        assert asked(finder, path)[0].status == 400


def test_parts_of_a_sound(finder: Finder) -> None:
    answer, body = asked(finder, "/media/3/media/0", headers={"Range": "bytes=100-199"})
    assert (answer.status, body) == (206, WAV[100:200])
    assert answer.headers["Content-Range"] == f"bytes 100-199/{len(WAV)}"
    answer, body = asked(finder, "/media/3/media/0", headers={"Range": "bytes=-50"})
    assert (answer.status, body) == (206, WAV[-50:])
    answer, body = asked(finder, "/media/3/media/0", headers={"Range": "bytes=0-"})
    assert (answer.status, body) == (206, WAV)
    past = {"Range": f"bytes={len(WAV)}-"}
    assert asked(finder, "/media/3/media/0", headers=past)[0].status == 416


def test_rows_by_a_row(finder: Finder) -> None:
    shown = json.loads(asked(finder, "/search?row=0", "POST")[1])
    assert shown["in"] == "caption:planted" and shown["rows"][0]["row"] == 0
    assert {hit["row"] for hit in shown["rows"]} == {0, 1, 2, 3}
    assert shown["rows"][0]["media"] == [["media", 0, "image"]]
    everything = json.loads(asked(finder, "/search?row=0&nsfw=1&k=5", "POST")[1])
    assert len(everything["rows"]) == 5
    kept = json.loads(asked(finder, "/search?row=0&nsfw=1&filter=score%3E%3D2", "POST")[1])
    assert {hit["row"] for hit in kept["rows"]} == {3, 4, 5}


def test_a_row_with_its_ledger_and_nothing_that_json_has_not(finder: Finder) -> None:
    found = json.loads(asked(finder, "/row/1")[1])
    assert found["row"]["score"] is None and found["row"]["id"] == "row 1"
    assert found["ledger"]["outcome"] == "kept" and found["media"] == []


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("/search", None, 400, b"type a text"),
        ("/search", SVG, 400, b"an SVG drawing"),
        ("/search", HTML, 400, b"a web page"),
        ("/search", MEDIA[0], 400, b"no index takes image"),
        ("/search?row=0&filter=no", None, 400, b"write column=value"),
        ("/search?row=0&filter=a=b", None, 400, b"no column a"),
        ("/search?row=99999999", None, 400, b"no row"),
        ("/search?row=0&in=%3Cscript%3E", None, 400, b"no index takes row"),
        ("/search", b"\x89PNG\r\n\x1a\n" + bytes(LARGEST), 413, b"error"),
    ],
)
def test_what_is_refused(
    path: str, body: bytes | None, status: int, why: bytes, finder: Finder
) -> None:
    answer, found = asked(finder, path, "POST", data=body)
    assert (answer.status, answer.content_type) == (status, "application/json")
    assert why in found


def test_a_port_that_is_taken(finder: Finder, cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("serve", finder.table.folder, "--port", port)
    assert done.code == 1 and "give another --port" in " ".join(done.err.split())


@pytest.mark.parametrize(
    "path",
    [f"/row/{BIG}", f"/search?row={BIG}", f"/search?row=1&k={BIG}", f"/media/1/media/{BIG}",
     f"/search?row=1&filter=score>{BIG}", "/search?row=%ff%00", "/row/\u0661\u0662", "/%ff"],
)  # fmt: skip
def test_numbers_that_no_row_has_are_no_fault_of_the_server(finder: Finder, path: str) -> None:
    answer, body = asked(finder, path, "POST" if "search" in path else "GET")
    assert answer.status in (200, 400, 404) and b"Traceback" not in body


@pytest.mark.parametrize(
    "origin, status",
    [("https://evil.example", 403), ("null", 403), ("http://localhost.evil:1", 403), (None, 200)],
)
def test_a_foreign_origin_is_refused_by_itself(
    finder: Finder, origin: str | None, status: int
) -> None:
    headers = {"Origin": origin} if origin else {}
    answer, _ = asked(finder, "/search?row=1", "POST", headers=headers)
    assert answer.status == status


RAW = [
    (b"GET http://127.0.0.1/row/1 HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"403"),
    (b"GET http://evil.example/row/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"403"),
    (b"GET /row/1 HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"40"),
    (b"GET /row/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"200"),
    (b"\x00\xff\x16\x03\r\n\r\n", b"400"),
    (b"GET /row/1 HTTP/9.9\r\n\r\n", b"400"),
    (b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", b"400"),
]


@pytest.mark.parametrize("request_, status", RAW)
def test_odd_requests_are_answered_without_a_traceback(
    finder: Finder, request_: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> bytes:
        async with TestServer(Site(finder, frozenset({"localhost"})).app()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request_)
            answer = await asyncio.wait_for(reader.readline(), 20)
            writer.close()
            return answer

    assert asyncio.run(ask()).split(b" ")[1].startswith(status)
    assert not [record for record in caplog.records if record.exc_info]
