"""A second look at a pair: is it answered without its slide, and does it tell it from others?"""

from pathlib import Path

from edge_glass.core.key_digests import digest
from edge_glass.domains.slides import decks, llm_session, prompts
from edge_glass.domains.slides.bm25 import Index
from edge_glass.domains.slides.call_log import Calls, Key
from edge_glass.domains.slides.decks import Deck, Pair
from edge_glass.domains.slides.llm_session import Talker, Wish
from edge_glass.domains.slides.vision_model import Options
from edge_glass.media import images
from edge_glass.sources.folder import nfc

BLIND, PICK = "blind", "pick"
POOL = 50  # slides that are looked through for others


class Others:
    """All slides of a folder of decks, to find those that a question may be taken to speak of."""

    def __init__(self, folders: list[Path], count: int) -> None:
        self._count = count
        self._places: list[tuple[Path, int, str]] = []  # folder, number, file
        texts = []
        for folder in folders:
            deck = decks.read(folder)
            for number, name in decks.numbered(deck.images).items():
                self._places.append((folder, number, name))
                texts.append(deck.text(number))
        self._index = Index(texts)

    def near(self, deck: str, pair: Pair) -> list[bytes]:
        """The slides whose text is most like the question; where there is none, any, seeded."""
        similar = [place for place, _ in self._index.top(pair.question, POOL)]
        rest = sorted(range(len(self._places)), key=lambda place: digest(place, pair.id))[:POOL]
        chosen: list[bytes] = []
        for place in dict.fromkeys([*similar, *rest]):
            folder, number, name = self._places[place]
            if (nfc(folder.name), number) != (deck, pair.slide) and len(chosen) < self._count:
                chosen.append((folder / name).read_bytes())
        return chosen


class Seconds:
    """The looks that a run takes."""

    def __init__(self, talker: Talker, folders: list[Path], options: Options) -> None:
        self._talker, self._blind, self._own = talker, options.blind, options.prompts
        self._others = Others(folders, options.others) if options.others else None

    async def look(self, pair: Pair, deck: Deck, slide: bytes) -> None:
        """Ask what is to be asked of a pair; the answers are stored among the calls."""
        if self._blind:
            await self._talker.answer(self._without(pair, deck))
        if self._others:
            await self._talker.answer(self._among(pair, deck, slide, self._others))

    def _without(self, pair: Pair, deck: Deck) -> Wish:
        prompt = prompts.prompt(BLIND, deck.language, self._own)
        text = prompt.filled(question=pair.question, answer=pair.answer)
        key = Key(deck.id, pair.slide, BLIND, pair.id)
        return Wish(key, prompt, text, prompts.Blind)

    def _among(self, pair: Pair, deck: Deck, slide: bytes, others: Others) -> Wish:
        prompt = prompts.prompt(PICK, deck.language, self._own)
        candidates = others.near(deck.id, pair)
        place = _place(pair, len(candidates) + 1)
        candidates.insert(place - 1, slide)
        sizes = [images.probe(data) for data in candidates]
        text = prompt.filled(question=pair.question, count=len(candidates))
        key = Key(deck.id, pair.slide, PICK, pair.id)
        pixels = sum(size.width * size.height for size in sizes)
        return Wish(key, prompt, text, prompts.Pick, candidates, pixels, note={"place": place})

    @staticmethod
    def seen(pair: Pair, calls: Calls, deck: str) -> Pair:
        """The pair with what the looks at it found."""
        blind = calls.answer(Key(deck, pair.slide, BLIND, pair.id))
        if blind and blind.outcome == llm_session.ANSWERED:
            pair.answerable_without = blind.content["answerable"]
        pick = calls.answer(Key(deck, pair.slide, PICK, pair.id))
        if pick and pick.outcome == llm_session.ANSWERED:
            pair.identifies = pick.content["slides"] == [pick.content["place"]]
        return pair


def _place(pair: Pair, of: int) -> int:
    """Where a slide stands among the others, from 1; by its pair alone."""
    return digest(0, pair.id)[0] % of + 1
