"""The fetch engine: answers, redirects, turns at hosts, and what is asked for."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest
from kit import encoded, tones
from webkit import JPEG, LIMITS, fetch, outcome
from wildsite import Site, in_turn, moved, page

from edge_glass.core.ledger import Outcome
from edge_glass.sources.bundle import Bundle
from edge_glass.sources.responses import Answer
from edge_glass.sources.row_fetch import Limits
from edge_glass.sources.web import Web


def test_sounds_and_other_files_by_url() -> None:
    wave, text = encoded(tones(0.1, 8000, 440), 8000), b"plain words"
    pages = {"/a.wav": page(wave), "/a.jpg": page(JPEG), "/a.txt": page(text)}
    with Site(pages) as site:
        urls = [site.url + path for path in pages]
        assert [outcome(a) for a in fetch(*urls, want="sound")] == ["kept", *["wrong_kind"] * 2]
        assert [a.body for a in fetch(*urls, want="file")] == [wave, JPEG, text]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_bundled_web_answers_for_both_schemes(scheme: str, tmp_path: Path) -> None:
    """As CONTRIBUTING.md promises to who writes a corpus: most lists name https."""
    (tmp_path / "photos.example" / "a").mkdir(parents=True)
    (tmp_path / "photos.example" / "a" / "b.jpg").write_bytes(JPEG)

    async def asked() -> list[Answer]:
        bundle = Bundle(tmp_path)
        await bundle.start()
        paths = "photos.example/a/b.jpg?size=1", "photos.example/c.jpg", "other.example/a.jpg"
        async with Web(resolver=bundle) as web:
            answers = [await web.get(f"{scheme}://{path}", "image") for path in paths]
        await bundle.close()
        return answers

    answers = asyncio.run(asked())
    assert [outcome(a) for a in answers] == ["kept", "removed", "host_not_found"]
    assert answers[0].body == JPEG and answers[0].final_url in (None, answers[0].url)


@pytest.mark.parametrize("path", ["a%00b.jpg", "%2e%2e/secret.jpg", "x" * 300, "a", "%ff.jpg"])
def test_a_bundled_web_lacks_what_no_file_can_be_called(
    path: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "web" / "photos.example" / "a").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(JPEG)

    async def asked() -> Answer:
        bundle = Bundle(tmp_path / "web")
        await bundle.start()
        async with Web(resolver=bundle) as web:
            answer = await web.get(f"http://photos.example/{path}", "image")
        await bundle.close()
        return answer

    answer = asyncio.run(asked())
    assert (outcome(answer), answer.status, caplog.text) == ("removed", 404, "")


def test_redirects_and_what_is_known_of_an_answer() -> None:
    facts = ['ETag: "v1"', "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"]
    pages = {"/a": moved("b"), "/b": moved("/c.jpg", 308), "/c.jpg": page(JPEG, 200, *facts)}
    with Site(pages) as site:
        answer = fetch(f"{site.url}/a")[0]
        assert (answer.url, answer.final_url) == (f"{site.url}/a", f"{site.url}/c.jpg")
    assert (answer.status, answer.etag, answer.kind) == (200, '"v1"', "image/jpeg")
    assert answer.last_modified == "Mon, 01 Jan 2024 00:00:00 GMT"


def test_five_redirects_are_followed_and_no_more() -> None:
    pages = {f"/{n}": moved(f"/{n - 1}") for n in range(1, 7)} | {"/0": page(JPEG)}
    with Site(pages) as site:
        found = [outcome(a) for a in fetch(f"{site.url}/5", f"{site.url}/6")]
    assert found == ["kept", "redirected_too_often"]


def test_nothing_is_sent_that_nobody_asked_for() -> None:
    with Site({"/a.jpg": page(JPEG, 200, "Set-Cookie: a=b")}) as site:
        fetch(f"http://user:secret@127.0.0.1:{site.port}/a.jpg", f"{site.url}/a.jpg")
    for headers in site.headers:
        assert headers["accept-encoding"] == "identity"
        assert headers["user-agent"].startswith("edge-glass/")
        assert not {"cookie", "authorization", "referer"} & set(headers)


def test_gzip_that_nobody_asked_for_is_read() -> None:
    with Site({"/a.jpg": page(gzip.compress(JPEG), 200, "Content-Encoding: gzip")}) as site:
        assert fetch(f"{site.url}/a.jpg")[0].body == JPEG


def test_retry_after_is_waited_for(no_rest: list[float]) -> None:
    busy = page(b"", 429, "Retry-After: 7")
    with Site({"/a.jpg": in_turn(busy, page(JPEG))}) as site:
        assert outcome(fetch(f"{site.url}/a.jpg")[0]) == "kept"
        assert site.count("/a.jpg") == 2
    assert no_rest == [pytest.approx(7, abs=0.5)]


def test_a_host_that_wants_a_long_rest_is_left_alone(no_rest: list[float]) -> None:
    busy = page(b"", 503, "Retry-After: 86400")
    with Site({f"/{n}.jpg": busy for n in range(50)}) as site:
        limits = Limits(at_once=4, per_host=1, intranet=True)
        answers = fetch(*(f"{site.url}/{n}.jpg" for n in range(50)), limits=limits)
        assert {outcome(answer) for answer in answers} == {"rate_limited"}
        assert len([path for path in site.log if path.endswith(".jpg")]) == 1
    assert no_rest == []


def test_a_host_that_refuses_keeps_no_other_waiting() -> None:
    with (
        Site({"/a.jpg": page(b"", 429, "Retry-After: 50")}) as busy,
        Site({"/b.jpg": page(JPEG)}) as good,
    ):

        async def race() -> str:
            async with Web(Limits(at_once=1, intranet=True)) as web:
                held = asyncio.create_task(web.get(f"{busy.url}/a.jpg", "image"))
                while not busy.count("/a.jpg"):
                    await asyncio.sleep(0.01)
                found = outcome(await web.get(f"{good.url}/b.jpg", "image"))
                assert not held.done()
                held.cancel()
                return found

        assert asyncio.run(race()) == "kept"


def test_no_host_gets_more_connections_than_it_should() -> None:
    most = now = 0

    async def count(writer: asyncio.StreamWriter, _: Any) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        await page(JPEG)(writer, {})

    with Site({f"/{n}.jpg": count for n in range(40)}) as site:
        fetch(*(f"{site.url}/{n}.jpg" for n in range(40)), limits=Limits(per_host=3, intranet=True))
    assert most == 3


def test_unchanged_since_last_time() -> None:
    async def by_etag(writer: asyncio.StreamWriter, headers: Any) -> None:
        same = headers.get("if-none-match") == '"v1"'
        await page(b"" if same else JPEG, 304 if same else 200, 'ETag: "v1"')(writer, headers)

    async def both(url: str) -> list[Answer]:
        async with Web(LIMITS) as web:
            return [await web.get(url, "image", etag) for etag in ('"v1"', '"v0"')]

    with Site({"/a.jpg": by_etag}) as site:
        found = asyncio.run(both(f"{site.url}/a.jpg"))
    assert [(a.status, a.body, a.dropped) for a in found] == [(304, b"", None), (200, JPEG, None)]


def test_all_outcomes_have_one_word() -> None:
    assert all(name == name.lower() == Outcome[name.upper()] for name in Outcome)


def test_a_server_that_does_not_speak_tls() -> None:
    def plain(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def ask() -> Answer:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server, Web(LIMITS) as web:
            port = server.sockets[0].getsockname()[1]
            return await web.get(f"https://127.0.0.1:{port}/a.jpg")

    assert outcome(asyncio.run(ask())) == "tls_error"
