"""Keys on disk against plain Python, and the subsets that are drawn with them."""

import errno
import pickle
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_glass.core import key_digests
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.key_digests import Keys, KeySet, rank
from edge_glass.core.ledger import Outcome
from edge_glass.core.progress import Progress
from edge_glass.core.row import Row
from edge_glass.corpora import catalog
from edge_glass.corpora.params import CorpusConfig
from edge_glass.corpora.selection import Selection
from edge_glass.sources.raw import Raw

# few different ones, so that they repeat; and any text, surrogates too
KEYS = st.lists(st.sampled_from([f"clip {i}.wav" for i in range(12)]) | st.text(max_size=3))
TINY = st.integers(1, 5)


@pytest.fixture(autouse=True, scope="module")
def small_temp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    tmp_path_factory.getbasetemp()  # pytest's own folder is not to be made in this one
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(tempfile, "tempdir", folder):
        yield
        assert not list(Path(folder).iterdir())


def filled(found: list[str], seed: int = 0) -> Keys:
    with tempfile.TemporaryDirectory() as folder:
        made = Keys(Path(folder) / "keys", seed)
    for key in found:
        made.add(key)
    assert made.count == len(found)
    return made


@settings(deadline=None)
@given(KEYS, TINY, TINY)
@example([], 1, 1)
@example(["a", "a", "b", "b", "a"], 1, 1)
def test_groups_are_the_positions_of_repeated_keys(found: list[str], block: int, buck: int) -> None:
    positions = defaultdict(list)
    for position, key in enumerate(found):
        positions[key].append(position)
    expected = sorted(group for group in positions.values() if len(group) > 1)
    with filled(found) as made:
        assert sorted(made.groups()) == expected
        with mock.patch.multiple(key_digests, _BLOCK=block, _BUCKET=buck):
            assert sorted(made.groups()) == expected
            assert sorted(made.groups()) == expected  # it can be asked again


@settings(deadline=None)
@given(KEYS, st.integers(1, 60), st.integers(-3, 3), TINY)
@example([], 1, 0, 1)
@example(["a"] * 5, 3, 0, 2)
def test_the_threshold_is_the_nth_smallest_rank(
    found: list[str], n: int, seed: int, block: int
) -> None:
    ranks = sorted(rank(seed, key) for key in found)
    expected = ranks[n - 1] if n < len(ranks) else 2**64 - 1
    with filled(found, seed) as made:
        assert made.threshold(n) == expected
        with mock.patch.multiple(key_digests, _BLOCK=block):
            assert made.threshold(n) == expected


def test_ranks_that_share_their_first_bits() -> None:
    """Where the histogram cannot tell them apart, sorting does."""
    found = [f"{i}" for i in range(2000)]
    ranks = sorted(rank(0, key) for key in found)
    shared = [n for n in range(1, 2000) if ranks[n - 1] >> 48 == ranks[n] >> 48]
    assert len(shared) > 10
    with filled(found) as made:
        for n in shared:
            assert [made.threshold(n), made.threshold(n + 1)] == ranks[n - 1 : n + 1]


def test_a_disk_that_is_full_is_named_and_other_errors_are_left_alone(tmp_path: Path) -> None:
    for number, expected in ((errno.ENOSPC, str(tmp_path / "keys")), (errno.EIO, None)):
        with pytest.raises(OSError) as error, Keys(tmp_path / "keys"):
            raise OSError(number, "said the disk")
        assert error.value.filename == expected
    assert not list(tmp_path.iterdir())


def test_a_seed_is_nought_if_none_is_given(tmp_path: Path) -> None:
    with Keys(tmp_path / "keys") as made:
        made.add("a")
        made.add("b")
        assert made.threshold(1) == min(rank(0, "a"), rank(0, "b"))


def test_keys_can_be_added_after_they_were_read() -> None:
    with filled(["a", "b"]) as made:
        assert list(made.groups()) == []
        made.add("b")
        assert list(made.groups()) == [[1, 2]]


