"""The crawler, on a site that the test serves: lists, decks, slides on another host."""

import json
from pathlib import Path
from typing import Any

import pytest
from kit import Cli
from slidekit import LINES, slide
from test_collect import entry, outcomes
from wildsite import Answer, Site, page

from edge_glass.domains.slides import decks
from edge_glass.domains.slides.sites import next_data

ENGLISH = [
    "Photosynthesis turns the light of the sun into chemical energy for plants",
    "The human heart pumps about five litres of blood through the body each minute",
    "Submarine volcanoes make new islands in the middle of the ocean over the years",
]


def html(props: dict[str, Any], *links: str) -> Answer:
    data = json.dumps({"props": {"pageProps": props}}).replace("</", "<\\/")
    anchors = "".join(f'<a href="{link}">x</a>' for link in links)
    script = f'<script id="__NEXT_DATA__" type="application/json">{data}</script>'
    return page(f"<html><body>{anchors}{script}</body></html>".encode())


TOP = [{"slideIndex": 0}, {"slideIndex": 2}]  # counted from 0


def show(images: str, name: str, texts: list[str], **more: Any) -> dict[str, Any]:
    """A slideshow as such a page has it."""
    sizes = [{"quality": 85, "width": 320}, {"quality": 75, "width": 638}]
    slides = {"host": images, "imageLocation": name, "title": name, "imageSizes": sizes}
    made = {
        "id": "7", "title": f"Charla {name}", "username": "ana", "description": "De ciencia",
        "createdAt": "2023-05-06 07:08:09 UTC", "likes": 4, "language": "es",
        "totalSlides": len(texts), "transcript": texts, "slides": slides,
    }  # fmt: skip
    return {"slideshow": made | more}


def pictures(name: str, texts: list[str]) -> dict[str, Answer]:
    return {
        f"/{name}/75/{name}-{number}-638.jpg": page(slide(text, number))
        for number, text in enumerate(texts, 1)
    }


@pytest.fixture
def site() -> Any:
    """Five decks over two lists; slides lie on another host."""
    images = {}
    for name in ("uno", "dos", "tres", "cuatro"):
        images |= pictures(name, LINES[:4])
    del images["/dos/75/dos-2-638.jpg"]
    with Site(images, "127.0.0.2") as cdn, Site({}) as site:
        away = "https://elsewhere.example/ana/otro"
        deep = ["/ana/uno", "/ana/uno#2", "/ana/dos", "/about", "/secret/plan", away]
        site.pages = {
            "/search?q=ciencia": html({}, *deep, "/search?q=ciencia&page=2"),
            "/search?q=ciencia&page=2": html({}, "/ana/dos", "/ana/tres", "/bob/english",
                                             "/ana/gone", "/search?q=ciencia"),
            "/ana/uno": html(show(cdn.url, "uno", LINES[:4], topReadSlides=TOP, views=900)),
            "/ana/dos": html(show(cdn.url, "dos", LINES[:4], likes=None)),
            "/ana/tres": page(b"<html>no data</html>", 200, 'ETag: "3"'),
            "/bob/english": html(show(cdn.url, "english", ENGLISH)),
            "/robots.txt": page(b"User-agent: *\nDisallow: /secret/\nCrawl-delay: 2\n"),
        }  # fmt: skip
        site.cdn = cdn  # type: ignore[attr-defined]
        yield site


def crawl(cli: Cli, site: Site, out: Path, *more: object) -> Any:
    start = f"{site.url}/search?q=ciencia"
    return cli("collect", start, "--out", out, "--intranet", "--json", *more)


def test_a_site(site: Any, tmp_path: Path, cli: Cli, no_rest: list[float]) -> None:
    out = tmp_path / "decks"
    result = crawl(cli, site, out, "--language", "es")
    assert result.json["decks"] == {
        "kept": 2, "removed": 1, "robots_txt": 1, "wrong_kind": 1, "wrong_language": 1,
    }  # fmt: skip
    assert "/secret/plan" not in site.log and "/about" not in site.log
    assert all("english" not in path for path in site.cdn.log)  # known by its page alone
    uno = decks.read(out / "ana--uno")
    assert (uno.title, uno.author, uno.date) == ("Charla uno", "ana", "2023-05-06")
    assert (uno.likes, uno.views, uno.lang, uno.lang_detected) == (4, 900, "es", "es")
    assert uno.mostRead == [True, False, True, False] and uno.first == 1
    assert uno.presentation_url == f"{site.url}/ana/uno"
    assert uno.transcript == LINES[:4] and uno.numbers == [1, 2, 3, 4]
    assert decks.read(out / "ana--dos").numbers == [1, 3, 4]
    assert outcomes(out)["slides"] == {"kept": 7, "removed": 1}
    lost = entry(out, "ana--dos_2")
    assert (lost["status"], lost["url"]) == (404, f"{site.cdn.url}/dos/75/dos-2-638.jpg")
    assert entry(out, "ana--tres")["etag"] == '"3"'  # of a deck that is dropped, too


