"""Bodies that wait: in memory while there is room, on disk beyond, gone when nobody holds them."""

from pathlib import Path

import pytest

from edge_glass.sources import spool
from edge_glass.sources.spool import Bodies


def test_bodies_in_memory_and_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 100)
    store = Bodies(tmp_path)
    first, second = store.keep(b"a" * 60), store.keep(b"b" * 30)
    third, fourth = store.keep(b"c" * 50), store.keep(b"d" * 10)  # the one fits, the other does not
    found = [body.read_bytes() for body in (first, second, third, fourth)]
    assert found == [b"a" * 60, b"b" * 30, b"c" * 50, b"d" * 10]
    del third  # from the disk: its room is used again
    assert store.keep(b"e" * 90).read_bytes() == b"e" * 90
    store.close()
    assert list(tmp_path.iterdir()) == []