class Listed:
    """A corpus of nothing but ids."""

    def __init__(self, splits: dict[str, list[str]], **parameters: Any) -> None:
        self._splits = splits
        self.config = CorpusConfig(name="listed", **parameters)

    def chosen_splits(self) -> list[str]:
        return list(self._splits)

    def unlicensed(self, fields: Any) -> None:
        """Nothing is asked of licences."""

    def misfits(self, empty: list[str], raw: Raw, progress: Progress) -> list[str]:
        return []

    def source_rows(self, split: str, raw: Raw) -> Iterator[Row]:
        for name in self._splits[split]:
            yield Row(name, split, name)

    def taken(self, limit: int | None = None) -> list[tuple[str, int]]:
        """Split and position of the rows that are kept."""
        corpus: Any = self
        selection = Selection.of(corpus, Raw("listed", {}), limit)
        assert selection.rows == {split: len(ids) for split, ids in self._splits.items()}
        return [
            (split, position)
            for split in self._splits
            for position, row in enumerate(selection.rows_of(corpus, split, Raw("listed", {})))
            if row.dropped is None
        ]


SPLITS = st.dictionaries(st.sampled_from(["train", "test", "validation"]), KEYS, min_size=1)
UNIQUE = st.lists(st.text(max_size=4), unique=True, max_size=60)


@settings(deadline=None, max_examples=60)
@given(UNIQUE, st.integers(0, 60), st.integers(1, 60), st.integers(1, 60), st.integers(0, 3))
def test_a_subset_has_n_rows_and_lies_in_every_larger_one(
    ids: list[str], cut: int, n: int, m: int, seed: int
) -> None:
    splits = {"train": ids[:cut], "test": ids[cut:]}
    small, large = sorted((n, m))
    inner = Listed(splits, subset=small, seed=seed).taken()
    outer = Listed(splits, subset=large, seed=seed).taken()
    assert set(inner) <= set(outer)
    assert len(inner) == min(small, len(ids)) and len(outer) == min(large, len(ids))


@settings(deadline=None, max_examples=60)
@given(SPLITS, st.floats(0.001, 1), st.floats(0.001, 1), st.integers(1, 60))
def test_fractions_and_numbers_are_nested_and_ids_are_taken_once(
    splits: dict[str, list[str]], f: float, g: float, n: int
) -> None:
    ids = [(split, key) for split in splits for key in splits[split]]
    taken = {}
    for subset in (f, g, n, 1.0, None):
        found = Listed(splits, subset=subset).taken()
        names = [splits[split][position] for split, position in found]
        assert max(Counter(names).values(), default=1) == 1
        size = len(ids) * subset if isinstance(subset, float) else subset or len(ids)
        taken[size] = set(found)
    sizes = sorted(taken)
    for small, large in pairwise(sizes):
        assert taken[small] <= taken[large]
    assert len(taken[len(ids)]) == len({key for _, key in ids})


def test_subsets_do_not_depend_on_the_order_of_rows() -> None:
    ids = [f"{i}.wav" for i in range(100)]
    one = {ids[position] for _, position in Listed({"train": ids}, subset=10).taken()}
    again = ids[::-1]
    other = {again[position] for _, position in Listed({"train": again}, subset=10).taken()}
    assert one == other and len(one) == 10


def test_the_limit_counts_rows_of_a_split() -> None:
    splits = {"train": ["a", "b", "a", "c"], "test": ["d", "a"]}
    assert Listed(splits).taken(limit=2) == [("train", 0), ("train", 1), ("test", 0)]


def test_what_is_left_out_has_its_reason() -> None:
    corpus: Any = Listed({"train": [f"{i}" for i in range(9)] + ["0"]}, subset=3)
    selection = Selection.of(corpus, Raw("listed", {}), limit=None)
    rows = list(selection.rows_of(corpus, "train", Raw("listed", {})))
    outcomes = Counter(row.dropped and row.dropped[0] for row in rows)
    assert outcomes[Outcome.DUPLICATE_ID] == 1
    assert outcomes[Outcome.NOT_IN_SUBSET] == 9 - outcomes[None]


@pytest.mark.parametrize("subset", [0, -1, 0.0, 1.5, "all"])
def test_subsets_that_make_no_sense(subset: Any) -> None:
    with pytest.raises(EdgeGlassError, match="subset"):
        catalog.variant("clotho", {"subset": subset}, "clotho_x")


def test_a_set_on_disk_has_its_keys_and_no_other(tmp_path: Path) -> None:
    keys = [f"é{number}" for number in range(2000)]
    found = pickle.loads(pickle.dumps(KeySet.of(tmp_path / "keys", keys[::2])))
    assert [key in found for key in keys] == [True, False] * 1000 and len(found) == 1000
    assert "a" not in KeySet.of(tmp_path / "none", [])
