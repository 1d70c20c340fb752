"""What holds for every corpus, by being in the catalogue."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hub import Hub

from edge_glass.audit.verify import verify
from edge_glass.core import ledger, manifest
from edge_glass.corpora import catalog
from edge_glass.media.features import arrow_schema
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

CORPORA = list(catalog.corpora())
SAMPLES = [c for name in CORPORA for c in catalog.spec(name).configs if "sample" in c]
SHIPPED_BYTES = 8_000_000  # all samples together
ROOT = Path(__file__).parents[2]
LOAD = """
import json, sys, datasets
found = {}
for config in sys.argv[2:]:
    loaded = datasets.load_dataset(sys.argv[1], config, revision="v1.0.0")
    rows = {split: dataset.num_rows for split, dataset in loaded.items()}
    first = next(iter(loaded.values()))
    found[config] = {"rows": rows, "features": list(first.features)}
print(json.dumps(found))
"""


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def one_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one_job")
    for config in SAMPLES:
        build(catalog.variant(config), out)
    return out


@pytest.mark.parametrize("name", CORPORA)
def test_everything_is_there(name: str) -> None:
    kind = catalog.corpus(name)
    spec = kind.spec()
    assert spec.licence.strip() and spec.citation.strip()
    assert (kind.room("cards") / f"{name}.md").is_file()
    assert any((kind.room("samples") / name).iterdir())
    licences = kind.room("samples") / name / "LICENSES.md"
    assert name in licences.read_text(), f"{licences}: say where the files of {name} come from"
    assert all(source.checksum or source.bytes is None for source in spec.sources.values())


@pytest.mark.parametrize("name", [name for name in CORPORA if not catalog.spec(name).layout])
def test_builder_is_one_short_file_without_network_or_parquet(name: str) -> None:
    source = inspect.getsource(sys.modules[catalog.corpus(name).__module__])
    assert len(source.splitlines()) <= 120
    assert imported(source) <= {
        "__future__", "collections", "dataclasses", "datasets.ClassLabel", "edge_glass.builder",
        "edge_glass.builders", "functools", "hashlib", "itertools", "json", "math", "pathlib",
        "pydantic", "re", "typing", "urllib.parse",
    }  # fmt: skip


def imported(source: str) -> set[str]:
    """What code imports, however that is written: packages, and modules of ours and of urllib."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Name) and node.id in ("__import__", "eval", "exec"):
            names.add(node.id)
    parts = [name.split(".") for name in names]
    return {
        ".".join(p[:2] if p[0] in ("datasets", "edge_glass", "urllib") else p[:1]) for p in parts
    }


@pytest.mark.parametrize(
    "line",
    [
        "import pyarrow", "import pyarrow.parquet as pq", "from pyarrow import parquet",
        "import json, pandas", "from pyarrow.parquet import read_table",
        "def f():\n    import polars", "import importlib", "import urllib",
        "from urllib import request", "import urllib.request",
        "from edge_glass.core import parquet", "from edge_glass import core",
        "import edge_glass.core", "__import__('pyarrow')", "from .x import y",
        "import duckdb as json", "from datasets import load_dataset",
    ],
)  # fmt: skip
def test_network_and_parquet_are_seen_in_every_spelling(line: str) -> None:
    seen = imported(line)
    assert seen and not seen <= {"json", "urllib.parse", "edge_glass.builder"}


@pytest.mark.parametrize("name", CORPORA)
def test_every_config_can_be_made(name: str, tmp_path: Path) -> None:
    for config in catalog.spec(name).configs:
        corpus = catalog.variant(config).builder()
        assert corpus.config.name == config
        assert "id" in corpus.columns()
        for split in corpus.chosen_splits():
            assert set(corpus.sources(split)) <= set(corpus.spec().sources)


@pytest.mark.parametrize("config", SAMPLES)
def test_sample_balances_and_verifies(config: str, one_job: Path) -> None:
    made = manifest.read(one_job / config)
    counts = ledger.count(one_job / config / ledger.FILE)
    assert counts == {split: facts.outcomes for split, facts in made.splits.items()}
    assert sum(counts[split]["kept"] for split in counts) >= 1
    assert list(verify(one_job / config)) == []


@pytest.mark.parametrize("config", SAMPLES)
def test_schema_is_as_declared(config: str, one_job: Path, tmp_path: Path) -> None:
    corpus = catalog.variant(config).builder()
    declared = arrow_schema(corpus.columns())
    for shard in (one_job / config).glob("*-of-*.parquet"):
        written = pq.read_schema(shard)
        assert written.remove_metadata() == declared.remove_metadata()
        assert written.metadata[b"huggingface"] == declared.metadata[b"huggingface"]


@pytest.mark.parametrize("config", SAMPLES)
def test_ids_are_unique(config: str, one_job: Path) -> None:
    shards = (one_job / config).glob("*-of-*.parquet")
    ids = [i for shard in shards for i in pq.read_table(shard, columns=["id"])["id"].to_pylist()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("config", SAMPLES)
def test_same_bytes_for_any_number_of_jobs(config: str, one_job: Path, tmp_path: Path) -> None:
    build(catalog.variant(config), tmp_path, Options(jobs=4))
    assert files(tmp_path / config) == files(one_job / config)


def test_samples_are_small() -> None:
    shipped = [path for path in (ROOT / "samples").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in shipped) < SHIPPED_BYTES


def test_every_sample_loads_from_the_hub_with_the_plain_client(one_job: Path) -> None:
    with Hub() as hub:
        run = [sys.executable, "upload.py", *SAMPLES, "--from", str(one_job)]
        run += ["--repo", "org/edge-glass", "--version", "1.0.0"]
        subprocess.run(run, env=hub.env(), cwd=ROOT, check=True, capture_output=True)
        loaded = subprocess.run(
            [sys.executable, "-c", LOAD, "org/edge-glass", *SAMPLES],
            env=hub.env(), cwd=one_job.parent, check=True, capture_output=True, text=True,
        )  # fmt: skip
    made = {config: manifest.read(one_job / config) for config in SAMPLES}
    assert json.loads(loaded.stdout) == {
        config: {
            "rows": {split: facts.rows for split, facts in one.splits.items()},
            "features": list(one.features),
        }
        for config, one in made.items()
    }
