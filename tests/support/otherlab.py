"""Someone else's package with a corpus of its own."""

import sys
from pathlib import Path

from edge_glass.core import spec
from edge_glass.corpora import catalog, code_digest

BIRDS_YAML = """\
title: Birds
version: 1.0.0
homepage: https://example.org/birds
licence: CC0
licence_tag: cc0-1.0
citation: "@misc{birds}"
sources:
  birds.csv: {url: "https://example.org/birds.csv"}
configs:
  birds: {}
  birds_sample: {bundled: true}
"""
BIRDS_PY = """
from edge_glass.corpora.corpus import Corpus
from edge_glass.core.row import Row
from edge_glass.media.features import Value

class Birds(Corpus):
    def splits(self): return ["train"]
    def sources(self, split): return ["birds.csv"]
    def columns(self): return {"id": Value("string"), "song": Value("string")}
    def rows(self, split, raw):
        for line, record in raw.csv("birds.csv", ["name", "song"]):
            yield Row(record["name"], "birds.csv", f"line {line}", fields=record)
    def examples(self, row, media):
        yield {"id": row.id, "song": row.fields["song"]}
"""


def other_package(folder: Path) -> Path:
    """Someone else's corpus, installed as far as Python can tell."""
    files = {
        "lab/builders/birds.py": BIRDS_PY,
        "lab/configs/birds.yaml": BIRDS_YAML,
        "lab/cards/birds.md": "Birds and what they sing.\n\n{{ tables }}\n",
        "lab/samples/birds/birds.csv": "name,song\nwren,loud\nrobin,sweet\n",
        "lab-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n",
        "lab-1.0.dist-info/entry_points.txt": "[edge_glass.corpora]\nlab = lab\n",
    }
    for room in ("lab", "lab/builders", "lab/configs", "lab/cards", "lab/samples"):
        files[f"{room}/__init__.py"] = ""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def forget_packages() -> None:
    read = (spec.of_package, catalog.corpora, catalog.corpus)
    for cached in (*read, code_digest.digests, code_digest._is_module):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        del sys.modules[name]
