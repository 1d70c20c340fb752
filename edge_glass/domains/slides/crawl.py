"""A small crawler: lists of decks, decks, slides, one after the other, with a rest in between."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from edge_glass.core.errors import NetworkError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.domains.slides import decks, language
from edge_glass.domains.slides.deck_store import Desk, Sheet
from edge_glass.domains.slides.deck_urls import put
from edge_glass.domains.slides.sites import Page, Site
from edge_glass.sources import addresses, hosts
from edge_glass.sources.responses import Answer
from edge_glass.sources.row_fetch import Limits
from edge_glass.sources.web import Web

DELAY = 5.0  # seconds between two requests to a host; more if its robots.txt asks for more


@dataclass(frozen=True)
class Wanted:
    """Which decks of a site are taken, and how fast."""

    delay: float = DELAY
    language: str | None = None
    keywords: tuple[str, ...] = ()  # one of them stands in the title, description or transcript
    limit: int | None = None  # decks that are kept


class _Patient:
    """Asks a host for one thing at a time, and then leaves it alone for a while."""

    def __init__(self, web: Web, delay: float) -> None:
        self._web, self._delay = web, delay
        self._asked: dict[str, float] = {}

    async def get(self, url: str) -> Answer:
        host = urlsplit(url).netloc
        rest = max(self._delay, await self._wished(url)) if host in self._asked else 0
        if (wait := self._asked.get(host, 0) + rest - hosts.clock()) > 0 and rest:
            await hosts.sleep(wait)
        answer = await self._web.get(url)
        self._asked[host] = hosts.clock()
        return answer

    async def _wished(self, url: str) -> float:
        try:
            return await self._web.crawl_delay(addresses.parse(url))
        except Dropped:
            return 0


async def collect(
    desk: Desk, start: str, site: Site, wanted: Wanted, limits: Limits
) -> AsyncIterator[str]:
    """Make the decks of a site that `start` (a list, or a deck) leads to; gives each id.

    Raises NetworkError if `start` is out of reach.
    """
    async with Web(limits) as web:
        patient = _Patient(web, wanted.delay)
        waiting, seen, kept = deque([start]), {start}, 0
        while waiting and (wanted.limit is None or kept < wanted.limit):
            url = waiting.popleft()
            if desk.known(id := _id(url)):
                desk.take(id)
                kept += (desk.out / id).is_dir()
                yield id
                continue
            answer = await patient.get(url)
            page, drop = _read(site, url, answer)
            if drop and url == start:
                raise NetworkError(f"{start}: {drop.outcome}: {drop.detail}: nothing to start at")
            new = [to for to in [*page.decks, *page.lists] if to not in seen]
            seen.update(new)
            waiting.extend(new)
            if drop or page.deck:
                drop = drop or _unwanted(page, wanted)
                await _deck(desk.sheet(id, url), page, drop, answer, patient)
                kept += (desk.out / id).is_dir()
                yield id


def _id(url: str) -> str:
    return decks.path_id(urlsplit(url).path.strip("/"))


def _read(site: Site, url: str, answer: Answer) -> tuple[Page, Dropped | None]:
    if answer.dropped:
        return Page(), Dropped(*answer.dropped)
    try:
        return site(url, answer.body.decode(errors="replace")), None
    except ValueError as error:
        return Page(), Dropped(Outcome.WRONG_KIND, f"{error}"[:200])


async def _deck(
    sheet: Sheet, page: Page, drop: Dropped | None, answer: Answer, patient: _Patient
) -> None:
    if drop:
        sheet.drop(drop.outcome, drop.detail, answer)
    elif page.deck:
        for number, slide in enumerate(page.slides, 1):
            if not sheet.has(number):
                put(sheet, number, await patient.get(slide))
        page.deck.id = sheet.id
        sheet.finish(page.deck)


def _unwanted(page: Page, wanted: Wanted) -> Dropped | None:
    """Why a deck is not wanted, told by its page alone, before a slide is asked for."""
    assert page.deck
    deck = page.deck
    text = "\n".join([deck.title or "", deck.description or "", *deck.transcript])
    if wanted.language:
        code = language.detect(text) or deck.lang
        if not language.same(code, wanted.language):
            return Dropped(Outcome.WRONG_LANGUAGE, code or "nobody can tell")
    words = [word.casefold() for word in wanted.keywords]
    if words and not any(word in text.casefold() for word in words):
        return Dropped(Outcome.NO_KEYWORD, ", ".join(wanted.keywords))
    return None
