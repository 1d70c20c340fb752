"""What the other side asks for: robots.txt, X-Robots-Tag, TDM-Rep, and Content-Usage (AIPREF)."""

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

from multidict import CIMultiDictProxy
from protego import Protego
from yarl import URL

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import png
from edge_glass.sources.responses import WHOLE

AGENT = "edge-glass"  # what robots.txt and X-Robots-Tag know us by
CHECKS = (
    "robots_txt", "x_robots_tag", "tdm_rep", "content_usage", "data_mining", "training_mining"
)  # fmt: skip
ROBOTS_TXT, X_ROBOTS_TAG, TDM_REP, CONTENT_USAGE, DATA_MINING, TRAINING_MINING = CHECKS
TRAINING = "train-ai"  # of the uses that a Content-Usage says y or n to, the one that is ours
USAGE = "Content-Usage"  # of headers, and of robots.txt
# as XMP names it in any kind of file; beside it stand DMI-ALLOWED and DMI-UNSPECIFIED
PROHIBITED = re.compile(rb"ns\.useplus\.org/ldf/vocab/(DMI-PROHIBITED[A-Z-]*)")
# what stands in a JUMBF box where a JPEG goes on with it in its next segment
CUT = re.compile(rb"(?s)\xff\xeb..JP.{10}jumb")
# a C2PA assertion: its label in a JUMBF box, and behind that the length of a box of CBOR, whose
# entries are {"cawg.ai_training": {"use": "notAllowed"}}; earlier versions say c2pa for cawg.
# c2pa-rs writes the size of a map in its first byte, c2pa-ts in two more
ASSERTION = re.compile(rb"(?s)(?:c2pa|cawg)\.training-mining(?:__\d+)?\0.{,64}?(.{4})cbor")
UNWANTED = re.compile(
    rb"(?s)((?:c2pa|cawg)\.(?:ai_training|ai_generative_training|data_mining))"
    rb"(?:[\xa1-\xb7\xbf]|\xb8.|\xb9..)"
    rb"(?:(?!(?:c2pa|cawg)\.).)*?\x63use(?:\x6a(notAllowed)|\x6b(constrained))"
)
REFUSALS = {"noai", "noimageai", "noindex", "noimageindex", "none"}
VALUED = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
MAX_BYTES = 500 * 1024  # of robots.txt that are read (RFC 9309), and of tdmrep.json
MAX_BOX = 2**16  # bytes of an assertion
MAX_SITES = 4096
DAY, WHILE = 24 * 3600, 300  # seconds after which a host that answered, or did not, is asked again
MAX_WEIGHT = 8_000_000  # bytes of robots.txt and tdmrep.json behind all that is remembered

clock = time.monotonic
Get = Callable[[URL, int], Awaitable[tuple[int, bytes]]]  # url, most bytes -> status, body


@dataclass
class _Site:
    until: float  # by the clock, this holds
    robots: Protego | None = None
    mining: Protego | None = None
    usage: Protego | None = None
    weight: int = 1000
    dropped: Dropped | None = None  # it cannot be asked


