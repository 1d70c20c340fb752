"""What a build made: every shard with rows, bytes and sha256, and the config that made it."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import soundfile
import soxr

import edge_glass
from edge_glass import ledger
from edge_glass.errors import EdgeGlassError
from edge_glass.media import container
from edge_glass.places import told
from edge_glass.spec import MAIN

if TYPE_CHECKING:  # who only reads a manifest need not wait for `datasets`
    from edge_glass.corpus import Corpus
    from edge_glass.fetch.raw import Raw

FILE = "manifest.json"
HIDDEN = ".edge_glass"  # in an output folder: work under way, locks, the run log
Manifest = dict[str, Any]


def describe(corpus: "Corpus", raw: "Raw", limit: int | None) -> Manifest:
    """The part that is known before a build: what goes in, and what makes it."""
    from edge_glass.features import Features, portable

    described = {
        "config": corpus.config.name,
        "corpus": corpus.corpus,
        "version": corpus.spec().version,
        "parameters": corpus.parameters(),
        "limit": limit,
        "builder": corpus.code_hash(),
        "made_with": _libraries(corpus),
        "sources": [_source(corpus, raw, name) for name in sorted(raw.facts)],
        "features": portable(Features(corpus.columns()).to_dict()),
    }
    plain: Manifest = json.loads(json.dumps(described))  # as it will be read back
    return plain


def _libraries(corpus: "Corpus") -> dict[str, str | None]:
    made_with: dict[str, str | None] = {
        "edge_glass": edge_glass.__version__,
        "pyarrow": pa.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "soxr": soxr.__version__,
    }
    if any(source.fetch for source in corpus.spec().sources.values()):
        made_with["pyav"] = container.version()  # clips come in containers that it decodes
    made_with |= corpus.config.made_with()
    return made_with


def _source(corpus: "Corpus", raw: "Raw", name: str) -> dict[str, Any]:
    source, facts = corpus.spec().sources[name], raw.facts[name]
    published = None  # nobody can tell of an unpacked folder, or without a checksum
    if source.checksum and "sha256" in facts:
        published = facts[source.checksum[0]] == source.checksum[1]
    elif source.hub and source.hub.revision != MAIN and "revision" in facts:
        published = facts["revision"] == source.hub.revision
    return {"file": name, "url": source.template, "as_published": published, **facts}


def complete(described: Manifest, records: list[dict[str, Any]]) -> Manifest:
    """The whole manifest, out of the records of all shards."""
    splits: dict[str, Any] = {}
    for record in records:
        split = splits.setdefault(record["split"], {"rows": 0, "bytes": 0, "shards": []})
        split["shards"].append(record["shard"])
        split["rows"] += record["shard"]["rows"]
        split["bytes"] += record["shard"]["bytes"]
        for counts in ("outcomes", "doubts"):
            total = Counter(split.get(counts, {})) + Counter(record[counts])
            split[counts] = dict(sorted(total.items()))
    for name, split in splits.items():
        split["figures"] = _summed([r["figures"] for r in records if r["split"] == name])
    return described | {"splits": splits}


def figures(shard: Path) -> dict[str, Any]:
    """Sums over columns that many corpora have."""
    wanted = {"duration", "license"} & set(pq.read_schema(shard).names)
    table = pq.read_table(shard, columns=sorted(wanted))
    seconds = (pc.sum(table["duration"]).as_py() or 0) if "duration" in wanted else 0
    counts = table["license"].value_counts().to_pylist() if "license" in wanted else []
    return {"seconds": seconds, "licences": {c["values"] or "": c["counts"] for c in counts}}


def _summed(shards: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = sum(shard["seconds"] for shard in shards)
    licences = sum((Counter(shard["licences"]) for shard in shards), Counter[str]())
    found: dict[str, Any] = {"seconds": round(seconds, 3)} if seconds else {}
    return found | ({"licences": dict(sorted(licences.items()))} if licences else {})


def read(folder: Path) -> Manifest:
    """The manifest of a built config. Raises EdgeGlassError if there is none."""
    try:
        manifest: Manifest = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EdgeGlassError(
            f"{folder}: no {FILE}: nothing is built here, or the build did not end; "
            "run `edge-glass build` again"
        ) from None
    except ValueError as error:
        raise EdgeGlassError(
            f"{folder}/{FILE}: damaged ({error}): delete {folder} and build again"
        ) from None
    return manifest


def built(out: Path) -> dict[str, Path]:
    """Config -> folder of everything that is built under `out` (or is `out` itself)."""
    with told(out):
        whole = (out / FILE).is_file()
        found = [out] if whole else [path.parent for path in out.glob(f"*/{FILE}")]
    folders = sorted(found, key=lambda folder: folder.name)
    if not folders:
        raise EdgeGlassError(f"{out}: nothing is built here; see `edge-glass build --help`")
    return {folder.name: folder for folder in folders}


def check_balance(manifest: Manifest, expected: dict[str, int]) -> None:
    """Raise if a split's ledger does not account for all the rows that were read (`expected`)."""
    for split, rows in expected.items():
        accounted = sum(manifest["splits"][split]["outcomes"].values())
        if accounted != rows:
            raise EdgeGlassError(
                f"{manifest['config']}: {split} has {rows} source rows, the ledger {accounted}: "
                "this is a fault of the builder, please report it"
            )


def heals(manifest: Manifest) -> bool:
    """Whether rows were dropped for a reason that another run may not meet."""
    return any(ledger.HEALS & set(split["outcomes"]) for split in manifest["splits"].values())


def total(manifest: Manifest) -> tuple[int, int]:
    """Source rows kept, and dropped, over all splits."""
    outcomes = sum((Counter(s["outcomes"]) for s in manifest["splits"].values()), Counter[str]())
    return outcomes[ledger.Outcome.KEPT], outcomes.total() - outcomes[ledger.Outcome.KEPT]
