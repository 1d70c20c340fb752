"""A change of a published dataset, whatever goes wrong on the way: the same command ends it."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Fault, Hub
from kit import build_clotho, entries, rows
from releases import REPO, commit, push, tags
from test_pixmo_cap import jpeg, listed, made
from wildsite import Site, page

import edge_glass as eg
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.release import withdraw

CONFIG = "clotho_test"
REQUESTS = 60  # no fewer than any of these verbs makes
Change = Callable[[], object]


@pytest.fixture
def published(hub: Hub, clotho: Path, tmp_path: Path) -> Path:
    folder = build_clotho(clotho, tmp_path / "data", splits=["train"])
    push(hub, folder.parent, "1.0.0", CONFIG)
    return folder


def changes(clotho: Path, published: Path, tmp_path: Path) -> dict[str, Change]:
    """Each verb on the Hub, and what it does."""
    id = min(rows(published))
    told = {"id": id, "column": "manufacturer", "value": "Another", "who": "w", "why": "y"}
    pq.write_table(pa.Table.from_pylist([told]), tmp_path / "edits.parquet")
    more = build_clotho(clotho, tmp_path / "more", splits=["test"]).parent
    return {
        "withdraw": lambda: eg.withdraw(
            REPO, ids=[id], version="1.1.0", certificate=tmp_path / "papers"
        ),
        "append": lambda: eg.append(REPO, more, version="1.1.0"),
        "amend": lambda: eg.amend(REPO, tmp_path / "edits.parquet", version="1.1.0"),
        "purge": lambda: eg.withdraw(
            REPO, ids=[id], version="1.1.0", certificate=tmp_path / "papers", purge=True
        ),
        "compact": lambda: eg.compact(REPO, clotho, version="1.1.0"),
    }


def holds(hub: Hub, tag: str) -> manifest.Manifest:
    """The manifest of a version all of whose files are there and right."""
    made = manifest.parse(hub.read(REPO, f"{CONFIG}/manifest.json", tag), tag)
    there = {path: blob.sha256 for path, blob in hub.files(REPO, tag).items()}
    assert all(there[f"{CONFIG}/{file.file}"] == file.sha256 for file in made.files())
    return made


@pytest.mark.parametrize("verb", ["withdraw", "append", "amend"])
@pytest.mark.parametrize("request_", ["/commit/", "/tag/", "/lfs/objects/batch"])
def test_what_was_refused_is_done_by_the_same_command(
    hub: Hub, clotho: Path, published: Path, tmp_path: Path, verb: str, request_: str
) -> None:
    change = changes(clotho, published, tmp_path)[verb]
    hub.fail(Fault("POST", request_, status=403))
    with pytest.raises(EdgeGlassError):
        change()
    assert tags(hub) == {"v1.0.0"}
    hub.heal()
    change()
    assert holds(hub, "v1.0.0") == manifest.read(published)
    made = holds(hub, "v1.1.0")
    assert made.tables or made.appended
    change()  # once more: nothing is left to do
    assert tags(hub) == {"v1.0.0", "v1.1.0"} and holds(hub, "v1.1.0") == made


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["withdraw", "append", "amend", "purge", "compact"])
@pytest.mark.parametrize("nth", range(1, REQUESTS + 1))
def test_every_request_in_turn(
    hub: Hub, clotho: Path, published: Path, tmp_path: Path, naps: list[float], verb: str, nth: int
) -> None:
    every = changes(clotho, published, tmp_path)
    if verb == "compact":
        eg.append(REPO, tmp_path / "more", version="1.0.1")
    earlier = {tag: holds(hub, tag) for tag in tags(hub)}
    hub.reset_log()
    hub.fail(Fault(".*", "", nth=nth, status=500, times=99))
    try:
        every[verb]()
    except EdgeGlassError:
        hub.heal()
        every[verb]()
    else:
        assert len(hub.log) < REQUESTS
    assert tags(hub) == {"v1.1.0", *(() if verb == "purge" else earlier)}
    assert all(holds(hub, tag) == earlier[tag] for tag in tags(hub) - {"v1.1.0"})
    made = holds(hub, "v1.1.0")
    assert bool(made.appended) == (verb == "append")
    assert bool(made.tables) == (verb not in ("append", "compact"))


@pytest.mark.slow
@pytest.mark.parametrize("nth", range(1, REQUESTS + 1))
def test_every_request_of_a_pull_request_in_turn(
    hub: Hub, clotho: Path, published: Path, tmp_path: Path, naps: list[float], nth: int
) -> None:
    other = build_clotho(clotho, tmp_path / "other", splits=["train", "test"]).parent
    before = hub.files(REPO, "main")
    hub.reset_log()
    hub.fail(Fault(".*", "", nth=nth, status=500, times=99))
    try:
        done = push(hub, other, "1.1.0", CONFIG, pr=True)
    except EdgeGlassError:
        hub.heal()
        done = push(hub, other, "1.1.0", CONFIG, pr=True)
    else:
        assert len(hub.log) < REQUESTS
    ref = f"refs/pr/{(done.pull_request or '').rpartition('/')[2]}"
    assert tags(hub) == {"v1.0.0"} and hub.files(REPO, "main") == before
    assert holds(hub, ref) == manifest.read(other / CONFIG)


def test_a_withdrawal_that_was_stopped_after_its_tag_gives_its_certificate(
    hub: Hub, clotho: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    change = changes(clotho, published, tmp_path)["withdraw"]
    with monkeypatch.context() as patch:
        patch.setattr(withdraw.residue, "scan", stop)
        with pytest.raises(KeyboardInterrupt):
            change()
    assert tags(hub) == {"v1.0.0", "v1.1.0"}
    change()
    assert len(list((tmp_path / "papers").iterdir())) == 2


def test_what_is_no_version_yet_is_not_lost(
    hub: Hub, clotho: Path, published: Path, tmp_path: Path
) -> None:
    """Somebody else's build on the main branch, which has no tag."""
    change = changes(clotho, published, tmp_path)["withdraw"]
    other = build_clotho(clotho, tmp_path / "other", splits=["test"])
    commit(hub, {f"{CONFIG}/{path.name}": path.read_bytes() for path in other.iterdir()})
    with pytest.raises(EdgeGlassError, match="changed since its last version"):
        change()


def test_a_withdrawn_url_is_asked_for_no_more(tmp_path: Path) -> None:
    with Site({f"/{n}.jpg": page(jpeg(n)) for n in range(4)}) as site:
        raw = listed(tmp_path / "raw", [f"{site.url}/{n}.jpg" for n in range(4)])
        folder = made(raw, tmp_path / "out")
        gone = f"{site.url}/2.jpg"
        eg.withdraw(tmp_path / "out", url=gone)
        assert not [row for row in entries(folder).values() if row["url"] == gone]
        (tmp_path / "again").mkdir()
        site.log.clear()
        for place, more in (("out", {"refresh": tmp_path / "out"}), ("again", {"obey": (folder,)})):
            new = made(raw, tmp_path / place, **more)
            assert gone not in {row["url"] for row in entries(new).values()}
            assert manifest.read(new).outcomes()["withdrawn"] == 1
        assert site.log and "/2.jpg" not in str(site.log)
