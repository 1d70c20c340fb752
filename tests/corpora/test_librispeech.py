"""LibriSpeech: the sample, tarballs and trees with every trap in them, the Hub's Parquet."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from edge_glass.builders.librispeech import LibriSpeech
from hub import Hub
from huggingface_hub import CommitOperationAdd, HfApi
from kit import entries, rows
from rawlibri import SAMPLES, Member, chapter, clips, corpus, pack, tables, unpack

from edge_glass.audit.verify import verify
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.spec import Spec
from edge_glass.corpora import catalog
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build as make
from edge_glass.sources import obtain

FOLDER = "LibriSpeech/dev-clean/60/100"
TRAPS = b"""\
60-100-0000 WHOLE
60-100-0001 NO FLAC
60-100-0002 CUT SHORT
60-100-0003 NO AUDIO AT ALL
60-100-0003 THE SAME ID AGAIN
just some words

60-100-0004 BAD BYTE \xff HERE
60-100-0005  \r
60-100-0006 TWICE IN THE ARCHIVE
60-100-0007 LAST ONE\r
"""
OUTCOMES = {
    "60-100-0000": "kept",
    "60-100-0001": "missing_media",
    "60-100-0002": "undecodable_media",
    "60-100-0003": "undecodable_media",
    "60/100/60-100.trans.txt line 6": "malformed_row",
    "60/100/60-100.trans.txt line 7": "malformed_row",
    "60-100-0004": "bad_encoding",
    "60-100-0005": "blank_caption",
    "60-100-0006": "kept",
    "60-100-0007": "kept",
    "60-100-0008": "missing_caption",
    "60-101-0000": "kept",
}


def traps() -> list[Member]:
    """Speaker 60's chapter 100 with one of every fault, and chapter 101."""
    sound = dict(enumerate(clips()))
    sound |= {2: clips()[2][:-9000], 3: b"<html>not found</html>"}
    named = [(f"{FOLDER}/60-100-{i:04d}.flac", sound[i]) for i in (6, 2, 8, 0, 5, 7, 3, 4)]
    readme = ("LibriSpeech/README.TXT", b"read me")
    text = (f"{FOLDER}/60-100.trans.txt", TRAPS)
    return [*tables(), readme, *named, text, *chapter(60, 101, 1), named[0]]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def build(raw: Path | None, out: Path, jobs: int = 1, **overrides: Any) -> Path:
    """Build the validation.clean split, or what `overrides` say; the folder of the config."""
    settings = {"splits": ["validation.clean"]} | overrides
    variant = catalog.variant("librispeech", settings, "librispeech_test")
    make(variant, out, Options(raw=raw, jobs=jobs, unverified=True))
    return out / variant.name


def outcomes(folder: Path) -> dict[str, str]:
    """Id -> what became of its first row."""
    found: dict[str, str] = {}
    for row in pq.read_table(folder / "ledger.parquet").to_pylist():
        found.setdefault(row["id"], row["outcome"])
    return found


