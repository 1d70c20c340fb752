"""How a site's pages are read: one function a page format. All of it is text from outside."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from edge_glass.core.row import JsonObject
from edge_glass.domains.slides.decks import LARGEST as LARGEST_NUMBER
from edge_glass.domains.slides.decks import Deck
from edge_glass.domains.slides.render import plain

LARGEST = 20_000_000  # characters of a page
MAX_SLIDES = 2000  # of one deck
LONGEST = 100_000  # characters of any text of a page that are kept
SLIDE_URL = "{host}/{place}/{quality}/{title}-{number}-{width}.jpg"


@dataclass
class Page:
    """What a page holds: a deck with the URLs of its slides, or links to decks and more lists."""

    deck: Deck | None = None
    slides: list[str] = field(default_factory=list)
    decks: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)


def next_data(url: str, html: str) -> Page:
    """A page that a Next.js site renders out of the JSON in its `__NEXT_DATA__` (slideshare.net).

    A deck's page has `props.pageProps.slideshow`; any other page is a list: links of two path
    segments (`/user/title`) lead to decks, and those with another `page` (or `rel="next"`) onward.
    Raises ValueError if it has no such JSON.
    """
    if len(html) > LARGEST:
        raise ValueError(f"a page of {len(html)} characters")
    reader = _Reader()
    reader.feed(html)
    try:
        props = json.loads(reader.data)["props"]["pageProps"]
        show = props.get("slideshow")
        return _show(url, show) if show else _links(url, reader.links)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"__NEXT_DATA__ without {error}") from None


Site = Callable[[str, str], Page]  # the URL and HTML of a page; ValueError for another format
SITES: dict[str, Site] = {"nextdata": next_data}


class _Reader(HTMLParser):
    """Collects the JSON of a page, and its links."""

    def __init__(self) -> None:
        super().__init__()
        self.data, self.links, self._inside = "", list[dict[str, str]](), False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value for name, value in attrs if value}
        self._inside = tag == "script" and attributes.get("id") == "__NEXT_DATA__"
        if tag in ("a", "link") and "href" in attributes:
            self.links.append(attributes)

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.data += data


def _show(url: str, show: JsonObject) -> Page:
    deck = Deck(id=str(show.get("id") or ""), presentation_url=url)
    deck.title, deck.author = _text(show.get("title")), _text(show.get("username"))
    deck.description, deck.lang = _text(show.get("description")), _text(show.get("language"))
    match = re.match(r"\d{4}-\d\d-\d\d", str(show.get("createdAt", "")))
    deck.date = match[0] if match else None
    deck.likes, deck.views = _number(show.get("likes")), _number(show.get("views"))
    deck.len = min(int(show["totalSlides"]), MAX_SLIDES)
    deck.mostRead = _most_read(show.get("topReadSlides"), deck.len)
    texts = show.get("transcript") or []
    deck.transcript = [_text(text) or "" for text in texts][: deck.len]
    return Page(deck, [*_slides(url, show["slides"], deck.len)])


def _most_read(top: Any, count: int) -> list[bool]:
    """Whether each slide is among the most read: `top` has an object for each, its place from 0."""
    if not isinstance(top, list):
        return []
    places = [next(iter(one.values()), None) for one in top if isinstance(one, dict)]
    return [place in places for place in range(count)]


def _slides(url: str, slides: JsonObject, count: int) -> Iterator[str]:
    largest = max(slides["imageSizes"], key=lambda size: int(size["width"]))
    for number in range(1, count + 1):
        yield urljoin(
            url,
            SLIDE_URL.format(
                host=slides["host"], place=slides["imageLocation"], quality=largest["quality"],
                title=slides["title"], number=number, width=largest["width"],
            ),
        )  # fmt: skip


def _links(url: str, links: list[dict[str, str]]) -> Page:
    here = urlsplit(url)
    page = parse_qs(here.query).get("page", ["1"])[0]
    listing = Page()
    for link in links:
        try:
            to = urljoin(url, link["href"]).partition("#")[0]
            parts = urlsplit(to)
        except ValueError:
            continue
        if parts.netloc != here.netloc or parts.scheme not in ("http", "https"):
            continue
        onward = parse_qs(parts.query).get("page", [page])[0] != page
        if link.get("rel") == "next" or (onward and parts.path == here.path):
            listing.lists.append(to)
        elif len(parts.path.strip("/").split("/")) == 2 and not parts.query:
            listing.decks.append(to)
    return listing


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= LARGEST_NUMBER else None


def _text(value: Any) -> str | None:
    return plain(value[:LONGEST]) or None if isinstance(value, str) else None
