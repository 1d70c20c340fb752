"""Does anything central grow with the rows of a build on a cluster?

    python benchmarks/cluster.py [--rows 500000] [--nodes 64]

`laion400m_metadata` over Ray on this machine, which says that it has so many processors: at a tenth
of the rows, then at all. Chunks and shards have 5,000 rows each, so that there is work for all. Of
the driver: its peak memory, the messages to and from it and their bytes, and the seconds of CPU of
what it does by itself (the plan after its parts are read, the ledger's join, the manifest).
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tables

ROWS = 5_000  # of a chunk, and of a shard
PARTS = ("repeated ids and subset", "cut into shards", "ledger and manifest")  # seconds of CPU
SECONDS: dict[str, float] = {}
SENT = {"messages": 0, "bytes": 0}


def timed(place: Any, name: str, said: str) -> None:
    """Count the driver's seconds of CPU in a function."""
    work: Callable[..., Any] = getattr(place, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return work(*args, **kwargs)
        finally:
            SECONDS[said] = SECONDS.get(said, 0) + time.process_time() - start

    setattr(place, name, counted)


@contextmanager
def counted_messages() -> Iterator[None]:
    """Count what the driver sends to tasks and gets back."""
    from ray import cloudpickle

    from edge_glass.pipeline.executor_ray import Cluster

    run = Cluster.run

    def counting(self: Cluster, work: Any, given: list[Any], jobs: int) -> Iterator[Any]:
        for task, result in run(self, work, given, jobs):
            SENT["messages"] += 2
            SENT["bytes"] += len(cloudpickle.dumps((work, task))) + len(cloudpickle.dumps(result))
            yield task, result

    Cluster.run = counting  # type: ignore[method-assign]
    try:
        yield
    finally:
        Cluster.run = run  # type: ignore[method-assign]


def build(raw: Path, out: Path, nodes: int) -> int:
    import ray

    from edge_glass.corpora import catalog
    from edge_glass.corpora.selection import Selection
    from edge_glass.pipeline import build as builds
    from edge_glass.pipeline import shard_plan

    shard_plan.SHARD_BYTES = 1_000 * ROWS
    for part, place, name in zip(
        PARTS, (Selection, shard_plan, builds), ("of", "_cut", "_finish"), strict=True
    ):
        timed(place, name, part)
    ray.init(num_cpus=nodes, include_dashboard=False, log_to_driver=False, logging_level="error")
    with counted_messages():
        options = builds.Options(raw=raw, ray="auto")
        return builds.build(catalog.variant("laion400m_metadata"), out, options).rows


COLUMNS = ["rows", "peak MB", "messages", "kB in them", *PARTS]


def main() -> None:
    from measure import arguments, scratch, show

    asked = arguments(__doc__ or "", rows=500_000, nodes=64)
    if asked.contender:
        made = build(asked.raw, asked.out, asked.nodes)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        cells = [f"{made:,}", peak, SENT["messages"], SENT["bytes"] // 1000]
        print("\n" + json.dumps([*map(str, cells), *(f"{SECONDS[part]:.2f}" for part in PARTS)]))
        return
    taken = []
    for rows in (asked.rows // 10, asked.rows):
        with scratch(rows * 1200) as folder:
            tables.CHUNKS = rows // ROWS
            tables.make_rows(folder / "raw", rows, "parquet", "")
            command = [sys.executable, __file__, "--contender", "x", "--nodes", str(asked.nodes)]
            command += ["--raw", f"{folder}/raw", "--out", f"{folder}/out"]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            taken.append(json.loads(said.splitlines()[-1]))
    show(f"{asked.nodes} workers: what the driver took", COLUMNS, taken)


if __name__ == "__main__":
    main()
