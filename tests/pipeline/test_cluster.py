"""A Ray cluster of two nodes: the bytes are those of one machine, whichever node is lost."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from server import Files
from webkit import jpeg

from edge_glass.audit.audits import Options as Wanted
from edge_glass.audit.audits import audit
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.domains.imagenet import nearest
from edge_glass.domains.imagenet.classify import Matched, Scored
from edge_glass.pipeline import executor_ray, shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.executor_local import Counters
from edge_glass.pipeline.executor_ray import Cluster, connected
from edge_glass.pipeline.remote_output import Away
from edge_glass.release.write_card import build
from edge_glass.tables import dedup, scatter, steps

ray = pytest.importorskip("ray", reason="pip install 'edge-glass[ray]'")
pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "samples"
LAION = catalog.variant("laion400m_metadata")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head and a second node, one processor each, which find what is in this file."""
    from ray.cluster_utils import Cluster as Nodes

    rooms = (Path(__file__).parent, Path(__file__).parents[1] / "support")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, rooms)))
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.second = nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


def files(folder: Path) -> dict[str, bytes]:
    found = (
        path for path in folder.rglob("*") if path.is_file() and ".edge_glass" not in path.parts
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def kill_at_the_first_result(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The second node dies when the first task of all has ended; returns what was killed."""
    result, killed = Cluster._result, []

    def result_then_kill(self: Cluster, ended: Any) -> Any:
        if not killed:
            nodes.remove_node(nodes.second, allow_graceful=False)
            killed.append(nodes.second)
        return result(self, ended)

    monkeypatch.setattr(Cluster, "_result", result_then_kill)
    return killed


@dataclass(frozen=True)
class Trap:
    """On the node that is to die: say that it is caught there, and never end."""

    number: int
    doomed: str
    caught: Path
    killed: Path


def step_into(trap: Trap) -> int:
    if ray.get_runtime_context().get_node_id() == trap.doomed:
        trap.caught.open("w").close()
        threading.Event().wait()
    trap.killed.open().close()
    return trap.number


def test_what_a_lost_node_was_at_is_done_again(nodes: Any, tmp_path: Path) -> None:
    caught, killed = tmp_path / "caught", tmp_path / "killed"
    os.mkfifo(caught)
    os.mkfifo(killed)

    def kill() -> None:
        caught.open().close()  # opens when a task on the second node opens it
        nodes.remove_node(nodes.second, allow_graceful=False)
        with killed.open("w"):
            done.wait()

    done = threading.Event()
    killer = threading.Thread(target=kill, daemon=True)
    tasks = [Trap(n, nodes.second.node_id, caught, killed) for n in range(6)]
    with connected(nodes.address) as pool:
        killer.start()
        found = dict(pool.run(step_into, tasks, jobs=1))
        done.set()
        killer.join()
    assert sorted(found.values()) == list(range(6))
    assert all(task.number == number for task, number in found.items())


@pytest.mark.parametrize("sent_away", [False, True])
def test_a_build_has_the_same_bytes(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent_away: bool
) -> None:
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 250_000)
    variant = catalog.variant("clotho_sample")
    build(variant, tmp_path / "one")
    killed = kill_at_the_first_result(nodes, monkeypatch)
    there = Away(f"file://{tmp_path}/two")
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    options = Options(ray=nodes.address, away=there if sent_away else None)
    build(variant, there.staging if sent_away else tmp_path / "two", options)
    assert killed and len(list((tmp_path / "one").rglob("*-of-*.parquet"))) > 6
    assert files(tmp_path / "one" / variant.name) == files(tmp_path / "two" / variant.name)


def test_rows_that_come_as_batches_are_read_on_nodes(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = SAMPLES / "laion400m" / "metadata"
    build(LAION, tmp_path / "one", Options(raw=raw))

    def refuse(*given: object) -> None:
        raise AssertionError("read where the build was started")

    monkeypatch.setattr(Counters, "run", refuse)
    build(LAION, tmp_path / "two", Options(raw=raw, ray=nodes.address))
    assert files(tmp_path / "one" / LAION.name) == files(tmp_path / "two" / LAION.name)


def test_parts_have_the_same_bytes(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scatter, "SPAN_BYTES", 1)
    raw = SAMPLES / "laion400m" / "metadata"
    dedup.deduplicate(LAION, raw, tmp_path / "one", dedup.Wanted(parts=5))
    killed = kill_at_the_first_result(nodes, monkeypatch)
    wanted = dedup.Wanted(parts=5, ray=nodes.address)
    dedup.deduplicate(LAION, raw, tmp_path / "two", wanted)
    assert killed and files(tmp_path / "one") == files(tmp_path / "two")


def test_nodes_with_other_libraries(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_ray, "_versions", lambda: {"pyarrow": "0.1"})
    with pytest.raises(EdgeGlassError, match=r"pyarrow .* \(here 0.1\): the bytes would"):
        build(catalog.variant("clotho_sample"), tmp_path, Options(ray=nodes.address))


def test_no_cluster_there(tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match=r"--ray 127.0.0.1:9: no cluster answers"):
        build(catalog.variant("clotho_sample"), tmp_path, Options(ray="127.0.0.1:9"))


def test_steps_and_searches_on_nodes(nodes: Any, tmp_path: Path) -> None:
    layout, raw = catalog.corpus("laion400m").TABLE, SAMPLES / "laion400m" / "metadata"
    assert layout is not None
    build(catalog.variant("imagenet_captions_metadata_sample"), tmp_path)
    asked = tmp_path / "imagenet_captions_metadata_sample"
    for address, name in ((None, "here"), (nodes.address, "there")):
        steps.run(Matched(layout, "word"), raw, tmp_path / name / "matched", 1, address)
        parts, scored = tmp_path / name / "matched" / "metadata", tmp_path / name / "scored"
        steps.run(Scored("wordbag:encode"), parts, scored, 1, address)
        near = tmp_path / name / "near"
        nearest.retrieve(asked, raw, layout, near, "wordbag:encode", k=5, ray=address)
    here, there = (files(tmp_path / name) for name in ("here", "there"))
    parquet = [path for path in here if path.endswith(".parquet")]
    assert parquet and all(there[path] == here[path] for path in parquet)


def test_audits_on_nodes(nodes: Any, built: Path, tmp_path: Path) -> None:
    folder, others = built / "pixmo_cap_sample", [built / "laion400m_sample"]
    made = {
        name: audit(folder, tmp_path / name, Wanted(ray=address), others)
        for name, address in (("here", None), ("there", nodes.address))
    }
    assert made["there"] == made["here"] and made["here"].groups["duplicates"].rows
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_a_list_of_urls_to_batches(nodes: Any, tmp_path: Path) -> None:
    """The example of a team with a cluster."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a.jpg").write_bytes(jpeg())
    with Files(tmp_path / "web") as files:
        urls = [f"{files.url}/{name}.jpg" for name in ("a", "gone")]
        table = pa.table({"url": urls, "caption": ["a picture", "another"]})
        pq.write_table(table, tmp_path / "list.parquet")
        example = Path(__file__).parents[2] / "examples" / "cluster.py"
        command = [sys.executable, example, tmp_path / "list.parquet", tmp_path / "data"]
        command += ["--ray", nodes.address, "--intranet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Counter({'kept': 1, 'removed': 1})" in done.stdout
    assert "a batch of pictures of shape (1, 64, 64, 3), and 1 texts" in done.stdout
