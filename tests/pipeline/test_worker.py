"""What a worker writes into the ledger of a row, from what came of its media."""

import ctypes
import errno
import gc
import os
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from edge_glass.core import ledger, manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.names import HIDDEN
from edge_glass.core.row import Row
from edge_glass.corpora import catalog
from edge_glass.pipeline import shard_plan, worker
from edge_glass.pipeline.build import build
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_fetch import Fetched
from edge_glass.sources.row_media import Media

URL = "http://x.example/\udcff"
CAPTIONS = {"captions": ["one", "two"], "other": "x"}


class Reads:
    """A corpus whose rows are their media."""

    def __init__(self, *notes: str, drop: Dropped | None = None) -> None:
        self._notes, self._drop = notes, drop

    def all_examples(self, row: Row, media: Media) -> list[dict[str, Any]]:
        data = media.read()
        media.notes += self._notes
        if self._drop:
            raise self._drop
        return [{"id": row.id, "data": data}]


def worked(corpus: Any, fields: dict[str, Any], **facts: Any) -> tuple[dict[str, Any], Any]:
    row = Row("i\udcffd", "list.csv", "lïne 7", media=("urls", "a"), fields=fields)
    media = Media(Raw("x", {}), row, Fetched(URL, "a", b"bytes", status=200, **facts))
    entry, examples = worker._worked(corpus, "train", row, media)
    return asdict(entry), examples


def test_a_row_that_is_kept() -> None:
    sent = {"final_url": "http://y.example", "etag": '"1"', "last_modified": "Mon"}
    entry, examples = worked(Reads("cut: 3 s", "silent"), CAPTIONS, **sent)
    assert examples == [{"id": "i\udcffd", "data": b"bytes"}]
    assert entry == {
        "source": "list.csv", "row": "lïne 7", "id": r"i\udcffd", "split": "train",
        "outcome": Outcome.KEPT, "detail": "cut: 3 s; silent", "url": r"http://x.example/\udcff",
        "status": 200, "bytes": 5, "sha256": sha256(b"bytes").hexdigest(), "caption": None, **sent,
        "text_digests": None, "media_digests": None, "media": ["urls/a"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "caption"),
    [
        (CAPTIONS, "one"),
        ({"caption": "a \udcff"}, r"a \udcff"),
        ({"caption": "", "text": 7}, "7"),
        ({"other": "x"}, None),
    ],
)
def test_a_row_that_is_dropped_keeps_its_caption(
    fields: dict[str, Any], caption: str | None
) -> None:
    entry, examples = worked(Reads(drop=Dropped(Outcome.NO_LABEL, "why \udcff")), fields)
    assert (entry["outcome"], entry["detail"], examples) == ("no_label", r"why \udcff", [])
    assert (entry["caption"], entry["bytes"], entry["final_url"]) == (caption, 5, None)


def test_a_row_that_was_dropped_before_its_media_were_read() -> None:
    row = Row("a", "list.csv", "1", dropped=("not_in_subset", "told"), fields=CAPTIONS)
    entry, examples = worker._worked(Reads(), "test", row, Media(Raw("x", {}), row))  # type: ignore[arg-type]
    assert (entry.outcome, entry.detail, examples) == (Outcome.NOT_IN_SUBSET, "told", [])
    assert entry.bytes is entry.sha256 is entry.url is entry.status is entry.caption is None
    row.dropped = ("bad_luck", "")
    with pytest.raises(ValueError, match="bad_luck"):
        worker._worked(Reads(), "test", row, Media(Raw("x", {}), row))  # type: ignore[arg-type]


def test_a_ledger_of_many_batches_has_every_row(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LEDGER_BATCH", 2)
    build(catalog.variant("clotho_sample"), tmp_path)
    ours, theirs = (list(ledger.read(p / "clotho_sample" / ledger.FILE)) for p in (tmp_path, built))
    assert ours == theirs and len(ours) > 10


def test_the_collector_of_garbage_is_as_it_was_after_a_shard() -> None:
    before = gc.get_threshold()
    with pytest.raises(EdgeGlassError), worker._few_to_collect():
        assert gc.get_threshold() == worker.COLLECT != before and gc.get_freeze_count()
        stopped()
    assert gc.get_threshold() == before and not gc.get_freeze_count()


def test_memory_is_given_back_where_the_c_library_knows_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """musl has no `malloc_trim`, and Windows no library without a name."""
    libraries: list[Any] = [lambda _: object(), refused]
    for library in libraries:
        monkeypatch.setattr(ctypes, "CDLL", library)
        worker._give_back()


def test_whole_shards_of_a_stopped_build_are_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 250_000)
    with monkeypatch.context() as patched, pytest.raises(EdgeGlassError):
        patched.setattr(manifest.Manifest, "check_balance", stopped)
        build(catalog.variant("clotho_sample"), tmp_path)
    work = tmp_path / HIDDEN / "work" / "clotho_sample"
    before = {path.name: path.stat().st_ino for path in work.glob("*-of-*.parquet")}
    build(catalog.variant("clotho_sample"), tmp_path)
    shards = (tmp_path / "clotho_sample").glob("*-of-*.parquet")
    assert {path.name: path.stat().st_ino for path in shards} == before and len(before) > 3


def test_shards_are_taken_over_where_files_have_one_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT, and between two disks: a link is refused."""
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 250_000)
    build(catalog.variant("clotho_sample"), tmp_path)
    folder = tmp_path / "clotho_sample"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    damaged = sorted(before)[-2]
    (folder / damaged).write_bytes(b"")
    make, again = worker._make, list[str]()

    def counted(task: worker.Task, *more: Any) -> Any:
        again.append(task.name)
        return make(task, *more)

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(worker, "_make", counted)
    build(catalog.variant("clotho_sample"), tmp_path)
    assert again == [damaged]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def refused(*_: object) -> None:
    raise OSError(errno.EPERM, "refused")


def stopped(*_: object) -> None:
    raise EdgeGlassError("stopped")
