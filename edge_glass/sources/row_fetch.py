"""Sources whose rows are fetched one by one: what a fetcher is told, and what it gives back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.spec import CLIPS

if TYPE_CHECKING:
    from edge_glass.core.row import Row
    from edge_glass.sources.spool import Body

BODIES = ("image", "sound", "file")  # what is the body of a URL that a row names


@dataclass(frozen=True)
class Limits:
    """How much one URL, one host and one process may take; seconds and bytes."""

    at_once: int = 128  # connections
    per_host: int = 16
    connect: float = 10
    silence: float = 15  # before the first byte, and between two
    total: float = 60
    min_rate: float = 1000  # bytes a second, after `grace` seconds
    grace: float = 5
    redirects: int = 5
    intranet: bool = False  # go to addresses that are not public, too


@dataclass(frozen=True)
class Network:
    """How the far end is asked; none of it changes what a build makes, so none is written down."""

    cookies: Path | None = None  # a cookies.txt in Netscape's format
    proxy: str | None = None
    at_once: int = 4  # clips under way, over all processes
    per_minute: float | None = None  # clips begun in a minute at most, over all processes
    seconds: float = 180  # that one try at one clip may take
    beside_raw: bool = False  # items are fetched, though a raw folder has the rest
    web: Limits = field(default_factory=Limits)  # of what is fetched by URL


@dataclass(frozen=True)
class Remote:
    """A source of one item a row: its URL with `{id}` in it, and what is wanted of the item.

    For images and files rows name the URLs, and the template says where the list comes from.
    """

    template: str
    want: str  # of CLIPS or BODIES; video comes with its audio
    row_bytes: int  # of one item, about
    store: Path
    network: Network = field(default_factory=Network)
    max_bytes: int = 50_000_000  # of one file
    ignored: tuple[str, ...] = ()  # checks of consent that the config opts out of
    bundle: Path | None = None  # the folder that stands for the web

    @property
    def remembers(self) -> bool:
        """Whether what was fetched, or will never come, is kept from one build to the next."""
        return self.want in CLIPS

    def url(self, id: str) -> str:
        """The URL of one item."""
        return self.template.replace("{id}", quote(id, safe=""))


@dataclass(slots=True)
class Fetched:
    """What became of one item: a file (or bytes) under a name, or the reason why there is none."""

    url: str
    name: str = ""
    content: "Path | bytes | Body" = b""
    hash: Any = None  # hashlib's, of the content, where that was at hand
    status: int | None = None  # HTTP's, where one is known
    dropped: tuple[Outcome, str] | None = None
    final_url: str | None = None  # where redirects led
    etag: str | None = None
    last_modified: str | None = None  # the server's words

    def read(self) -> bytes:
        """The item's bytes. Raises Dropped if there are none."""
        if self.dropped:
            raise Dropped(*self.dropped)
        if isinstance(self.content, bytes):
            return self.content
        return self.content.read_bytes()


class Awaited(Protocol):
    """What will have become of one item."""

    def result(self) -> Fetched:
        """Wait for it. An EdgeGlassError stops the build."""


class Fetcher(Protocol):
    """Fetches the items that rows ask for, so many at once."""

    at_once: int

    def submit(self, row: "Row") -> Awaited:
        """Begin to fetch what `row.fetch_request` says."""

    def close(self) -> None:
        """Stop whatever is under way."""
