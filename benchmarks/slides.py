"""Minutes and money for questions about 10 decks of 20 slides: ours, and the seed's loop.

    python benchmarks/slides.py [--pdf DIR/packaging-tutorial.es.pdf]

Both ask a server on loopback that answers after 1.2 s (tests/support/modelserver.py, a stand-in:
it reads no picture). The loop is a notebook's: one call after another through the same client, the
answer parsed, the deck's questions written when it is done; no schema, no retries, nothing kept of
a deck that is not finished. Ours is `edge-glass qa` from its start, imports too, with all that it
does: the structure demanded, each call's begin and end on disk. Slides are the pages of a real PDF
where one is given, else drawn. Money is what the server counts (a token for 750 pixels, or 4
characters) at 3 and 15 dollars a million, Claude 3.5 Sonnet's price when the seed was written.

What is measured is waiting, not work: seconds by the clock, each contender alone, one by one.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import show

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from modelserver import Model  # noqa: E402
from slidekit import LINES, deck  # noqa: E402

from edge_glass.domains.slides import decks  # noqa: E402

DECKS, SLIDES, LATENCY = 10, 20, 1.2
PRICE_IN, PRICE_OUT = 3.0, 15.0
PROMPT = (
    "Generate a question-answer pair in the format {question:, answer:}. The question should be "
    "based on the slide and be instructive, using visual elements to form the question and answer. "
    "en español, 1"
)
LOOP = """
import base64, json, sys
from pathlib import Path
from openai import OpenAI

root, url, prompt = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
client = OpenAI(base_url=url, api_key="none")
form = {"type": "json_schema", "json_schema": {"name": "pairs", "schema": {}}}
for folder in sorted(root.iterdir()):
    found = []
    for path in sorted(folder.glob("slide_*.jpg")):
        data = base64.b64encode(path.read_bytes()).decode()
        picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
        content = [{"type": "text", "text": prompt}, picture]
        answer = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": content}], response_format=form
        )
        found.append(json.loads(answer.choices[0].message.content)["pairs"])
    (folder / f"qa_{folder.name}.json").write_text(json.dumps(found))
"""


def drawn(root: Path) -> None:
    for number in range(DECKS):
        lines = [f"{number} {n} {LINES[n % 8]}" for n in range(SLIDES)]
        deck(root, f"deck-{number}", lines)


def real(root: Path, pdf: Path) -> None:
    """Pages of a PDF as decks, over again where there are too few."""
    source = root.with_name("source")
    command = [sys.executable, "-m", "edge_glass", "collect", pdf, "--out", source]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = decks.folders(source)[0]
    made, names = decks.read(folder), [*decks.numbered(p.name for p in folder.iterdir()).items()]
    for number in range(DECKS):
        home = root / f"deck-{number}"
        home.mkdir(parents=True)
        pages = [names[(number * SLIDES + n) % len(names)] for n in range(SLIDES)]
        for slide, (_, name) in enumerate(pages, 1):
            shutil.copy(folder / name, home / decks.slide_file(slide))
        texts = [made.text(page) for page, _ in pages]
        images = [decks.slide_file(slide) for slide in range(1, SLIDES + 1)]
        decks.write(home, decks.Deck(home.name, lang="es", lang_detected="es", len=SLIDES,
                                     transcript=texts, images=images))  # fmt: skip


def measured(root: Path, command: list[str]) -> tuple[float, float, int]:
    """Seconds, dollars, calls of one contender over a copy of the decks."""
    with tempfile.TemporaryDirectory() as temp:
        work = Path(shutil.copytree(root, Path(temp) / "decks"))
        with Model(work, LATENCY) as model:
            line = [part.replace("{root}", str(work)) for part in command]
            line = [part.replace("{url}", model.url) for part in line]
            start = time.monotonic()
            subprocess.run([sys.executable, *line], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env=os.environ)  # fmt: skip
            seconds = time.monotonic() - start
            tokens = [sum(part) for part in zip(*(a.billed for a in model.log), strict=True)]
            answered = sum(len(pairs(folder)) for folder in work.iterdir() if folder.is_dir())
            assert answered >= 0.7 * DECKS * SLIDES, answered
            return seconds, (tokens[0] * PRICE_IN + tokens[1] * PRICE_OUT) / 1e6, len(model.log)


def pairs(folder: Path) -> list[object]:
    """All pairs that a contender wrote for a deck."""
    found = json.loads((folder / f"qa_{folder.name}.json").read_text())
    return [one for item in found for one in (item if isinstance(item, list) else [item])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pdf", type=Path, help="a real deck, in Spanish")
    pdf = parser.parse_args().pdf
    ours = ["-m", "edge_glass", "qa", "{root}", "--model", "m", "--base-url", "{url}"]
    ours += ["--task", "docvqa", "--pairs", "1", "--connections"]
    contenders = {
        "Edge Glass, 64 at once": [*ours, "64"],
        "Edge Glass, 16 at once": [*ours, "16"],
        "the seed's loop": ["-c", LOOP, "{root}", "{url}", PROMPT],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as temp:
        root = Path(temp) / "decks"
        real(root, pdf) if pdf else drawn(root)
        found = {name: measured(root, command) for name, command in contenders.items()}
    loop = found["the seed's loop"][0]
    rows = [
        [name, f"{s:.1f}", f"{s / 60:.2f}", f"{loop / s:.1f}", f"{calls}", f"{dollars:.3f}"]
        for name, (s, dollars, calls) in found.items()
    ]
    columns = ["contender", "s#", "minutes#", "times as fast#", "calls#", "dollars#"]
    show(f"{DECKS} decks of {SLIDES} slides, {LATENCY} s an answer", columns, rows)


if __name__ == "__main__":
    main()
