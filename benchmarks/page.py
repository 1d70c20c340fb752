"""What does a question cost a page without a server, and what does it find?

    python benchmarks/page.py --real real.npy [--rows 100000] [--texts /usr/share/wordnet]

Vectors and the file of real ones are those of search.py. `edge-glass page` writes the page, a
server on loopback gives ranges and nothing else, and Chromium (Debian: chromium; pip: playwright)
opens it at one row after another and looks for more like that. Requests and bytes are those of a
question once the middles of groups and lists are there; what is found is held against exact
neighbours.
"""

import json
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from measure import arguments, show
from search import QUERIES, ROOT, K, Mixture, embedded

FOUND = """() => [...document.querySelectorAll("article footer span:first-child")]
    .map(one => Number(one.textContent.split("row ")[1]))"""


def asked(page: Any, url: str, row: int) -> tuple[dict[str, int], list[int]]:
    """What a question cost, and the rows that it found."""
    from playwright.sync_api import expect

    page.goto("about:blank")
    page.goto(f"{url}/site/index.html#row={row}")
    expect(page.locator("#said")).to_contain_text("rows by", timeout=60_000)
    return page.evaluate("globalThis.last"), page.evaluate(FOUND)[:K]


def main() -> None:
    options = arguments(
        "a page without a server", texts="/usr/share/wordnet", real="real.npy", number=60_000,
        rows=100_000, questions=50,
    )  # fmt: skip
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import searchkit
    from playwright.sync_api import sync_playwright
    from server import Files

    from edge_glass.core.progress import Silent
    from edge_glass.vectors import web_page
    from edge_glass.vectors.exact_search import top

    if not Path(options.real).is_file():
        np.save(options.real, embedded(Path(options.texts), options.number))
    vectors = Mixture(np.load(options.real)).drawn(options.rows)
    rows = np.random.default_rng(2).choice(options.rows, min(QUERIES, options.questions), False)
    near, _ = top(vectors[rows], iter([(np.arange(options.rows), vectors)]), K + 1)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temp:
        folder = Path(temp)
        data = searchkit.write(folder, {"caption": vectors})
        start = process_time()
        web_page.write(data, folder / "site", "../data", None, Silent())
        seconds = process_time() - start
        with sync_playwright() as play, Files(folder) as files:
            browser = play.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox"]
            )
            page = browser.new_page()
            answers = [asked(page, files.url, int(row)) for row in rows]
        lists = (folder / "site" / "0.lists").stat().st_size
        [index] = json.loads((folder / "site" / "site.json").read_text())["columns"]
    requests = np.array([cost["requests"] for cost, _ in answers])
    kilobytes = np.array([cost["bytes"] for cost, _ in answers]) / 1000
    hits = [
        len({*found} & ({*true.tolist()} - {row})) / K
        for row, true, (_, found) in zip(rows.tolist(), near, answers, strict=True)
    ]
    show(
        f"{options.rows:,} vectors of {vectors.shape[1]} numbers, {len(rows)} questions by a row",
        [
            "recall@10", "as it says", "requests", "at most", "kB", "at most", "once, kB",
            "CPU s to make",
        ],
        [[
            f"{np.mean(hits):.3f}", f"{index['recall']:.3f}", f"{np.median(requests):.0f}",
            f"{requests.max()}", f"{np.median(kilobytes):,.0f}", f"{kilobytes.max():,.0f}",
            f"{lists / 1000:.0f}", f"{seconds:.0f}",
        ]],
    )  # fmt: skip


if __name__ == "__main__":
    main()
