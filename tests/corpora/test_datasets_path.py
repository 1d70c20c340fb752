"""Hugging Face's own way to build: `download_and_prepare`, `as_dataset`, `as_streaming_dataset`."""

import logging
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from edge_glass.builders.clotho import Clotho
from kit import HORSE, HORSE_FILE, ROOT, build_clotho, rows

from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import datasets_builder


def plain(dataset: Any) -> list[dict[str, Any]]:
    """Rows without their audio."""
    return [{k: v for k, v in row.items() if k != "audio"} for row in dataset]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Any:
    builder = Clotho(config_name="clotho_sample", cache_dir=str(tmp_path_factory.mktemp("cache")))
    builder.download_and_prepare()
    return builder.as_dataset()


def test_the_rows_are_those_of_our_own_build(sample: Any, built: Path) -> None:
    ours = rows(built / "clotho_sample")
    found = {row["id"]: row for split in sample.values() for row in plain(split)}
    assert found == {row["id"]: row for row in plain(ours.values())}


def test_audio_decodes(sample: Any) -> None:
    audio = sample["train"][0]["audio"]
    assert (audio["sampling_rate"], audio["path"]) == (44100, " Horse neigh.wav")
    assert (audio["array"].shape, audio["array"].dtype) == ((74981,), np.float32)


def test_processes_share_a_split(
    sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets_builder, "SPAN", 2)  # rows that are one item of work
    builder = Clotho(config_name="clotho_sample", cache_dir=str(tmp_path))
    builder.download_and_prepare(num_proc=2)
    found = builder.as_dataset()
    assert found["train"].to_dict() == sample["train"].to_dict()
    assert found["test"].to_dict() == sample["test"].to_dict()


def test_streamed_spans_may_come_in_any_order(
    sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets_builder, "SPAN", 1)
    builder = Clotho(config_name="clotho_sample", cache_dir=str(tmp_path))
    train = builder.as_streaming_dataset()["train"]
    ids = [row["id"] for row in sample["train"]]
    shuffled = [row["id"] for row in train.shuffle(seed=1, buffer_size=1)]
    assert sorted(shuffled) == sorted(ids) and shuffled != ids


def test_streaming(sample: Any, tmp_path: Path) -> None:
    builder = Clotho(config_name="clotho_sample", cache_dir=str(tmp_path))
    streamed = builder.as_streaming_dataset()
    assert {s: plain(rows) for s, rows in streamed.items()} == {
        s: plain(rows) for s, rows in sample.items()
    }
    first = next(iter(streamed["train"]))["audio"]
    assert np.array_equal(first["array"], sample["train"][0]["audio"]["array"])


def test_parquet(built: Path, tmp_path: Path) -> None:
    builder = Clotho(config_name="clotho_sample", cache_dir=str(tmp_path / "cache"))
    builder.download_and_prepare(output_dir=str(tmp_path / "out"), file_format="parquet")
    theirs = pq.read_table(tmp_path / "out" / "clotho-train.parquet")
    ours = pq.read_table(built / "clotho_sample" / "train-00000-of-00001.parquet")
    assert theirs.to_pylist() == ours.to_pylist()


def test_parameters_are_keywords(tmp_path: Path) -> None:
    builder = Clotho(
        config_name="clotho_sample", cache_dir=str(tmp_path), sample_rate=16000,
        caption_mode="each", splits=["test"],
    )  # fmt: skip
    builder.download_and_prepare()
    found = builder.as_dataset()
    assert list(found) == ["test"]
    assert len(found["test"]) == 15
    assert found["test"].features["audio"].sampling_rate == 16000
    assert found["test"][0]["audio"]["sampling_rate"] == 16000


def test_waveforms(tmp_path: Path) -> None:
    builder = Clotho(
        config_name="clotho_sample", cache_dir=str(tmp_path), audio_format="waveform",
        sample_rate=16000, splits=["test"],
    )  # fmt: skip
    builder.download_and_prepare()
    row = builder.as_dataset(split="test").with_format("numpy")[0]
    assert (row["audio"].dtype, row["sampling_rate"]) == (np.float32, 16000)
    assert len(row["audio"]) == pytest.approx(row["duration"] * 16000, abs=1)


def test_raw_files_of_the_users_own(
    clotho: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (clotho / HORSE_FILE).unlink()
    ours = rows(build_clotho(clotho, tmp_path / "ours", "clotho_16k"))
    builder = Clotho(config_name="clotho_16k", cache_dir=str(tmp_path), data_dir=str(clotho))
    with pytest.raises(EdgeGlassError, match="upstream publishes"):
        builder.download_and_prepare()
    for source in Clotho.spec().sources.values():  # as if upstream published these
        monkeypatch.setitem(source.__dict__, "checksum", None)
        monkeypatch.setitem(source.__dict__, "rows", None)
    monkeypatch.setattr(logging.getLogger("datasets"), "propagate", True)
    builder.download_and_prepare()
    assert {i for split in builder.as_dataset().values() for i in split["id"]} == ours.keys()
    (told,) = [record.message for record in caplog.records if "dropped" in record.message]
    assert told.startswith(f"clotho: {HORSE} dropped: missing_media")


def test_rows_outside_of_a_subset_are_not_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("datasets"), "propagate", True)
    builder = Clotho(config_name="clotho_sample", cache_dir=str(tmp_path), subset=4)
    builder.download_and_prepare()
    assert sum(len(split) for split in builder.as_dataset().values()) == 4
    assert not [record for record in caplog.records if "dropped" in record.message]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"config_name": "clotho_17k"}, "'clotho_17k' not found. Available: "),
        ({"config_name": "clotho_sample", "rate": 1}, "doesn't have a 'rate' key"),
        ({"config_name": "clotho_sample", "sample_rate": 1}, "greater than or equal to 1000"),
        ({"config_name": "clotho_sample", "splits": ["dev"]}, "no split dev; there are train"),
    ],
)
def test_mistakes(arguments: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, EdgeGlassError), match=why):
        Clotho(cache_dir=str(tmp_path), **arguments).download_and_prepare()


@pytest.mark.parametrize("arguments", [(), ("clotho",), ("clotho_sample",)])
def test_a_clone_says_what_to_do_instead(arguments: tuple[str, ...], tmp_path: Path) -> None:
    says = 'edge-glass build NAME --out data`, then load_dataset\\("data", "NAME"\\)'
    with pytest.raises(FileNotFoundError, match=says):
        datasets.load_dataset(str(ROOT), *arguments, cache_dir=str(tmp_path))
