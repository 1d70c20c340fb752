"""Files that a page lists by links, as web servers make it of a folder; each is fetched once."""

import hashlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from edge_glass.core.errors import SourceError
from edge_glass.core.progress import ByteTick
from edge_glass.core.spec import Source, SourceFacts
from edge_glass.sources import download
from edge_glass.sources.table_chunks import SUFFIXES

AT_ONCE = 16  # all of them from one host
PAGE = "index.html"


def files(source: Source, folder: Path) -> list[str]:
    """The URLs of the files, in the order of their names; asked for once, then read from `folder`.

    Raises EdgeGlassError if the page is not there or lists none.
    """
    url = str(source.url)
    page = Source.model_validate({"url": url})
    job = download.Job(f"{folder.name}/{PAGE}", folder / PAGE, page, [url])
    download.fetch([job], lambda name, done, total: None)
    urls = links(job.path.read_text(encoding="utf-8", errors="replace"), url)
    if not urls:
        job.path.unlink()
        raise SourceError(
            f"{url}: no link to a file below it ({', '.join(SUFFIXES)}). Has upstream moved? Get "
            "the files by other means and pass their folder as --raw."
        )
    return urls


def links(page: str, url: str) -> list[str]:
    """The files right below `url` that a page links to, by their names; none from elsewhere."""
    parser = _Links()
    parser.feed(page)
    base = url if url.endswith("/") else url.rpartition("/")[0] + "/"
    urls = {urldefrag(urljoin(url, link)).url for link in parser.hrefs}
    inside = (link for link in urls if link.startswith(base) and _plain(link, base))
    return sorted(inside, key=name_of)


def jobs(folder: Path, urls: list[str], mirror: str | None) -> list[download.Job]:
    """The downloads of these files into `folder`; `mirror` (the URL of a folder) is tried first."""
    downloads = []
    for url in urls:
        name = name_of(url)
        before = [f"{mirror.rstrip('/')}/{folder.name}/{name}"] if mirror else []
        source = Source.model_validate({"url": url})
        downloads.append(
            download.Job(f"{folder.name}/{name}", folder / name, source, [*before, url])
        )
    return downloads


def together(name: str, tick: ByteTick) -> ByteTick:
    """A tick for very many files that shows them as one."""
    arrived: dict[str, int] = {}
    total = 0

    def add(file: str, done: int, of: int | None) -> None:
        nonlocal total
        total += done - arrived.get(file, 0)
        arrived[file] = done
        if done == of:
            del arrived[file]
        tick(name, total, None)

    return add


def facts(parts: list[SourceFacts], urls: list[str]) -> SourceFacts:
    """What the manifest says of files that were fetched; one checksum over them all."""
    pairs = zip(parts, urls, strict=True)
    sums = "".join(f"{item.sha256}  {name_of(url)}\n" for item, url in pairs)
    size, digest = sum(item.bytes or 0 for item in parts), hashlib.sha256(sums.encode()).hexdigest()
    return SourceFacts(files=len(urls), bytes=size, sha256=digest)


def name_of(url: str) -> str:
    """The name of the file behind a URL."""
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _plain(link: str, base: str) -> bool:
    name = name_of(link)
    alone = "/" not in link[len(base) :] and not set(name) & {"/", "\\", "\0"}
    return alone and name.lower().endswith(SUFFIXES) and not name.startswith(".")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs += [value for name, value in attrs if name == "href" and value]
