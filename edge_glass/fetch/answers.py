"""What became of a URL, and which outcome statuses, errors and encodings stand for."""

import socket
import zlib
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from edge_glass.fetch.safety import PrivateAddress
from edge_glass.ledger import Dropped, Outcome

STATUSES = {
    **dict.fromkeys((401, 402, 403), Outcome.FORBIDDEN),
    **dict.fromkeys((404, 410), Outcome.REMOVED),
    408: Outcome.TIMED_OUT,
    429: Outcome.RATE_LIMITED,
    451: Outcome.GEO_BLOCKED,
}
ERRORS: list[tuple[tuple[type[Exception], ...], Outcome]] = [  # the first that fits
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), Outcome.HOST_NOT_FOUND),
    ((aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError), Outcome.TLS_ERROR),
    ((TimeoutError,), Outcome.TIMED_OUT),
    ((aiohttp.InvalidURL,), Outcome.BAD_URL),
    ((aiohttp.ClientResponseError, ValueError), Outcome.BAD_ANSWER),
]


@dataclass(slots=True)
class Answer:
    """What became of a URL, or is known so far. `final_url` is where redirects led, if they did."""

    url: str
    status: int | None = None
    final_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    kind: str | None = None
    body: bytes = b""
    dropped: tuple[Outcome, str] | None = None


def explain(error: Exception) -> tuple[Outcome, str]:
    """The outcome of an exception; the detail says the same every time it happens."""
    if isinstance(inner := getattr(error, "os_error", error), PrivateAddress):
        return Outcome.PRIVATE_ADDRESS, str(inner)
    for kinds, outcome in ERRORS:
        if isinstance(error, kinds):
            return outcome, type(error).__name__
    return Outcome.NETWORK_ERROR, type(error).__name__


def header(headers: CIMultiDictProxy[str], name: str) -> str | None:
    """A header that may stand in the ledger."""
    value = headers.get(name)
    return value if value and len(value) <= 256 and value.isprintable() else None


def decoded(body: bytes, encoding: str, most: int) -> bytes:
    """The body without the compression that nobody asked for. Raises Dropped beyond `most`."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Dropped(Outcome.BAD_ANSWER, f"Content-Encoding {encoding[:20]!a}")
    inflate: Any = zlib.decompressobj(zlib.MAX_WBITS | 32)  # reads gzip and zlib headers
    try:
        plain: bytes = inflate.decompress(body, most + 1)
    except zlib.error:
        raise Dropped(Outcome.BAD_ANSWER, f"not {encoding} as it says") from None
    if len(plain) > most:
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {most} bytes, decompressed")
    if not inflate.eof:
        raise Dropped(Outcome.BAD_ANSWER, f"{encoding} that ends early")
    return plain
