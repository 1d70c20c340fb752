"""The search page in a browser: what a person does there, and what hostile captions cannot do."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import searchkit
import tinymodels
from axekit import violations
from kit import ROOT, Cli
from playwright.sync_api import Page, expect
from server import Files

from edge_glass.core.progress import Progress
from edge_glass.vectors import embed, index_build
from edge_glass.vectors.stored_vectors import stored
from edge_glass.vectors.text_encoders import normal

expect.set_options(timeout=60_000)  # the first query reads the model
FILMS = ROOT / "samples" / "mm_imdb" / "dataset"
SOUNDS = sorted((ROOT / "samples" / "clotho" / "development").glob("*.wav"))[:4]
POSTERS = sorted(FILMS.glob("*.jpeg"))[:6]
HOSTILE = [
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    "</p></article><svg onload=\"document.title='owned'\">",
    "javascript:document.title='owned'",
    "{{ 7 * 7 }} ${7*7} &lt;b&gt;",
    "\u202e\x1b[2J" + "a" * 3000,
]
NSFW = ["UNLIKELY", "UNLIKELY", "UNLIKELY", "NSFW", "UNLIKELY", "UNLIKELY"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("clip", "whisper"):
        (folder / name).mkdir()
        getattr(tinymodels, name)(folder / name)
    return folder


def served(folder: Path, *more: str) -> Iterator[str]:
    """The page's address while it is served."""
    run = [sys.executable, "-m", "edge_glass", "serve", str(folder), "--port", "0", *more]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def pictured(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Posters with hostile captions, of which one is not safe for work and two are the same."""
    out = tmp_path_factory.mktemp("pictures")
    posters = [path.read_bytes() for path in [*POSTERS[:5], POSTERS[0]]]
    files = [{"bytes": data, "path": "<b>.jpg"} for data in posters]
    splits = {"train": 4, "test": 2}
    years, kinds = [1980, 1985, 1990, 1995, 2000, 2005], [0, 1, 0, 1, 0, 1]
    more = {"year": years, "kind": kinds, "caption": HOSTILE, "nsfw": NSFW}
    folder = searchkit.write(out, {}, splits, image=files, **more)
    embed.embed(folder, out / "embeddings/data/clip", str(models / "clip"), ["image", "caption"])
    all_ = stored(folder)
    for one in all_:
        index_build.build(one, [other for other in all_ if other != one], 10**9, Progress())
    return folder


@pytest.fixture(scope="module")
def pictures(pictured: Path) -> Iterator[str]:
    yield from served(pictured)


@pytest.fixture(scope="module")
def sounds(models: Path, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Clotho's sample by Whisper."""
    folder, out = built / "clotho_sample", tmp_path_factory.mktemp("sounds")
    embed.embed(folder, out / "clotho_sample/whisper", str(models / "whisper"), ["audio"])
    index_build.build(stored(folder, out)[0], [], 10**9, Progress())
    yield from served(folder, "--embeddings", str(out))


def test_a_text_brings_pictures_and_captions_stay_text(pictures: str, page: Page) -> None:
    page.goto(pictures)
    page.fill("#text", "a dog on a beach")
    page.press("#text", "Enter")
    cards = page.locator("article")
    expect(cards).to_have_count(4)  # six, one of them hidden and one a double
    expect(page.locator("#said")).to_contain_text("4 rows by image:clip")
    shown = " ".join(cards.all_inner_texts())
    for caption in (*HOSTILE[1:3], HOSTILE[4]):
        assert caption in shown
    page.evaluate("Promise.all([...document.images].map(i => i.decode()))")
    assert page.locator("article script, article svg").count() == 0
    assert page.title() == "data · Edge Glass"
    assert list(violations(page)) == []


def test_rows_that_may_not_be_safe_and_doubles_on_demand(pictures: str, page: Page) -> None:
    page.goto(pictures)
    page.fill("#text", "a cat")
    page.click("button.main")
    expect(page.locator("article")).to_have_count(4)
    assert HOSTILE[3] not in page.inner_text("main")
    expect(page.locator("article", has_text="+1 like it")).to_have_count(1)
    page.check("#nsfw")
    expect(page.locator("article")).to_have_count(5)
    assert HOSTILE[3] in page.inner_text("main")
    page.uncheck("#fold")
    expect(page.locator("article")).to_have_count(6)
    expect(page.locator("article", has_text="like it")).to_have_count(0)


def test_filters(pictures: str, page: Page) -> None:
    page.goto(pictures)
    page.select_option("#column", "split")
    page.select_option("#one", "test")
    page.click("#add")
    expect(page.locator("#said")).to_contain_text("Type a text")
    page.fill("#text", "a cat")
    page.press("#text", "Enter")
    expect(page.locator("article")).to_have_count(2)
    assert all("test ·" in text for text in page.locator("article footer").all_inner_texts())
    page.reload()  # the address says what was asked
    expect(page.locator("article")).to_have_count(2)
    page.click("#chips button")
    expect(page.locator("article")).to_have_count(4)


def test_a_range_of_numbers(pictures: str, page: Page) -> None:
    page.goto(pictures + "#text=a+cat&nsfw=1&fold=0")
    page.select_option("#column", "year")
    expect(page.locator("#least")).to_have_attribute("placeholder", "from 1980")
    expect(page.locator("#most")).to_have_attribute("placeholder", "to 2005")
    expect(page.locator("#one, #within").filter(visible=True)).to_have_count(0)
    page.fill("#least", "1985")
    page.fill("#most", "1995")
    page.press("#most", "Enter")
    expect(page.locator("article")).to_have_count(3)
    expect(page.locator("#chips button")).to_have_text(["year>=1985 ×", "year<=1995 ×"])
    page.select_option("#column", "kind")  # a class goes by its name
    page.select_option("#one", "b")
    page.click("#add")
    expect(page.locator("article")).to_have_count(2)
    page.select_option("#column", "caption")
    page.select_option("#one", HOSTILE[2])
    page.click("#add")
    expect(page.locator("article")).to_have_count(0)
    assert list(violations(page)) == []


def test_a_text_within(sounds: str, page: Page) -> None:
    page.goto(sounds + "#row=0&fold=0")
    expect(page.locator(".tools")).to_contain_text("of 11 rows")
    page.select_option("#column", "captions")
    page.fill("#within", "bleats once")
    page.press("#within", "Enter")
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("article")).to_contain_text("sheep")


