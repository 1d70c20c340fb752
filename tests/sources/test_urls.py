"""What real lists and hosts send: URLs kept byte for byte, redirects, cookies, odd headers."""

import asyncio
import gzip
import zlib
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from webkit import JPEG, LIMITS, fetch, outcome
from wildsite import Names, Site, moved, page

from edge_glass.core.spec import Source
from edge_glass.sources import download
from edge_glass.sources.web import Web

NO_ROBOTS = ("robots_txt", "tdm_rep")
WRITTEN = [  # valid, so sent as they are
    "/a%2Fb/%27c%28d%29?x=%3A%2F&y=a+b&z=%7e",
    "/%e9.jpg?Signature=AbC%2Bd%2F%3D&Expires=1&tag=%C3%A9",
    "/a/./b/../c.jpg",
    "/a//b.jpg?",
    "/a??",
    "/it's(1).jpg?q=a,b;c@d:e!$*[0]",
    "/a?x=1?y=2/../z",
    "/%2e%2e/%41",
]


@pytest.mark.parametrize("path", WRITTEN)
def test_a_valid_url_is_sent_byte_for_byte(path: str, tmp_path: Path) -> None:
    with Site({path: page(JPEG)}) as site:
        answer = fetch(f"{site.url}{path}#part", ignored=NO_ROBOTS)[0]
        assert outcome(answer) == "kept" and site.log == [path]
        source = Source(url="http://127.0.0.1:9/", bytes=len(JPEG), md5=md5(JPEG).hexdigest())
        job = download.Job("a", tmp_path / "a", source, [f"{site.url}{path}"])
        download.fetch([job], lambda *_: None)
        assert site.log == [path, path]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/two words.jpg", "/two%20words.jpg"),
        ("/café.jpg?x=é", "/caf%C3%A9.jpg?x=%C3%A9"),
        ("/100%.jpg", "/100%25.jpg"),
        ("/100%zz%41.jpg", "/100%25zz%41.jpg"),
        ('/a|b{c}^`"<>.jpg', "/a%7Cb%7Bc%7D%5E%60%22%3C%3E.jpg"),
        ("\\a.jpg", "/%5Ca.jpg"),
        ("?x=1", "/?x=1"),
        ("", "/"),
    ],
)
def test_what_may_not_stand_in_a_url_is_quoted_and_no_more(written: str, sent: str) -> None:
    with Site({sent: page(JPEG)}) as site:
        assert outcome(fetch(f" {site.url}{written}\n", ignored=NO_ROBOTS)[0]) == "kept"
        assert site.log == [sent]


LOCATIONS = [
    ("/caf\xe9%2F.jpg?s=%27", "/caf%E9%2F.jpg?s=%27"),  # latin-1
    ("/caf\xc3\xa9.jpg", "/caf%C3%A9.jpg"),  # UTF-8
    ("b%28c.jpg?a=%3A", "/x/b%28c.jpg?a=%3A"),
    ("../b%2F.jpg", "/b%2F.jpg"),
    ("/b.jpg?", "/b.jpg?"),
    ("c.jpg??#part", "/x/c.jpg??"),
    ("?only=query%3D", "/x/a?only=query%3D"),
    ("/two words.jpg", "/two%20words.jpg"),
    ("//127.0.0.1:{port}/s%2F", "/s%2F"),
]


@pytest.mark.parametrize(("location", "sent"), LOCATIONS)
def test_a_location_is_followed_byte_for_byte(location: str, sent: str) -> None:
    with Site({sent: page(JPEG)}) as site:
        site.pages["/x/a"] = moved(location.format(port=site.port))
        answer = fetch(f"{site.url}/x/a", ignored=NO_ROBOTS)[0]
        assert outcome(answer) == "kept" and site.log == ["/x/a", sent]
        assert answer.final_url == f"{site.url}{sent}"


@pytest.mark.parametrize("location", ["javascript:alert(1)", "http://[::1", "http://a%2Fb/"])
def test_a_location_that_is_no_url(location: str) -> None:
    with Site({"/a": moved(location)}) as site:
        assert outcome(fetch(f"{site.url}/a", ignored=NO_ROBOTS)[0]) == "bad_url"


def test_a_url_without_a_scheme_is_asked_for_over_http() -> None:
    with Site({"/a%2F.jpg": page(JPEG)}) as site:
        assert outcome(fetch(f"//127.0.0.1:{site.port}/a%2F.jpg")[0]) == "kept"


