"""`edge_glass.train.loader`: every row once, in one order, wherever an epoch is gone on with."""

import gc
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Hub
from kit import tones

from edge_glass.core.errors import EdgeGlassError
from edge_glass.release import publish
from edge_glass.train import Picture, cached, loader
from edge_glass.train.batch import Group
from edge_glass.train.epoch_plan import moved

STREAMED = "hf://datasets/org/set@v1.0.0"
SAMPLES = Path(__file__).parents[2] / "samples"


def tiny(folder: Path, rows: int, shards: int = 3, group: int = 10, first: int = 0) -> Path:
    """A corpus of numbered rows."""
    folder.mkdir()
    ids = np.array_split(np.arange(first, first + rows), shards)
    for number, part in enumerate(ids):
        table = pa.table({"id": part, "caption": [f"row {i}" for i in part]})
        path = folder / f"train-{number:05d}-of-{shards:05d}.parquet"
        pq.write_table(table, path, row_group_size=group)
    return folder


def ids(batches: Any) -> list[list[int]]:
    return [batch["id"].tolist() for batch in batches]


def flat(batches: list[list[int]]) -> list[int]:
    return [row for batch in batches for row in batch]


def test_200_stops_lose_no_row_and_give_none_twice(tmp_path: Path) -> None:
    """Ranks are stopped in step; others, as many or more or fewer, go on."""
    folder = tiny(tmp_path / "tiny", 401, group=5)
    draw = random.Random(7)
    for _ in range(10):
        kind = {"batch_size": draw.choice([3, 8, 32]), "seed": draw.randrange(99)}
        kind |= {"lanes": draw.choice([1, 2, 4]), "buffer": draw.choice([0, 30, 200])}
        world = draw.choice([1, 2, 3])
        ranks = [loader(folder, rank=rank, world=world, **kind) for rank in range(world)]
        start = ranks[0].state_dict()
        whole = in_turns([ids(rank) for rank in ranks])
        assert sorted(flat(whole)) == list(range(401))
        for _ in range(10):
            check_two_stops(folder, kind, start, whole, draw)