def test_rows_in_parts_filtered_and_ordered(pictures: str, page: Page) -> None:
    page.goto(pictures + "#text=a+cat&nsfw=1&fold=0")
    expect(page.locator(".tools")).to_contain_text("1 to 6 of 6 rows")
    page.get_by_label("Filter these rows by a text").fill("TITLE='OWNED'")
    expect(page.locator("article")).to_have_count(4)
    page.get_by_label("Order of these rows").select_option("-year")
    footers = page.locator("article footer span:first-child")
    assert footers.all_inner_texts()[0].endswith("row 3")
    page.fill("#text", "a dog")
    page.press("#text", "Enter")
    expect(page.locator("article")).to_have_count(6)
    expect(page.locator(".tools")).to_have_count(1)


def test_a_map_by_keys_and_by_pointer(pictures: str, page: Page) -> None:
    page.goto(pictures)
    expect(page.locator(".map")).to_have_count(2)  # of two columns
    there = page.locator(".map").first
    assert "5 of 6 rows by kind" in there.inner_text()  # one is not safe for work
    assert "a 3" in str(there.locator("svg").get_attribute("aria-label"))
    there.focus()
    first = there.locator("output").inner_text()
    assert "row 0" in first
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    assert there.locator("circle.at").count() == 1
    there.locator("circle[data-row='2']").hover()
    expect(there.locator("output")).to_contain_text("</p></article><svg onload=")
    assert list(violations(page)) == []
    there.locator("circle[data-row='2']").click()
    expect(page.locator("dialog[open]")).to_contain_text("Row 2: row 2")
    page.keyboard.press("Escape")
    page.fill("#text", "a cat")
    page.press("#text", "Enter")
    expect(there).to_be_hidden()


