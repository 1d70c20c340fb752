"""LAION-400M: its sample, chunks and parts, NSFW, and chunk files off an index page."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import Cli, rows
from PIL import Image
from server import Files, Lie

from edge_glass.audit.verify import verify
from edge_glass.core import ledger, manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.estimate import plan
from edge_glass.release.write_card import build
from edge_glass.sources import link_index

SAMPLE = Path(__file__).parents[2] / "samples" / "laion400m"
DROPPED = {"blank_field": 1, "duplicate_id": 1, "malformed_row": 1, "missing_column": 1}


def made(raw: Path | None, out: Path, base: str = "laion400m_metadata", **overrides: Any) -> Path:
    variant = catalog.variant(base, overrides, "laion400m_test" if overrides else None)
    build(variant, out, Options(raw=raw))
    return out / variant.name


def test_sample(built: Path) -> None:
    folder = built / "laion400m_sample"
    assert manifest.read(folder).splits["train"].outcomes == DROPPED | {
        "kept": 4,
        "removed": 1,
    }
    for row in rows(folder).values():
        image = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert image.size == (row["width"], row["height"])
        assert image.size == (row["listed_width"], row["listed_height"])


def test_metadata_alone(tmp_path: Path) -> None:
    folder = made(None, tmp_path, "laion400m_metadata_sample")
    assert manifest.read(folder).splits["train"].outcomes == DROPPED | {"kept": 5}
    found = list(rows(folder).values())
    assert [row["sample_id"] % 100 for row in found] == [1, 2, 3, 5, 9]
    assert found[0]["caption"] == 'Chelsea the tabby cat, "close-up" | pets.example'
    assert (found[0]["similarity"], found[0]["language"]) == (0.3412, None)
    assert [row["outlier"] for row in found] == ["", "", "", "", "similarity 6016.0"]
    assert found[3]["license"] is None and "image" not in found[0]
    assert list(verify(folder)) == []
    book = [entry["row"] for entry in ledger.read(folder / ledger.FILE)]
    assert book[0] == "FIRST_00000.csv.gz row 0" and len(set(book)) == len(book) == 9


@pytest.mark.parametrize(
    ("nsfw", "kept", "unsafe"),
    [("keep", 5, None), ("flag", 5, [False, False, False, True, True]), ("drop", 3, None)],
)
def test_nsfw(tmp_path: Path, nsfw: str, kept: int, unsafe: list[bool] | None) -> None:
    folder = made(SAMPLE, tmp_path, nsfw=nsfw)
    found = list(rows(folder).values())
    assert len(found) == kept
    assert [row["unsafe"] for row in found] == unsafe if unsafe else "unsafe" not in found[0]
    left_out = manifest.read(folder).splits["train"].outcomes.get("not_in_config", 0)
    assert left_out == 5 - kept


def test_dedup_then_build(cli: Cli, tmp_path: Path) -> None:
    raw, out = SAMPLE / "metadata", tmp_path / "unique"
    told = cli(
        "dedup", "laion400m", "--raw", raw, "--out", out, "--parts", 2, "--jobs", 1, "--json"
    )
    assert told.json["outcomes"]["kept"] == 5 and told.json["flagged"] == 1
    dedup = ("dedup", "laion400m", "--raw", raw, "--out", out, "--parts", 2, "--jobs", 1)
    shown = cli(*dedup, "--memory", 1, "--skip-damaged")
    assert "9 rows of 4 chunks" in shown.out and "UNLIKELY" in shown.out
    # upstream's columns, so that whatever reads LAION reads these
    part = pq.read_table(sorted((out / "metadata").iterdir())[0])
    assert part.column_names[:4] == ["SAMPLE_ID", "URL", "TEXT", "HEIGHT"]
    assert part.schema.field("SAMPLE_ID").type == pa.int64()
    after, before = made(out, tmp_path / "a"), made(raw, tmp_path / "b")
    assert manifest.read(after).splits["train"].outcomes == {"kept": 5}
    assert rows(after) == rows(before)


def test_dedup_of_what_is_no_table(cli: Cli, tmp_path: Path) -> None:
    shown = cli("dedup", "clotho", "--out", tmp_path / "out")
    assert shown.code == 1 and "it is not made of a table in chunks" in shown.err


def test_a_damaged_chunk_stops_a_build(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    chunk = gzip.compress(b"URL|TEXT|similarity\n" + b"http://a.example/b|c|0.3\n" * 9)
    (tmp_path / "raw" / "0.csv.gz").write_bytes(chunk[:-9])
    with pytest.raises(EdgeGlassError, match=r"0\.csv\.gz: row \d: from here on"):
        made(tmp_path / "raw", tmp_path / "out")


LISTING = """<html><body><h1>Index of /cah/</h1><a href="?C=N;O=D">Name</a> <a href="../">up</a>
<a href="part-1.parquet">part-1.parquet</a><a href='FIRST_0.csv.gz#x'>a</a>
<a href="FIRST%5F1.csv">b</a><a href="/cah/FIRST_0.csv.gz">again</a><a>none</a>
<a href="http://elsewhere.example/cah/x.csv">x</a><a href="sub/y.csv">y</a>
<a href="..%2fz.csv">z</a><a href="/other/w.csv">w</a><a href="readme.txt">r</a>
<a href="//cah/v.csv">v</a></body></html>"""


def test_links_of_an_index_page() -> None:
    base = "http://host.example/cah/"
    wanted = ["FIRST_0.csv.gz", "FIRST%5F1.csv", "part-1.parquet"]
    assert link_index.links(LISTING, base) == [base + name for name in wanted]
    assert link_index.links(LISTING, base + "index.html") == [base + name for name in wanted]
    assert link_index.links("<a href='x.csv", base) == [] == link_index.links("", base)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """The sample's chunks behind an index page."""
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    with Files(SAMPLE) as files:
        page = "".join(f'<a href="{path.name}">x</a>' for path in (SAMPLE / "metadata").iterdir())
        files.always("metadata/", Lie(body=page.encode(), headers={"Content-Type": "text/html"}))
        source = catalog.corpus("laion400m").spec().sources["chunks"]
        monkeypatch.setattr(source, "url", f"{files.url}/metadata/")
        yield files


def test_chunks_are_fetched_once(site: Files, tmp_path: Path) -> None:
    assert plan(catalog.variant("laion400m_metadata"), tmp_path).sources[0].state == "to fetch"
    site.lie("metadata/FIRST_00001.csv", Lie(status=404))
    with pytest.raises(EdgeGlassError, match=r"FIRST_00001\.csv could not be fetched"):
        made(None, tmp_path / "out")
    folder = made(None, tmp_path / "out")
    assert rows(folder) == rows(made(SAMPLE, tmp_path / "raw"))
    [source] = manifest.read(folder).sources
    assert (source.files, len(source.sha256 or "")) == (4, 64)
    asked = [request.path for request in site.log]
    assert len(asked) == 6 and len(set(asked)) == 5  # the page, four chunks, and one of them again
    assert plan(catalog.variant("laion400m_metadata"), tmp_path).sources[0].state == "partly here"


def test_a_page_without_chunks(site: Files, tmp_path: Path) -> None:
    site.always("metadata/", Lie(body=b"<p>moved</p>", headers={"Content-Type": "text/html"}))
    with pytest.raises(EdgeGlassError, match="no link to a file below it"):
        made(None, tmp_path / "out")
