"""The loader with torch: workers that change nothing, states of what was received, ranks."""

import ast
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hub import Hub
from test_loader import SAMPLES, STREAMED, flat, ids, pictures, taken, tiny
from test_loader_media import PHOTOGRAPHS
from torch.utils.data import DataLoader

from edge_glass.corpora import catalog
from edge_glass.release import publish
from edge_glass.release.write_card import build
from edge_glass.train import Picture, loader

RANK = """
import json, sys, torch, torch.distributed as dist
from edge_glass.train import loader
rank, folder, meeting, out = int(sys.argv[1]), *sys.argv[2:]
dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
batches = loader(folder, batch_size=8, drop_last=True, lanes=2).torch(workers=1)
total, seen = torch.zeros(1, dtype=torch.int64), []
for batch in batches:
    mine = batch["id"].sum().reshape(1)
    dist.all_reduce(mine)  # hangs if a rank has a batch less
    total += mine
    seen.append(batch["id"].tolist())
json.dump({"seen": seen, "total": total.item()}, open(f"{out}/{rank}.json", "w"))
dist.destroy_process_group()
"""


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_change_nothing(tmp_path: Path, workers: int) -> None:
    folder = tiny(tmp_path / "tiny", 700)
    plain = loader(folder, batch_size=16)
    torched = loader(folder, batch_size=16).torch(workers)
    assert isinstance(torched, DataLoader) and len(torched) == len(plain) == 44
    for _ in range(2):  # epochs
        assert ids(torched) == ids(plain)


def test_bytes_come_from_workers_as_they_are(tmp_path: Path) -> None:
    """Also where some are missing, empty, or all of a batch are."""
    media = [b"one", None, b"", b"four" * 5000, None, None, b"", b"", b"last"]
    folder = pictures(tmp_path / "p", media, group=2)
    kind: dict[str, Any] = {"columns": ["image"], "batch_size": 2, "shuffle": False}
    plain = [batch["image"] for batch in loader(folder, **kind)]
    assert flat(plain) == media  # type: ignore[arg-type, comparison-overlap]
    for workers in (0, 2):
        batches = loader(folder, **kind).torch(workers)
        assert [batch["image"] for batch in batches] == plain


def test_stops_with_any_number_of_workers(tmp_path: Path) -> None:
    """Workers have made more than was received when the run is stopped."""
    folder = tiny(tmp_path / "tiny", 700)
    whole = ids(loader(folder, batch_size=16))
    draw = random.Random(3)
    for _ in range(8):
        given: list[list[int]] = []
        state: dict[str, Any] | None = None
        for _ in range(2):
            batches = loader(folder, batch_size=16).torch(draw.choice([0, 1, 2, 3]))
            if state:
                batches.load_state_dict(state)
            given += taken(batches, draw.randrange(1, (len(whole) - len(given)) // 2 + 1))
            state = json.loads(json.dumps(batches.state_dict()))
        last = loader(folder, batch_size=16).torch(draw.choice([0, 2]))
        last.load_state_dict(state or {})
        assert given + ids(last) == whole


def test_what_workers_skip_is_counted(tmp_path: Path) -> None:
    good = (SAMPLES / PHOTOGRAPHS[0]).read_bytes()
    folder = pictures(tmp_path / "p", [good, b"", good, good, b"x", good] * 4)
    for workers in (0, 2):
        batches = loader(folder, batch_size=5, decode={"image": Picture(32)}).torch(workers)
        found = list(batches)
        assert sum(len(batch["id"]) for batch in found) == 16
        assert all(batch["image"].dtype == torch.uint8 for batch in found)
        assert batches.skipped == {"empty_media": 4, "wrong_kind": 4}


def test_workers_wait_for_no_thread_of_their_parent(tmp_path: Path) -> None:
    """One that reads for another `for` may hold the lock while they are forked."""
    batches = loader(tiny(tmp_path / "tiny", 200), batch_size=16)
    here = ids(batches)
    batches.set_epoch(0)
    with batches._places[0]._lock:
        assert ids(batches.torch(workers=2)) == here


def test_workers_read_what_is_streamed(hub: Hub, built: Path) -> None:
    """They are forked from a process that has connections to the Hub, and threads that read."""
    publish.push(built, ["clotho_sample"], "org/set", "1.0.0")
    kind: dict[str, Any] = {"columns": ["id", "audio"], "batch_size": 2}
    here = [(b["id"], b["audio"]) for b in loader(built / "clotho_sample", **kind)]
    streamed = loader(f"{STREAMED}/clotho_sample", **kind)
    for workers in (1, 2):
        next(iter(streamed))  # looked at, and left
        streamed.set_epoch(0)
        assert [(b["id"], b["audio"]) for b in streamed.torch(workers)] == here


def test_two_processes_have_halves_of_the_rows(tmp_path: Path) -> None:
    folder, meeting = tiny(tmp_path / "tiny", 1000), tmp_path / "meeting"
    command = [sys.executable, "-c", RANK]
    arguments = [str(folder), str(meeting), str(tmp_path)]
    ranks = [subprocess.Popen([*command, str(rank), *arguments]) for rank in range(2)]
    try:
        assert [rank.wait(120) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    one, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    rows = flat(one["seen"]) + flat(other["seen"])
    assert len(one["seen"]) == len(other["seen"]) == 62 and len(set(rows)) == len(rows) == 992
    assert one["total"] == other["total"] == sum(rows)


def test_the_page_on_training_as_it_stands(
    hub: Hub, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With samples under the names of what the page reads; all that it makes is read to its end."""
    variants = {"pixmo_cap": ("pixmo_cap", {}), "clotho_16k": ("clotho", {"sample_rate": 16000})}
    for name, (corpus, set_to) in variants.items():
        build(catalog.Variant(corpus, f"{corpus}_sample", name, set_to), tmp_path / "data")
    publish.push(tmp_path / "data", list(variants), "org/edge-glass", "1.0.0")
    for name in ("clotho", "musiccaps"):
        rows = pq.read_table(next((built / f"{name}_sample").glob("train-*")))
        (tmp_path / "data" / name).mkdir()
        path = tmp_path / "data" / name / "train-00000-of-00001.parquet"
        pq.write_table(pa.concat_tables([rows] * 20), path)
    monkeypatch.chdir(tmp_path)
    page = (SAMPLES.parent / "docs" / "training.md").read_text()
    names: dict[str, Any] = {}
    read = []
    for line in ast.parse(page.split("```python")[1].split("```")[0]).body:
        if isinstance(line, ast.Expr):
            read.append(list(eval(ast.unparse(line), names)))
        else:
            exec(ast.unparse(line), names)
    sounds, captions, mixture = read
    assert names["batch"]["image"].shape[1:] == (224, 224, 3)
    assert isinstance(names["batch"]["image"], torch.Tensor) and names["state"]["batches"] == 1
    assert sounds[0]["audio"].shape[1:] == (160000,) and captions[0]["caption"]
    assert len(mixture[0]["audio"]) == 64


@pytest.mark.parametrize("name", ["torch", "speech", "captions", "slides"])
def test_the_examples_learn(name: str) -> None:
    example = Path(__file__).parents[2] / "examples" / f"train_{name}.py"
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "loss" in done.stdout
