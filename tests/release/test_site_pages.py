"""The site that `make docs` made, in a browser: no barrier, whatever the width and the colours.

Nothing that axe-core finds is passed over.
"""

from collections.abc import Iterator

import pytest
from axekit import violations
from kit import ROOT
from playwright.sync_api import Page
from server import Files

SITE = ROOT / "build" / "site"


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with Files(SITE) as files:
        yield files.url


# a front page, code to copy, tables that scroll, prose with links, a long table of contents
@pytest.mark.parametrize(
    "name", ["index", "first-dataset", "training", "explain/ledger", "reference/changelog"]
)
def test_no_barrier(name: str, site: str, page: Page) -> None:
    page.goto(f"{site}/{name}.html")
    assert list(violations(page)) == []


def test_no_barrier_in_plots(site: str, page: Page) -> None:
    page.goto(f"{site}/reference/benchmarks.html")
    assert page.locator(".plots").count() > 10
    assert list(violations(page, ".plots")) == []


def test_it_follows_the_colours_of_the_system(site: str, page: Page) -> None:
    page.goto(f"{site}/index.html")
    for scheme, shown in (("light", "default"), ("dark", "slate"), ("light", "default")):
        page.emulate_media(color_scheme=scheme)
        page.reload()
        assert page.get_attribute("body", "data-md-color-scheme") == shown


def test_the_front_page_leads_to_every_page(site: str, page: Page) -> None:
    page.goto(f"{site}/index.html")
    links = page.eval_on_selector_all("nav a[href]", "links => links.map(link => link.href)")
    files = {path for path in SITE.rglob("*.html") if path.name != "404.html"}
    assert {f"{site}/{path.relative_to(SITE)}" for path in files} <= {*links}
