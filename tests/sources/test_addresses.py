"""Where a URL may lead: public addresses over http and https, however they are spelt or found."""

import asyncio

import pytest
from webkit import JPEG, fetch, outcome
from wildsite import Names, Site, moved, page

from edge_glass.sources import addresses
from edge_glass.sources.responses import Answer
from edge_glass.sources.row_fetch import Limits
from edge_glass.sources.web import Web


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///etc/passwd", "bad_url"),
        ("gopher://x/", "bad_url"),
        ("javascript:alert(1)", "bad_url"),
        ("photos/cat.jpg", "bad_url"),
        ("http://", "bad_url"),
        ("http://[::1", "bad_url"),
        ("http://x:99999/", "bad_url"),
        ("http://a/" + "x" * 10_000, "bad_url"),
        ("http://nobody.test/a.jpg", "host_not_found"),
        ("", "bad_url"),
    ],
)
def test_what_is_no_url(url: str, expected: str) -> None:
    assert outcome(fetch(url, resolver=Names(1))[0]) == expected


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.192",
        "198.18.0.1",
        "203.0.113.5",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:db8::1",
        "nonsense",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not addresses.is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert addresses.is_public(address)


PUBLIC_ONLY = Limits(connect=1, silence=0.6, total=1, intranet=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"]
)
def test_no_private_address_is_connected_to(host: str) -> None:
    with Site({"/a.jpg": page(JPEG)}) as site:
        answer = fetch(f"http://{host}:{site.port}/a.jpg", limits=PUBLIC_ONLY)[0]
        assert outcome(answer) == "private_address"
        assert site.log == []


SPELT = ["2130706433", "127.1", "0x7f.0.0.1", "0177.0.0.1", "%31%32%37.0.0.1", "%5B%3A%3A1%5D"]


@pytest.mark.parametrize(
    "host", [*SPELT, "x@127.0.0.1", "x\\@127.0.0.1", "\uff11\uff12\uff17.0.0.1"]
)
def test_no_spelling_of_an_address_leads_inside(host: str) -> None:
    with Site({"/a.jpg": page(JPEG)}) as site:
        answer = fetch(f"http://{host}:{site.port}/a.jpg", limits=PUBLIC_ONLY)[0]
        assert outcome(answer) in ("private_address", "bad_url", "host_not_found")
        assert site.log == []


def test_a_url_without_a_scheme_leads_nowhere_inside() -> None:
    with Site({"/a.jpg": page(JPEG)}) as site:
        answer = fetch(f"//127.0.0.1:{site.port}/a.jpg", limits=PUBLIC_ONLY)[0]
        assert outcome(answer) == "private_address" and site.log == []


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that stands for the internet; all else is as public as it is."""
    real = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda a: a == "127.0.0.2" or real(a))
    return "127.0.0.2"


def test_redirect_to_a_private_address(outside: str) -> None:
    with Site({"/secret": page(JPEG)}) as inside:
        with Site({"/a.jpg": moved(f"{inside.url}/secret")}, host=outside) as site:
            answer = fetch(f"{site.url}/a.jpg", limits=PUBLIC_ONLY)[0]
        assert outcome(answer) == "private_address"
        assert answer.final_url == f"{inside.url}/secret"
        assert inside.log == []


@pytest.mark.parametrize("location", ["//{host}/secret", "http://%31{rest}/secret?a=%2F"])
def test_no_spelling_of_a_location_leads_inside(outside: str, location: str) -> None:
    with Site({"/secret?a=%2F": page(JPEG), "/secret": page(JPEG)}) as inside:
        host = f"127.0.0.1:{inside.port}"
        to = page(
            b"", 302, f"Location: {location.format(host=host, rest=host[1:])}", "Set-Cookie: a=b"
        )
        with Site({"/a.jpg": to}, host=outside) as site:
            answer = fetch(f"{site.url}/a.jpg", limits=PUBLIC_ONLY)[0]
        assert outcome(answer) == "private_address" and inside.log == []


def test_a_name_that_is_public_first_and_private_then(outside: str) -> None:
    with Site({"/a.jpg": page(JPEG, 200, "Connection: close")}, host="0.0.0.0") as site:
        names = Names(site.port, rebinds_test=[outside, "127.0.0.1"])

        async def twice() -> list[Answer]:
            async with Web(PUBLIC_ONLY, ("robots_txt", "tdm_rep"), names) as web:
                web._session.connector._cached_hosts._ttl = 0.0  # type: ignore[union-attr]
                url = "http://rebinds.test/a.jpg"
                return [await web.get(url, "image"), await web.get(url, "image")]

        assert [outcome(answer) for answer in asyncio.run(twice())] == ["kept", "private_address"]
        assert site.log == ["/a.jpg"]
