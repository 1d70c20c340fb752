"""Rows of any length, whole rows that are transformed, and batches for any number of ranks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from test_loader import flat, ids, pictures, tiny

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.train import Padded, Picture, Sound, loader

NAME = "train-00000-of-00001.parquet"


def sounds(folder: Path, rows: int, group: int = 10) -> Path:
    """Rows that say how long they are, 0.5 to 20 s."""
    folder.mkdir()
    seconds = np.random.default_rng(5).uniform(0.5, 20, rows).round(2)
    table = pa.table({"id": range(rows), "duration": seconds})
    pq.write_table(table, folder / NAME, row_group_size=group)
    return folder


def padding(batches: Any) -> float:
    """Which part of the batches is no sound."""
    full = sum(len(batch["id"]) * batch["duration"].max() for batch in batches)
    return float(1 - sum(batch["duration"].sum() for batch in batches) / full)


@pytest.mark.parametrize("lanes", [1, 4])
def test_batches_hold_so_many_seconds(tmp_path: Path, lanes: int) -> None:
    folder = sounds(tmp_path / "s", 3000)
    batches = loader(folder, batch_size=32, max_seconds=100, lanes=lanes)
    epochs = [list(batches) for _ in range(2)]
    for epoch in epochs:
        assert sorted(flat(ids(epoch))) == list(range(3000))
        for batch in epoch:
            assert len(batch["id"]) <= 32 and len(batch["id"]) * batch["duration"].max() <= 100
        longest = [batch["duration"].max() for batch in epoch]
        assert abs(np.corrcoef(longest, range(len(epoch)))[0, 1]) < 0.2  # not by length
    assert ids(epochs[0]) != ids(epochs[1])
    assert padding(epochs[0]) < 0.05 and padding(loader(folder, batch_size=32)) > 0.3
    alone = loader(folder, batch_size=32, max_seconds=10)
    assert all(len(batch["id"]) == 1 for batch in alone if batch["duration"].max() > 10)


def test_seconds_go_on_where_they_stopped(tmp_path: Path) -> None:
    folder = sounds(tmp_path / "s", 900)
    kind: dict[str, Any] = {"batch_size": 16, "max_seconds": 60}
    whole = ids(loader(folder, **kind))
    ranks = [loader(folder, rank=rank, world=2, **kind) for rank in range(2)]
    for rank in ranks:
        rank.load_state_dict(loader(folder, **kind).state_dict())
    given = [batch for pair in zip(*(map(ids, ranks)), strict=False) for batch in pair]
    first = loader(folder, **kind)
    for number, batch in enumerate(first, 1):
        if number == len(whole) // 2:
            state = json.loads(json.dumps(first.state_dict()))
            break
        assert batch["id"].tolist() == whole[number - 1] == given[number - 1]
    last = loader(folder, lanes=1, **kind)
    last.load_state_dict(state)
    assert ids(last) == whole[len(whole) // 2 :]
    other = loader(folder, batch_size=16, max_seconds=61)
    with pytest.raises(EdgeGlassError, match=r"max_seconds 60\.0, this loader has 61"):
        other.load_state_dict(state)
    with pytest.raises(EdgeGlassError, match="max_seconds needs a column duration"):
        loader(tiny(tmp_path / "t", 9), max_seconds=4)


def test_whole_sounds_are_padded(built: Path) -> None:
    kind: dict[str, Any] = {"columns": ["id", "audio", "duration"], "batch_size": 3}
    folder = built / "librispeech_sample"
    raw = {row: data for batch in loader(folder, "validation.clean", **kind)
           for row, data in zip(batch["id"], batch["audio"], strict=True)}  # fmt: skip
    batches = loader(folder, "validation.clean", decode={"audio": Sound(None, 16000)}, **kind)
    for batch in batches:
        assert batch["audio"].shape == (len(batch["id"]), batch["audio_length"].max())
        assert np.allclose(batch["audio_length"] / 16000, batch["duration"], atol=1e-3)
        rows = zip(batch["id"], batch["audio"], batch["audio_length"], strict=True)
        for row, samples, length in rows:
            path = folder.parent / "x.flac"
            path.write_bytes(raw[row])
            expected, _ = sf.read(path, dtype="float32")
            assert np.array_equal(samples[:length], expected) and not samples[length:].any()
    assert not batches.skipped


def numbers(data: bytes, draw: np.random.Generator) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def test_a_decoded_column_is_of_one_type(tmp_path: Path) -> None:
    """Whatever the shapes in a batch happen to be, and where none is left."""
    folder = pictures(tmp_path / "p", [b"aa", b"bb", b"c", b"dd"])
    kind: dict[str, Any] = {"batch_size": 2, "shuffle": False}
    batches = loader(folder, decode={"image": numbers}, **kind)
    with pytest.raises(EdgeGlassError, match=r"image: arrays of shapes \(1,\) and \(2,\).*Padded"):
        list(batches)
    padded = list(loader(folder, decode={"image": Padded(numbers)}, **kind))
    assert [batch["image"].tolist() for batch in padded] == [
        [[97, 97], [98, 98]],
        [[99, 0], [100, 100]],
    ]
    assert [batch["image_length"].tolist() for batch in padded] == [[2, 2], [1, 2]]
    nothing = loader(pictures(tmp_path / "q", [None, None]), decode={"image": Padded(numbers)})
    [empty] = nothing
    assert len(empty["image"]) == len(empty["image_length"]) == 0


def tokens(row: dict[str, Any], draw: np.random.Generator) -> dict[str, Any]:
    """As a tokenizer would: text in, numbers out; a row that is not wanted is dropped."""
    if row["id"] == 7:
        raise Dropped(Outcome.UNSUITABLE_MEDIA, "unwanted")
    return {"id": row["id"], "tokens": list(row["caption"].encode()), "noise": draw.random()}


def longest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    size = max(len(row["tokens"]) for row in rows)
    padded = [row["tokens"] + [0] * (size - len(row["tokens"])) for row in rows]
    return {"id": np.array([row["id"] for row in rows]), "tokens": np.array(padded)}


def test_rows_are_transformed_and_put_together(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "t", 40)
    batches = loader(folder, batch_size=8, transform=tokens)
    found = list(batches)
    assert sorted(flat(ids(found))) == [*range(7), *range(8, 40)]
    assert batches.skipped == {Outcome.UNSUITABLE_MEDIA: 1}
    for batch in found:
        for row, text in zip(batch["id"], batch["tokens"], strict=True):
            assert bytes(text).decode() == f"row {row}"
    noise = [batch["noise"] for batch in loader(folder, batch_size=8, transform=tokens, threads=1)]
    assert np.array_equal(np.concatenate(noise), np.concatenate([b["noise"] for b in found]))
    assert len(np.unique(np.concatenate(noise))) == 39
    together = list(loader(folder, batch_size=8, transform=tokens, collate_fn=longest))
    assert ids(together) == ids(found)
    assert all(batch["tokens"].shape[1] in (5, 6) for batch in together)
    with pytest.raises(
        EdgeGlassError, match="rows of type str: give dictionaries, or a collate_fn"
    ):
        next(iter(loader(folder, transform=lambda row, draw: "text")))
    with pytest.raises(ZeroDivisionError):  # a mistake of the function drops no row
        next(iter(loader(folder, transform=lambda row, draw: {"id": 1 // 0})))


def test_even_gives_as_many_batches_to_1_to_64_ranks(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "t", 205)
    whole = ids(loader(folder, batch_size=10, lanes=1))
    for world in range(1, 65):
        ranks = [loader(folder, batch_size=10, lanes=1, even=True, rank=rank, world=world)
                 for rank in range(world)]  # fmt: skip
        assert len({len(rank) for rank in ranks}) == 1 and len(ranks[0]) == -(-21 // world)
        if world not in (1, 2, 8, 64):
            continue
        for rank in ranks:  # lanes divide by ranks, so each number of them has its own order
            rank.load_state_dict(loader(folder, batch_size=10, lanes=1).state_dict())
        steps = list(zip(*map(ids, ranks), strict=True))
        given = [batch for step in steps for batch in step]
        assert given[:21] == whole and given[21:] == (whole * 4)[: len(given) - 21]
    with pytest.raises(EdgeGlassError, match="drop_last and even"):
        loader(folder, even=True, drop_last=True)


def test_mixtures_by_size_and_for_so_many_batches(tmp_path: Path) -> None:
    one, other = tiny(tmp_path / "one", 900), tiny(tmp_path / "other", 100, first=10_000)

    def shares(**kind: Any) -> list[int]:
        batches = ids(loader({one: 1, other: 1}, batch_size=20, **kind))
        return [sum(row >= 10_000 for row in batch) for batch in batches]

    assert set(shares(temperature=1)) == {2} and set(shares(temperature=2)) == {5}
    assert set(shares(temperature=1e9)) == {10}
    assert shares(until=200) == [10] * 200  # the smaller one twenty times
    for wrong, says in (({"until": 0}, "until 0"), ({"temperature": 0}, "temperature 0")):
        with pytest.raises(EdgeGlassError, match=says):
            shares(**wrong)
    with pytest.raises(EdgeGlassError, match=r"until 5: .*for a mixture"):
        loader(one, until=5)


def test_corpora_of_other_columns_are_mixed(built: Path) -> None:
    """One name for what each of them calls otherwise; it goes on where it stopped."""
    sources: dict[Any, float] = {
        built / "clotho_sample": 1, built / "pixmo_cap_sample": 1, built / "mm_imdb_sample": 2,
    }  # fmt: skip
    columns = {"text": ["captions", "caption", "plots"], "film": ["title", None], "id": "id"}
    kind: dict[str, Any] = {"columns": columns, "batch_size": 4, "until": 9}
    whole = [batch["id"] for batch in loader(sources, **kind)]
    for batch in loader(sources, **kind):
        for name, text, film in zip(batch["id"], batch["text"], batch["film"], strict=True):
            assert text and (film is None) == (not name.isdigit() or len(name) != 7), name
    first = loader(sources, **kind)
    for _ in zip(range(4), first, strict=False):
        pass
    last = loader(sources, **kind)
    last.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert [batch["id"] for batch in last] == whole[4:] and len(whole) == 9
    with pytest.raises(
        EdgeGlassError, match="clotho_sample: no column caption or sound; there are"
    ):
        loader(sources, columns={"x": ["caption", "sound"]})


def test_a_folder_of_configs_names_them(built: Path) -> None:
    with pytest.raises(EdgeGlassError, match=r"configs .*clotho_sample, .*name one of them"):
        loader(built)


def test_lists_of_media_are_decoded(built: Path) -> None:
    """Frames of a clip, as one array; slides of decks, of which no two have as many, by hand."""
    kind: dict[str, Any] = {"decode": {"image_jpegs": Picture(32)}, "batch_size": 2}
    [batch] = loader(built / "valor_sample", columns=["id", "image_jpegs"], **kind)
    assert batch["image_jpegs"].shape == (2, 8, 32, 32, 3) and batch["image_jpegs"].std() > 1
    decks = loader(
        built / "slides_qa_sample", columns=["id", "images"], decode={"images": Picture(8)},
        transform=lambda row, draw: {"id": row["id"], "slides": list(row["images"])},
    )  # fmt: skip
    assert all(
        slide.shape == (8, 8, 3) for batch in decks for deck in batch["slides"] for slide in deck
    )
    assert not decks.skipped and sum(len(batch["id"]) for batch in decks) == 2
