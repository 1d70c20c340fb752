"""What is remembered of values, to understand data: a part of them, whatever there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ownfiles import table

import edge_glass as eg
from edge_glass.core.errors import SourceError
from edge_glass.corpora import key_profile
from edge_glass.corpora.key_profile import KeyProfile, profiles
from edge_glass.corpora.layouts import table_batches
from edge_glass.corpora.layouts.record import Record
from edge_glass.sources import chunk_rows, chunk_text

KEYS = ["a", "b", "id", "c"]


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_values_are_told_apart_up_to_a_bound_over_all_keys(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, every, most = 3000, 100, 0
    table(tmp_path / name, [{key: f"{key} {n}" for key in KEYS} for n in range(rows)])
    for limit, value in {"IN_ALL": 2 * rows, "ROWS": every}.items():
        monkeypatch.setattr(key_profile, limit, value)
    monkeypatch.setattr(chunk_rows, "BLOCK", 3000)
    monkeypatch.setattr(chunk_text, "BLOCK", 3000)
    seen: dict[int, KeyProfile] = {}
    made = KeyProfile.__init__
    monkeypatch.setattr(
        KeyProfile,
        "__init__",
        lambda self, **to: (made(self, **to), seen.update({id(self): self}))[0],
    )

    def watched() -> Iterator[object]:
        nonlocal most
        for each in table_batches.batches(tmp_path / name, name):
            most = max(most, sum(profile.told_apart for profile in seen.values()))
            yield each

    found = profiles(watched(), False, {"a", "b", "c"})  # type: ignore[arg-type]
    assert rows < most <= 2 * rows + every * len(KEYS)
    assert [key for key, profile in found.items() if profile.unique] == ["a", "id"]
    assert [profile.told_apart for profile in found.values()] == [rows, 0, rows, 0]


@pytest.mark.parametrize(
    ("values", "unique", "remembered"),
    [
        ([*"abca"], False, 0),
        ([*map(str, range(10))], True, 10),
        ([*map(str, range(20))], True, 0),
        ([*map(str, range(11)), "0"], True, 0),
    ],
)
def test_a_key_is_told_apart_up_to_its_own_bound(
    values: list[str], unique: bool, remembered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_profile, "MOST", 10)
    records = [Record(f"row {n}", {"id": value}) for n, value in enumerate(values)]
    (profile,) = profiles(records, text=False).values()
    assert (profile.unique, profile.told_apart, profile.rows) == (unique, remembered, len(values))


def test_ids_of_a_table_do_not_depend_on_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [{"id": f"one {n}", "text": f"a text {n}"} for n in range(50)]
    table(tmp_path / "list.csv", [*listed, {"id": "one 3", "text": "again"}])
    monkeypatch.setattr(key_profile, "MOST", 10)
    monkeypatch.setattr(chunk_rows, "BLOCK", 300)
    build = eg.build(str(tmp_path / "list.csv"), out=tmp_path / "data")
    rows = build.ledger().select(["id", "outcome"]).to_pylist()
    assert [row["id"] for row in rows][:2] == ["one 0", "one 1"]
    assert [row["outcome"] for row in rows].count("kept") == 50
    assert rows[-1] == {"id": "one 3", "outcome": "duplicate_id"}


def test_names_of_rows_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_profile, "KEYS", 10)
    monkeypatch.setattr(key_profile, "ROWS", 5)
    with pytest.raises(SourceError, match="over 10 keys, such as 13"):
        profiles((Record(f"row {n}", {f"{n}": n}) for n in range(99)), text=False)


def test_only_keys_that_may_be_ids_are_told_apart(tmp_path: Path) -> None:
    table(
        tmp_path / "a.csv", [{key: f"{key} {n}" for key in ("file", "ID", "b")} for n in range(9)]
    )
    keys = profiles(table_batches.batches(tmp_path / "a.csv", "a.csv"), True, ["file"])
    assert {key: (one.unique, one.told_apart) for key, one in keys.items()} == {
        "file": (True, 9),
        "ID": (True, 9),
        "b": (False, 0),
    }
