"""What is kept of a clip, and what is remembered of one that was not to be had."""

from pathlib import Path

import pytest

from edge_glass.core.ledger import Outcome
from edge_glass.sources.clip_store import ClipStore, Record, Section

SECTION = Section("https://example.org/a", 1, 11, "audio")


@pytest.mark.parametrize(
    ("outcome", "same_tool", "other_tool"),
    [
        (Outcome.REMOVED, True, True),
        (Outcome.PRIVATE, True, False),
        (Outcome.AGE_GATE, True, False),
        (Outcome.WRONG_DURATION, True, False),
        (Outcome.NETWORK_ERROR, False, False),
        (Outcome.TIMED_OUT, False, False),
        (Outcome.BOT_CHECK, False, False),
    ],
)
def test_what_is_remembered(
    outcome: Outcome, same_tool: bool, other_tool: bool, tmp_path: Path
) -> None:
    store = ClipStore(tmp_path)
    record = store.keep(Record(SECTION, outcome, "why", "yt-dlp 1", 403))
    assert store.find(SECTION, "yt-dlp 1") == (record if same_tool else None)
    assert (store.find(SECTION, "yt-dlp 1, cookies") is not None) == other_tool


def test_a_clip_is_whole_or_absent(tmp_path: Path) -> None:
    store = ClipStore(tmp_path)
    record = store.keep(Record(SECTION, Outcome.KEPT, "", "yt-dlp 1", suffix=".flac"), b"sound")
    assert store.find(SECTION, "yt-dlp 2") == record
    assert store.path(record).read_bytes() == b"sound"
    assert record.sha256 and record.sha256 in store.path(record).name
    store.path(record).write_bytes(b"sou")
    assert store.find(SECTION, "yt-dlp 1") is None
    store.keep(record, b"sound")
    next((tmp_path / "records").rglob("*.json")).write_text('{"outcome": "ke')
    assert store.find(SECTION, "yt-dlp 1") is None
