"""The fetch engine against a server that means no good; and what sites ask of robots."""

import asyncio
import gzip
import io
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from kit import encoded, entries, tones
from PIL import Image
from test_images import huge_png
from test_pixmo_cap import listed
from wildsite import Names, Site, drip, endless, hang_up, header_drip, in_turn, moved, page, silence

from edge_glass import catalog
from edge_glass.build import Options, build
from edge_glass.fetch import hosts, safety
from edge_glass.fetch.answers import Answer
from edge_glass.fetch.consent import directives, reservations
from edge_glass.fetch.remote import Limits, Network
from edge_glass.fetch.web import Web
from edge_glass.ledger import Outcome

MB = 1_000_000


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(out, "JPEG")
    return out.getvalue()


JPEG = jpeg()
SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
)
HTML, BOMB = b"<!DOCTYPE html><html>gone</html>", gzip.compress(bytes(50 * MB))
LIMITS = Limits(at_once=32, connect=1, silence=0.6, total=1.0, grace=0.2, intranet=True)


def fetch(
    *urls: str,
    limits: Limits = LIMITS,
    ignored: Collection[str] = (),
    want: str = "image",
    resolver: Any = None,
) -> list[Answer]:
    """All at once, as in a build."""

    async def all_of() -> list[Answer]:
        async with Web(limits, ignored, resolver, MB) as web:
            return await asyncio.gather(*(web.get(url, want) for url in urls))

    return asyncio.run(all_of())


