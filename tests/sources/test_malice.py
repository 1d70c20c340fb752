"""Servers that mean no good: each is an outcome, and none of them keeps others waiting."""

import gzip
from pathlib import Path

import pytest
from kit import entries
from test_images import huge_png
from test_pixmo_cap import listed
from webkit import JPEG, LIMITS, MB, fetch, outcome
from wildsite import Site, drip, endless, hang_up, header_drip, moved, page, silence

from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.sources import hosts
from edge_glass.sources.row_fetch import Network

SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
)
HTML, BOMB = b"<!DOCTYPE html><html>gone</html>", gzip.compress(bytes(50 * MB))
MALICE = {
    "/endless": (endless, "oversized_media"),
    "/drip": (drip, "timed_out"),
    "/header-drip": (header_drip, "timed_out"),
    "/silence": (silence, "timed_out"),
    "/hang-up": (hang_up, "network_error"),
    "/loop": (moved("/loop"), "redirected_too_often"),
    "/ping": (moved("/pong"), "redirected_too_often"),
    "/pong": (moved("/ping"), "redirected_too_often"),
    "/file": (moved("file:///etc/passwd"), "bad_url"),
    "/ftp": (moved("ftp://127.0.0.1/x"), "bad_url"),
    "/no-url": (moved("http://[::1"), "bad_url"),
    "/bomb": (page(BOMB, 200, "Content-Encoding: gzip"), "oversized_media"),
    "/cut-gzip": (page(gzip.compress(JPEG)[:-9], 200, "Content-Encoding: gzip"), "bad_answer"),
    "/no-gzip": (page(JPEG, 200, "Content-Encoding: gzip"), "bad_answer"),
    "/br": (page(JPEG, 200, "Content-Encoding: br"), "bad_answer"),
    "/big-header": (page(JPEG, 200, "X-Large: " + "a" * MB), "bad_answer"),
    "/many-headers": (page(JPEG, 200, *(f"X-{n}: 1" for n in range(5000))), "bad_answer"),
    "/promises-more": (page(JPEG, length=len(JPEG) + 1000), "network_error"),
    "/promises-much": (page(JPEG, length=10**15), "oversized_media"),
    "/promises-nonsense": (page(JPEG, 200, "Content-Length: -5"), "bad_answer"),
    "/page.jpg": (page(HTML, 200, "Content-Type: image/jpeg"), "wrong_kind"),
    "/drawing.svg": (page(SVG, 200, "Content-Type: image/png"), "wrong_kind"),
    "/program": (page(b"MZ\x90\0" + bytes(100)), "wrong_kind"),
    "/empty": (page(b""), "empty_media"),
    "/401": (page(b"", 401), "forbidden"),
    "/404": (page(b"gone", 404), "removed"),
    "/451": (page(b"", 451), "geo_blocked"),
    "/500": (page(b"", 500), "server_error"),
    "/204": (page(b"", 204), "bad_answer"),
    "/nowhere": (page(b"", 302), "bad_answer"),
}  # fmt: skip


def test_malice_is_an_outcome_and_keeps_nobody_waiting(no_rest: list[float]) -> None:
    good = {f"/good/{n}.jpg": page(JPEG) for n in range(20)}
    with Site({path: answer for path, (answer, _) in MALICE.items()} | good) as site:
        urls = [site.url + path for path in [*MALICE, *good]]
        answers = fetch(*urls)
    found = {path: outcome(a) for path, a in zip([*MALICE, *good], answers, strict=True)}
    assert found == {path: kind for path, (_, kind) in MALICE.items()} | dict.fromkeys(good, "kept")
    assert all(a.body == JPEG for a in answers[len(MALICE) :])
    assert all(a.body == b"" for a in answers[: len(MALICE)])


def test_malice_in_a_build_costs_its_own_rows_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "BACK_OFF", 0.01)
    pages = {path: answer for path, (answer, _) in MALICE.items()}
    pages |= {f"/good/{n}.jpg": page(JPEG) for n in range(20)}
    pages["/huge.png"] = page(huge_png(10_000, 10_000))
    with Site(pages) as site:
        raw = listed(tmp_path / "raw", [site.url + path for path in pages])
        options = Options(raw, unverified=True, network=Network(web=LIMITS))
        settings = {"max_bytes": MB}
        build(catalog.variant("pixmo_cap", settings, "pixmo_cap_malice"), tmp_path, options)
        found = entries(tmp_path / "pixmo_cap_malice").values()
        outcomes = {row["url"].removeprefix(site.url): row["outcome"] for row in found}
    kept = {path: "kept" for path in pages if "good" in path}
    malice = {path: kind for path, (_, kind) in MALICE.items()} | {"/huge.png": "oversized_media"}
    assert outcomes == malice | kept
    assert list(outcomes) == list(pages)


def test_details_say_the_same_every_time(no_rest: list[float]) -> None:
    with Site({path: answer for path, (answer, _) in MALICE.items()}) as site:
        urls = [site.url + path for path in MALICE]
        assert [a.dropped for a in fetch(*urls)] == [a.dropped for a in fetch(*urls)]
