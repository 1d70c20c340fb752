"""What sites ask of robots, and of those who mine text and data."""

import asyncio
import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from webkit import JPEG, LIMITS, fetch, outcome
from wildsite import Site, hang_up, in_turn, moved, page, silence

from edge_glass.core.ledger import Dropped
from edge_glass.media import png
from edge_glass.sources import consent
from edge_glass.sources.consent import Consent, directives, may_train, reservations
from edge_glass.sources.web import Web

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


def test_one_bad_moment_of_a_host_does_not_cost_its_rows(no_rest: list[float]) -> None:
    for bad in (hang_up, page(b"", 503)):
        pages = {"/robots.txt": in_turn(bad, page(ROBOTS)), "/a.jpg": page(JPEG)}
        with Site(pages | {"/no-glass": page(JPEG)}) as site:
            found = fetch(f"{site.url}/a.jpg", f"{site.url}/no-glass")
            assert [outcome(a) for a in found] == ["kept", "robots_txt"]
            assert site.count("/robots.txt") == 2


def test_a_long_run_asks_again(no_rest: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(consent, "clock", lambda: now[0])
    bad, gone, rules = page(b"", 503), page(b"", 404), page(ROBOTS)
    pages = {"/robots.txt": in_turn(bad, bad, gone, rules), "/no-glass": page(JPEG)}

    async def run(url: str) -> list[tuple[str, int]]:
        found = []
        async with Web(LIMITS) as web:
            for seconds in (0, consent.WHILE - 1, 2, consent.DAY - 1, 2):
                now[0] += seconds
                found.append((outcome(await web.get(url)), site.count("/robots.txt")))
        return found

    with Site(pages) as site:
        assert asyncio.run(run(f"{site.url}/no-glass")) == [
            ("server_error", 2),
            ("server_error", 2),
            ("kept", 3),
            ("kept", 3),
            ("robots_txt", 4),
        ]


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


USAGES = b"""User-agent: *
Content-Usage: train-ai=n
Content-Usage: /open/ train-ai=y, search=n

User-agent: other-bot
Allow: /

User-agent: third-bot
Content-Usage: train-ai=y
"""


def test_preferences_of_usage_are_those_of_our_group() -> None:
    """A group that says nothing of usage does not take over what the next one says."""
    groups = b"User-agent: edge-glass\nAllow: /\nUser-agent: b\nContent-Usage: train-ai=n\n"
    with Site({"/a.jpg": page(JPEG), "/robots.txt": page(groups)}) as site:
        assert outcome(fetch(f"{site.url}/a.jpg")[0]) == "kept"


def test_preferences_of_usage_in_robots_txt() -> None:
    paths = ["/a.jpg", "/open/a.jpg"]
    with Site({path: page(JPEG) for path in paths} | {"/robots.txt": page(USAGES)}) as site:
        urls = [site.url + path for path in paths]
        assert [outcome(answer) for answer in fetch(*urls)] == ["content_usage", "kept"]
        assert site.count("/a.jpg") == 0
        found = fetch(*urls, ignored=["content_usage"])
        assert [outcome(answer) for answer in found] == ["kept", "kept"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("train-ai=n", "content_usage"),
        ("search=y, train-ai=n;x=1", "content_usage"),
        ("train-ai=y, train-ai=n", "content_usage"),
        ("train-ai=y", "kept"),
        ("search=n", "kept"),
        ("train-ai", "kept"),
        ("", "kept"),
    ],
)
def test_preferences_of_usage_in_a_header(header: str, expected: str) -> None:
    with Site({"/a.jpg": page(JPEG, 200, f"Content-Usage: {header}")}) as site:
        assert outcome(fetch(f"{site.url}/a.jpg")[0]) == expected
        assert outcome(fetch(f"{site.url}/a.jpg", ignored=["content_usage"])[0]) == "kept"
    assert (may_train(header) is False) == (expected != "kept")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("DMI-PROHIBITED", "data_mining"),
        ("DMI-PROHIBITED-AIMLTRAINING", "data_mining"),
        ("DMI-ALLOWED", "kept"),
        ("DMI-UNSPECIFIED", "kept"),
    ],
)
def test_data_mining_in_the_xmp_of_a_file(word: str, expected: str) -> None:
    with Site({"/a.jpg": page(jpeg_with(prohibited(word)))}) as site:
        (answer,) = fetch(f"{site.url}/a.jpg")
        assert outcome(answer) == expected
        assert outcome(fetch(f"{site.url}/a.jpg", ignored=["data_mining"])[0]) == "kept"