class Consent:
    """Asks each host once a day. `ignored` are the checks that a config opts out of."""

    def __init__(self, get: Get, ignored: Collection[str] = ()) -> None:
        self._get = get
        self._checks = set(CHECKS) - set(ignored)
        self._sites: OrderedDict[str, asyncio.Task[_Site]] = OrderedDict()
        self._weight = 0

    async def may_ask(self, url: URL, origin: str) -> None:
        """Raises Dropped if the host does not want `url` to be asked for, or cannot be asked."""
        if not self._checks & {ROBOTS_TXT, TDM_REP}:
            return
        site = await self._site(url, origin)
        for spelling in dict.fromkeys((str(url), str(URL(str(url))))):  # as sent; without `..`
            if site.robots and not site.robots.can_fetch(spelling, AGENT):
                raise Dropped(Outcome.ROBOTS_TXT, "")
            if site.mining and not site.mining.can_fetch(spelling, AGENT):
                raise Dropped(Outcome.TDM_RESERVED, "tdmrep.json")
            if site.usage and not site.usage.can_fetch(spelling, AGENT):
                raise Dropped(Outcome.CONTENT_USAGE, "robots.txt")

    async def crawl_delay(self, url: URL, origin: str) -> float:
        """Seconds that the host's robots.txt wants between two requests of a crawler.

        Raises Dropped if the host cannot be asked.
        """
        if ROBOTS_TXT not in self._checks:
            return 0.0
        robots = (await self._site(url, origin)).robots
        return float((robots and robots.crawl_delay(AGENT)) or 0)

    def may_keep(self, headers: CIMultiDictProxy[str]) -> None:
        """Raises Dropped if the headers of an answer ask that it be not used."""
        if TDM_REP in self._checks and headers.get("tdm-reservation", "").strip() == "1":
            raise Dropped(Outcome.TDM_RESERVED, "tdm-reservation")
        usage = ", ".join(headers.getall(USAGE, []))
        if CONTENT_USAGE in self._checks and may_train(usage) is False:
            raise Dropped(Outcome.CONTENT_USAGE, f"{TRAINING}=n")
        if X_ROBOTS_TAG in self._checks:
            asked = directives(headers.getall("X-Robots-Tag", []))
            if refused := sorted(asked & REFUSALS):
                raise Dropped(Outcome.X_ROBOTS_TAG, ", ".join(refused))

    def may_mine(self, body: bytes) -> None:
        """Raises Dropped if XMP in a file prohibits data mining (IPTC, PLUS), or C2PA training.

        Signatures are not looked at: who may not have said no is believed all the same.
        """
        for text in (body, *png.coded_texts(body)) if DATA_MINING in self._checks else ():
            if prohibition := PROHIBITED.search(text):
                raise Dropped(Outcome.DATA_MINING, prohibition[1].decode())
        body = CUT.sub(b"", body) if TRAINING_MINING in self._checks else b""
        for label in ASSERTION.finditer(body):
            length = min(int.from_bytes(label[1]) - 8, MAX_BOX)
            box = body[label.end() : label.end() + max(length, 0)]
            if refusal := UNWANTED.search(box):
                use, said = refusal[1].decode(), (refusal[2] or refusal[3]).decode()
                raise Dropped(Outcome.TRAINING_MINING, f"{use}: {said}")

    async def _site(self, url: URL, origin: str) -> _Site:
        task = self._sites.get(origin)
        if task is not None and (known := _answer(task)) and known.until < clock():
            self._forget(origin)
            task = None
        if task is None:
            task = self._sites[origin] = asyncio.create_task(self._ask(url.origin()))
            task.add_done_callback(self._weigh)
        self._sites.move_to_end(origin)
        site = task.result() if task.done() else await asyncio.shield(task)
        if site.dropped:
            raise Dropped(site.dropped.outcome, site.dropped.detail)
        return site

    async def _ask(self, host: URL) -> _Site:
        site = _Site(clock() + DAY)
        if ROBOTS_TXT in self._checks:
            try:
                status, body = await self._get(host / "robots.txt", MAX_BYTES)
                if status >= 500:
                    # the standard's word for it: as long as nobody can tell, nothing is allowed
                    raise Dropped(Outcome.SERVER_ERROR, f"robots.txt: HTTP {status}")
            except Dropped as drop:
                return _Site(clock() + WHILE, dropped=drop)
            if status in WHOLE:
                text = body.decode(errors="replace")
                site.robots = Protego.parse(text)
                site.usage = usages(text) if CONTENT_USAGE in self._checks else None
                site.weight += len(body)
        if TDM_REP in self._checks:
            try:
                status, body = await self._get(host / ".well-known" / "tdmrep.json", MAX_BYTES)
            except Dropped:
                status, body = 0, b""
            site.mining = reservations(body) if status in WHOLE else None
            site.weight += len(body) if site.mining else 0
        return site

    def _weigh(self, done: "asyncio.Task[_Site]") -> None:
        if known := _answer(done):
            self._weight += known.weight
        while len(self._sites) > MAX_SITES or (self._weight > MAX_WEIGHT and len(self._sites) > 1):
            oldest = next(iter(self._sites))
            if not self._sites[oldest].done():
                return
            self._forget(oldest)

    def _forget(self, origin: str) -> None:
        if known := _answer(self._sites.pop(origin)):
            self._weight -= known.weight


def directives(lines: Iterable[str]) -> set[str]:
    """What X-Robots-Tag lines ask of everyone, and of us: `edge-glass: noai`."""
    names = set()
    for line in lines:
        ours = True
        for part in line.lower().split(","):
            name, colon, rest = part.strip().partition(":")
            if colon and name.strip() not in VALUED:
                ours, name = name.strip() in (AGENT, "*"), rest
            if ours:
                names.add(name.strip())
    return names


def reservations(body: bytes) -> Protego | None:
    """The rules of a tdmrep.json, as a robots.txt would say them; None if it reserves nothing.

    Its locations are patterns of robots.txt; where several match, the longest one decides.
    """
    try:
        rules = json.loads(body)
    except (ValueError, RecursionError):
        return None
    lines = []
    for rule in rules if isinstance(rules, list) else [rules]:
        location = rule.get("location") if isinstance(rule, dict) else None
        if isinstance(location, str) and location.startswith("/") and location.isprintable():
            reserved = str(rule.get("tdm-reservation")) == "1"
            pattern = location.replace("#", "%23")
            lines.append(f"{'Disallow' if reserved else 'Allow'}: {pattern}")
    if not any(line.startswith("Disallow") for line in lines):
        return None
    return Protego.parse("\n".join(["User-agent: *", *lines]))


def may_train(preferences: str) -> bool | None:
    """What a Content-Usage says of training, `train-ai=n, search=y`; None if it does not say."""
    said = None
    for part in preferences.split(","):
        label, _, value = part.partition(";")[0].strip().partition("=")
        if label == TRAINING and value in ("y", "n"):
            said = value == "y"  # of several the last one holds
    return said


def usages(robots: str) -> Protego | None:
    """The Content-Usage rules of a robots.txt, as its other rules are said; None: none refuses."""
    lines = []
    for line in robots.splitlines():
        name, _, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        path, _, preferences = value.partition(" ") if value[:1] == "/" else ("/", "", value)
        said = may_train(preferences) if name == USAGE.lower() else None
        if name == "user-agent":
            lines.append(line)
        elif said is None:
            lines.append("Allow: /robots.txt")  # a rule ends the names of a group
        else:
            lines.append(f"{'Allow' if said else 'Disallow'}: {path}")
    return Protego.parse("\n".join(lines)) if any(ln.startswith("Dis") for ln in lines) else None


def _answer(task: "asyncio.Task[_Site]") -> _Site | None:
    """What is known of a host; None while it is asked, and if that went wrong."""
    whole = task.done() and not task.cancelled() and not task.exception()
    return task.result() if whole else None
