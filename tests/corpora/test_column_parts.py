"""Records that Python reads come as batches, whatever pieces their file is read in."""

from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kit import entries

from edge_glass.audit.verify import verify
from edge_glass.core.errors import SourceError
from edge_glass.core.row import DETAIL, OUTCOME, PLACE
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.sources import line_pieces
from edge_glass.sources.raw import Raw

TSV = (
    b"\xef\xbb\xbfhttp://a/1\ta tench\n"
    b"http://a/1\ta tench\n"  # again
    b"\n"
    b"http://a/2\ta \xff tench\r\n"
    b"http://a/\xfe\tbricks\n"  # no class, which is told first
    b"http://a/3\t\0 tench\n"
    b"http://a/4\ta tench\tmore\n"
    b"\xc2\xa0\t \n"
    b"http://a/5\ttiger shark and goldfish"
)
TOLD = [
    ("line 1", "kept", ""),
    ("line 2", "duplicate_id", "an earlier row has this id"),
    ("line 3", "malformed_row", "1 fields between tabs, expected 2"),
    ("line 4", "bad_encoding", "byte b'\\xff' in 'a \\udcff tench'"),
    ("line 5", "no_class", ""),
    ("line 6", "bad_encoding", "byte b'\\x00' in '\\x00 tench'"),
    ("line 7", "malformed_row", "3 fields between tabs, expected 2"),
    ("line 8", "blank_caption", ""),
    ("line 9", "kept", ""),
]
LINES = (
    b'{"filepath": "1.jpg", "caption": "a tench"}\n'
    b"\n"
    b"\xc2\xa0\n"
    b'{"filepath": "2.jpg", "caption": "a \\ud800 tench"}\r\n'
    b'  {"filepath": "3.jpg"}\n'
    b"{broken\n"
    b'{"filepath": null, "caption": "a tench"}\n'
    b'{"filepath": "4.jpg", "caption": "a goldfish \xc3\xa9"}\n'
)
CASES = {
    "cc12m_cls_metadata": ("cc12m.tsv", TSV),
    "cc12m_cls_jsonl": ("cc12m.jsonl", LINES),
    "yfcc15m_cls": ("yfcc15m.jsonl", LINES),
}


def marks(raw: Raw, name: str) -> list[dict[str, Any]]:
    corpus = catalog.variant(name).builder()
    batches = chain.from_iterable(part.batches() for part in corpus.parts("train", raw))
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("size", [1, 50, 100, 2**23])
@pytest.mark.parametrize("name", CASES)
def test_pieces_of_a_text_are_its_lines(
    name: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, data = CASES[name]
    (tmp_path / file).write_bytes(data)
    corpus = catalog.variant(name).builder()
    raw = Raw(corpus.corpus, {file: tmp_path / file})
    whole = marks(raw, name)
    monkeypatch.setattr(line_pieces, "PIECE", size)
    line_pieces._spans.cache_clear()
    assert marks(raw, name) == whole
    assert (len(corpus.parts("train", raw)) > 1) == (size < len(data))
    line_pieces._spans.cache_clear()


TOKENS = [
    b"\n",
    b"\r\n",
    b"\r",
    b"a",
    b'"',
    b"\t",
    b" ",
    b"\xc2\xa0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x1c",
]
TEXTS = st.lists(st.sampled_from(TOKENS), max_size=60).map(b"".join)


@given(TEXTS, st.integers(4, 40), st.booleans())
@example(b"as on an old\rMac\r", 4, True)
@example(b"\xef\xbb\xbf\n\n", 4, False)
@settings(deadline=None)
def test_pieces_have_the_lines_of_any_text(text: bytes, size: int, empty: bool) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder, "a.txt")
        path.write_bytes(text)
        patch.setattr(line_pieces, "PIECE", size)
        line_pieces._spans.cache_clear()
        pieces = line_pieces.spans(path, empty)
        lines = [line for piece in pieces for line in line_pieces.lines(path, piece, empty)]
        whole = line_pieces.lines(path, line_pieces.WHOLE, empty)
        assert [(at, one.rstrip("\n")) for at, one in lines] == [
            (at, one.rstrip("\n")) for at, one in whole
        ]
    line_pieces._spans.cache_clear()


def test_rows_are_dropped_for_what_is_odd_in_them(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "cc12m.tsv").write_bytes(TSV)
    build(catalog.variant("cc12m_cls_metadata"), tmp_path / "out", Options(raw=tmp_path / "raw"))
    folder = tmp_path / "out" / "cc12m_cls_metadata"
    book = pq.read_table(folder / "ledger.parquet").to_pylist()
    assert [(row["row"], row["outcome"], row["detail"]) for row in book] == TOLD
    assert [len(row["text_digests"] or ()) for row in book if row["outcome"] == "kept"] == [1, 3]
    assert not [finding for finding in verify(folder) if finding.kind == "error"]
    ids = pq.read_table(next(folder.glob("train-*")))["id"].to_pylist()
    assert len({*ids}) == 4 and {id.partition("#")[0] for id in ids} <= entries(folder).keys()


def test_json_lines_name_their_places(tmp_path: Path) -> None:
    (tmp_path / "cc12m.jsonl").write_bytes(LINES)
    rows = marks(Raw("cc12m_cls", {"cc12m.jsonl": tmp_path / "cc12m.jsonl"}), "cc12m_cls_jsonl")
    assert [(row[PLACE], row["id"], row[OUTCOME]) for row in rows] == [
        ("line 1", "1.jpg", None),
        ("line 2", "2.jpg", "bad_encoding"),
        ("line 3", "3.jpg", "blank_caption"),
        ("line 4", "line 4", "malformed_row"),
        ("line 5", "line 5", "malformed_row"),
        ("line 6", "4.jpg", None),
    ]
    assert rows[4][DETAIL] == "filepath: expected string, found nothing"


def test_lines_longer_than_a_piece_are_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 300 + b"\n" + b"y\n" * 9)
    monkeypatch.setattr(line_pieces, "PIECE", 20)
    monkeypatch.setattr(line_pieces.chunk_text, "LONGEST", 100)
    assert line_pieces.spans(path, True) == (line_pieces.WHOLE,)
    read = partial(line_pieces.lines, path, line_pieces.WHOLE, True)
    assert [number for number, _ in read()][-1] == len([*line_pieces.chunk_text.lines(path)])


def test_a_text_in_utf_16_is_refused(tmp_path: Path) -> None:
    for name, (file, data) in CASES.items():
        (tmp_path / file).write_bytes(data.decode(errors="replace").encode("utf-16"))
        with pytest.raises(SourceError, match="is in UTF-16: save it as UTF-8"):
            marks(Raw("any", {file: tmp_path / file}), name)