def outcome(answer: Answer) -> str:
    return answer.dropped[0].value if answer.dropped else "kept"


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Pauses that pass at once, on a clock of their own."""
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    real = hosts.clock
    monkeypatch.setattr(hosts, "sleep", nap)
    monkeypatch.setattr(hosts, "clock", lambda: real() + sum(naps))
    yield naps


MALICE = {
    "/endless": (endless, "oversized_media"),
    "/drip": (drip, "timed_out"),
    "/header-drip": (header_drip, "timed_out"),
    "/silence": (silence, "timed_out"),
    "/hang-up": (hang_up, "network_error"),
    "/loop": (moved("/loop"), "redirected_too_often"),
    "/ping": (moved("/pong"), "redirected_too_often"),
    "/pong": (moved("/ping"), "redirected_too_often"),
    "/file": (moved("file:///etc/passwd"), "bad_url"),
    "/ftp": (moved("ftp://127.0.0.1/x"), "bad_url"),
    "/no-url": (moved("http://[::1"), "bad_url"),
    "/bomb": (page(BOMB, 200, "Content-Encoding: gzip"), "oversized_media"),
    "/cut-gzip": (page(gzip.compress(JPEG)[:-9], 200, "Content-Encoding: gzip"), "bad_answer"),
    "/no-gzip": (page(JPEG, 200, "Content-Encoding: gzip"), "bad_answer"),
    "/br": (page(JPEG, 200, "Content-Encoding: br"), "bad_answer"),
    "/big-header": (page(JPEG, 200, "X-Large: " + "a" * MB), "bad_answer"),
    "/many-headers": (page(JPEG, 200, *(f"X-{n}: 1" for n in range(5000))), "bad_answer"),
    "/promises-more": (page(JPEG, length=len(JPEG) + 1000), "network_error"),
    "/promises-much": (page(JPEG, length=10**15), "oversized_media"),
    "/promises-nonsense": (page(JPEG, 200, "Content-Length: -5"), "bad_answer"),
    "/page.jpg": (page(HTML, 200, "Content-Type: image/jpeg"), "wrong_kind"),
    "/drawing.svg": (page(SVG, 200, "Content-Type: image/png"), "wrong_kind"),
    "/program": (page(b"MZ\x90\0" + bytes(100)), "wrong_kind"),
    "/empty": (page(b""), "empty_media"),
    "/401": (page(b"", 401), "forbidden"),
    "/404": (page(b"gone", 404), "removed"),
    "/451": (page(b"", 451), "geo_blocked"),
    "/500": (page(b"", 500), "server_error"),
    "/204": (page(b"", 204), "bad_answer"),
    "/nowhere": (page(b"", 302), "bad_answer"),
}  # fmt: skip


def test_malice_is_an_outcome_and_keeps_nobody_waiting(no_rest: list[float]) -> None:
    good = {f"/good/{n}.jpg": page(JPEG) for n in range(20)}
    with Site({path: answer for path, (answer, _) in MALICE.items()} | good) as site:
        urls = [site.url + path for path in [*MALICE, *good]]
        answers = fetch(*urls)
    found = {path: outcome(a) for path, a in zip([*MALICE, *good], answers, strict=True)}
    assert found == {path: kind for path, (_, kind) in MALICE.items()} | dict.fromkeys(good, "kept")
    assert all(a.body == JPEG for a in answers[len(MALICE) :])
    assert all(a.body == b"" for a in answers[: len(MALICE)])


def test_malice_in_a_build_costs_its_own_rows_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "BACK_OFF", 0.01)
    pages = {path: answer for path, (answer, _) in MALICE.items()}
    pages |= {f"/good/{n}.jpg": page(JPEG) for n in range(20)}
    pages["/huge.png"] = page(huge_png(10_000, 10_000))
    with Site(pages) as site:
        raw = listed(tmp_path / "raw", [site.url + path for path in pages])
        options = Options(raw, unverified=True, network=Network(web=LIMITS))
        settings = {"max_bytes": MB}
        build(catalog.variant("pixmo_cap", settings, "pixmo_cap_malice"), tmp_path, options)
        found = entries(tmp_path / "pixmo_cap_malice").values()
        outcomes = {row["url"].removeprefix(site.url): row["outcome"] for row in found}
    kept = {path: "kept" for path in pages if "good" in path}
    malice = {path: kind for path, (_, kind) in MALICE.items()} | {"/huge.png": "oversized_media"}
    assert outcomes == malice | kept
    assert list(outcomes) == list(pages)


def test_sounds_and_other_files_by_url() -> None:
    wave, text = encoded(tones(0.1, 8000, 440), 8000), b"plain words"
    pages = {"/a.wav": page(wave), "/a.jpg": page(JPEG), "/a.txt": page(text)}
    with Site(pages) as site:
        urls = [site.url + path for path in pages]
        assert [outcome(a) for a in fetch(*urls, want="sound")] == ["kept", *["wrong_kind"] * 2]
        assert [a.body for a in fetch(*urls, want="file")] == [wave, JPEG, text]


def test_details_say_the_same_every_time(no_rest: list[float]) -> None:
    with Site({path: answer for path, (answer, _) in MALICE.items()}) as site:
        urls = [site.url + path for path in MALICE]
        assert [a.dropped for a in fetch(*urls)] == [a.dropped for a in fetch(*urls)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///etc/passwd", "bad_url"),
        ("gopher://x/", "bad_url"),
        ("javascript:alert(1)", "bad_url"),
        ("photos/cat.jpg", "bad_url"),
        ("http://", "bad_url"),
        ("http://[::1", "bad_url"),
        ("http://x:99999/", "bad_url"),
        ("http://a/" + "x" * 10_000, "bad_url"),
        ("http://nobody.test/a.jpg", "host_not_found"),
        ("", "bad_url"),
    ],
)
def test_what_is_no_url(url: str, expected: str) -> None:
    assert outcome(fetch(url, resolver=Names(1))[0]) == expected


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.192",
        "198.18.0.1",
        "203.0.113.5",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:db8::1",
        "nonsense",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not safety.is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert safety.is_public(address)


PUBLIC_ONLY = Limits(connect=1, silence=0.6, total=1, intranet=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"]
)
def test_no_private_address_is_connected_to(host: str) -> None:
    with Site({"/a.jpg": page(JPEG)}) as site:
        answer = fetch(f"http://{host}:{site.port}/a.jpg", limits=PUBLIC_ONLY)[0]
        assert outcome(answer) == "private_address"
        assert site.log == []


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.0.0.1", "0177.0.0.1"])
def test_no_spelling_of_an_address_leads_inside(host: str) -> None:
    with Site({"/a.jpg": page(JPEG)}) as site:
        answer = fetch(f"http://{host}:{site.port}/a.jpg", limits=PUBLIC_ONLY)[0]
        assert outcome(answer) in ("private_address", "bad_url", "host_not_found")
        assert site.log == []


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that stands for the internet; all else is as public as it is."""
    real = safety.is_public
    monkeypatch.setattr(safety, "is_public", lambda a: a == "127.0.0.2" or real(a))
    return "127.0.0.2"


def test_redirect_to_a_private_address(outside: str) -> None:
    with Site({"/secret": page(JPEG)}) as inside:
        with Site({"/a.jpg": moved(f"{inside.url}/secret")}, host=outside) as site:
            answer = fetch(f"{site.url}/a.jpg", limits=PUBLIC_ONLY)[0]
        assert outcome(answer) == "private_address"
        assert answer.final_url == f"{inside.url}/secret"
        assert inside.log == []


def test_a_name_that_is_public_first_and_private_then(outside: str) -> None:
    with Site({"/a.jpg": page(JPEG, 200, "Connection: close")}, host="0.0.0.0") as site:
        names = Names(site.port, rebinds_test=[outside, "127.0.0.1"])

        async def twice() -> list[Answer]:
            async with Web(PUBLIC_ONLY, ("robots_txt", "tdm_rep"), names) as web:
                web._session.connector._cached_hosts._ttl = 0.0  # type: ignore[union-attr]
                url = "http://rebinds.test/a.jpg"
                return [await web.get(url, "image"), await web.get(url, "image")]

        assert [outcome(answer) for answer in asyncio.run(twice())] == ["kept", "private_address"]
        assert site.log == ["/a.jpg"]


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
    cookie = page(b"", 302, "Location: /b.jpg", "Set-Cookie: a=b")
    with Site({"/a.jpg": cookie, "/b.jpg": page(JPEG)}) as site:
        fetch(f"http://user:secret@127.0.0.1:{site.port}/a.jpg")
    assert site.log[-2:] == ["/a.jpg", "/b.jpg"]
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


