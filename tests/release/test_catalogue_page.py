"""The page of all corpora in a browser: each with how much, its licence and a row of it."""

from pathlib import Path

import pytest
from axekit import violations
from kit import Cli
from playwright.sync_api import Page

from edge_glass.corpora import catalog


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edge_glass.release import catalogue

    return catalogue.write(tmp_path_factory.mktemp("site"))


def test_every_corpus_has_its_row(site: Path, page: Page) -> None:
    page.goto(site.as_uri())
    for name in catalog.corpora():
        spec = catalog.spec(name)
        heading = page.locator(f"h2#{name}")
        assert heading.inner_text() == spec.title
        shown = page.locator(f"h2#{name} ~ div article").first
        assert shown.locator("dd").first.inner_text()
        assert page.locator(f"a[href='#{name}']").count() == 1
    assert page.get_by_text(spec.licence_tag).count()
    text = page.inner_text("table")
    for told in (
        "5.1 MB; downloaded by hand; clips, fetched row by row, about 48.5 GB",
        "61.4 GB; 982 hours",
        "size not stated; partly downloaded by hand",
        "its own, see below",
    ):
        assert told in text
    assert "" not in [cell.strip() for cell in page.locator(".wide td").all_inner_texts()]
    cut = "lists => lists.filter(list => list.scrollHeight > list.clientHeight).length"
    assert page.eval_on_selector_all("article dl", cut) == 0
    loaded = "images => images.every(image => image.complete && image.naturalWidth > 0)"
    assert page.eval_on_selector_all("img", loaded)
    media = page.locator("article img, article audio, article video")
    assert media.count() >= len(catalog.corpora())


def test_it_fits_a_telephone(site: Path, page: Page) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(site.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_no_barrier(site: Path, page: Page) -> None:
    page.goto(site.as_uri())
    assert list(violations(page)) == []


def test_the_command(tmp_path: Path, cli: Cli) -> None:
    done = cli("docs", "--out", tmp_path / "site")
    assert done.out.strip() == str(tmp_path / "site" / "index.html")