def test_a_row_with_all_that_is_known_of_it(pictures: str, page: Page) -> None:
    page.goto(pictures + "#text=a+cat")
    page.locator("article", has_text="document.title='owned'</script>").locator(".words").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("Ledger: what became of the source row")
    expect(dialog).to_contain_text("kept")
    expect(dialog).to_contain_text("<script>document.title='owned'</script>")
    dialog.locator("img").first.evaluate("i => i.decode()")
    dialog.get_by_text("More like this").click()
    expect(page.locator("#sample")).to_contain_text("Rows like row 1")
    expect(page.locator("article").first).to_contain_text("1.000")
    assert page.title() == "data · Edge Glass"
    assert list(violations(page)) == []


def test_a_picture_that_is_dropped_finds_itself(pictures: str, page: Page) -> None:
    page.goto(pictures)
    data = list(POSTERS[2].read_bytes())
    dropped = page.evaluate_handle(
        """data => {
          const found = new DataTransfer();
          found.items.add(new File([new Uint8Array(data)], "<i>poster.jpg", {type: "image/jpeg"}));
          return found;
        }""",
        data,
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator("article").first).to_contain_text("1.000")
    expect(page.locator("article footer").first).to_contain_text("row 2")
    expect(page.locator("#sample")).to_contain_text("<i>poster.jpg")


def test_sounds_are_found_and_played(sounds: str, page: Page) -> None:
    page.goto(sounds)
    page.set_input_files("#file", SOUNDS[1])
    first = page.locator("article").first
    expect(first).to_contain_text(SOUNDS[1].stem.strip())
    expect(first).to_contain_text("1.000")
    seconds = page.evaluate(
        """async () => {
          const sound = document.querySelector("article audio");
          sound.muted = true;
          await sound.play();
          sound.currentTime = 0.5;
          await new Promise(done => { sound.onseeked = done; });
          return [sound.duration, sound.currentTime];
        }"""
    )
    assert seconds[0] > 1 and seconds[1] >= 0.5


