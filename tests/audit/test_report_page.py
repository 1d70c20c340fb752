"""The report in a browser: it draws, and whatever a caption says, nothing runs."""

import json
import math
from pathlib import Path

import duckdb
import planted
from axekit import unfold, violations
from datasets import Features, Value
from kit import ROOT
from playwright.sync_api import Page, expect

from edge_glass.audit import report
from edge_glass.audit.audits import audit
from edge_glass.core import manifest, names, pages

HOSTILE = [
    "<script>document.title = 'run'</script>",
    '"><img src=x onerror="document.title = \'run\'">',
    "</dd><iframe src='javascript:document.title=1'></iframe>",
    "<svg onload=document.title='run'>",
    "{{ 7 * 7 }} javascript:alert(1) &lt;b&gt;",
]


def test_report(built: Path, page: Page) -> None:
    page.goto((built / "report.html").as_uri())
    folded = page.evaluate("document.documentElement.scrollHeight")
    page.locator("nav a", has_text="mm_imdb_sample").first.click()  # a link opens what it leads to
    expect(page.get_by_text("MM-IMDb 1.0, version")).to_be_visible()
    unfold(page)
    assert folded < page.evaluate("document.documentElement.scrollHeight") / 5
    assert page.get_by_role("heading").count() > 30
    text = page.inner_text("body")
    for told in ("clotho_sample", "librispeech_sample", "From source rows to kept rows",
                 "Why rows were dropped", "Duration, seconds", "Characters of captions",
                 "Links by host: there and gone", "Licences of the rows"):  # fmt: skip
        assert told in text
    assert page.locator("audio").count() > 20 and page.locator("img").count() > 10
    loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
    assert page.evaluate(loaded)
    seconds = "a => new Promise(say => { a.ondurationchange = () => say(a.duration); a.load() })"
    assert page.locator("audio").first.evaluate(seconds) > 1
    assert ">texts</text>" in page.content()  # of lengths of captions, of which a row may have five
    assert "5.5 s" in text and "all 4: 107" in text  # seconds of speech; one width of all pictures
    table = page.locator(".wide").first
    assert table.evaluate("e => e.scrollWidth <= e.clientWidth")  # at 1200 pixels, and all names
    whole = "all => all.every(one => one.getClientRects().length == 1)"  # are on one line
    assert page.eval_on_selector_all("td a, .whole", whole)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    fits = "all => all.every(one => one.scrollWidth <= one.clientWidth)"
    assert page.eval_on_selector_all(".wide:has(.facts)", fits)  # checksums beside their files
    lines = "td => { const r = new Range(); r.selectNodeContents(td); return r.getClientRects() }"
    wnids = page.locator("td.whole").all()
    assert wnids and {len(one.evaluate(lines)) for one in wnids} == {1}


def test_no_barrier(built: Path, page: Page) -> None:
    page.goto((built / "report.html").as_uri())
    unfold(page)
    assert list(violations(page)) == []
    unnamed = "all => all.filter(one => !one.alt && !one.getAttribute('aria-label')).length"
    assert page.eval_on_selector_all("img, audio, video, svg", unnamed) == 0
    assert page.locator("th:not([scope])").count() == 0


def test_hostile_rows_do_nothing(tmp_path: Path, page: Page) -> None:
    sound = next((ROOT / "samples" / "clotho").glob("*/*.wav")).read_bytes()
    rows = [
        {"id": f"{n} {text}", "audio": sound, "caption": text, "license": text}
        for n, text in enumerate(HOSTILE)
    ]
    folder = planted.corpus(tmp_path, "hostile", {"train": rows})
    made = manifest.read(folder).plain()
    made["splits"]["train"]["figures"]["licences"] = dict.fromkeys(HOSTILE, 1)
    made["made_with"] = {"</title>": HOSTILE[0]}
    (folder / manifest.FILE).write_text(json.dumps(made))
    audit(folder, tmp_path)
    report.write(tmp_path)
    page.goto((tmp_path / "report.html").as_uri())
    assert page.title() == "Edge Glass: what was built"
    unfold(page)
    assert "same_bytes: the worst of 4" in page.inner_text("body")
    for text in HOSTILE:
        assert page.get_by_text(text, exact=True).count() >= 2
    assert page.locator("iframe, img[src=x]").count() == 0
    assert page.locator("script").all_text_contents() == [pages.SCRIPT.text]