def test_names_of_hosts_in_any_alphabet() -> None:
    for host, known in (("café.test", "xn--caf-dma.test"), ("CAF%C3%89.test", "xn--caf-dma.test")):
        with Site({"/a.jpg": page(JPEG)}) as site:
            names = Names(site.port)
            names.names[known] = ["127.0.0.1"]
            assert outcome(fetch(f"http://{host}/a.jpg", resolver=names)[0]) == "kept"
            assert site.headers[-1]["host"] == known


def test_robots_txt_holds_for_every_spelling_of_a_path() -> None:
    rules = b"User-agent: *\nDisallow: /private/"
    paths = ["/private/a.jpg", "/open/../private/a.jpg", "/./private/a.jpg", "/pr%69vate/a.jpg"]
    with Site({"/robots.txt": page(rules)} | dict.fromkeys(paths, page(JPEG))) as site:
        answers = fetch(*(site.url + path for path in paths))
        assert {outcome(answer) for answer in answers} == {"robots_txt"}
        assert not set(site.log) & set(paths)


def test_cookies_live_for_the_redirects_of_one_url() -> None:
    async def gate(writer: asyncio.StreamWriter, headers: Any) -> None:
        sent = headers.get("cookie") == 'pass="a=b c"; k=1'
        await (page(JPEG) if sent else page(b"", 403))(writer, headers)

    first = page(b"", 302, "Location: /gate", 'Set-Cookie: pass="a=b c"; Path=/', "Set-Cookie: k=1")
    with Site({"/a": first, "/gate": gate}) as site:

        async def both() -> list[str]:
            async with Web(LIMITS, NO_ROBOTS) as web:
                urls = [f"{site.url}/a", f"{site.url}/gate", f"{site.url}/a"]
                return [outcome(await web.get(url, "image")) for url in urls]

        assert asyncio.run(both()) == ["kept", "forbidden", "kept"]
        assert ["cookie" in headers for headers in site.headers] == [
            False,
            True,
            False,
            False,
            True,
        ]


def test_no_cookie_goes_to_another_host() -> None:
    with Site({"/b": page(JPEG)}, host="127.0.0.2") as other:
        first = page(b"", 302, f"Location: {other.url}/b", "Set-Cookie: secret=1")
        with Site({"/a": first}) as site:
            assert outcome(fetch(f"{site.url}/a", ignored=NO_ROBOTS)[0]) == "kept"
        assert "cookie" not in other.headers[0]


PACKED = gzip.compress(JPEG)
RAW_DEFLATE = zlib.compress(JPEG)[2:-4]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        *((name, JPEG) for name in ("none", "binary", "UTF-8", "aws-chunked", "identity", "7bit")),
        ("aws-chunked, gzip", PACKED),
        ("gzip,aws-chunked", PACKED),
        ("gzip, gzip", gzip.compress(PACKED)),
        ("deflate", zlib.compress(JPEG)),
        ("deflate", RAW_DEFLATE),
    ],
)
def test_content_encodings(coding: str, body: bytes) -> None:
    with Site({"/a.jpg": page(body, 200, f"Content-Encoding: {coding}")}) as site:
        assert fetch(f"{site.url}/a.jpg", ignored=NO_ROBOTS)[0].body == JPEG


@pytest.mark.parametrize(
    ("status", "lines", "expected"),
    [
        (201, (), "kept"),
        (203, (), "kept"),
        (206, (), "kept"),
        (206, (f"Content-Range: bytes 0-{len(JPEG) - 1}/{len(JPEG)}",), "kept"),
        (206, (f"Content-Range: bytes 0-{len(JPEG) - 1}/{len(JPEG) + 1}",), "bad_answer"),
        (206, (f"Content-Range: bytes 1-{len(JPEG)}/{len(JPEG) + 1}",), "bad_answer"),
        (206, (f"Content-Range: bytes 0-{len(JPEG) - 1}/*",), "bad_answer"),
        (206, ("Content-Type: multipart/byteranges; boundary=x",), "bad_answer"),
        (202, (), "bad_answer"),
        (204, (), "bad_answer"),
    ],
)
def test_statuses_with_a_whole_body(status: int, lines: tuple[str, ...], expected: str) -> None:
    body = b"" if status == 204 else JPEG
    with Site({"/a.jpg": page(body, status, *lines)}) as site:
        answer = fetch(f"{site.url}/a.jpg", ignored=NO_ROBOTS)[0]
        assert (outcome(answer), answer.status) == (expected, status)
