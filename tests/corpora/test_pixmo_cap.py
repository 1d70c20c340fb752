"""PixMo-Cap: the sample's rows and what became of them, and builds whose web changes under them."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import entries, rows, until
from PIL import Image
from wildsite import Site, in_turn, page, silence

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.corpora import catalog
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.release.export import export
from edge_glass.release.write_card import build
from edge_glass.sources import spool
from edge_glass.sources.row_fetch import Limits, Network

COUNTS = {"kept": 4, "removed": 1, "wrong_kind": 1, "robots_txt": 1, "blank_caption": 1}
SIZES = {(640, 427), (451, 300), (512, 512)}
INTRANET = Network(web=Limits(intranet=True, connect=2, silence=2, total=4))


def jpeg(number: int, side: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side + number % 7), (number % 256, 90, 200)).save(out, "JPEG")
    return out.getvalue()


def listed(folder: Path, urls: list[str]) -> Path:
    """A raw folder with a list of URLs."""
    (folder / "data").mkdir(parents=True)
    table = {"image_url": urls, "caption": [f"Picture {n}." for n in range(len(urls))]}
    table["transcripts"] = [["so this is", "a picture"]] * len(urls)
    pq.write_table(pa.table(table), folder / "data" / "train-00000-of-00001.parquet")
    return folder


def made(raw: Path, out: Path, **options: Any) -> Path:
    overrides = options.pop("overrides", {})
    variant = catalog.variant("pixmo_cap", overrides, "pixmo_cap_test" if overrides else None)
    build(variant, out, Options(raw=raw, unverified=True, network=INTRANET, **options))
    return out / variant.name


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_sample(built: Path) -> None:
    folder = built / "pixmo_cap_sample"
    assert manifest.read(folder).splits["train"].outcomes == COUNTS
    found = rows(folder)
    assert {(row["width"], row["height"]) for row in found.values()} == SIZES
    assert all(len(id) == 32 and row["caption"] and row["transcripts"] for id, row in found.items())
    for id, entry in entries(folder).items():
        if entry["outcome"] == "kept":
            assert (entry["status"], entry["url"]) == (200, found[id]["image_url"])
            assert entry["etag"] == f'"{entry["sha256"][:16]}"'
            assert entry["bytes"] == len(found[id]["image"]["bytes"])


def test_the_seed_s_column_names(tmp_path: Path) -> None:
    variant = catalog.variant("pixmo_cap_sample", {"image_column": "image_bytes"}, "pixmo_cap_b")
    build(variant, tmp_path)
    row = next(iter(rows(tmp_path / "pixmo_cap_b").values()))
    assert {"id", "caption", "image_url", "image_bytes"} <= set(row)
    assert Image.open(io.BytesIO(row["image_bytes"])).size == (row["width"], row["height"])


def test_order_is_the_list_s_whatever_arrives_first(tmp_path: Path) -> None:
    import asyncio

    def late(number: int) -> Any:
        async def answer(writer: Any, headers: Any) -> None:
            await asyncio.sleep(0.05 * (number % 3))
            await page(jpeg(number))(writer, headers)

        return answer

    with Site({f"/{n}.jpg": late(n) for n in range(60)}) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/{n}.jpg" for n in range(60)])
        one = made(raw, tmp_path / "one")
        again = made(raw, tmp_path / "again", jobs=2)
    names = [row["image_url"].rpartition("/")[2] for row in rows(one).values()]
    assert names == [f"{n}.jpg" for n in range(60)]
    assert files(one) == files(again)


@pytest.mark.parametrize("room", [0, 3000])
def test_bodies_that_have_no_room_in_memory(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Site({f"/{n}.jpg": page(jpeg(n)) for n in range(60)}) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/{n}.jpg" for n in range(60)])
        whole = made(raw, tmp_path / "whole")
        monkeypatch.setattr(spool, "IN_MEMORY", room)
        assert files(made(raw, tmp_path / "short")) == files(whole)


def test_retry_failed_fetches_what_can_heal_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_glass.sources import hosts

    monkeypatch.setattr(hosts, "BACK_OFF", 0.01)
    monkeypatch.setattr(shard_plan, "FETCHED_ROWS", 7)
    pages = {f"/{n}.jpg": page(jpeg(n)) for n in range(30)}
    bad, whole = page(b"", 500), dict(pages)
    pages |= {"/3.jpg": in_turn(bad, bad, page(jpeg(3))), "/20.jpg": in_turn(bad, bad, bad, bad)}
    pages["/9.jpg"] = page(b"", 404)
    with Site(pages) as site:
        urls = [f"{site.url}/{n}.jpg" for n in range(30)]
        raw = listed(tmp_path / "raw", urls)
        folder = made(raw, tmp_path / "out")
        first = {row["url"]: row["outcome"] for row in entries(folder).values()}
        assert [first[urls[n]] for n in (3, 9, 20)] == ["server_error", "removed", "server_error"]
        site.log.clear()
        made(raw, tmp_path / "out")
        assert site.log == []  # a build that is complete asks for nothing by itself
        made(raw, tmp_path / "out", retry_failed=True)
        asked = [path for path in site.log if path.endswith(".jpg")]
        assert sorted(asked) == ["/20.jpg", "/20.jpg", "/3.jpg"]
        second = {row["url"]: row["outcome"] for row in entries(folder).values()}
        assert second == first | {urls[3]: "kept"}
        # the same bytes as a build that met the same answers from the start
        site.pages |= {"/3.jpg": whole["/3.jpg"]}
        assert files(made(raw, tmp_path / "afresh")) == files(folder)
    assert not [finding for finding in verify(folder) if finding.kind == "error"]


def test_opting_out_of_consent_is_in_the_manifest(tmp_path: Path) -> None:
    pages = {"/a.jpg": page(jpeg(1), 200, "X-Robots-Tag: noai")}
    with Site(pages) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/a.jpg"])
        kept = made(raw, tmp_path / "out")
        assert manifest.read(kept).splits["train"].outcomes == {"x_robots_tag": 1}
        opted = made(raw, tmp_path / "out", overrides={"ignore_opt_outs": ["x_robots_tag"]})
        assert manifest.read(opted).splits["train"].outcomes == {"kept": 1}
        assert manifest.read(opted).parameters["ignore_opt_outs"] == ["x_robots_tag"]


def test_what_does_not_decode_is_dropped(tmp_path: Path) -> None:
    whole = jpeg(1, side=300)
    pages = {"/cut.jpg": page(whole[: len(whole) // 2]), "/a.jpg": page(whole)}
    with Site(pages) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/cut.jpg", f"{site.url}/a.jpg"])
        folder = made(raw, tmp_path / "out")
    assert [row["outcome"] for row in entries(folder).values()] == ["truncated_media", "kept"]


KILLED = """
import sys
from pathlib import Path
from edge_glass.corpora import catalog
from edge_glass.pipeline import shard_plan as orders
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.sources.row_fetch import Limits, Network
orders.FETCHED_ROWS = 50
orders._chance = lambda size, weight: size >= orders.SHARD_BYTES
network = Network(web=Limits(intranet=True))
options = Options(raw=Path(sys.argv[1]), unverified=True, network=network)
variant = catalog.variant("pixmo_cap", {"decode_all": False}, "pixmo_cap_killed")
build(variant, Path(sys.argv[2]), options)
"""


def test_killed_builds_fetch_nothing_twice_beyond_the_shards_under_way(tmp_path: Path) -> None:
    count, shard = 600, 50
    with Site({f"/{n}.jpg": page(jpeg(n)) for n in range(count)}) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/{n}.jpg" for n in range(count)])
        run = [sys.executable, "-c", KILLED, str(raw), str(tmp_path / "out")]
        process = subprocess.Popen(run, start_new_session=True)
        until(lambda: len(site.log) >= count // 2, process)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert len(set(site.log)) < count
        subprocess.run(run, check=True)
        asked = [path for path in site.log if path.endswith(".jpg")]
    assert len(set(asked)) == count
    assert len(asked) - count <= 2 * shard
    assert len(rows(tmp_path / "out" / "pixmo_cap_killed")) == count


def test_while_a_url_is_slow_the_next_shard_is_begun_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_plan, "FETCHED_ROWS", 5)
    monkeypatch.setattr(shard_plan, "_chance", lambda size, weight: size >= shard_plan.SHARD_BYTES)
    count, begun = 80, []

    async def last(writer: Any, headers: Any) -> None:
        """The last one of the first shard."""
        while len(asked := {path for path in site.log if path.endswith(".jpg")}) < 10:
            await asyncio.sleep(0.02)
        begun.append(asked)
        await page(jpeg(4))(writer, headers)

    with Site({f"/{n}.jpg": page(jpeg(n)) for n in range(count)} | {"/4.jpg": last}) as site:
        urls = [f"{site.url}/{n}.jpg" for n in range(count)]
        folder = made(listed(tmp_path / "raw", urls), tmp_path / "out")
        assert site.count("/robots.txt") == 1  # for all shards
        assert begun == [{f"/{n}.jpg" for n in range(10)}]
        # two workers that take two shards at a time make the same
        assert files(made(tmp_path / "raw", tmp_path / "two", jobs=2)) == files(folder)
    assert len(list(folder.glob("train-*"))) == 16
    assert [row["image_url"] for row in rows(folder).values()] == urls
    assert not [finding for finding in verify(folder) if finding.kind == "error"]


def test_a_build_in_a_notebook_where_a_loop_runs_already(built: Path, tmp_path: Path) -> None:
    async def cell() -> None:
        build(catalog.variant("pixmo_cap_sample"), tmp_path)

    asyncio.run(cell())
    assert files(tmp_path / "pixmo_cap_sample") == files(built / "pixmo_cap_sample")


@pytest.mark.parametrize("notebook", [False, True])
def test_an_interrupt_while_a_url_is_waited_for(tmp_path: Path, notebook: bool) -> None:
    """It is obeyed at once, not when the far end has answered."""
    patient = replace(INTRANET, web=replace(INTRANET.web, silence=3600, total=3600))
    options = Options(unverified=True, network=patient)
    with Site({"/0.jpg": silence}) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/0.jpg"])

        def press() -> None:
            while "/0.jpg" not in site.log:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        def waiting() -> None:
            build(catalog.variant("pixmo_cap"), tmp_path / "out", replace(options, raw=raw))

        async def cell() -> None:
            with pytest.raises(KeyboardInterrupt):
                waiting()

        presser = threading.Thread(target=press)
        presser.start()
        if notebook:
            loop = asyncio.new_event_loop()  # asyncio.run would take Ctrl-C for its own
            loop.run_until_complete(cell())
            loop.close()
        else:
            with pytest.raises(KeyboardInterrupt):
                waiting()
        presser.join()


def test_webdataset_is_laid_out_as_img2dataset_does(built: Path, tmp_path: Path) -> None:
    export(built / "pixmo_cap_sample", tmp_path, "webdataset")
    folder = tmp_path / "train"
    assert sorted(path.name for path in folder.iterdir()) == [
        "00000.parquet",
        "00000.tar",
        "00000_stats.json",
    ]
    with tarfile.open(folder / "00000.tar") as tar:
        names = tar.getnames()
        kinds = [name.partition(".")[2] for name in names]
        assert kinds == ["jpg", "txt", "json", *["png", "txt", "json"] * 3]
        assert [name[:9] for name in names[::3]] == [f"{n:09d}" for n in range(4)]
        sample = json.load(tar.extractfile("000000001.json"))  # type: ignore[arg-type]
        caption = tar.extractfile("000000001.txt").read().decode()  # type: ignore[union-attr]
    assert (sample["key"], sample["status"], sample["caption"]) == ("000000001", "success", caption)
    table = pq.read_table(folder / "00000.parquet").to_pylist()
    assert len(table) == 8 and sum(row["status"] == "success" for row in table) == 4
    listed = [row for row in table if row["url"]]  # failed ones can be tried again
    assert len(listed) == 7 and all(row["caption"] for row in listed)
    stats = json.loads((folder / "00000_stats.json").read_text())
    assert sample["original_width"] == sample["width"]
    assert set(sample) == set(table[0])
    assert json.loads(sample["exif"]) == {"Image Orientation": "1"}
    assert (stats["count"], stats["successes"]) == (8, 4)
    assert stats["failed_to_download"] + stats["failed_to_resize"] == 4


def test_files_are_an_image_folder(built: Path, tmp_path: Path) -> None:
    import datasets

    export(built / "pixmo_cap_sample", tmp_path, "files")
    loaded = datasets.load_dataset(
        "imagefolder",
        data_dir=str(tmp_path / "train"),
        split="train",
        cache_dir=str(tmp_path / "c"),
    )
    assert {image.size for image in loaded["image"]} == SIZES
    assert all(loaded["caption"])
