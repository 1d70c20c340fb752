"""Builds once more, with conditional requests: what changed, and the rot that `diff` shows."""

import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import pytest
from kit import Cli, entries, rows
from test_pixmo_cap import INTRANET, files, jpeg, listed, made
from wildsite import Site, page

from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build


def tagged(body: bytes, tag: str) -> Any:
    """A page that is not sent again to those who have it."""

    async def answer(writer: Any, headers: Any) -> None:
        same = headers.get("if-none-match") == tag
        await page(b"" if same else body, 304 if same else 200, f"ETag: {tag}")(writer, headers)

    return answer


def dated(body: bytes, date: str) -> Any:
    """The same with a date."""

    async def answer(writer: Any, headers: Any) -> None:
        same = headers.get("if-modified-since") == date
        line = f"Last-Modified: {date}"
        await page(b"" if same else body, 304 if same else 200, line)(writer, headers)

    return answer


DATE = "Mon, 01 Jan 2024 00:00:00 GMT"
PAGES = {f"/{n}.jpg": tagged(jpeg(n), f'"v{n}"') for n in range(6)}
PAGES |= {"/6.jpg": dated(jpeg(6), DATE), "/7.jpg": page(jpeg(7)), "/8.jpg": page(b"", 404)}


def urls(site: Site) -> list[str]:
    return [f"{site.url}/{n}.jpg" for n in range(9)]


def conditional(site: Site) -> list[Any]:
    """The requests for what was there before."""
    return [h for h in site.headers if {"if-none-match", "if-modified-since"} & set(h)]


def test_a_refresh_takes_what_changed_and_nothing_else(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_plan, "FETCHED_ROWS", 2)
    with Site(PAGES) as site:
        raw = listed(tmp_path / "raw", urls(site))
        with monkeypatch.context() as earlier:  # a release that cut shards by size alone
            earlier.setattr(shard_plan, "_chance", lambda size, weight: size >= 750_000_000)
            old = made(raw, tmp_path / "old")
        site.pages |= {
            "/1.jpg": tagged(jpeg(101, 50), '"v101"'),
            "/2.jpg": page(b"", 410),
            "/8.jpg": tagged(jpeg(8), '"v8"'),
        }
        site.headers.clear()
        new = made(raw, tmp_path / "new", refresh=tmp_path / "old")
        assert len(conditional(site)) == 7
        # what did not change came from the earlier build; all in all as if built afresh
        assert files(new) == files(made(raw, tmp_path / "afresh"))
    numbers = [row["image_url"].rpartition("/")[2][:-4] for row in rows(new).values()]
    assert numbers == ["0", "1", "3", "4", "5", "6", "7", "8"]
    outcome = {row["url"][-5:-4]: (row["outcome"], row["status"]) for row in entries(new).values()}
    assert [outcome[n] for n in "0128"] == [
        ("kept", 200),
        ("kept", 200),
        ("removed", 410),
        ("kept", 200),
    ]
    plot = tmp_path / "rot.svg"
    shown = cli("diff", tmp_path / "old", tmp_path / "new", "--plot", plot)
    assert shown.code == 1
    for words in ("kept -> removed", "removed -> kept", "changed image", "outcome"):
        assert words in shown.out
    found = cli("diff", tmp_path / "old", tmp_path / "new", "--json").json[0]
    assert found["outcomes"] == {"kept": [8, 8], "removed": [1, 1]}
    assert found["rows"]["changed image"] == 1
    drawn = xml.etree.ElementTree.parse(plot)
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("8") == 2 and "kept, old" in texts and "removed, new" in texts
    cuts = [[shard.rows for shard in manifest.read(folder).shards()] for folder in (old, new)]
    assert cuts[0] == [3, 3, 2] != cuts[1]


def test_a_refresh_where_nothing_changed_gives_the_same_bytes(tmp_path: Path, cli: Cli) -> None:
    with Site(PAGES) as site:
        raw = listed(tmp_path / "raw", urls(site))
        folder = made(raw, tmp_path / "out")
        before = files(folder)
        site.headers.clear()
        made(raw, tmp_path / "out", refresh=tmp_path / "out")
        assert len(conditional(site)) == 7
        assert files(folder) == before


def test_only_the_same_rows_can_be_refreshed(tmp_path: Path) -> None:
    with Site(PAGES) as site:
        raw = listed(tmp_path / "raw", urls(site))
        made(raw, tmp_path / "old")
        variant = catalog.variant("pixmo_cap")
        options = Options(raw, unverified=True, network=INTRANET, limit=3, refresh=tmp_path / "old")
        with pytest.raises(EdgeGlassError, match=r"made with other limit.*edge-glass diff"):
            build(variant, tmp_path / "new", options)
        with pytest.raises(EdgeGlassError, match="nothing is built here"):
            made(raw, tmp_path / "new", refresh=tmp_path / "nowhere")


def test_unchanged_is_no_answer_to_who_has_nothing(tmp_path: Path) -> None:
    with Site({"/a.jpg": page(b"", 304)}) as site:
        folder = made(listed(tmp_path / "raw", [f"{site.url}/a.jpg"]), tmp_path / "out")
    (entry,) = entries(folder).values()
    assert (entry["outcome"], entry["status"]) == ("bad_answer", 304)