def test_it_rests_between_requests_to_a_host(
    site: Any, tmp_path: Path, cli: Cli, no_rest: list[float]
) -> None:
    crawl(cli, site, tmp_path / "decks")
    slides = [path for path in site.cdn.log if path.endswith(".jpg")]
    # between two slides always; the site itself has had its rest while slides were fetched
    assert len(slides) == 11 and len(no_rest) >= len(slides) - 3
    assert all(4 < nap <= 5 for nap in no_rest)


def test_the_rest_that_robots_txt_asks_for(
    site: Any, tmp_path: Path, cli: Cli, no_rest: list[float]
) -> None:
    site.cdn.pages["/robots.txt"] = page(b"User-agent: edge-glass\nCrawl-delay: 20\n")
    crawl(cli, site, tmp_path / "decks", "--delay", 0)
    rounded = [round(nap) for nap in no_rest]
    assert {2, 20} <= set(rounded) and max(rounded) == 20


def test_keywords_and_a_limit(site: Any, tmp_path: Path, cli: Cli, no_rest: list[float]) -> None:
    result = crawl(cli, site, tmp_path / "a", "--keyword", "ASTROLOGÍA", "--keyword", "heart pumps")
    assert result.json["decks"]["no_keyword"] == 2 and "wrong_language" not in result.json["decks"]
    found = crawl(cli, site, tmp_path / "b", "--limit", 1).json
    assert found["decks"] == {"kept": 1, "robots_txt": 1} or found["decks"] == {"kept": 1}


def test_it_goes_on_deck_by_deck(site: Any, tmp_path: Path, cli: Cli, no_rest: list[float]) -> None:
    out = tmp_path / "decks"
    crawl(cli, site, out, "--limit", 1)
    assert site.count("/ana/uno") == 1
    pictures_of_uno = [path for path in site.cdn.log if "/uno/" in path]
    crawl(cli, site, out)
    crawl(cli, site, out)
    assert site.count("/ana/uno") == site.count("/ana/dos") == site.count("/ana/gone") == 1
    assert [path for path in site.cdn.log if "/uno/" in path] == pictures_of_uno


def test_a_deck_whose_slides_may_heal(
    site: Any, tmp_path: Path, cli: Cli, no_rest: list[float]
) -> None:
    broken = "/uno/75/uno-3-638.jpg"
    good, site.cdn.pages[broken] = site.cdn.pages[broken], page(b"", 503)
    crawl(cli, site, tmp_path / "decks", "--limit", 1)
    assert decks.read(tmp_path / "decks" / "ana--uno").numbers == [1, 2, 4]
    site.cdn.pages[broken] = good
    crawl(cli, site, tmp_path / "decks", "--limit", 1)
    assert decks.read(tmp_path / "decks" / "ana--uno").numbers == [1, 2, 3, 4]
    assert site.cdn.count("/uno/75/uno-1-638.jpg") == 1


def test_nowhere_to_start(site: Any, tmp_path: Path, cli: Cli, no_rest: list[float]) -> None:
    result = cli("collect", f"{site.url}/nothing", "--out", tmp_path / "o", "--intranet")
    assert result.code == 1 and "nothing to start at" in result.err
    result = cli("collect", site.url, "--out", tmp_path / "o", "--site", "myspace")
    assert "--site myspace: there are nextdata" in result.err


HOSTILE = [
    b"", b"<script id=__NEXT_DATA__>[", b'<script id="__NEXT_DATA__">{"props": 3}</script>',
    b'<script id="__NEXT_DATA__">' + b"[" * 100_000 + b"</script>",
    b'<script id="__NEXT_DATA__">{"props":{"pageProps":{"slideshow":{"slides":1}}}}</script>',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_pages_in_another_format(body: bytes) -> None:
    with pytest.raises(ValueError):
        next_data("https://s.example/a/b", body.decode())


def test_links_are_those_of_the_site() -> None:
    data = '<script id="__NEXT_DATA__">{"props":{"pageProps":{}}}</script>'
    links = ["/a/b", "//evil.example/a/b", "javascript:alert(1)", "http://[bad", "/a/b?x=1",
             "/a/b/c", "?page=2", "https://s.example/c/d#3"]  # fmt: skip
    anchors = "".join(f'<a href="{link}">' for link in links)
    found = next_data("https://s.example/search", anchors + data)
    assert found.decks == ["https://s.example/a/b", "https://s.example/c/d"]
    assert found.lists == ["https://s.example/search?page=2"]