def check_two_stops(
    folder: Path, kind: dict[str, Any], state: dict[str, Any], whole: list[list[int]],
    draw: random.Random,
) -> None:  # fmt: skip
    given: list[list[int]] = []
    for world in (draw.choice([1, 2, 3, 5]), draw.choice([1, 2, 3, 5])):
        ranks = [loader(folder, rank=rank, world=world, **kind) for rank in range(world)]
        for rank in ranks:
            rank.load_state_dict(state)
        steps = draw.randrange((len(whole) - len(given)) // world + 1)
        given += in_turns([taken(rank, steps) for rank in ranks])
        state = json.loads(json.dumps(ranks[-1].state_dict()))
    last = loader(folder, **kind)
    last.load_state_dict(state)
    assert given + ids(last) == whole


def taken(batches: Any, steps: int) -> list[list[int]]:
    """So many batches; what was made ahead is lost, as when a run is killed."""
    found: list[list[int]] = []
    if steps:
        for batch in batches:
            found.append(batch["id"].tolist())
            if len(found) == steps:
                break
    return found


def in_turns(ranks: list[list[list[int]]]) -> list[list[int]]:
    steps = max(map(len, ranks))
    return [rank[at] for at in range(steps) for rank in ranks if at < len(rank)]


def test_epochs_and_seeds_have_orders_of_their_own_and_threads_have_none(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "tiny", 1000)
    batches = loader(folder, batch_size=50, lanes=2, threads=3, prefetch=9)
    first, second = ids(batches), ids(batches)
    assert first != second and sorted(flat(first)) == sorted(flat(second))
    again = loader(folder, batch_size=50, lanes=2, threads=1)
    assert ids(again) == first
    again.set_epoch(1)
    assert ids(again) == second
    assert ids(loader(folder, batch_size=50, lanes=2, seed=1)) != first
    assert flat(ids(loader(folder, shuffle=False))) == list(range(1000))


def test_rows_come_from_far_apart_and_the_buffer_is_kept(tmp_path: Path) -> None:
    """Rows of a batch are of several row groups, and none moves further than its share."""
    folder = tiny(tmp_path / "tiny", 5000, shards=5, group=10)
    groups = [len({row // 10 for row in batch}) for batch in ids(loader(folder, lanes=1))]
    assert np.mean(groups[1:-1]) > 40
    places, _ = moved(5, 1000, 100, 0, 1000)
    assert sorted(places) == list(range(1000)) and np.abs(places - np.arange(1000)).max() < 100
    parts = [moved(5, 1000, 100, here, here + 50) for here in range(0, 1000, 50)]
    assert np.concatenate([rows for rows, _ in parts]).tolist() == places.tolist()
    for turn, (_, oldest) in enumerate(parts):  # what comes later is not older
        assert places[turn * 50 :].min() >= oldest


def test_row_groups_are_let_go_when_their_rows_are_given(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "tiny", 4000, group=10)  # 400 row groups; the buffer holds 6
    alive = []
    for number, _ in enumerate(loader(folder, batch_size=20, lanes=2, buffer=60)):
        if number % 20 == 19:
            alive.append(sum(isinstance(each, Group) for each in gc.get_objects()))
    assert len(alive) == 10 and 0 < max(alive) < 60


def test_ranks_get_as_many_batches_if_the_rest_is_dropped(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "tiny", 1000)
    ranks = [loader(folder, batch_size=7, drop_last=True, rank=r, world=3) for r in range(3)]
    found = [ids(rank) for rank in ranks]
    assert [len(batches) for batches in found] == [47] * 3 == [len(rank) for rank in ranks]
    assert all(len(batch) == 7 for batches in found for batch in batches)
    rows = [row for batches in found for row in flat(batches)]
    assert len(rows) == len(set(rows)) == 47 * 7 * 3


def test_a_mixture_keeps_its_weights_in_every_batch(tmp_path: Path) -> None:
    one, other = tiny(tmp_path / "one", 900), tiny(tmp_path / "other", 300, first=10_000)
    batches = loader({one: 2, other: 1}, batch_size=9)
    found = ids(batches)
    assert all(sum(row >= 10_000 for row in batch) == 3 for batch in found) and len(found) == 100
    assert len(set(flat(found))) == 900
    mixed = [[row >= 10_000 for row in batch] for batch in found]
    assert mixed[0] != sorted(mixed[0])  # within a batch, too
    longer = loader({one: 1, other: 1}, batch_size=10, until="last")
    counts = Counter(flat(ids(longer)))
    assert len(counts) == 1200 and {counts[row] for row in range(900)} == {1}
    assert {counts[row] for row in range(10_000, 10_300)} == {3}


def test_a_mixture_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    places = {tiny(tmp_path / "one", 900): 0.7, tiny(tmp_path / "other", 301, first=5000): 0.3}
    whole = ids(loader(places, batch_size=8, until="last"))
    for stop in (0, 1, 17, len(whole) - 1):
        first = loader(places, batch_size=8, until="last")
        given = taken(first, stop)
        rest = loader(places, batch_size=8, until="last")
        rest.load_state_dict(first.state_dict())
        assert given + ids(rest) == whole


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "tiny", 100)
    state = loader(folder, batch_size=8).state_dict()
    for other in (loader(folder, batch_size=9), loader(tiny(tmp_path / "b", 101), batch_size=8)):
        with pytest.raises(EdgeGlassError, match="cannot go on"):
            other.load_state_dict(state)


def test_a_state_names_its_data_by_more_than_names_and_counts(tmp_path: Path) -> None:
    state = loader(tiny(tmp_path / "a", 100), batch_size=8).state_dict()
    loader(tiny(tmp_path / "b", 100), batch_size=8).load_state_dict(state)
    other = loader(tiny(tmp_path / "c", 100, first=1), batch_size=8)
    with pytest.raises(EdgeGlassError, match="other shards than those of the state"):
        other.load_state_dict(state)


def test_a_state_tells_media_apart_that_a_footer_does_not(tmp_path: Path) -> None:
    one, other = (
        planted.corpus(tmp_path, name, {"train": [{"id": "0", "audio": planted.wav(sound, 8000)}]})
        for name, sound in (("a", tones(1, 8000, 440)), ("b", tones(1, 8000, 880)))
    )
    state = loader(one, batch_size=1).state_dict()
    loader(one, batch_size=1).load_state_dict(state)
    footers = [pq.read_metadata(next(folder.glob("train-*"))).to_dict() for folder in (one, other)]
    assert footers[0] == footers[1]
    with pytest.raises(EdgeGlassError, match="other shards than those of the state"):
        loader(other, batch_size=1).load_state_dict(state)


@pytest.mark.parametrize(
    "change",
    [{"epoch": "1"}, {"epoch": -1}, {"batches": 1.5}, {"batches": 10**9}, {"skipped": {"a": None}},
     {"data": None}, {"order": {}}, {"order": None}, {"epoch": object()}],
)  # fmt: skip
def test_a_state_that_is_none_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    batches = loader(tiny(tmp_path / "tiny", 100), batch_size=8)
    with pytest.raises(EdgeGlassError):
        batches.load_state_dict(batches.state_dict() | change)
    with pytest.raises(EdgeGlassError, match="data: Field required"):
        batches.load_state_dict({})
    assert len(list(batches)) == len(batches)


@pytest.mark.parametrize("happens", ["gone", "replaced"])
def test_a_file_gone_or_replaced_under_a_reader_ends_it(tmp_path: Path, happens: str) -> None:
    folder = tiny(tmp_path / "tiny", 900)
    batches = loader(folder, batch_size=8, shuffle=False, prefetch=1)
    last = sorted(folder.iterdir())[-1]
    if happens == "gone":
        last.unlink()
    else:
        other = tiny(tmp_path / "other", 900, first=7)
        (other / last.name).replace(last)
    with pytest.raises(EdgeGlassError, match=f"{last.name}: "):
        list(batches)
    assert not batches.skipped


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"split": "dev"}, "no shards of a split dev; there are: train"),
        ({"columns": ["nothing"]}, "no column nothing; there are id, caption"),
        ({"batch_size": 0}, "batch_size 0: at least 1"),
        ({"rank": 3, "world": 2}, "rank 3 of 2"),
        ({"rank": 3}, "give both"),
        ({"decode": {"id": Picture(8)}}, "decode names id; media are none"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(EdgeGlassError, match=said):
        loader(tiny(tmp_path / "tiny", 10), **asked)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match="no such folder"):
        loader(tmp_path / "nothing")
    folder = tiny(tmp_path / "tiny", 30)
    next(folder.iterdir()).unlink()
    with pytest.raises(EdgeGlassError, match="2 of 3 shards of train are there"):
        loader(folder)
    with pytest.raises(EdgeGlassError, match="each source needs one above 0"):
        loader({folder: 0})
    small, large = tiny(tmp_path / "small", 9), tiny(tmp_path / "large", 900)
    with pytest.raises(EdgeGlassError, match=r"small with 9 rows.*before a batch of 64 is full"):
        loader({large: 1, small: 1})
    with pytest.raises(EdgeGlassError, match="what://is/this"):
        loader("what://is/this")


def pictures(folder: Path, values: list[bytes | None], group: int = 4) -> Path:
    folder.mkdir()
    rows = [{"bytes": value, "path": None} for value in values]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"id": range(len(rows)), "image": pa.array(rows, kind)})
    pq.write_table(table, folder / "train-00000-of-00001.parquet", row_group_size=group,
                   compression="none", use_dictionary=False)  # fmt: skip
    return folder