@pytest.mark.parametrize(
    ("file", "detail"),
    [
        ("refused.jpg", "cawg.ai_generative_training: notAllowed"),
        ("constrained.png", "c2pa.ai_training: constrained"),
        ("allowed.jpg", None),
        ("refused_by_c2pa_ts.jpg", "cawg.ai_training: notAllowed"),
        ("constrained_by_c2pa_ts.jpg", "c2pa.data_mining: constrained"),
    ],
)
def test_assertions_of_c2pa_in_a_file(file: str, detail: str | None) -> None:
    """Files that c2pa-python 0.38.1 signed, with the certificate of its own tests; c2pa-ts 0.9.4.

    The two write CBOR differently.
    """
    data = (Path(__file__).parent / "c2pa" / file).read_bytes()
    with Site({"/a": page(data)}) as site:
        (answer,) = fetch(f"{site.url}/a")
        assert outcome(answer) == ("training_mining" if detail else "kept")
        assert outcome(fetch(f"{site.url}/a", ignored=["training_mining"])[0]) == "kept"
    if detail:
        with pytest.raises(Dropped, match=detail):
            Consent(None).may_mine(data)  # type: ignore[arg-type] # nothing is asked
        for cut in range(0, len(data), 997):  # a file that ends anywhere
            with suppress(Dropped):
                Consent(None).may_mine(data[:cut])  # type: ignore[arg-type]


@pytest.mark.parametrize("file", ["refused.jpg", "refused_by_c2pa_ts.jpg"])
def test_an_assertion_that_two_segments_of_a_jpeg_share(file: str) -> None:
    """As writers go on with a box of more than 64 kB: with its head, and the number of the part."""
    data = (Path(__file__).parent / "c2pa" / file).read_bytes()
    start = data.index(b"\xff\xeb")
    end, head = (
        start + 2 + int.from_bytes(data[start + 2 : start + 4]),
        data[start + 4 : start + 20],
    )
    second = head[:4] + (2).to_bytes(4) + head[8:]
    label = data.index(b"training-mining")
    for cut in range(label - 40, label + 150):
        parts = (data[start + 4 : cut], second + data[cut:end])
        segments = [b"\xff\xeb" + (len(part) + 2).to_bytes(2) + part for part in parts]
        with pytest.raises(Dropped, match=r"ai_.*: notAllowed"):
            Consent(no_one).may_mine(b"".join([data[:start], *segments, data[end:]]))


REFUSALS = {  # of a whole host, said before anything of it is asked for
    "robots.txt": ("/robots.txt", b"User-agent: *\nDisallow: /\n", "robots_txt"),
    "robots.txt for us": ("/robots.txt", b"User-agent: edge-glass\nDisallow: /", "robots_txt"),
    "AIPREF": ("/robots.txt", b"User-agent: *\nContent-Usage: train-ai=n\n", "content_usage"),
    "TDM-Rep": (
        "/.well-known/tdmrep.json",
        b'[{"location": "/*", "tdm-reservation": 1}]',
        "tdm_reserved",
    ),
}
PAGES = ["/a.jpg", "/b.png?size=large", "/c/../d.jpg", "/e%20f.webp", "/", "/moved", "/big.jpg"]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_of_a_host_that_refuses_its_robots_files_alone_are_fetched(refusal: str) -> None:
    file, body, expected = REFUSALS[refusal]
    pages = {path: page(JPEG) for path in PAGES} | {"/moved": moved("/a.jpg"), file: page(body)}
    with Site(pages) as site, Site({"/to": moved(f"{site.url}/a.jpg")}) as friend:
        urls = [*(site.url + path for path in PAGES), f"{friend.url}/to"]
        assert [outcome(answer) for answer in fetch(*urls)] == [expected] * len(urls)
        assert {*site.log} == {"/robots.txt", "/.well-known/tdmrep.json"}