def test_rows_stand_by_their_numbers(tmp_path: Path, page: Page) -> None:
    scores = [0.5, 0.25, -10.0, math.nan, -5.0, 1e-05, None, 12.0]
    rows = [{"id": str(n), "caption": "a", "score": score} for n, score in enumerate(scores)]
    features = Features(id=Value("string"), caption=Value("string"), score=Value("float64"))
    planted.corpus(tmp_path, "numbers", {"train": rows}, features=features)
    report.write(tmp_path)
    page.goto((tmp_path / "report.html").as_uri())
    order, ids = page.get_by_label("Order of these rows"), page.locator("article h4")
    for way, expected in (("score", "24510736"), ("-score", "70154236")):
        order.select_option(way)
        shown = "".join(text.split()[1] for text in ids.all_inner_texts())
        assert shown[:6] == expected[:6] and set(shown[6:]) == {"3", "6"}  # no number comes last


def test_a_million_rows(tmp_path: Path, page: Page) -> None:
    folder = planted.corpus(tmp_path, "many", {"train": [{"id": "1", "caption": "one"}]})
    made = manifest.read(folder).plain()
    [shard] = made["splits"]["train"]["shards"]
    rows = "SELECT i::VARCHAR AS id, repeat('word ', 3 + (i % 17)::INTEGER) AS caption"
    duckdb.execute(
        f"COPY ({rows} FROM range(1000000) t(i)) TO '{folder / shard['file']}' "
        "(FORMAT parquet, ROW_GROUP_SIZE 10000)"
    )
    url = "'https://h' || i % 900 || '.example/2019/' || i AS url"
    outcome = "CASE WHEN i % 9 = 0 THEN 'removed' ELSE 'kept' END AS outcome"
    duckdb.execute(
        f"COPY (SELECT * EXCLUDE (i) REPLACE (i::VARCHAR AS id, {url}, {outcome}) "
        f"FROM read_parquet('{folder / 'ledger.parquet'}'), range(1000000) t(i)) "
        f"TO '{tmp_path / 'ledger'}' (FORMAT parquet)"
    )
    (tmp_path / "ledger").rename(folder / "ledger.parquet")
    shard["rows"] = made["splits"]["train"]["rows"] = 1_000_000
    made["splits"]["train"]["outcomes"] = {"kept": 888_888, "removed": 111_112}
    (folder / manifest.FILE).write_text(json.dumps(made))
    report.write(tmp_path)
    page.goto((tmp_path / "report.html").as_uri())
    # so that it opens at once: no more than of a few rows, and nothing is loaded besides
    assert (tmp_path / "report.html").stat().st_size < 60_000
    assert page.locator("*").count() < 600
    assert page.locator("link, [src]:not([src^='data:'])").count() == 0
    text = page.inner_text("body")
    assert "1,000,000" in text and "111,112" in text and "h0.example" in text
    expect(page.locator(".tools")).to_contain_text("1 to 12 of 48 rows")
    expect(page.locator("article")).to_have_count(12)
    page.get_by_label("Order of these rows").select_option("-id")
    page.get_by_label("Later rows").press("Enter")
    expect(page.locator(".tools")).to_contain_text("13 to 24 of 48 rows")
    ids = [int(text.split()[1]) for text in page.locator("article h4").all_inner_texts()]
    assert len(ids) == 12 and ids == sorted(ids, reverse=True)
    page.get_by_label("Filter these rows by a text").fill("word " * 19)
    expect(page.locator("article")).not_to_have_count(12)
    assert all(text.count("word") == 19 for text in page.locator("article dd").all_inner_texts())
    unfold(page)
    cells = page.locator("tr", has=page.get_by_role("rowheader", name="caption", exact=True))
    assert cells.inner_text().split("\t") == [
        "caption",
        "string",
        "0",
        "17",
        "15",
        "95",
        "characters",
    ]


def test_the_page_and_plots_are_the_same_again(built: Path, tmp_path: Path) -> None:
    files = report.write(built)
    before = {name: (built / name).read_bytes() for name in files}
    assert names.PLOTS + "/clotho_sample.png" in files
    for kept in (built / ".edge_glass" / "facts").iterdir():
        kept.unlink()
    report.write(built)
    assert {name: (built / name).read_bytes() for name in files} == before
