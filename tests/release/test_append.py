"""Rows are put behind those that are there: shards that are there keep their bytes."""

import shutil
from pathlib import Path

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
from hub import Hub
from kit import HORSE_FILE, ROOT, Cli, build_clotho, client, edit, entries, rows
from releases import REPO, push, sent

import edge_glass as eg
from edge_glass.core import manifest, records
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.pipeline.build import Options
from edge_glass.release import append, derived
from edge_glass.release.checks_papers import verify
from edge_glass.release.rebuild import reproduce

CONFIG = "clotho_test"
LIST = "clotho_captions_development.csv"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shards(folder: Path, split: str = "train") -> list[str]:
    return [shard.sha256 for shard in manifest.read(folder).splits[split].shards]


def built(raw: Path, out: Path, *splits: str) -> Path:
    return build_clotho(raw, out, splits=list(splits or ("train", "test")))


@pytest.fixture
def shorter(clotho: Path, tmp_path: Path) -> Path:
    """A build of a list that lacks the last row of the training split."""
    whole = (clotho / LIST).read_text()
    lines = whole.splitlines(keepends=True)
    (clotho / LIST).write_text("".join(lines[:-1]))
    folder = built(clotho, tmp_path / "data")
    (clotho / LIST).write_text(whole)
    return folder


@pytest.fixture
def longer(shorter: Path, clotho: Path, tmp_path: Path) -> Path:
    return built(clotho, tmp_path / "more")


def test_a_raw_folder_with_a_newer_list(
    shorter: Path, longer: Path, clotho: Path, tmp_path: Path, hub: Hub, cli: Cli
) -> None:
    """As if it had been built with the same parameters, and that appended."""
    other = Path(shutil.copytree(shorter.parent, tmp_path / "other"))
    push(hub, other, "1.0.0", CONFIG)
    eg.append(other, longer.parent)
    done = cli("append", shorter.parent, "--from", clotho, "--jobs", 1)
    assert done.code == 0, done.err
    assert files(shorter) == files(other / CONFIG)
    assert not (shorter.parent / ".edge_glass" / "append").exists()
    assert "give the folder" in cli("append", shorter.parent, "--from", clotho / LIST).err
    eg.append(REPO, clotho, version="1.1.0")
    made = manifest.parse(hub.read(REPO, f"{CONFIG}/{manifest.FILE}", "v1.1.0"), "v1.1.0")
    assert made == manifest.read(shorter)


def test_rows_of_a_longer_list(shorter: Path, longer: Path, cli: Cli) -> None:
    before, told = shards(shorter), manifest.read(shorter).ledger.rows
    new = rows(longer).keys() - rows(shorter).keys()
    done = cli("append", shorter.parent, "--from", longer.parent, "--jobs", 1)
    assert done.code == 0, done.err
    assert rows(shorter) == rows(longer) and [*rows(shorter)] == [*rows(longer)]
    assert shards(shorter)[:-1] == before and len(shards(shorter)) == 2
    assert manifest.read(shorter).splits["train"].shards[-1].rows == len(new) > 0
    assert not [each for each in verify(shorter.parent) if each.kind == "error"]
    outcomes = manifest.read(shorter).outcomes()
    assert outcomes.total() == told + manifest.read(longer).ledger.rows
    assert outcomes["duplicate_id"] == len(rows(longer)) - len(new)
    dropped, origin = eg.why(shorter.parent, min(new))
    assert dropped.outcome == "missing_caption"
    assert origin.source["file"] == f"{LIST}@2" and origin.source["sha256"]
    assert [place.shard for place in origin.places] == ["train-00001-of-00002.parquet"]


def test_another_split(clotho: Path, tmp_path: Path, cli: Cli) -> None:
    folder = built(clotho, tmp_path / "data", "test")
    before = shards(folder, "test")
    more = built(clotho, tmp_path / "more", "train").parent
    (told,) = cli("append", tmp_path / "data", "--from", more, "--json").json
    assert told["splits"].keys() == {"train", "test"}
    whole = built(clotho, tmp_path / "whole")
    assert shards(folder, "test") == before
    assert shards(folder) == shards(whole)
    assert rows(folder) == rows(whole)
    assert not [each for each in verify(tmp_path / "data") if each.kind == "error"]


def test_ids_that_are_there_already(shorter: Path, clotho: Path, tmp_path: Path) -> None:
    text = (clotho / LIST).read_text()
    id, row = next((id, row) for id, row in rows(shorter).items() if id.startswith("train/"))
    changed = text.replace(row["captions"][0], "Another caption altogether.")
    assert changed != text
    (clotho / LIST).write_text(changed)
    more = built(clotho, tmp_path / "more")
    before, kept = files(shorter), len(rows(shorter))
    with pytest.raises(DataError, match=r"are in .* already"):
        eg.append(shorter.parent, more.parent, on_same="error")
    assert files(shorter) == before
    eg.append(shorter.parent, more.parent, on_same="replace")
    assert rows(shorter) == rows(more)
    assert manifest.read(shorter).outcomes()["replaced"] == kept
    assert not [each for each in verify(shorter.parent) if each.kind == "error"]
    assert rows(shorter)[id]["captions"][0] == "Another caption altogether."


