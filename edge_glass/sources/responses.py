"""What became of a URL, and which outcome statuses, errors and encodings stand for."""

import re
import socket
import zlib
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.sources.addresses import PrivateAddress
from edge_glass.sources.row_fetch import Fetched

STATUSES = {
    **dict.fromkeys((401, 402, 403), Outcome.FORBIDDEN),
    **dict.fromkeys((404, 410), Outcome.REMOVED),
    408: Outcome.TIMED_OUT,
    429: Outcome.RATE_LIMITED,
    451: Outcome.GEO_BLOCKED,
}
WHOLE = {200, 201, 203, 206}  # that come with what was asked for; 206 may have a part of it
COMPRESSED = ("br", "zstd", "compress", "x-compress", "dcb", "dcz", "xz", "bzip2")
ERRORS: list[tuple[tuple[type[Exception], ...], Outcome]] = [  # the first that fits
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), Outcome.HOST_NOT_FOUND),
    ((aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError), Outcome.TLS_ERROR),
    ((TimeoutError,), Outcome.TIMED_OUT),
    ((aiohttp.InvalidURL,), Outcome.BAD_URL),
    ((aiohttp.ClientResponseError, ValueError), Outcome.BAD_ANSWER),
]


@dataclass(slots=True)
class Answer(Fetched):
    """What became of a URL, or is known so far.

    `cookies` are those of the redirects, for hosts that send nobody on without one.
    """

    kind: str | None = None
    body: bytes = b""
    cookies: aiohttp.CookieJar | None = None

    def cookie(self, url: URL) -> dict[str, str]:
        """The header for the next request, with the values as they were sent."""
        cookies = self.cookies.filter_cookies(url).values() if self.cookies else ()
        sent = "; ".join(f"{cookie.key}={cookie.coded_value}" for cookie in cookies)
        return {"Cookie": sent} if sent else {}

    def keep_cookies(self, response: aiohttp.ClientResponse) -> None:
        """For this answer's further redirects alone."""
        if response.cookies:
            self.cookies = self.cookies or aiohttp.CookieJar(unsafe=True)
            self.cookies.update_cookies(response.cookies, response.url)


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


def is_part(status: int, headers: CIMultiDictProxy[str]) -> bool:
    """Whether an answer has less than all: some say 206 of the whole, though no part was wanted."""
    several = headers.get("Content-Type", "").startswith("multipart/byteranges")
    said = headers.get("Content-Range", "").strip()
    if status != 206 or not said:
        return status == 206 and several
    span = re.fullmatch(r"bytes 0-(\d+)/(\d+)", said)
    return not span or int(span[1]) + 1 != int(span[2])


def decoded(body: bytes, encoding: str, most: int) -> bytes:
    """The body without the compression that nobody asked for. Raises Dropped beyond `most`.

    What is no compression is no encoding of the body either: `none`, `UTF-8`, `aws-chunked`.
    """
    for coding in reversed(encoding.lower().replace(" ", "").split(",")):
        if coding in ("gzip", "x-gzip", "deflate"):
            body = _inflated(body, coding, most)
        elif coding in COMPRESSED:
            raise Dropped(Outcome.BAD_ANSWER, f"Content-Encoding {coding!a}")
    return body


def _inflated(body: bytes, coding: str, most: int) -> bytes:
    # some leave out the header of zlib, which is a multiple of 31
    bare = coding == "deflate" and body[:1] != b"\x1f" and int.from_bytes(body[:2]) % 31
    inflate: Any = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
    try:
        plain: bytes = inflate.decompress(body, most + 1)
    except zlib.error:
        raise Dropped(Outcome.BAD_ANSWER, f"not {coding} as it says") from None
    if len(plain) > most:
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {most} bytes, decompressed")
    if not inflate.eof:
        raise Dropped(Outcome.BAD_ANSWER, f"{coding} that ends early")
    return plain
