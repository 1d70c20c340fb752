"""One file name in two spellings of Unicode: composed as most write it, decomposed as Macs do."""

import tarfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from kit import entries, rows
from rawclotho import pack, write_raw
from slidekit import LINES, deck, pair

from edge_glass.core.ledger import Dropped
from edge_glass.core.row import Row
from edge_glass.corpora import catalog
from edge_glass.corpora.rows import matched, unclaimed
from edge_glass.domains.slides import decks
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.sources import tars
from edge_glass.sources.raw import Raw

NFC = "Café à l'été.wav"
NFD = unicodedata.normalize("NFD", NFC)
NOTE = "is spelled otherwise there (NFC, NFD)"


def folder_of(root: Path, names: list[str]) -> Raw:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return Raw("any", {"audio": root})


def tar_of(root: Path, names: list[str]) -> Raw:
    folder_of(root / "files", names)
    with tarfile.open(root / "audio.tar", "w") as tar:
        for name in names:
            tar.add(root / "files" / name, name)
    tars.index(root / "audio.tar", root / "index", lambda done, total: None)
    place = tars.Tar(root / "audio.tar", root / "index")
    return Raw("any", {"audio": root / "audio.tar"}, places={"audio": place})


@pytest.mark.parametrize("made", [folder_of, tar_of])
@pytest.mark.parametrize(("there", "asked"), [(NFC, NFD), (NFD, NFC)])
def test_a_file_is_found_in_the_other_spelling(
    tmp_path: Path, made: Callable[[Path, list[str]], Raw], there: str, asked: str
) -> None:
    mixed = f"{unicodedata.normalize('NFD', 'été')}/{NFC}"  # an archive's folder, a file from here
    raw = made(tmp_path, [there, mixed])
    assert raw.read("audio", asked) == there.encode()
    assert raw.size("audio", asked) == len(there.encode())
    assert raw.named("audio", asked.removesuffix(".wav"), [".wav"]) == asked
    for name in (f"été/{NFC}", f"été/{NFD}"):
        assert raw.read("audio", name) == mixed.encode()
    assert raw.size("audio", "Cafe a l'ete.wav") is None
    with pytest.raises(Dropped, match="missing_media"):
        raw.read("audio", "Café.wav")
    assert list(unclaimed("all", "audio", raw, {asked, f"été/{NFD}", "../Café"})) == []


@pytest.mark.parametrize("made", [folder_of, tar_of])
def test_where_both_are_there_each_is_itself(
    tmp_path: Path, made: Callable[[Path, list[str]], Raw]
) -> None:
    raw = made(tmp_path, [NFC, NFD])
    assert raw.read("audio", NFC) == NFC.encode() and raw.read("audio", NFD) == NFD.encode()
    assert [row.row for row in unclaimed("all", "audio", raw, {NFC})] == [NFD]


def test_rows_meet_the_files_of_their_folder() -> None:
    wanted = Row("a", "list", "line 1", ("audio", NFC))
    found = list(matched([wanted], "audio", [NFD, "b.wav"]))
    assert [(row.id, row.dropped and row.dropped[0]) for row in found] == [
        ("a", None), ("b", "missing_caption"),
    ]  # fmt: skip


def test_an_archive_of_several_splits_gives_each_of_them_its_own_files() -> None:
    files, listed = ["a.wav", "b.wav", "c.wav"], {"a.wav": "train", "b.wav": "test"}

    def split_of(name: str) -> str:
        return listed.get(name, "train")

    found = {
        split: [
            (row.row, row.dropped is None)
            for row in matched(
                [Row(n, "list", n, ("audio", n)) for n, of in listed.items() if of == split],
                "audio", files, split, split_of,
            )
        ]
        for split in ("train", "test")
    }  # fmt: skip
    assert found == {"train": [("a.wav", True), ("c.wav", False)], "test": [("b.wav", True)]}


@pytest.mark.parametrize("archives", [False, True])
def test_a_corpus_with_names_from_a_mac(tmp_path: Path, archives: bool) -> None:
    raw = write_raw(tmp_path / "raw", 20, 0.2)
    for part in ("development", "validation", "evaluation"):
        file = raw / part / "Café.wav"
        file.rename(file.with_name(unicodedata.normalize("NFD", file.name)))
        if archives:
            pack(raw / part, raw / f"clotho_audio_{part}.7z")
    build(catalog.variant("clotho"), tmp_path / "out", Options(raw=raw, unverified=True))
    book = entries(tmp_path / "out" / "clotho")
    assert {row["outcome"] for row in book.values()} == {"kept"} and len(book) == 20
    assert [id for id, row in book.items() if NOTE in row["detail"]] == [
        f"{split}/Café.wav" for split in ("train", "validation", "test")
    ]
    assert all("no metadata row" not in row["detail"] for row in book.values())
    assert "train/Café.wav" in rows(tmp_path / "out" / "clotho")


def test_a_deck_from_a_mac(tmp_path: Path) -> None:
    """Its folder and its files are not spelled alike, and its id does not depend on it."""
    folder = deck(tmp_path / "raw", "química", LINES[:3])
    decks.write_pairs(folder, [pair(2, "¿Qué bombea el corazón?")])
    folder.rename(folder.with_name(unicodedata.normalize("NFD", folder.name)))
    (found,) = decks.folders(tmp_path / "raw")
    assert decks.read(found).id == "química" and len(decks.read_noted(found)[1]) == 1
    everything = catalog.variant("slides_qa_pages", {"test": 1, "validation": 0}, "pages")
    build(everything, tmp_path / "out", Options(raw=tmp_path / "raw"))
    assert rows(tmp_path / "out" / "pages").keys() == {"química_2"}
