"""The plan of a build: where shards are cut, and what is read of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit import Recorded, bundled

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.progress import Progress
from edge_glass.core.row import Part, Row
from edge_glass.corpora import catalog
from edge_glass.corpora.params import CorpusConfig
from edge_glass.pipeline import shard_plan
from edge_glass.sources.obtain import obtain
from edge_glass.sources.raw import Raw

MB = 1_000_000


class Sized:
    """A corpus of files of these sizes; a row of each, or one that was dropped where it is None."""

    def __init__(
        self, folder: Path, sizes: list[int | None], fetched: bool = False, first: int = 0
    ) -> None:
        self.config = CorpusConfig(name="sized")
        self.rows = []
        for number, size in enumerate(sizes, first):
            row = Row(f"é{number}", "list", f"{number}", ("files", f"{number}"), {"n": number})
            row.dropped = ("no_label", "why") if size is None else None
            row.fetch_request = {"url": f"{number}"} if fetched else None
            with (folder / f"{number}").open("wb") as file:
                file.truncate(size or 0)  # takes no room on disk
            self.rows.append(row)

    def chosen_splits(self) -> list[str]:
        return ["train", "empty"]

    def unlicensed(self, fields: dict[str, Any]) -> None:
        pass

    def parts(self, split: str, raw: Raw) -> list[Part]:
        return []

    def batched(self, raw: Raw) -> bool:
        return False

    def misfits(self, empty: list[str], raw: Raw, progress: Progress) -> list[str]:
        return []

    def source_rows(self, split: str, raw: Raw) -> Iterator[Row]:
        yield from self.rows if split == "train" else []

    def row_weight(self, row: Row, size: int) -> int:
        return size


def planned(folder: Path, sizes: list[int | None], **more: Any) -> tuple[list[list[str]], Any]:
    """The rows of each shard of the plan, and the plan."""
    (folder / "files").mkdir(exist_ok=True, parents=True)
    corpus: Any = Sized(folder / "files", sizes, **more)
    raw = Raw("sized", {"files": folder / "files"})
    found = shard_plan.plan(corpus, raw, folder, progress=(told := Recorded()))
    done = (len(sizes), 0)
    assert told.said == [("read sized", 0, done), ("plan sized", len(sizes), done)]
    assert shard_plan.plan(corpus, raw, folder, progress=told) == found  # read, this time
    assert len(told.said) == 2
    assert found.rows == {"train": len(sizes), "empty": 0}
    orders = [order for order in found.orders if order.split == "train"]
    rows = [list(shard_plan.read(folder, order)) for order in orders]
    assert [row for shard in rows for row in shard] == corpus.rows
    assert [order.rows for order in orders] == [len(shard) for shard in rows]
    assert [order.number for order in orders] == list(range(len(orders)))
    (empty,) = [order for order in found.orders if order.split == "empty"]
    assert found.name(empty) == "empty-00000-of-00001.parquet" and empty.rows == 0
    return [[row.row for row in shard] for shard in rows], found


def test_shards_have_about_500_megabytes(tmp_path: Path) -> None:
    sizes = [200 * MB, 300 * MB, 1, 600 * MB, None, 899 * MB, 100 * MB, None, MB, 101 * MB]
    shards, found = planned(tmp_path, sizes)
    assert shards == [["0", "1"], ["2", "3", "4"], ["5"], ["6", "7", "8", "9"]]
    assert found.name(found.orders[3]) == "train-00003-of-00004.parquet"


def test_a_row_that_goes_moves_the_cuts_near_it_alone(tmp_path: Path) -> None:
    sizes = [(number % 7 + 2) * MB for number in range(4000)]
    before, _ = planned(tmp_path / "before", sizes)
    after, _ = planned(tmp_path / "after", sizes[1:], first=1)
    assert after[0] == before[0][1:] and after[1:] == before[1:]
    weights = [sum(sizes[int(number)] for number in shard) / MB for shard in before[:-1]]
    assert min(weights) > 250 and max(weights) < 1000
    assert 450 < sum(weights) / len(weights) < 550 and len(weights) > 30


def test_shards_are_bounded_to_the_row_and_have_the_usual_size_on_average() -> None:
    ranks = np.full(2500, 2**64 - 1, np.uint64)  # the last of all, which ends no shard
    begun = [1000, 2000]
    assert shard_plan._Shard().put_all(MB, ranks) == begun
    batches = shard_plan._Shard()  # a shard goes on from one batch to the next
    assert [batches.put_all(MB, r) for r in (ranks[:600], ranks[600:])] == [[], [400, 1400]]
    shard = shard_plan._Shard()
    numbers = [shard.put(MB, lambda: 2**64 - 1) for _ in ranks]
    assert [numbers.index(number) for number in range(1, 3)] == begun and shard.number == 2
    ends = shard_plan._chance(MB * np.arange(1, 1001), MB).clip(0)
    assert 1 + np.cumprod(1 - ends).sum() == pytest.approx(500, rel=0.01)


def test_all_files_of_a_row_have_weight_and_a_row_without_any_has_none(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    corpus: Any = Sized(tmp_path / "files", [200 * MB, 200 * MB, 150 * MB])
    corpus.rows[0].extra_members, corpus.rows[1].media = ["1", "none"], None
    planned = shard_plan.plan(corpus, Raw("sized", {"files": tmp_path / "files"}), tmp_path)
    assert [order.rows for order in planned.orders] == [2, 1, 0]


@pytest.mark.parametrize("name", bundled())
def test_few_rows_are_counted_as_a_plan_has_them(name: str, tmp_path: Path) -> None:
    corpus = catalog.variant(name).builder()
    raw = obtain(corpus.request(), None, unverified=True, facts=False)
    planned = shard_plan.plan(corpus, raw, tmp_path)
    assert shard_plan.few(corpus, raw) == planned.rows
    assert planned.shards == dict.fromkeys(planned.rows, 1)


@pytest.mark.parametrize(
    ("sizes", "fetched", "few"),
    [
        ([100 * MB, 150 * MB, None], False, True),
        ([100 * MB, 150 * MB, 1], False, False),
        ([1] * 5000, True, True),
        ([1] * 5001, True, False),
    ],
)
def test_rows_are_few_if_a_shard_holds_them_whatever_their_ids(
    sizes: list[int | None], fetched: bool, few: bool, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    corpus: Any = Sized(tmp_path / "files", sizes, fetched)
    counted = shard_plan.few(corpus, Raw("sized", {"files": tmp_path / "files"}))
    assert counted == ({"train": len(sizes), "empty": 0} if few else None)


def test_the_list_of_a_shard_has_no_time_in_it(tmp_path: Path) -> None:
    planned(tmp_path, [1])
    assert (tmp_path / "train-00000.rows").read_bytes()[4:8] == bytes(4)  # gzip has one there


def test_a_row_with_a_field_that_is_no_json_leaves_its_neighbours_alone() -> None:
    rows = [Row("a", "x", "1", fields={"n": 1}), Row("b", "x", "2", fields={"n": 2, "m": {1}})]
    first, second = map(shard_plan._row, json.loads(shard_plan._text(rows)))
    assert first == rows[0] == Row("a", "x", "1", fields={"n": 1})
    assert second.dropped and second.dropped[0] == "malformed_row" and second.fields == {}
    assert second.dropped[1].startswith("m: found")


def test_what_a_kill_can_cost_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_plan, "FETCHED_ROWS", 2)
    sizes = [1, 1, None, 1, 1, None, 1]
    shards, _ = planned(tmp_path, sizes, fetched=True)
    assert shards == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_rows_of_a_plan_that_is_damaged_name_its_file(tmp_path: Path) -> None:
    _, found = planned(tmp_path, [1] * 450)
    (path,) = tmp_path.glob("train-*.rows")
    whole = path.read_bytes()
    for data in (whole[:-9], whole[:300] + b"\0\0" + whole[302:], b"no gzip", b""):
        path.write_bytes(data)
        if data:
            with pytest.raises(EdgeGlassError) as error:
                list(shard_plan.read(tmp_path, found.orders[0]))
            assert str(error.value).startswith(f"{path}: damaged (")
        assert shard_plan._planned(tmp_path / shard_plan.PLAN) is None
    path.unlink()
    assert shard_plan._planned(tmp_path / shard_plan.PLAN) is None