@pytest.fixture
def released(hub: Hub, built: Path) -> Hub:
    publish.push(built, ["clotho_sample"], "org/set", "1.0.0")
    hub.reset_log()
    return hub


def test_a_version_on_the_hub_is_fetched_once_or_streamed(released: Hub, built: Path) -> None:
    kind = {"columns": ["id", "audio"], "batch_size": 2, "seed": 3}
    here = [(b["id"], b["audio"]) for b in loader(built / "clotho_sample", **kind)]
    folder = cached("clotho_sample", "org/set", "1.0.0")
    assert [(b["id"], b["audio"]) for b in loader(folder, **kind)] == here
    found = loader(f"{STREAMED}/clotho_sample", **kind)
    assert [(b["id"], b["audio"]) for b in found] == here


def test_only_text_is_fetched_for_text(released: Hub, built: Path) -> None:
    """Counted by the server: bodies of the shards, footers included."""
    path = next((built / "clotho_sample").glob("train-*.parquet"))
    batches = loader(f"{STREAMED}/clotho_sample", columns=["captions"])
    rows = [row for batch in batches for row in batch["captions"]]
    footer = pq.read_metadata(path)
    columns = [footer.row_group(g).column(c) for g in range(footer.num_row_groups)
               for c in range(footer.num_columns)]  # fmt: skip
    text = sum(c.total_compressed_size for c in columns if c.path_in_schema.startswith("captions"))
    sent = sum(r.sent for r in released.seen("GET", r"resolve/.*train-.*parquet"))
    assert len(rows) == footer.num_rows and sent > 0
    assert sent - 65536 <= 1.1 * text < path.stat().st_size / 10


