"""Where a URL out of a list may lead: public addresses, over http and https.

The check stands where a socket is opened, with the address that it is opened to. So it holds for
every redirect, for every spelling of an address, and for a name that is public when it is looked up
first and private when it is looked up again.
"""

import re
import socket
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import quote, unquote, urljoin

from yarl import URL

from edge_glass.core.ledger import Dropped, Outcome

MAX_URL = 8000  # characters; servers refuse longer ones
# scheme, authority, path, query; `//host/path` leads to http: who wants TLS redirects there
FORM = re.compile(r"(?:(https?):)?//([^/?#\\]*)([^?#]*)(\?[^#]*)?", re.IGNORECASE)
# what may not stand in a URL (RFC 3986), and a per cent sign that quotes nothing
UNQUOTED = re.compile(r"[^!$%&-;=?@A-Z\[\]_a-z~]|%(?![0-9A-Fa-f]{2})")
NOT_IN_HOST = re.compile(r"[\s/?#@\\]")
RESERVED = [  # which not every release of Python knows not to be global
    ip_network(net)
    for net in (
        "192.0.0.0/24",
        "64:ff9b:1::/48",
        "2001::/23",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
]
NAT64 = "64:ff9b:"  # an IPv4 address behind a translator


class PrivateAddress(OSError):
    """An address that is not public. It always says the same, whichever address it was."""

    def __init__(self) -> None:
        super().__init__("not a public address")


def parse(text: str) -> URL:
    """A URL that may be asked for, without fragment and credentials. Raises Dropped.

    What is valid in path and query stays as it is written, byte for byte: signatures cover it.
    """
    try:
        if len(text) > MAX_URL:
            raise ValueError(f"{len(text)} characters")
        form = FORM.match(text.strip())
        if not form:
            raise ValueError("not http://host/... or https://host/...")
        scheme, authority, path, query = form.groups("")
        host = unquote(authority.rpartition("@")[2])
        base = URL(f"{scheme or 'http'}://{host}/")
        if NOT_IN_HOST.search(host) or not base.host or not base.port:
            raise ValueError(f"host {host or 'none'!a}")
        rest = f"/{path.removeprefix('/')}{query}"
        quoted = UNQUOTED.sub(lambda odd: quote(odd[0], safe=""), rest)
        return written(f"{base.origin()}{quoted}")
    except (ValueError, TypeError) as error:
        raise Dropped(Outcome.BAD_URL, f"{error}"[:200]) from None


def written(text: str) -> URL:
    """A valid URL as it is written; by itself `URL` drops a bare `?` at its end."""
    url = URL(text, encoded=True)
    bare = text.endswith("?") and not url.raw_query_string
    return url.with_path(f"{url.raw_path}?", encoded=True) if bare else url


def onward(url: URL, location: bytes) -> URL:
    """Where a redirect of `url` leads. Raises Dropped.

    Headers know no encoding: bytes beyond ASCII are quoted as they are, as browsers do.
    """
    quoted = re.sub(rb"[^!-~]", lambda odd: b"%%%02X" % ord(odd[0]), location.strip())
    try:
        joined = urljoin(str(url), quoted.decode("ascii")).partition("#")[0]
        bare = quoted.partition(b"#")[0].endswith(b"?") and not joined.endswith("?")
        return parse(f"{joined}?" if bare else joined)  # joining drops a query of nothing
    except ValueError:
        raise Dropped(Outcome.BAD_URL, "a redirect to what is no URL") from None


def origin(url: URL) -> str:
    """Scheme, host and port: what consent and back-off are kept by."""
    return f"{url.scheme}://{url.raw_host}:{url.port}"


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet.

    Not loopback, private, link-local (there clouds keep their secrets), shared, reserved or
    multicast, neither itself nor inside an IPv6 address that stands for it.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if inner is not None:
            return is_public(str(inner))
        if str(ip).startswith(NAT64):
            return is_public(str(ip_address(int(ip) & 0xFFFFFFFF)))
    special = ip.is_multicast or ip.is_reserved or ip.is_unspecified
    return ip.is_global and not special and not any(ip in net for net in RESERVED)


def opened(address: tuple[Any, ...], public: bool) -> socket.socket:
    """A socket for an address out of `getaddrinfo`. Raises PrivateAddress for one not `public`."""
    family, kind, protocol, _, (host, *_) = address
    if public and not is_public(host):
        raise PrivateAddress
    return socket.socket(family, kind, protocol)