ROBOTS = b"""User-agent: *
Disallow: /private
Allow: /private/open

User-agent: edge-glass
Disallow: /no-glass
"""


def test_robots_txt_is_asked_once_and_kept_to() -> None:
    paths = ["/a.jpg", "/no-glass/a.jpg", "/private/a.jpg"]
    pages = {path: page(JPEG) for path in paths} | {"/robots.txt": page(ROBOTS)}
    with Site(pages) as site:
        urls = [site.url + path for path in paths]
        # the group that names us is the one that holds for us
        assert [outcome(a) for a in fetch(*urls)] == ["kept", "robots_txt", "kept"]
        assert (site.count("/robots.txt"), site.count("/no-glass/a.jpg")) == (1, 0)
        assert [outcome(a) for a in fetch(*urls, ignored=["robots_txt"])] == ["kept"] * 3
        assert site.count("/robots.txt") == 1


def test_robots_txt_holds_where_a_redirect_leads() -> None:
    with Site(
        {"/robots.txt": page(ROBOTS), "/no-glass": page(JPEG), "/a": moved("/no-glass")}
    ) as site:
        assert outcome(fetch(f"{site.url}/a")[0]) == "robots_txt"
        assert site.count("/no-glass") == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (page(b"", 404), "kept"),
        (page(b"", 403), "kept"),
        (page(b"", 503), "server_error"),
        (moved("/elsewhere.txt"), "robots_txt"),
        (moved("/robots.txt"), "kept"),
        (page(b"\xff\xfe\0nonsense" * 1000), "kept"),
        (page(ROBOTS + b"#" * 2_000_000), "robots_txt"),
        (silence, "timed_out"),
        (hang_up, "network_error"),
    ],
)
def test_robots_txt_of_every_kind(answer: Any, expected: str, no_rest: list[float]) -> None:
    pages = {"/robots.txt": answer, "/elsewhere.txt": page(ROBOTS), "/no-glass": page(JPEG)}
    with Site(pages) as site:
        assert outcome(fetch(f"{site.url}/no-glass")[0]) == expected


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("noai", True),
        ("NoImageAI", True),
        ("index, noindex", True),
        ("none", True),
        ("edge-glass: noimageindex", True),
        ("otherbot: noai", False),
        ("otherbot: noindex, nofollow", False),
        ("otherbot: nofollow, edge-glass: noai", True),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", True),
        ("max-image-preview: large", False),
        ("nofollow, nosnippet", False),
        ("", False),
    ],
)
def test_x_robots_tag(line: str, refused: bool) -> None:
    assert (
        bool(directives([line]) & {"noai", "noimageai", "noindex", "noimageindex", "none"})
        == refused
    )
    with Site({"/a.jpg": page(JPEG, 200, "X-Robots-Tag: all", f"X-Robots-Tag: {line}")}) as site:
        assert outcome(fetch(f"{site.url}/a.jpg")[0]) == ("x_robots_tag" if refused else "kept")
        assert outcome(fetch(f"{site.url}/a.jpg", ignored=["x_robots_tag"])[0]) == "kept"


def test_tdm_reservation_in_a_header() -> None:
    pages = {f"/{n}.jpg": page(JPEG, 200, f"tdm-reservation: {n}") for n in range(2)}
    with Site(pages) as site:
        urls = [f"{site.url}/{n}.jpg" for n in range(2)]
        assert [outcome(a) for a in fetch(*urls)] == ["kept", "tdm_reserved"]
        assert [outcome(a) for a in fetch(*urls, ignored=["tdm_rep"])] == ["kept", "kept"]


def test_tdm_reservation_in_a_file() -> None:
    rules = (
        b'[{"location": "/press/*", "tdm-reservation": 0},'
        b' {"location": "/*.jpg$", "tdm-reservation": 1, "tdm-policy": "https://a.test/p"}, 7]'
    )
    paths = ["/a.jpg", "/a.png", "/press/2024/a.jpg"]
    pages = {path: page(JPEG) for path in paths} | {"/.well-known/tdmrep.json": page(rules)}
    with Site(pages) as site:
        found = [outcome(a) for a in fetch(*(site.url + path for path in paths))]
        assert found == ["tdm_reserved", "kept", "kept"]
        assert site.count("/a.jpg") == 0


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[" * 100_000, b'{"location": 3}', b'[{"location": "/"}]']
)
def test_a_tdm_file_that_says_nothing(body: bytes) -> None:
    assert reservations(body) is None


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