@pytest.mark.parametrize("width", [1200, 390, 320])
def test_nothing_runs_over_the_edge(width: int, pictures: str, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(pictures + "#text=a+cat&nsfw=1&fold=0")
    expect(page.locator("article")).to_have_count(6)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("article .words").nth(5).click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= width


def test_before_the_first_question_there_are_rows(pictures: str, page: Page) -> None:
    page.goto(pictures)
    expect(page.locator("article")).to_have_count(5)  # the sixth is not safe for work
    expect(page.locator("#said")).to_contain_text("5 rows from all over the data")


def test_a_page_without_a_server(pictured: Path, cli: Cli, page: Page) -> None:
    site = pictured.parent / "site"
    assert cli("page", pictured, "--out", site).code == 0
    with Files(pictured.parent) as files:
        page.goto(f"{files.url}/site/index.html")
        cards = page.locator("article")
        expect(cards).to_have_count(5)
        page.locator(".map").first.press("Enter")  # opens a row, and no button of it
        expect(page.locator("dialog[open]")).to_contain_text("Row 0: row 0")
        page.keyboard.press("Escape")
        link = page.evaluate_handle("document.body.appendChild(document.createElement('a'))")
        assert link.evaluate("a => getComputedStyle(a).color") == "rgb(34, 105, 79)"
        link.evaluate("a => a.remove()")
        page.fill("#text", "a dog with a document.title")
        page.press("#text", "Enter")
        expect(page.locator("#said")).to_contain_text("5 rows by image")
        expect(page.locator("article img[src^=blob]")).to_have_count(5)
        page.evaluate("Promise.all([...document.images].map(i => i.decode()))")
        page.check("#nsfw")
        expect(cards).to_have_count(6)
        page.locator("article", has_text="document.title='owned'</script>").locator(
            ".words"
        ).click()
        dialog = page.locator("dialog[open]")
        dialog.locator("img[src^=blob]").first.evaluate("i => i.decode()")
        dialog.get_by_text("More like this").click()
        expect(page.locator("#sample")).to_contain_text("Rows like row 1")
        expect(cards).to_have_count(5)
        assert page.title() == "data · Edge Glass"
        assert list(violations(page)) == []
        page.goto(f"{files.url}/site/index.html#row=0")
        page.reload()
        expect(cards.first).to_contain_text("1.000")  # the same poster, a second time
        expect(cards.first.locator("footer")).to_contain_text("row 5")
        assert {one.path for one in files.log if one.path.startswith("data")} == {
            "data/train-00000-of-00001.parquet",
            "data/test-00000-of-00001.parquet",
        }
    assert cli("page", pictured, "--out", site).code == 0  # ours is written again
    (pictured.parent / "mine").mkdir()
    (pictured.parent / "mine" / "index.html").write_text("mine")
    refused = cli("page", pictured, "--out", pictured.parent / "mine")
    assert refused.code == 1 and "index.html" in refused.err


def near_to(page: Page, address: str) -> tuple[list[int], dict[str, int]]:
    """The rows that a page finds at its first question, and what that cost."""
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#said")).to_contain_text("rows by caption")
    footers = page.locator("article footer span:first-child").all_inner_texts()
    return [int(text.split("row ")[1]) for text in footers], page.evaluate("globalThis.last")


def test_the_browser_finds_what_the_index_promises(cli: Cli, tmp_path: Path, page: Page) -> None:
    """A query is a few ranges, and finds what the same search in NumPy does."""
    vectors = searchkit.clustered(6000, dim=48)
    folder = searchkit.write(tmp_path, {"caption": vectors})
    words = ["--out", tmp_path / "site", "--config", "data", "--data", "https://a.example/data/"]
    assert cli("page", folder, *words).code == 0
    site = json.loads((tmp_path / "site" / "site.json").read_text())
    [facts] = site["columns"]
    assert site["data"] == "https://a.example/data"
    assert facts["recall"] >= 0.9 and facts["like_recall"] >= 0.95 and len(facts["sizes"]) == 48
    near = np.argsort(-(normal(vectors) @ normal(vectors)[7:8].T)[:, 0])[:11].tolist()
    turned = np.fromfile(tmp_path / "site" / "0.vectors", np.int8).reshape(len(vectors), -1)[:, 8:]
    places = np.fromfile(tmp_path / "site" / "places", "<u8")
    begins = np.fromfile(tmp_path / "site" / "0.vectors", np.uint8).reshape(len(vectors), -1)
    [at] = np.flatnonzero(begins[:, :8].copy().view("<u8")[:, 0] >> np.uint64(24) == places[7])
    (tmp_path / "site" / "0.words").write_bytes(turned[at].tobytes())  # a word that means row 7
    facts["words"] = {"seven": 1.0}
    (tmp_path / "site" / "site.json").write_text(json.dumps(site))
    with Files(tmp_path) as files:
        like, cost = near_to(page, f"{files.url}/site/index.html#row=7")
        assert len({*like} & {*near[1:]}) >= 9 and 7 not in like
        assert cost["requests"] <= 13 and cost["bytes"] < 20_000
        assert not [one for one in files.log if one.path.endswith((".lists", ".codes", ".vectors"))]
        found, cost = near_to(page, f"{files.url}/site/index.html#text=seven")
    assert found[0] == 7 and len({*found} & {*near[:10]}) >= 9
    assert 20 < cost["requests"] <= 40 and cost["bytes"] < 1_500_000