def test_the_example_learns_without_torch() -> None:
    example = SAMPLES.parent / "examples" / "train_numpy.py"
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "8 pictures, 30 epochs: loss 0." in done.stdout


def test_what_the_page_says_of_jax_needs_no_torch(built: Path, tmp_path: Path) -> None:
    """Killed in the second epoch, it goes on with the batches of an undisturbed run."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pixmo_cap").symlink_to(built / "pixmo_cap_sample")
    block = (SAMPLES.parent / "docs" / "training.md").read_text().split("## JAX")[1]
    block = block.split("```python")[1].split("```")[0]
    assert "        saved.write_text(" in block
    seen = "        sys.stdout.write(f'{pixels.sum()} ')\n        saved.write_text("
    program = "import os, sys\n" + block.replace("        saved.write_text(", seen)
    program += "assert not {'torch', 'tensorflow'} & set(sys.modules)"

    def run(code: str) -> list[str]:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr
        return done.stdout.split()

    whole = run(program)
    (tmp_path / "state.json").unlink()
    killed = (
        "        (batches.epoch, batches.given) == (1, 1) and (sys.stdout.flush(), os._exit(9))"
    )
    first = run(program.replace("(batches.state_dict()))", f"(batches.state_dict()))\n{killed}"))
    assert len(whole) == 6 and len(first) == 3 and first + run(program) == whole


def test_memory_is_that_of_the_buffer(tmp_path: Path) -> None:
    """800 MB of incompressible bytes go through a process that never holds 200 MB more."""
    draw = np.random.default_rng(0)
    folder = pictures(tmp_path / "p", [draw.bytes(100_000) for _ in range(800)], group=50)
    code = """
import sys
from memory import peak
from edge_glass.train import loader
batches = loader([sys.argv[1]] * 10, columns=["image"], buffer=300)
sys.stdout.write(f"{peak() / 1000} {sum(len(batch['image']) for batch in batches)} {peak() / 1000}")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[1] / "support",
    )  # fmt: skip
    before, rows, after = map(float, done.stdout.split())
    assert rows == 8000 and after - before < 200