def test_what_was_withdrawn_does_not_come_back(shorter: Path, longer: Path) -> None:
    gone, other = [id for id in rows(shorter) if id.startswith("train/")][:2]
    eg.withdraw(shorter.parent, ids=[gone])
    eg.withdraw(longer.parent, ids=[other])  # from what is appended: it goes from both
    eg.append(shorter.parent, longer.parent)
    assert not {gone, other} & (set(rows(shorter)) | set(entries(shorter)))
    assert not [each for each in verify(shorter.parent) if each.kind == "error"]


def test_one_that_was_stopped_goes_on_and_a_second_changes_nothing(
    shorter: Path, longer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = files(shorter)
    for step in (append.revise, "make"), (append.Edition, "put"), (derived, "forget"):
        with monkeypatch.context() as patch:
            patch.setattr(*step, stop)
            with pytest.raises(KeyboardInterrupt):
                eg.append(shorter.parent, longer.parent)
        assert step[1] == "forget" or files(shorter) == before
    eg.append(shorter.parent, longer.parent)
    once = files(shorter)
    assert rows(shorter) == rows(longer)
    eg.append(shorter.parent, longer.parent)
    assert files(shorter) == once


def test_what_mends_a_damaged_one(shorter: Path, longer: Path, cli: Cli) -> None:
    eg.append(shorter.parent, longer.parent)
    edit(next(shorter.glob("train-00001-*")), lambda data: data[:-9] + b"*" + data[-8:])
    done = cli("verify", shorter.parent)
    assert done.code == 1 and "append them in order" in done.out + done.err
    assert "edge-glass build" not in done.out + done.err
    assert "append them in order" in cli("diff", shorter.parent, longer.parent).err


def test_only_builds_that_are_alike(shorter: Path, clotho: Path, tmp_path: Path) -> None:
    build_clotho(clotho, tmp_path / "more", sample_rate=16000)
    with pytest.raises(ConfigError, match="sample_rate"):
        eg.append(shorter.parent, tmp_path / "more")


def test_a_build_over_it_would_lose_rows(shorter: Path, longer: Path, clotho: Path) -> None:
    eg.append(shorter.parent, longer.parent)
    before = files(shorter)
    with pytest.raises(DataError, match="rows were appended"):
        built(clotho, shorter.parent)
    assert files(shorter) == before


def test_row_groups_of_the_ledger_stay(tmp_path: Path) -> None:
    """So that a Hub that knows chunks is sent the new ones alone."""
    sound = planted.wav(np.full(80, 0.1, dtype=np.float32), 8000)
    for name in ("data", "more", "new"):
        train = [{"id": f"{name} {n}", "audio": sound, "caption": f"row {n}"} for n in range(1000)]
        planted.corpus(tmp_path / name, "sounds", {"train": train})
    eg.append(tmp_path / "data", tmp_path / "more")
    path = tmp_path / "data" / "sounds" / "ledger.parquet"
    footer, before = pq.read_metadata(path), path.read_bytes()
    last = footer.row_group(1).column(footer.num_columns - 1)
    end = last.data_page_offset + last.total_compressed_size
    eg.append(tmp_path / "data", tmp_path / "new")
    assert path.read_bytes()[:end] == before[:end] and end > 3000
    assert pq.read_metadata(path).num_row_groups == 3


def test_compacted_it_is_one_build_byte_for_byte(
    shorter: Path, longer: Path, clotho: Path, tmp_path: Path, cli: Cli
) -> None:
    gone = min(rows(shorter))
    eg.append(shorter.parent, longer.parent)
    for folder in (shorter, longer):
        eg.withdraw(folder.parent, ids=[gone])
    assert files(shorter) != files(longer) and [*rows(shorter)] == [*rows(longer)]
    before, text = files(shorter), (clotho / LIST).read_text()
    (clotho / LIST).write_text("".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match=r"its sources give other rows now \(1 rows removed: "):
        eg.compact(shorter.parent, clotho)
    assert files(shorter) == before and manifest.read(shorter).appended
    (clotho / LIST).write_text(text)
    assert cli("compact", shorter.parent, "--raw", clotho, "--jobs", 1).code == 0
    assert files(shorter) == files(longer)
    assert not [each for each in verify(shorter.parent) if each.kind == "error"]
    assert "appended" not in cli("compact", shorter.parent, "--json").json[0]  # stays as it is
    [build] = eg.compact(str(shorter.parent), clotho).values()
    assert build == manifest.read(shorter)
    assert files(shorter) == files(longer)


def test_a_dataset_on_the_hub_is_compacted(
    hub: Hub, shorter: Path, longer: Path, clotho: Path, cli: Cli
) -> None:
    push(hub, shorter.parent, "1.0.0", CONFIG)
    eg.append(REPO, longer.parent, version="1.1.0")
    there = {path: blob.sha256 for path, blob in hub.files(REPO, "v1.1.0").items()}
    hub.reset_log()
    done = cli("compact", REPO, "--raw", clotho, "--version", "1.2.0", "--jobs", 1)
    assert done.code == 0 and "v1.2.0" in done.out
    before, now = (
        {path: blob.sha256 for path, blob in hub.files(REPO, tag).items()}
        for tag in ("v1.1.0", "v1.2.0")
    )
    whole = {f"{CONFIG}/{path.name}": records.sha256(path) for path in longer.iterdir()}
    assert before == there and whole.items() <= now.items()
    assert len(whole) == sum(path.startswith(CONFIG) for path in now)
    changed = [f for f in manifest.read(longer).files() if f.sha256 not in there.values()]
    assert sent(hub) < sum(file.bytes for file in changed) + 90_000
    for _ in range(2):  # is there already, or was that of one build before
        with pytest.raises(DataError, match="none was made"):
            eg.compact(REPO, clotho, version="1.3.0")


def test_a_version_with_appended_rows_is_reproduced(
    shorter: Path, longer: Path, clotho: Path, tmp_path: Path
) -> None:
    folder, options = built(clotho, tmp_path / "parts", "test"), Options(clotho, unverified=True)
    eg.append(folder.parent, built(clotho, tmp_path / "more", "train").parent)
    eg.withdraw(folder.parent, ids=[min(rows(folder))])
    for _ in range(2):  # is gone on with
        (found,) = reproduce(folder.parent, tmp_path / "again", [], options)
        assert found.identical
    eg.append(shorter.parent, longer.parent)
    with pytest.raises(DataError, match=f"part 1 of it was made of {LIST} with .* not "):
        next(reproduce(shorter.parent, tmp_path / "other", [], options))


def test_the_next_version_of_a_dataset(hub: Hub, shorter: Path, longer: Path) -> None:
    push(hub, shorter.parent, "1.0.0", CONFIG)
    hub.reset_log()
    eg.append(REPO, longer.parent, version="1.1.0")
    made = manifest.parse(hub.read(REPO, f"{CONFIG}/manifest.json", "v1.1.0"), "v1.1.0")
    last = made.splits["train"].shards[-1].bytes
    small = 90_000  # ledger, manifest, card, picture
    assert sent(hub) < last + small
    old = [f"{CONFIG}/{shard.file}" for shard in manifest.read(shorter).shards()]
    read = hub.seen("GET", f"resolve/.*({'|'.join(old)})")
    assert max(request.sent for request in read) <= 2**17  # footers, and columns that are counted
    assert f"{CONFIG}/train-00000-of-00001.parquet" not in hub.files(REPO, "v1.1.0")
    code = (
        "import json, datasets; d = datasets.load_dataset('org/edge-glass', 'clotho_test',"
        " revision='v1.1.0'); print(json.dumps({s: d[s].with_format('arrow')['id'].to_pylist()"
        " for s in d}))"
    )
    loaded = client(hub, code)
    assert {id for split in loaded.values() for id in split} == set(rows(longer))
    eg.append(shorter.parent, longer.parent)
    there = {name: hub.read(REPO, f"{CONFIG}/{name}", "v1.1.0") for name in files(shorter)}
    assert there == files(shorter)


def test_what_cannot_be_appended_is_refused(shorter: Path, longer: Path) -> None:
    before = files(shorter)
    with pytest.raises(ConfigError, match="itself"):
        eg.append(shorter.parent, shorter.parent)
    with pytest.raises(ConfigError, match="use skip, error, replace"):
        eg.append(shorter.parent, longer.parent, on_same="keep")  # type: ignore[arg-type]
    assert files(shorter) == before


def test_a_folder_of_ones_own_is_asked_for_where_it_is_needed_again(
    tmp_path: Path, cli: Cli
) -> None:
    for name in ("birds", "more"):
        (tmp_path / name).mkdir()
        shutil.copy(ROOT / "samples" / "clotho" / HORSE_FILE, tmp_path / name / f"{name}.wav")
    assert cli("build", tmp_path / "birds", "--out", tmp_path / "data").code == 0
    assert cli("append", tmp_path / "data", "--from", tmp_path / "more").code == 0
    done = cli("compact", tmp_path / "data")
    assert done.code == 1 and "data: a folder or file of your own" in done.err
    assert "pass it as --raw DIR" in done.err and "URL" not in done.err