@pytest.mark.parametrize(
    "line", ["X-Robots-Tag: noai", "tdm-reservation: 1", f"{consent.USAGE}: train-ai=n"]
)
def test_of_an_answer_that_refuses_the_body_is_not_read(line: str) -> None:
    sent = []

    async def endless(writer: asyncio.StreamWriter, headers: Any) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {10**8}\r\n{line}\r\n\r\n".encode())
        while not writer.is_closing() and sum(sent) < 10**8:
            writer.write(JPEG * 100)
            sent.append(len(JPEG) * 100)
            await writer.drain()

    with Site({"/a.jpg": endless}) as site:
        assert outcome(fetch(f"{site.url}/a.jpg")[0]) not in ("kept", "timed_out")
    assert sum(sent) < 2 * 10**7  # what the buffers between the two hold


def prohibited(word: str) -> str:
    said = f'plus:DataMining="http://ns.useplus.org/ldf/vocab/{word}"'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {said}/></x:xmpmeta>'


def jpeg_with(xmp: str) -> bytes:
    picture = io.BytesIO()
    Image.open(io.BytesIO(JPEG)).save(picture, "JPEG", xmp=xmp.encode())
    return picture.getvalue()


def png_with(texts: Callable[[PngInfo, str], None], said: str) -> bytes:
    picture, info = io.BytesIO(), PngInfo()
    texts(info, said)
    Image.new("RGB", (9, 9)).save(picture, "PNG", pnginfo=info)
    return picture.getvalue()


def profile(said: str) -> str:
    """As ImageMagick writes it."""
    return f"\nxmp\n{len(said):8}\n{said.encode().hex()}\n"


XMP, RAW = "XML:com.adobe.xmp", "Raw profile type xmp"
IN_PNG: dict[str, Callable[[PngInfo, str], None]] = {
    "iTXt": lambda info, said: info.add_itxt(XMP, said),
    "iTXt, compressed": lambda info, said: info.add_itxt(XMP, said, "en", "x", zip=True),
    "zTXt": lambda info, said: info.add_text(RAW, profile(said), zip=True),
    "tEXt": lambda info, said: info.add_text(RAW, profile(said)),
    "after damage": lambda info, said: (
        info.add(b"zTXt", b"x\0\0junk"),
        info.add_itxt(XMP, said, zip=True),
    )[1],
}


@pytest.mark.parametrize("kind", IN_PNG)
def test_data_mining_in_the_texts_of_a_png(kind: str) -> None:
    consent = Consent(no_one)
    consent.may_mine(png_with(IN_PNG[kind], prohibited("DMI-ALLOWED")))
    with pytest.raises(Dropped, match="DMI-PROHIBITED-AIMLTRAINING"):
        consent.may_mine(png_with(IN_PNG[kind], prohibited("DMI-PROHIBITED-AIMLTRAINING")))


def test_texts_of_a_png_inflate_to_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "MAX_TEXTS", 1000)
    data = png_with(lambda info, _: [info.add_text("x", "a" * 900, zip=True) for _ in "123"], "")
    assert [len(text) for text in png.coded_texts(data)] == [900, 100]


async def no_one(*_: object) -> tuple[int, bytes]:
    raise AssertionError("no host is asked")
