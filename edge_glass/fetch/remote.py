"""Sources whose rows are fetched one by one: what a fetcher is told, and what it gives back."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from edge_glass.ledger import Dropped, Outcome

if TYPE_CHECKING:
    from edge_glass.rows import Row


@dataclass(frozen=True)
class Network:
    """How the far end is asked; none of it changes what a build makes, so none is written down."""

    cookies: Path | None = None  # a cookies.txt in Netscape's format
    proxy: str | None = None
    at_once: int = 4  # clips under way, over all processes
    per_minute: float | None = None  # clips begun in a minute at most, over all processes
    seconds: float = 180  # that one try at one clip may take
    beside_raw: bool = False  # items are fetched, though a raw folder has the rest


@dataclass(frozen=True)
class Remote:
    """A source of one item a row: its URL with `{id}` in it, and what is wanted of the item."""

    template: str
    want: str  # audio, or video (with its audio)
    row_bytes: int  # of one item, about
    store: Path
    network: Network = field(default_factory=Network)

    def url(self, id: str) -> str:
        """The URL of one item."""
        return self.template.replace("{id}", quote(id, safe=""))

    def fetcher(self) -> "Fetcher":
        """A fetcher of these items. Raises EdgeGlassError if it needs what is not installed."""
        from edge_glass.fetch.clips import Clips

        return Clips(self)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one item: a file (or bytes) under a name, or the reason why there is none."""

    url: str
    name: str = ""
    content: Path | bytes = b""
    status: int | None = None  # HTTP's, where one is known
    dropped: tuple[Outcome, str] | None = None

    def read(self) -> bytes:
        """The item's bytes. Raises Dropped if there are none."""
        if self.dropped:
            raise Dropped(*self.dropped)
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


class Fetcher(Protocol):
    """Fetches the items that rows ask for, so many at once."""

    at_once: int

    def submit(self, row: "Row") -> Future[Fetched]:
        """Begin to fetch what `row.ask` says; an EdgeGlassError in the future stops the build."""

    def close(self) -> None:
        """Stop whatever is under way."""