def ledger_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of the ledger, in order."""
    found: list[dict[str, Any]] = pq.read_table(folder / "ledger.parquet").to_pylist()
    return found


def again(folder: Path) -> list[str]:
    """The ids of rows that are there a second time."""
    return sorted(row["id"] for row in ledger_of(folder) if row["outcome"] == "duplicate_id")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_sample(built: Path) -> None:
    found = rows(built / "librispeech_sample")
    assert [name for name in found if name.startswith("9901")] == [
        f"9901-990101-000{i}" for i in range(5)
    ]
    first = found["9901-990101-0000"]
    assert first["text"].startswith("AND MISTER JOHN DASHWOOD HAD THEN LEISURE TO CONSIDER")
    path = SAMPLES / "dev-clean" / "9901" / "990101" / "9901-990101-0000.flac"
    assert first["audio"] == {"bytes": path.read_bytes(), "path": path.name}
    assert first["duration"] == pytest.approx(sf.info(path).duration)
    assert (first["speaker_id"], first["chapter_id"]) == (9901, 990101)
    reader = {"sex": "M", "minutes": 0.37, "name": "LibriVox volunteer (name not stated)"}
    assert first["speaker"] == reader
    assert (first["chapter_title"], first["book_title"]) == ("Chapter 1", "Sense and Sensibility")
    assert found["9902-990201-0001"]["book_title"] == "PocketSphinx test data"


def test_every_row_of_a_tarball_is_accounted_for(tmp_path: Path) -> None:
    pack(tmp_path / "raw" / "dev-clean.tar.gz", traps())
    folder = build(tmp_path / "raw", tmp_path / "out")
    assert outcomes(folder) == OUTCOMES
    assert again(folder) == ["60-100-0003", "60-100-0006"]  # a line, and a member
    assert entries(folder)["60-100-0001"]["row"] == "60/100/60-100.trans.txt line 2"
    assert list(rows(folder)) == ["60-100-0000", "60-100-0006", "60-100-0007", "60-101-0000"]
    kept = rows(folder)["60-100-0007"]
    assert kept["text"] == "LAST ONE"
    assert kept["speaker"] == {"sex": "M", "minutes": 20.18, "name": "|CBW|Simon"}
    assert kept["book_title"] == "Sense and Sensibility"
    other = rows(folder)["60-101-0000"]
    assert (other["chapter_title"], other["book_title"]) == ("The Second", "A Project | and more")
    assert [f for f in verify(folder) if f.kind == "error"] == []


@pytest.mark.parametrize("inside", ["", "LibriSpeech", "LibriSpeech/dev-clean/.."])
def test_a_tree_tells_the_same_as_the_tarball(inside: str, tmp_path: Path) -> None:
    raw = unpack(tmp_path / "raw", traps())
    folder = build(raw / inside, tmp_path / "out")
    assert outcomes(folder) == OUTCOMES
    assert again(folder) == ["60-100-0003"]
    pack(tmp_path / "tar" / "dev-clean.tar.gz", traps())  # which has a file twice: a row more
    packed = ledger_of(build(tmp_path / "tar", tmp_path / "of tar"))
    twice = {"id": "60-100-0006", "outcome": "duplicate_id"}
    assert [row for row in packed if not twice.items() <= row.items()] == ledger_of(folder)
    assert len(packed) == len(ledger_of(folder)) + 1
    assert rows(folder)["60-100-0007"]["speaker"]["name"] == "|CBW|Simon"


def test_a_tree_gives_the_bytes_of_tarballs_in_any_order(tmp_path: Path) -> None:
    """Tarballs of OpenSLR are in no order; speakers and folders sort as a walk of the tree does."""
    members = [*chapter(61, 101, 2), *chapter(60, 1000, 2), *chapter(60, 100, 3), *chapter(6, 9, 1)]
    pack(tmp_path / "tar" / "dev-clean.tar.gz", [*reversed(members), *tables()])
    unpack(tmp_path / "tree", [*members, *tables()])
    packed, unpacked = (build(tmp_path / kind, tmp_path / f"of {kind}") for kind in ("tar", "tree"))
    assert list(rows(packed))[:3] == ["6-9-0000", "60-100-0000", "60-100-0001"]
    for name in ("ledger.parquet", *(path.name for path in packed.glob("*-of-*.parquet"))):
        assert (packed / name).read_bytes() == (unpacked / name).read_bytes()


def test_a_part_alone_has_no_tables(tmp_path: Path) -> None:
    pack(tmp_path / "raw" / "dev-clean.tar.gz", chapter(60, 100, 2))
    found = rows(build(tmp_path / "raw", tmp_path / "out"))["60-100-0000"]
    assert found["speaker"] is found["chapter_title"] is found["book_title"] is None


def test_same_bytes_with_two_jobs_and_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 1_000_000)
    pack(tmp_path / "raw" / "dev-clean.tar.gz", corpus(60))
    one = build(tmp_path / "raw", tmp_path / "one")
    assert len(list(one.glob("*-of-*.parquet"))) > 3
    two = build(tmp_path / "raw", tmp_path / "two", jobs=2)
    assert contents(one) == contents(two)


def test_tarballs_that_are_cut_or_hold_something_else(tmp_path: Path, store: Path) -> None:
    path = pack(tmp_path / "raw" / "dev-clean.tar.gz", corpus(20))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(EdgeGlassError, match=r"dev-clean\.tar\.gz: damaged"):
        build(path.parent, tmp_path / "out")
    assert not list((store / "index").glob("*/"))
    pack(path, [("LibriSpeech/test-clean/1/2/1-2-3.flac", b"x")])
    with pytest.raises(EdgeGlassError, match="no folder LibriSpeech/dev-clean/ in it; found Libri"):
        build(path.parent, tmp_path / "out")


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("original", "MISTER SIMON WON'T PAY TWENTY ONE POUNDS FOR COLOUR"),
        ("lower", "mister simon won't pay twenty one pounds for colour"),
        ("normalized", "mister simon will not pay £21 for color"),
    ],
)
def test_caption_modes(mode: str, text: str, tmp_path: Path) -> None:
    lines = b"60-100-0000 MISTER SIMON WON'T PAY TWENTY ONE POUNDS FOR COLOUR\n60-100-0001 HMM\n"
    media = [(f"{FOLDER}/60-100-000{i}.flac", clips()[i]) for i in range(2)]
    pack(tmp_path / "raw" / "dev-clean.tar.gz", [(f"{FOLDER}/60-100.trans.txt", lines), *media])
    folder = build(tmp_path / "raw", tmp_path / "out", caption_mode=mode)
    assert rows(folder)["60-100-0000"]["text"] == text
    assert ("60-100-0001" in rows(folder)) == (mode != "normalized")
    expected = "blank_caption" if mode == "normalized" else "kept"
    assert outcomes(folder)["60-100-0001"] == expected
    made = (folder / "manifest.json").read_text()
    assert ("whisper_normalizer" in made) == (mode == "normalized")


def test_listing_rows_takes_the_memory_of_a_chapter(tmp_path: Path) -> None:
    def peak(chapters: int) -> int:
        members = [
            (name, data[:64] if name.endswith(".flac") else data)
            for number in range(chapters)
            for name, data in chapter(60, number, 40)
        ]
        raw = pack(tmp_path / str(chapters) / "dev-clean.tar.gz", members).parent
        builder = catalog.variant("librispeech", {"splits": ["validation.clean"]}).builder()
        tracemalloc.start()
        try:
            found = obtain.obtain(builder.request(), raw, unverified=True)
            assert sum(1 for _ in builder.rows("validation.clean", found)) == chapters * 40
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # what is loaded on the first call
    assert peak(100) < peak(10) + 300_000


# What upstream publishes


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spec]:
    """The YAML, to be changed."""
    changed = LibriSpeech.spec().model_copy(deep=True)
    monkeypatch.setattr(LibriSpeech, "spec", classmethod(lambda cls: changed))
    real = catalog.spec
    monkeypatch.setattr(catalog, "spec", lambda n: changed if n == "librispeech" else real(n))
    yield changed


def test_rows_and_hours_are_held_against_the_published_ones(spec: Spec, tmp_path: Path) -> None:
    path = pack(tmp_path / "raw" / "dev-clean.tar.gz", corpus(9))
    folder = build(path.parent, tmp_path / "out")
    found = [(f.kind, f.where, f.what) for f in verify(folder)]
    assert found == [
        ("note", "dev-clean.tar.gz", "9 rows, upstream publishes 2703"),
        ("note", "validation.clean", "0.0 hours, upstream publishes 5.4"),
    ]  # not the file that upstream publishes
    source = spec.sources["dev-clean.tar.gz"]
    source.__dict__.pop("checksum", None)
    source.md5 = obtain.checksums(path).md5
    folder = build(path.parent, tmp_path / "out2")
    assert {f.kind for f in verify(folder)} == {"error"}
    source.rows, source.hours = 9, 0.0
    assert list(verify(folder)) == []
    source.hours = 5.4
    subset = build(path.parent, tmp_path / "out3", subset=3)
    assert list(verify(subset)) == []


def test_the_published_figures_are_those_of_the_paper(tmp_path: Path) -> None:
    found = LibriSpeech.spec().sources
    parts = [s for name, s in found.items() if name.endswith("gz") and "12" in str(s.url)]
    assert len(parts) == 7
    assert sum(part.rows or 0 for part in parts) == 292_367
    assert sum(part.hours or 0 for part in parts) == pytest.approx(982, abs=1)
    hub = [source for source in found.values() if source.hub]
    assert [source.rows for source in hub] == [part.rows for part in parts]
    builder = catalog.variant("librispeech").builder()
    assert builder.splits() == [n.removesuffix(".parquet") for n, s in found.items() if s.hub]


# From the Hub's Parquet

REPO = "org/librispeech"
SPOKEN = [
    {
        "file": f"60-100-{i:04d}.flac",
        "audio": {"bytes": clips()[i] if i != 3 else None, "path": f"60-100-{i:04d}.flac"},
        "text": f"NUMBER {i}" if i != 4 else None,
        "speaker_id": 60,
        "chapter_id": 100,
        "id": f"60-100-{i:04d}" if i != 5 else "odd",
    }
    for i in range(8)
]
FROM_HUB = {row["id"]: "kept" for row in SPOKEN}
FROM_HUB |= {"60-100-0003": "missing_media", "60-100-0004": "blank_caption", "odd": "malformed_row"}


def parquet(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(2):
        table = pa.Table.from_pylist(SPOKEN[4 * number : 4 * number + 4])
        pq.write_table(table, folder / f"{number:04d}.parquet", row_group_size=3)
    return folder


def test_the_hubs_parquet(spec: Spec, hub: Hub, tmp_path: Path) -> None:
    files = parquet(tmp_path / "made")
    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo(REPO, repo_type="dataset")
    adds = [CommitOperationAdd(f"all/validation.clean/{p.name}", p) for p in files.iterdir()]
    commit = api.create_commit(REPO, adds, repo_type="dataset", commit_message="all").oid
    source = spec.sources["validation.clean.parquet"]
    assert source.hub
    source.hub.repo, source.hub.revision = REPO, commit
    folder = build(None, tmp_path / "out", source="hub")
    assert outcomes(folder) == FROM_HUB
    found = rows(folder)["60-100-0002"]
    assert found["audio"] == {"bytes": clips()[2], "path": "60-100-0002.flac"}
    assert (found["text"], found["speaker_id"], found["speaker"]) == ("NUMBER 2", 60, None)
    assert [f.kind for f in verify(folder)] == ["error", "error"]  # of that commit all is expected
    hub.reset_log()
    build(None, tmp_path / "out2", source="hub")
    assert hub.log == []
    assert contents(folder) == contents(tmp_path / "out2" / "librispeech_test")


@pytest.mark.parametrize("place", ["all/validation.clean", "validation.clean"])
def test_the_hubs_parquet_from_disk(place: str, tmp_path: Path) -> None:
    parquet(tmp_path / "raw" / place)
    folder = build(tmp_path / "raw", tmp_path / "out", jobs=2, source="hub")
    assert outcomes(folder) == FROM_HUB
    assert [f.kind for f in verify(folder)] == ["note", "note"]
