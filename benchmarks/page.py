"""What does a question cost a page without a server, and what does it find?

    python benchmarks/page.py --real real.npy [--rows 100000] [--texts /usr/share/wordnet]

`--real` is a file of vectors; if it has not enough of them, those of the mixture of search.py over
them are taken. `edge-glass page` writes the page, a server on loopback gives ranges and nothing
else, and Chromium (Debian: chromium; pip: playwright) looks for more like one row after another,
then for vectors that are no row's: each is written down as that of a word. Requests and bytes are
those of a question once the middles of lists are there; what is found is held against exact
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


def asked(page: Any, address: str) -> tuple[dict[str, int], list[int]]:
    """What a question cost, and the rows that it found."""
    from playwright.sync_api import expect

    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#said")).to_contain_text("rows by", timeout=60_000)
    return page.evaluate("globalThis.last"), page.evaluate(FOUND)[:K]


def word(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:04}")


def drawn(real: Any, rows: int) -> Any:
    """So many vectors: real ones as far as there are enough."""
    return real[:rows].astype(np.float32) if len(real) >= rows else Mixture(real).drawn(rows)


def with_words(site: Path, stored: Any, queries: Any) -> dict[str, Any]:
    """Let a page know a word for each vector; gives what it says of the index."""
    from edge_glass.vectors import web_index, web_page

    turn = web_page._vectors(stored, stored.rows)[1]
    (site / "0.words").write_bytes(web_index.small(queries @ turn).tobytes())
    told = json.loads((site / "site.json").read_text())
    told["columns"][0]["words"] = {word(number): 1 for number in range(len(queries))}
    (site / "site.json").write_text(json.dumps(told))
    return told["columns"][0]


def main() -> None:
    options = arguments(
        "a page without a server", texts="/usr/share/wordnet", real="real.npy", number=60_000,
        rows=100_000, questions=50,
    )  # fmt: skip
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import searchkit
    from playwright.sync_api import sync_playwright
    from server import Files

    from edge_glass.core.progress import Progress
    from edge_glass.vectors import stored_vectors, web_page
    from edge_glass.vectors.exact_search import top

    if not Path(options.real).is_file():
        np.save(options.real, embedded(Path(options.texts), options.number))
    count = min(QUERIES, options.questions)
    vectors = drawn(np.load(options.real), options.rows + count)
    vectors, others = vectors[: options.rows], vectors[options.rows :]
    rows = np.random.default_rng(2).choice(options.rows, count, False)
    queries = np.concatenate([vectors[rows], others])
    near, scores = top(queries, iter([(np.arange(options.rows), vectors)]), K + 1)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temp:
        folder = Path(temp)
        data = searchkit.write(folder, {"caption": vectors})
        start = process_time()
        web_page.write(data, folder / "site", "../data", None, Progress())
        seconds = process_time() - start
        [stored] = stored_vectors.stored(data, None)
        index = with_words(folder / "site", stored, others)
        asks = [f"row={row}" for row in rows] + [f"text={word(n)}" for n in range(count)]
        with sync_playwright() as play, Files(folder) as files:
            browser = play.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox"]
            )
            page = browser.new_page()
            answers = [asked(page, f"{files.url}/site/index.html#{ask}") for ask in asks]
        lists = (folder / "site" / "0.lists").stat().st_size
    table = []
    for kind, said, part in [
        ("a row", "like_recall", slice(count)),
        ("another vector", "recall", slice(count, None)),
    ]:
        requests = np.array([cost["requests"] for cost, _ in answers[part]])
        kilobytes = np.array([cost["bytes"] for cost, _ in answers[part]]) / 1000
        own = rows if kind == "a row" else np.full(count, -1)
        true = [
            [n for n in some if n != row][:K] for some, row in zip(near[part], own, strict=True)
        ]
        hits = [
            len({*found} & {*some}) / K
            for some, (_, found) in zip(true, answers[part], strict=True)
        ]
        similar = scores[part][:, [1, K] if kind == "a row" else [0, K - 1]]
        table.append([
            kind, *(f"{each:.2f}" for each in np.median(similar, axis=0)), f"{np.mean(hits):.3f}",
            f"{index[said]:.3f}", f"{np.median(requests):.0f}", f"{requests.max()}",
            f"{np.median(kilobytes):,.0f}", f"{kilobytes.max():,.0f}",
        ])  # fmt: skip
    show(
        f"{options.rows:,} vectors of {vectors.shape[1]} numbers, {count} questions of a kind; "
        f"{lists / 1000:,.0f} kB once, {seconds:.0f} CPU s to make",
        [
            "by", "1st cosine", "10th", "recall@10", "as it says", "requests", "at most", "kB",
            "at most",
        ],
        table,
    )  # fmt: skip


if __name__ == "__main__":
    main()
