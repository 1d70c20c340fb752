"""Where a row comes from: answered out of ledger, shards, audits and tables, by small ranges."""

import random
from pathlib import Path

import planted
import pytest
from hub import Hub
from kit import Cli, build_clotho, entries, rows
from ownfiles import jpeg, put
from releases import REPO, SAMPLE, api

import edge_glass as eg
from edge_glass.core import manifest
from edge_glass.core.errors import DataError


def test_each_row_is_where_it_is_said_to_be(in_pieces: Path) -> None:
    import pyarrow.parquet as pq

    made = manifest.read(in_pieces / SAMPLE)
    for id, row in rows(in_pieces / SAMPLE).items():
        (origin,) = eg.why(in_pieces, id)
        (place,) = origin.places
        with pq.ParquetFile(in_pieces / SAMPLE / place.shard) as file:
            starts = sum(file.metadata.row_group(n).num_rows for n in range(place.row_group))
            group = file.read_row_group(place.row_group, ["id"])
        assert group["id"][place.row - starts].as_py() == id == place.id
        assert place.sha256 in made.digests() and place.licence == row["license"] == origin.licence
        entry = entries(in_pieces / SAMPLE)[id]
        assert (origin.source["record"], origin.served["sha256"]) == (entry["row"], entry["sha256"])
        assert origin.media == "the source's bytes" and origin.code["builder"] == made.builder


def test_rows_of_a_caption_each(clotho: Path, tmp_path: Path) -> None:
    folder = build_clotho(clotho, tmp_path, caption_mode="each", audio_format="flac")
    for id in rows(folder):
        (origin,) = eg.why(tmp_path, id)
        assert id in [place.id for place in origin.places]
        assert len(origin.places) == 5 and origin.media.startswith("converted")
        assert origin.parameters["caption_mode"] == "each"


def test_the_licence_that_was_stated_of_own_data(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of a corpus of ours that is called as their folder is."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "clotho" / "1.jpg", jpeg(1))
    assert cli("build", "./clotho", "--out", "data", "--licence", "cc-by-4.0").code == 0
    (origin,) = eg.why(tmp_path / "data", "1.jpg")
    assert origin.licence == "cc-by-4.0"


def test_rows_that_were_dropped_withdrawn_or_never_there(clotho: Path, tmp_path: Path) -> None:
    raw = clotho / "development" / " Horse neigh.wav"
    raw.unlink()
    folder = build_clotho(clotho, out := tmp_path / "data", splits=["train"])
    (dropped,) = eg.why(out, "train/ Horse neigh.wav")
    assert (dropped.outcome, dropped.places) == ("missing_media", [])
    id = sorted(rows(folder))[0]
    eg.withdraw(out, ids=[id], reason="asked by mail")
    (gone,) = eg.why(out, id)
    assert (gone.outcome, gone.detail, gone.places) == ("withdrawn", "asked by mail", [])
    with pytest.raises(DataError, match="no row nobody"):
        eg.why(out, "nobody")


def test_findings_of_audits_are_told(in_pieces: Path, tmp_path: Path, cli: Cli) -> None:
    train = [
        {"id": name, "audio": planted.wav(planted.np.zeros(16000, "f4"), 16000)} for name in "ab"
    ]
    planted.corpus(tmp_path, "sounds", {"train": train})
    assert cli("audit", tmp_path, "--check", "silence", "--jobs", 1).code == 0
    done = cli("why", tmp_path, "a")
    assert done.code == 0 and "silence" in done.out
    (told,) = cli("why", tmp_path, "a", "--json").json
    assert [one["check"] for one in told["findings"]] == ["silence"]


def test_a_published_row_costs_a_few_small_ranges(hub: Hub, tmp_path: Path) -> None:
    draw = random.Random(0)
    data = [{"id": f"row {n:05d}", "audio": draw.randbytes(60_000)} for n in range(900)]
    folder = planted.corpus(tmp_path, "sounds", {"train": data}, shards=3)
    size = sum(shard.bytes for shard in manifest.read(folder).shards())
    api(hub).create_repo(REPO, repo_type="dataset")
    api(hub).upload_folder(
        repo_id=REPO, repo_type="dataset", folder_path=folder, path_in_repo="sounds"
    )
    hub.reset_log()
    (origin,) = eg.why(REPO, "row 00450")
    assert origin.places[0].shard == "train-00001-of-00003.parquet"
    asked = [
        request for request in hub.log if request.method == "GET" and "/resolve/" in request.path
    ]
    sent = sum(request.sent for request in asked)
    assert size > 50_000_000
    assert len(asked) <= 12 and sent < 250_000, (len(asked), sent)


def test_it_is_printed_in_words(in_pieces: Path, cli: Cli) -> None:
    done = cli("why", in_pieces, min(rows(in_pieces / SAMPLE)))
    assert done.code == 0 and "consent: no refusal was met\n" in done.out
    assert not [sign for sign in ("{", "}", "None", "True", "['", "()") if sign in done.out]
